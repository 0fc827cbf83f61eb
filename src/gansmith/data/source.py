"""What every kind of data looks like from here on: a source that can be read in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["pictures", "points", "words"]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Item:
    """One picture or one point as the source holds it.

    ``content`` is the bytes of an encoded picture (PNG, JPEG, …), a uint8 array H×W or H×W×C, or
    for points a float array of length D. ``label`` is an index into the source's classes; ``text``
    is what a picture of words says, and ``writer`` whose hand it is, where that is known.
    """

    name: str
    content: bytes | Array
    label: int | None = None
    text: str | None = None
    writer: str | None = None


@dataclass(frozen=True)
class Skipped:
    """A picture that could not be used, and why."""

    name: str
    reason: str


class Source(ABC):
    """Data that can be read in order, as often as needed.

    Reading in order is all that is asked: archives and Parquet files are bad at anything else, and
    every picture is decoded just once (see ``prepare``). Either every item has a label and
    ``classes`` names them, or none has and ``classes`` is None.
    """

    name: str
    kind: Kind = "pictures"
    classes: list[str] | None = None
    # What else, besides the bytes of the files, decides what is read: a split, a column.
    variant: str = ""

    @abstractmethod
    def __len__(self) -> int:
        """How many items there are, unreadable ones included."""

    @abstractmethod
    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        """Yield every ``step``-th item in a fixed order; an unreadable one is a ``Skipped``.

        A step above 1 gives a cheap, evenly spread sample: what lies between is not decoded and,
        where the format allows, not even read.
        """

    def __iter__(self) -> Iterator[Item | Skipped]:
        return self.read()

    def files(self) -> dict[str, Path]:
        """The files whose bytes make up this source, by a name that tells their part in it.

        None for what is made on the spot: then the values themselves are the identity.
        """
        return {}


def sample(source: Source, count: int = 256) -> Iterator[Item | Skipped]:
    """Yield at most ``count`` items spread evenly over the source."""
    return source.read(step=max(1, -(-len(source) // count)))


def names_of_labels(labels: Array) -> tuple[Array, list[str]]:
    """Number labels of any kind from 0: (int64 N, the name of each class in order)."""
    values, numbered = np.unique(labels, return_inverse=True)
    return numbered.reshape(-1).astype(np.int64), [str(value) for value in values.tolist()]

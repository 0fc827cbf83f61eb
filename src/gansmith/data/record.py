"""What a source was decoded to, as it lies in the cache: one file of values, and what they are."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gansmith.data.source import Array
from gansmith.errors import GansmithError


@dataclass(frozen=True)
class Written:
    """What pictures of words say, one entry a picture.

    Attributes:
        texts: in NFC; empty where nobody knows.
        writers: whose hands; None where the source does not say.
        widths: how many columns each is wide.
    """

    texts: list[str]
    writers: list[str] | None
    widths: list[int]


@dataclass(frozen=True)
class Record:
    """What lies beside the values in the cache."""

    shape: list[int]  # of all values; of words (columns of all of them, height)
    sha256: str  # of the values
    labels: list[int] | None
    skipped: list[tuple[str, str]]
    written: Written | None = field(default=None)

    @property
    def count(self) -> int:
        return len(self.written.texts) if self.written else self.shape[0]


def check_skipped(record: Record, max_skipped: float) -> None:
    """Raise a GansmithError where more than such a share could not be read."""
    # Only now, with everything decoded and kept: whoever then allows it waits no second time.
    skipped, total = len(record.skipped), len(record.skipped) + record.count
    if skipped > max_skipped * total:
        allowing = math.ceil(100 * skipped / total) / 100
        raise GansmithError(
            f"Expected at most {max_skipped:.0%} of the pictures to be unreadable, but "
            f"{skipped:,} of {total:,} are: {examples(record.skipped)}. Mend or remove them, or "
            f"allow it with --set data.max_skipped={allowing:.2f}."
        )


def examples(skipped: list[tuple[str, str]]) -> str:
    """Three of them in words."""
    shown = [f"{name} ({reason})" for name, reason in skipped[:3]]
    return "; ".join(shown) + "; …" * (len(skipped) > 3)


def load_record(entry: Path) -> Record | None:
    """The record of a cache entry; None where it is not there, or damaged: decode again."""
    try:
        content: dict[str, Any] = json.loads((entry / "record.json").read_text())
        written = content.pop("written", None)
        record = Record(
            **content | {"skipped": [(n, r) for n, r in content["skipped"]]},
            written=None if written is None else Written(**written),
        )
        whole = (entry / "values").stat().st_size == int(np.prod(record.shape))
        if said := record.written:
            whole &= len(said.texts) == len(said.widths) and sum(said.widths) == record.shape[0]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return record if whole else None


def load_values(entry: Path, record: Record, memory_gb: float) -> Array | None:
    """Read the values, or map them if they are too large; None if they are damaged."""
    size = int(np.prod(record.shape))
    try:
        if size > memory_gb * 1e9:
            # Copy on write: nobody writes, but torch wants memory that could be written to.
            return np.memmap(entry / "values", np.uint8, mode="c", shape=tuple(record.shape))
        values = np.fromfile(entry / "values", dtype=np.uint8)
    except (OSError, ValueError):
        return None
    if hashlib.sha256(values.data).hexdigest() != record.sha256:
        return None
    return values.reshape(record.shape)

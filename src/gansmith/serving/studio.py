"""A generator behind a desk: what is asked for as rows that are made together, in fixed company.

A network may sum in another order for another size of batch, which shows in a picture's last bit. So
rows are always made as many at once and of the same width, whoever else has asked for something:
then a seed's pictures are the same bytes at any time, and those of `Model.generate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gansmith.errors import GansmithError
from gansmith.generate import BLOCK, WORDS, Labels, Model
from gansmith.scribe import Scribe, Word, set_line

Row = tuple[Tensor, int | str | None]  # a latent, and a label or a word
Made = np.ndarray | Word


@dataclass(frozen=True)
class Example:
    """uint8 (H, W, C) or, of points, float32 (D,); lines of writing are each of their own size."""

    values: np.ndarray
    label: int | None = None
    is_line: bool = False


class Studio(Protocol):
    """One kind of generator: rows that an order needs, making rows, and what an order gets."""

    together: int

    def rows(self, n: int, seed: int, labels: Labels, text: str | None) -> list[Row]:
        """Raises GansmithError for what can't be made."""

    def make(self, rows: Sequence[Row]) -> list[Made]:
        """At most `together`."""

    def examples(self, rows: Sequence[Row], made: Sequence[Made], n: int) -> list[Example]: ...


class Pictures:
    """Pictures and points."""

    together = BLOCK

    def __init__(self, model: Model):
        self.model = model

    def rows(self, n: int, seed: int, labels: Labels, text: str | None) -> list[Row]:
        if text is not None:
            raise GansmithError(f"text: this generator makes {self.model.spec.kind}; leave it out")
        wanted = self.model.label_numbers(labels)
        rows: list[Row] = []
        for index in range(-(-n // BLOCK)):
            latent, drawn = self.model.draw(seed, index, wanted)
            rows += zip(latent, [None] * BLOCK if drawn is None else drawn.tolist(), strict=True)
        return rows[:n]

    def make(self, rows: Sequence[Row]) -> list[Made]:
        filled = [*rows, *[rows[-1]] * (BLOCK - len(rows))]
        labels = [label for _, label in filled if isinstance(label, int)]
        made = self.model.make(
            torch.stack([latent for latent, _ in filled]), torch.tensor(labels) if labels else None
        )
        return list(made[: len(rows)])

    def examples(self, rows: Sequence[Row], made: Sequence[Made], n: int) -> list[Example]:
        return [
            Example(np.asarray(values), label if isinstance(label, int) else None)
            for (_, label), values in zip(rows, made, strict=True)
        ]


class Lines:
    """Lines of handwriting, a row a word."""

    together = 32

    def __init__(self, model: Model):
        self.scribe = Scribe(model)

    def rows(self, n: int, seed: int, labels: Labels, text: str | None) -> list[Row]:
        if text is None or not text.split():
            raise GansmithError(f"text: expected something to write, found nothing; {WORDS}")
        if labels is not None:
            raise GansmithError("labels: this generator writes words and takes none; give a text")
        (text,) = self.scribe.check([text])
        hands = [self.scribe.hand(self.scribe.style(seed + k)[None])[0] for k in range(n)]
        return [(hand, word) for hand in hands for word in text.split()]

    def make(self, rows: Sequence[Row]) -> list[Made]:
        latents = torch.stack([latent for latent, _ in rows])
        return list(self.scribe.alike([str(word) for _, word in rows], latents))

    def examples(self, rows: Sequence[Row], made: Sequence[Made], n: int) -> list[Example]:
        each = len(rows) // n
        words = [word for word in made if isinstance(word, Word)]
        lines = [words[k * each : (k + 1) * each] for k in range(n)]
        pictures = (np.asarray(set_line(line, self.scribe.height)) for line in lines)
        return [Example(picture[..., None], is_line=True) for picture in pictures]


def studio_of(model: Model) -> Studio:
    return Lines(model) if model.spec.kind == "words" else Pictures(model)

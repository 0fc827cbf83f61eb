"""How wide a word is, and where in it each character lies.

Nobody tells a generator that; it is learnt from the data by counting. A word is about as wide as its
characters together, each with a usual width, times the pace of the hand: narrow or wide. The usual
widths are fitted, what remains is the pace, and of that the quantiles are kept. The first number of
a latent says at which of them its style writes, so made words are exactly as wide as real ones are,
and a recogniser can't read off a word's width how long it is.

What a generator of words is told of one is a row of whole numbers, its label: the width in pixels,
then its characters' numbers from 1, then zeros.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gansmith.config import DataSpec
from gansmith.measures import COLUMN, ENDS, LINE_HEIGHT, NARROWEST, WIDEST


def label_rows(widths: Tensor, codes: Tensor) -> Tensor:
    """(N,) and (N, L) → (N, 1 + L) int64."""
    return torch.cat([widths[:, None], codes], 1)


def encode(texts: Sequence[Sequence[str]], alphabet: Sequence[str]) -> Tensor:
    """Texts as rows of characters' numbers, from 1; 0 fills up. All must be in the alphabet."""
    numbers = {c: n for n, c in enumerate(alphabet, start=1)}
    rows = torch.zeros(len(texts), max((len(t) for t in texts), default=0), dtype=torch.int64)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text)] = torch.tensor([numbers[c] for c in text])
    return rows


def decode(codes: Tensor, alphabet: Sequence[str]) -> list[str]:
    """The texts of rows of characters' numbers."""
    return ["".join(alphabet[code - 1] for code in row if code) for row in codes.tolist()]


def widths_for(codes: Tensor, latent: Tensor, spec: DataSpec) -> Tensor:
    """(N, L), (N, Z) → (N,): how wide each style writes these characters, in whole columns."""
    assert spec.script is not None
    usual = torch.tensor([0.0, *spec.script.widths], device=codes.device)
    paces = torch.tensor(spec.script.paces, device=codes.device)
    place = torch.special.ndtr(latent[:, 0].float()) * (len(paces) - 1)
    below = place.long().clamp(max=len(paces) - 2)
    pace = torch.lerp(paces[below], paces[below + 1], place - below)
    natural = usual[codes].sum(1) * pace.exp()
    unit = spec.shape[1] / LINE_HEIGHT
    column = round(COLUMN * unit)
    count = (codes > 0).sum(1)
    least, most = NARROWEST * (count + 1), WIDEST * count + ENDS
    fitting = torch.clamp(natural, unit * least, unit * most)
    return (fitting / column).ceil().clamp(min=2).long() * column


def columns_of(codes: Tensor, widths: Tensor, columns: int, usual: Tensor) -> tuple[Tensor, ...]:
    """Of each column of a word: which character it lies in, where in it, and how wide that is.

    Characters share the word's `widths` (N,), in columns, as their `usual` widths are. Returns the
    place in the text, int64 (N, columns), the phase in 0…1, and the character's own width, both
    float. Columns beyond the word's own belong to its last character.
    """
    # Where a character begins is a sum over all before it, and filters' curves are steep: in single
    # precision this is what rounding changes most of a word by. (MPS has no other.)
    exact = torch.float32 if codes.device.type == "mps" else torch.float64
    share = usual.to(exact)[codes] * (codes > 0)
    share = share / share.sum(1, keepdim=True) * widths[:, None]
    ends = share.cumsum(1)
    middle = (torch.arange(columns, device=codes.device) + 0.5).expand(codes.shape[0], -1)
    last = (codes > 0).sum(1, keepdim=True) - 1
    place = torch.minimum((ends[:, None] < middle[:, :, None]).sum(2), last)
    width = share.gather(1, place)
    phase = (middle - (ends.gather(1, place) - width)) / width
    return place, phase.clamp(0, 1).float(), width.float()

"""How well words are read: of all, by length, and by character."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gansmith.data.words import characters
from gansmith.metrics.reading import Errors, edit_distance
from gansmith.metrics.words.referee import Judge
from gansmith.metrics.words.sets import Words

LENGTHS = ((1, 3), (4, 6), (7, 10), (11, 20))  # characters
WORST, SEEN = 10, 20  # characters that are listed, and how often one must be there for it


@dataclass(frozen=True)
class Legibility:
    """Errors of words, and of each character how often it was there and how often misread."""

    errors: Errors
    there: Counter[str]
    missed: Counter[str]

    @property
    def cer_error(self) -> float:
        """Of the CER, a ratio of sums over words (Cochran 1977, eq. 6.13)."""
        edits, lengths = self.errors.edits.double(), self.errors.lengths.double()
        off = edits - self.errors.cer * lengths
        return float(off.square().sum().sqrt() / lengths.sum())

    @property
    def wer_error(self) -> float:
        wer = self.errors.wer
        return float((wer * (1 - wer) / len(self.errors.edits)) ** 0.5)

    def by_length(self) -> dict[str, dict[str, Any]]:
        """CER, WER and number of words for each of `LENGTHS`; those that have none are left out."""
        found = {}
        for least, most in LENGTHS:
            within = (self.errors.lengths >= least) & (self.errors.lengths <= most)
            if n := int(within.sum()):
                part = Errors(self.errors.edits[within], self.errors.lengths[within])
                found[f"{least}-{most}"] = {"words": n, "cer": part.cer, "wer": part.wer}
        return found

    def worst(self) -> list[tuple[str, float, int]]:
        """The characters that are misread most: each with its share and how often it was there."""
        shares = [
            (c, self.missed[c] / count, count) for c, count in self.there.items() if count >= SEEN
        ]
        return sorted(shares, key=lambda row: (-row[1], row[0]))[:WORST]

    def misread(self, c: str) -> float | None:
        """The share of a character; None where it was not there."""
        return self.missed[c] / self.there[c] if self.there[c] else None


def legibility(judge: Judge, words: Words) -> Legibility:
    """What the referee makes of words whose characters it knows."""
    read = judge.referee.texts(words.values, words.widths)
    read_as = [[judge.alphabet[number - 1] for number in row] for row in read]
    wanted = [characters(text) for text in words.texts]
    numbers = {c: n for n, c in enumerate(judge.alphabet)}
    edits, there, missed = [], Counter[str](), Counter[str]()
    for a, b in zip(read_as, wanted, strict=True):
        edits.append(edit_distance([numbers[c] for c in a], [numbers[c] for c in b]))
        there.update(b)
        missed.update(c for c, wrong in zip(b, misread(a, b), strict=True) if wrong)
    lengths = torch.tensor([len(text) for text in wanted])
    return Legibility(Errors(torch.tensor(edits), lengths), there, missed)


def misread(read: Sequence[str], wanted: Sequence[str]) -> list[bool]:
    """Of each character that was wanted, whether one of the fewest edits replaces or adds it."""
    table = _distances(read, wanted)
    i, j = len(read), len(wanted)
    wrong = [True] * j
    while j:
        here = table[i][j]
        if i and read[i - 1] == wanted[j - 1] and here == table[i - 1][j - 1]:
            i, j = i - 1, j - 1
            wrong[j] = False
        elif i and here == table[i - 1][j - 1] + 1:
            i, j = i - 1, j - 1
        elif here == table[i][j - 1] + 1:
            j -= 1
        else:
            i -= 1
    return wrong


def _distances(a: Sequence[str], b: Sequence[str]) -> list[list[int]]:
    """Edit distances of every beginning of one to every beginning of the other."""
    table = [list(range(len(b) + 1))]
    for i, x in enumerate(a, start=1):
        row, before = [i], table[-1]
        for j, y in enumerate(b, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
        table.append(row)
    return table


def described(made: Legibility, real: Legibility) -> dict[str, Any]:
    """By length and by character, made beside real, as JSON has it."""
    worst = [
        {"character": c, "made": share, "real": real.misread(c), "times": count}
        for c, share, count in made.worst()
    ]
    return {"by_length": {"made": made.by_length(), "real": real.by_length()}, "worst": worst}


def parts_of(found: Legibility, chosen: Tensor) -> Errors:
    """The errors of those words alone."""
    return Errors(found.errors.edits[chosen], found.errors.lengths[chosen])

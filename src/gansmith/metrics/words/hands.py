"""How far hands lie apart: what can be measured of a word's writing, between writers and styles.

Simple measures in closed form, that depend little on what is written. A referee's features are full
of the text and know little of the hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.data.words import characters
from gansmith.metrics.reading import to_ink
from gansmith.metrics.words.sets import Words
from gansmith.variance import deviations

NOISE = 0.1  # ink below is paper
INK = 0.25  # ink above is a stroke's
DARKEST = 0.25  # share of a stroke's pixels whose ink says how dark it is
FEWEST_WORDS, MOST_WORDS = 10, 30  # of a writer
FEWEST_WRITERS = 8
AT_ONCE = 512
BINOMIAL = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a measure, between hands and within one, made and real."""

    made: float
    real: float
    ratio: float
    error: float  # of the ratio, by the jackknife over hands
    made_within: float
    real_within: float

    @property
    def all_words(self) -> float:
        """The ratio of the spreads of single words, between hands and within them together: where it is
        near 1 and `ratio` is above, styles hold what differs from word to word of one writer."""
        made, real = (self.made, self.made_within), (self.real, self.real_within)
        return math.hypot(*made) / math.hypot(*real)


@dataclass(frozen=True)
class Hands:
    """The spread of each measure, and the mean of their ratios."""

    writers: int
    words: int
    spreads: dict[str, Spread]
    ratio: float
    error: float

    def record(self) -> dict[str, Any]:
        measures = {
            name: vars(spread) | {"all_words": spread.all_words}
            for name, spread in self.spreads.items()
        }
        return {"writers": self.writers, "words": self.words, "measures": measures}


def slant(ink: Tensor, words: Words) -> Tensor:
    """How far upright strokes lean to the right for each pixel up: of ink g(x + s·y) it is s, y down.

    Where ink changes along the row more than along the column, by least squares; smoothed once, or
    the steps of the pixels would count.
    """
    across, down = _gradients(F.conv2d(ink[:, None], BINOMIAL[None, None], padding=1)[:, 0])
    upright = across.abs() > down.abs()
    product = (across * down * upright).sum((1, 2))
    return product / (across.square() * upright).sum((1, 2)).clamp_min(1e-6)


def darkness(ink: Tensor, words: Words) -> Tensor:
    """The mean ink of the darkest quarter of a word's strokes."""
    count = ((ink > INK).sum((1, 2)) * DARKEST).ceil().long().clamp_min(1)
    total = ink.flatten(1).sort(1, descending=True).values.cumsum(1)
    return total.gather(1, count[:, None] - 1)[:, 0] / count


def stroke(ink: Tensor, words: Words) -> Tensor:
    """The width of strokes in pixels: twice the ink over its edge's length, whatever its darkness. Of a
    bar a by b it is ab / (a + b)."""
    x = (ink - NOISE).clamp_min(0)
    edge = torch.stack(_gradients(x)).square().sum(0).sqrt().sum((1, 2))
    return 2 * x.sum((1, 2)) / edge.clamp_min(1e-6)


def pace(ink: Tensor, words: Words) -> Tensor:
    """The logarithm of the pixels from the first ink to the last, a character."""
    counts = torch.tensor([len(characters(text)) for text in words.texts])
    return (_extent(ink)[1] / counts).log()


def body(ink: Tensor, words: Words) -> Tensor:
    """The standard deviation of the rows that ink lies in, in pixels: letters' bodies or limbs."""
    rows = torch.arange(ink.shape[1], dtype=ink.dtype)
    weight = (ink - NOISE).clamp_min(0).sum(2)
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-6)
    mean = (weight * rows).sum(1, keepdim=True)
    return (weight * (rows - mean).square()).sum(1).sqrt()


def gaps(ink: Tensor, words: Words) -> Tensor:
    """The share of columns without ink between a word's first ink and last: joined letters or not."""
    inked, extent = _extent(ink)
    return 1 - inked / extent


MEASURES: dict[str, Callable[[Tensor, Words], Tensor]] = {
    "slant": slant,
    "darkness": darkness,
    "stroke": stroke,
    "pace": pace,
    "body": body,
    "gaps": gaps,
}


def measures_of(words: Words) -> Tensor:
    """(N, M): every one of `MEASURES` of each word."""
    parts = []
    for rows in torch.split(torch.arange(len(words)), AT_ONCE):
        part = words.at(rows)
        ink = to_ink(part.values)[:, 0]
        parts.append(torch.stack([measure(ink, part) for measure in MEASURES.values()], 1))
    return torch.cat(parts).double()


def chosen_rows(words: Words) -> Tensor | None:
    """Numbers of the words that hands are compared by: the first `MOST_WORDS` of every writer of at
    least `FEWEST_WORDS`; None where the writers are unknown or too few."""
    by_writer: dict[str, list[int]] = {}
    for row, name in enumerate(words.writers or ()):
        by_writer.setdefault(name, []).append(row)
    groups = [rows for rows in by_writer.values() if len(rows) >= FEWEST_WORDS]
    if len(groups) < FEWEST_WRITERS:
        return None
    return torch.tensor([row for rows in groups for row in rows[:MOST_WORDS]])


def compare_hands(made: Tensor, real: Tensor, hands: Tensor) -> Hands:
    """Measures (N, M) of made and real words of the same texts, row by row of the same hand (N,).

    A measure in which real hands do not differ is left out.
    """
    count = int(hands.max()) + 1
    without = torch.stack([_without(hand, made, real, hands) for hand in range(count)])
    ratios, errors = _ratios(made, real, hands), _jackknifed(without)
    kept = without.isfinite().all(0)
    of_made, of_real = deviations(made, hands), deviations(real, hands)
    spreads = {
        name: Spread(
            made=float(of_made[0, n]),
            real=float(of_real[0, n]),
            ratio=float(ratios[n]),
            error=float(errors[n]),
            made_within=float(of_made[1, n]),
            real_within=float(of_real[1, n]),
        )
        for n, name in enumerate(MEASURES)
        if kept[n]
    }
    together = _jackknifed(without[:, kept].mean(1))
    return Hands(count, len(hands), spreads, float(ratios[kept].mean()), float(together))


def _ratios(made: Tensor, real: Tensor, hands: Tensor) -> Tensor:
    return deviations(made, hands)[0] / deviations(real, hands)[0]


def _without(hand: int, made: Tensor, real: Tensor, hands: Tensor) -> Tensor:
    rest = hands != hand
    renumbered = hands[rest] - (hands[rest] > hand).long()
    return _ratios(made[rest], real[rest], renumbered)


def _jackknifed(values: Tensor) -> Tensor:
    """The standard errors of what was computed without each of n parts in turn, (n, …) → (…)."""
    n = len(values)
    return ((n - 1) / n * (values - values.mean(0)).square().sum(0)).sqrt()


def _gradients(ink: Tensor) -> tuple[Tensor, Tensor]:
    """Along the row and along the column, (N, H, W) each, by central differences."""
    x = F.pad(ink, (1, 1, 1, 1))
    across = (x[:, 1:-1, 2:] - x[:, 1:-1, :-2]) / 2
    return across, (x[:, 2:, 1:-1] - x[:, :-2, 1:-1]) / 2


def _extent(ink: Tensor) -> tuple[Tensor, Tensor]:
    """Of each word the columns with ink, and those from the first to the last."""
    inked = (ink > INK).any(1).double()
    from_left, from_right = inked.cumsum(1) > 0, inked.flip(1).cumsum(1).flip(1) > 0
    return inked.sum(1).clamp_min(1), (from_left & from_right).sum(1).clamp_min(1).double()

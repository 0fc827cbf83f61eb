"""The table by which a game is judged: which figures, within which bounds, for how long, mean what.

The bounds were set from small runs with faults made on purpose and from runs without, and tried on
others (benchmarks/stability.py); docs/health.md shows how often they are right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """Also the exit status of `gansmith doctor`."""

    FINE = 0
    WARNING = 1
    FAILED = 2


WARNING, FAILED = Severity.WARNING, Severity.FAILED


@dataclass(frozen=True)
class Sign:
    """A figure within bounds, and the words that show it (with the figure put in)."""

    figure: str
    low: float
    high: float
    words: str

    def holds(self, figures: Mapping[str, float]) -> bool:
        return self.low <= figures[self.figure] <= self.high


@dataclass(frozen=True)
class Rule:
    """A condition holds where all signs do, in so many readings in a row.

    `afresh`: it shows late what went wrong from the start, so no earlier state is worth keeping.
    """

    condition: str
    severity: Severity
    signs: tuple[Sign, ...]
    lasting: int = 1
    afresh: bool = False

    def applies(self, figures: Mapping[str, float]) -> bool:
        """Whether all that it needs is there."""
        return all(sign.figure in figures for sign in self.signs)

    def holds(self, figures: Mapping[str, float]) -> bool:
        return all(sign.holds(figures) for sign in self.signs)

    def words(self, figures: Mapping[str, float]) -> tuple[str, ...]:
        return tuple(sign.words.format(figures[sign.figure]) for sign in self.signs)


def above(figure: str, bound: float, words: str) -> Sign:
    return Sign(figure, bound, math.inf, words)


def below(figure: str, bound: float, words: str) -> Sign:
    return Sign(figure, -math.inf, bound, words)


def rule(
    condition: str, severity: Severity, *signs: Sign, lasting: int = 1, afresh: bool = False
) -> Rule:
    return Rule(condition, severity, signs, lasting, afresh)


EARLY = 3000  # steps: hours of good training are not thrown away for what comes later

REAL_FAKE = "the discriminator tells {:.0%} of pairs of a real and a generated example apart"
VARIES = "what is generated varies {:.0%} as much as the real examples"
NO_MORE = "and does not get more"
GAP = "its logits of real and generated ones are {:.1f} apart"
ONE_PICTURE = (
    below("spread", 0.04, "what is generated varies {:.0%} as much as the real: all is one"),
    below("most_spread", 0.2, "and never more than {:.0%}"),
)
PALE = (
    above("gap", 0.9, GAP),
    above("told", 0.88, REAL_FAKE),
    below("spread", 0.86, VARIES),
    below("gain", 1.03, NO_MORE),
    below("most_spread", 0.97, "with {:.0%} at most so far"),
)
NOISE = (
    above("told", 0.97, REAL_FAKE),
    above("gap", 4.0, GAP),
    above("spread", 1.25, VARIES),
)

# The first that holds is the verdict, so what explains others comes before them. The bounds and
# what they were set from are in docs/health.md.
RULES: tuple[Rule, ...] = (
    rule(
        "data problem", FAILED, above("real_peak", 1.5, "a real picture holds {:.4g}, not -1 to 1")
    ),
    rule(
        "data problem", FAILED, below("real_modes", 0.1, "only {:.0%} of the real examples differ")
    ),
    rule(
        "data problem",
        FAILED,
        below("told", 0.25, "it calls real fake and fake real ({:.0%} of pairs told rightly)"),
        below("loss_d", 0.4, "and is content, with a loss of {:.2g}"),
        lasting=5,
    ),
    rule(
        "data problem",
        FAILED,
        below("real_spread_change", 0.75, "the real examples vary {:.0%} as much as at first"),
        lasting=2,
    ),
    rule(
        "data problem",
        FAILED,
        below(
            "real_classes_change",
            0.5,
            "they are of {:.0%} as many classes as at first",
        ),
        lasting=2,
    ),
    rule(
        "exploding",
        FAILED,
        above("growth_d", 0.027, "all of the discriminator's layers grow by {:.1%} a step"),
    ),
    rule(
        "exploding",
        FAILED,
        above("growth_g", 0.027, "all of the generator's layers grow by {:.1%} a step"),
    ),
    rule("exploding", FAILED, above("loss_size", 1e6, "a loss is {:.3g} in size"), lasting=3),
    rule(
        "weights lost",
        FAILED,
        below("kept_d", 0.5, "a layer of the discriminator kept {:.0%} of its length"),
    ),
    rule(
        "weights lost",
        FAILED,
        below("kept_g", 0.5, "a layer of the generator kept {:.0%} of its length"),
    ),
    rule("generator stuck", FAILED, below("pace_g", 1e-9, "its weights did not move")),
    rule(
        "generator stuck",
        FAILED,
        above("steps", 150, "after {:,.0f} steps"),
        *ONE_PICTURE,
        lasting=5,
        afresh=True,
    ),
    rule(  # where probes are rare, five of them are long
        "generator stuck",
        FAILED,
        above("steps", 500, "after {:,.0f} steps"),
        *ONE_PICTURE,
        lasting=3,
        afresh=True,
    ),
    rule("discriminator stuck", FAILED, below("pace_d", 1e-9, "its weights did not move")),
    rule(
        "mode collapse",
        FAILED,
        above("most_spread", 0.5, "it had {:.0%} of the real examples' variety"),
        below("spread", 0.15, "and has {:.0%} of it now"),
        lasting=2,
    ),
    rule(
        "mode collapse",
        FAILED,
        above("spread", 0.3, VARIES),
        below("modes", 0.4, "but only {:.0%} as many of them differ from each other"),
        lasting=3,
    ),
    # Not before 500 steps: for its first 200 (MNIST) to 360 (CIFAR-10) a textbook's DCGAN at 64×64
    # looks like this and recovers.
    rule(
        "discriminator overpowering",
        FAILED,
        above("steps", 500, "after {:,.0f} steps"),
        above("gap", 4.0, GAP),
        above("told", 0.97, REAL_FAKE),
        below("spread", 0.65, VARIES),
        lasting=3,
    ),
    rule(
        "discriminator overpowering",
        FAILED,
        above("steps", 500, "after {:,.0f} steps"),
        above("told", 0.9, REAL_FAKE),
        below("spread", 0.4, VARIES),
        lasting=3,
    ),
    # Lost slowly: grey pictures for black and white ones, and no better for being trained longer; or
    # noise, which varies more than what is real. If so from the start there is nothing to go back to.
    *(
        rule(
            "discriminator overpowering",
            FAILED,
            Sign("steps", first, last, "after {:,.0f} steps"),
            *signs,
            lasting=lasting,
            afresh=afresh,
        )
        for signs, lasting in ((PALE, 3), (NOISE, 2))
        for first, last, afresh in ((500, EARLY, True), (EARLY, math.inf, False))
    ),
    rule(
        "generator stuck",
        FAILED,
        above("steps", 1000, "after {:,.0f} steps"),
        below("most_spread", 0.3, "what is generated never varied more than {:.0%} of the real"),
        below("gain", 1.1, NO_MORE),
        lasting=5,
    ),
    rule(
        "generator overpowering",
        FAILED,
        above("steps", 100, "after {:,.0f} steps"),
        below("told", 0.35, REAL_FAKE),
        below("spread", 0.8, VARIES),
        below("gain", 1.03, NO_MORE),
        lasting=10,
    ),
    rule(
        "discriminator overpowering",
        WARNING,
        above("steps", 250, "after {:,.0f} steps"),
        above("told", 0.95, REAL_FAKE),
        below("spread", 0.2, VARIES),
        lasting=2,
    ),
    rule(
        "oscillating",
        WARNING,
        above("steps", 500, "after {:,.0f} steps"),
        above("swing_d", 0.7, "the discriminator's loss swings by {:.0%} of its mean"),
        lasting=10,
    ),
    rule(
        "discriminator memorising",
        WARNING,
        above(
            "held_gap", 1.5, "it finds what it trains on {:.1f} deviations more real than what not"
        ),
        lasting=5,
    ),
    rule("data problem", WARNING, below("examples", 50, "there are only {:.0f} examples")),
    rule(
        "data problem",
        WARNING,
        above("real_constant", 1, "{:.0f} of the channels are one value everywhere"),
    ),
    rule("augmentation leak", WARNING, above("leaks", 1, "{:.0f} kinds of augmentation leak")),
    rule(
        "players unequal",
        WARNING,
        above("outweighs", 5, "the discriminator has {:.0f} times the generator's weights"),
    ),
    rule("batch too small", WARNING, below("batch", 4, "a batch is {:.0f} examples")),
    rule(
        "mode collapse",
        WARNING,
        above("spread", 0.3, VARIES),
        below("modes", 0.7, "but only {:.0%} as many of them differ from each other"),
        lasting=5,
    ),
    rule(
        "checkerboard",
        WARNING,
        above("steps", 500, "after {:,.0f} steps"),
        above("checkerboard", 0.02, "{:.1%} of what pictures show is a grid of single pixels"),
        lasting=5,
    ),
    rule(
        "colours off",
        WARNING,
        above("steps", 1000, "after {:,.0f} steps"),
        above("drift", 3.0, "the mean colour is {:.1f} deviations from the real pictures'"),
        lasting=5,
    ),
    rule(
        "mode collapse",
        WARNING,
        above("steps", 1000, "after {:,.0f} steps"),
        below("rarest", 0.1, "the rarest class is made {:.0%} as often as it is real"),
        lasting=2,
    ),
    rule("getting worse", WARNING, above("score_rise", 2.0, "{:.1f} times the best"), lasting=2),
)

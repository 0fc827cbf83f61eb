"""The results of `metrics.usefulness`, and when a difference of accuracies is a gain."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from torch import Tensor

REAL, AUGMENTED = "real only", "real, augmented"
WITH, WITH_AUGMENTED = "real + synthetic", "real + synthetic, augmented"
ALONE = "synthetic only"
NORMAL = 1.959964  # the standard normal distribution's 97.5 % quantile

Effect = Literal["helps", "no detectable gain", "hurts"]


@dataclass(frozen=True)
class Arm:
    """Classifiers that differ by their seed alone, and their accuracy on the test set.

    Attributes:
        name: what they were trained on.
        size: how many real pictures; 0 for none.
        accuracies: of each seed's classifier.
    """

    name: str
    size: int
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        return sum(self.accuracies) / len(self.accuracies)

    @property
    def sd(self) -> float:
        """The standard deviation from seed to seed."""
        return _sd(self.accuracies)

    def __str__(self) -> str:
        return spread(self.accuracies)


@dataclass(frozen=True)
class Verdict:
    """The better arm with synthetic data against the better one without, at one size.

    Attributes:
        size: how many real pictures.
        better: the arm with synthetic data.
        over: the arm without.
        gain: difference of the mean accuracies.
        low, high: its 95 % interval.
        effect: "helps" if the interval lies above 0, "hurts" if below.
    """

    size: int
    better: str
    over: str
    gain: float
    low: float
    high: float
    effect: Effect

    def __str__(self) -> str:
        low, gain, high = (f"{100 * x:+z.1f}" for x in (self.low, self.gain, self.high))
        return f"{self.effect}: {gain} points (95 % interval {low} to {high}) over {self.over}"


@dataclass(frozen=True)
class Origin:
    """Whose synthetic examples, beside which real ones: names, and hashes of their content."""

    run: str
    step: int
    data: str
    data_digest: str
    test: str
    test_digest: str

    def __str__(self) -> str:
        data, test = self.data_digest[:12], self.test_digest[:12]
        return (
            f"{self.run} at step {self.step:,}; real examples of {self.data} ({data}), tested on "
            f"{self.test} ({test})"
        )


@dataclass(frozen=True)
class Worth:
    """What was found: every arm, a verdict for each size, and how it was measured."""

    arms: tuple[Arm, ...]
    verdicts: tuple[Verdict, ...]
    real: int
    synthetic: int
    test: int
    seeds: int
    steps: int
    batch_size: int
    seed: int
    augmentation: tuple[str, ...]
    origin: Origin | None = None

    def arm(self, name: str, size: int) -> Arm:
        return next(arm for arm in self.arms if (arm.name, arm.size) == (name, size))

    @property
    def summary(self) -> str:
        """The verdicts in one sentence."""
        return summary(self.verdicts)

    @property
    def cas(self) -> Arm:
        """Classification accuracy score: trained on synthetic, tested on real pictures."""
        return self.arm(ALONE, 0)

    def lines(self) -> list[str]:
        """A table, the verdicts and the protocol, for people."""
        names = (REAL, AUGMENTED, WITH, WITH_AUGMENTED)
        rows = [["real examples", *names]]
        for verdict in self.verdicts:
            cells = (str(self.arm(name, verdict.size)) for name in names)
            rows.append([f"{verdict.size:,}", *cells])
        return [
            *aligned(rows),
            f"synthetic only (CAS): {self.cas}; all {self.real:,} real: {self.arm(REAL, self.real)}",
            *(f"{verdict.size:,} real: {verdict}" for verdict in self.verdicts),
            self.summary,
            *self._caution(),
            f"({self.seeds} seeds, {self.steps:,} steps of {self.batch_size} for each classifier, "
            f"{self.synthetic:,} synthetic, {self.test:,} real to test with, seed {self.seed}, "
            f"augmentation: {', '.join(self.augmentation) or 'none'})",
            *([] if self.origin is None else [f"({self.origin})"]),
        ]

    def _caution(self) -> list[str]:
        largest = max(verdict.size for verdict in self.verdicts)
        found = []
        if any(verdict.size < self.real for verdict in self.verdicts):
            found.append(
                f"A gain at fewer than all {self.real:,} real examples includes what the generator "
                "learnt from the others, if it was trained on them."
            )
        return found + too_few("classifier", self.steps, self.batch_size, largest)

    def to_json(self) -> str:
        arms = [asdict(arm) | {"mean": arm.mean, "sd": arm.sd} for arm in self.arms]
        return json.dumps(asdict(self) | {"arms": arms, "summary": self.summary}, indent=1) + "\n"


def verdict_on(size: int, results: dict[tuple[str, int], Tensor]) -> Verdict:
    """From where each arm's classifiers are right, float (S, T), by name and size."""

    def better(*names: str) -> str:
        return max(names, key=lambda name: float(results[name, size].mean()))

    # The better of two on both sides, so that choosing favours neither.
    over, with_ = better(REAL, AUGMENTED), better(WITH, WITH_AUGMENTED)
    gain, low, high = interval(results[with_, size], results[over, size])
    effect: Effect = "helps" if low > 0 else "hurts" if high < 0 else "no detectable gain"
    return Verdict(size, with_, over, gain, low, high, effect)


def interval(with_: Tensor, without: Tensor) -> tuple[float, float, float]:
    """The mean difference of two sets of results on one test set, and its 95 % interval.

    Args:
        with_, without: float (S, T), 1 where the classifier of a seed is right about a test
            picture; row by row from the same seed.

    Returns:
        (difference, low, high). Half its width is √((t·s)² + (z·e)²): s is the standard error from
        seed to seed, of S paired differences (Student's t), and e the standard error from test
        picture to test picture. The seeds share the test set, so they can't show by themselves
        that another test set might have said otherwise.
    """
    difference = (with_ - without).double()
    seeds, pictures = difference.shape
    over_seeds = difference.mean(1).std() / math.sqrt(seeds)
    over_pictures = difference.mean(0).std(correction=0) / math.sqrt(pictures)
    gain = float(difference.mean())
    half = math.hypot(t_quantile(seeds - 1) * float(over_seeds), NORMAL * float(over_pictures))
    return gain, gain - half, gain + half


def t_quantile(freedom: int, level: float = 0.95) -> float:
    """The t between whose ± a share `level` of Student's distribution lies, by bisection."""
    low, high = 0.0, math.pi / 2  # of the angle θ = atan(t / √ν)
    while high - low > 1e-15:
        middle = (low + high) / 2
        low, high = (middle, high) if _t_between(middle, freedom) < level else (low, middle)
    return math.tan(low) * math.sqrt(freedom)


def _t_between(angle: float, freedom: int) -> float:
    """P(|t| < √ν tan θ), a finite series for whole ν (Abramowitz & Stegun 26.7.3 and 26.7.4)."""
    cos, sin, odd = math.cos(angle), math.sin(angle), freedom % 2
    term, total = (cos if odd else 1.0), 0.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= k / (k + 1) * cos**2
    return 2 / math.pi * (angle + sin * total) if odd else sin * total


def summary(verdicts: tuple[Verdict, ...]) -> str:
    where = {
        effect: listed([verdict.size for verdict in verdicts if verdict.effect == effect])
        for effect in ("helps", "hurts")
    }
    helps, hurts = (where[e] and f"{where[e]} real examples" for e in ("helps", "hurts"))
    if helps and hurts:
        return f"The synthetic data help with {helps}, and hurt with {hurts}."
    if helps:
        return f"The synthetic data help with {helps}."
    if hurts:
        return f"The synthetic data hurt with {hurts}, and help nowhere."
    return "There is no detectable gain from the synthetic data."


def too_few(learner: str, steps: int, batch_size: int, largest: int) -> list[str]:
    """What to say where not all of the `largest` real set was seen."""
    if (drawn := steps * batch_size) >= largest:
        return []
    return [
        f"Each {learner} saw {drawn:,} examples, so not all of {largest:,} real ones, and "
        f"synthetic ones took the place of real: ask again with --steps "
        f"{2 * math.ceil(largest / batch_size)} or more."
    ]


def listed(sizes: Sequence[int]) -> str:
    """``100, 300 and 1,000``."""
    found = [f"{size:,}" for size in sizes]
    return " and ".join(filter(None, [", ".join(found[:-1]), *found[-1:]]))


def spread(shares: Sequence[float]) -> str:
    """Mean and standard deviation of shares, in percent."""
    return f"{100 * sum(shares) / len(shares):.1f} ± {100 * _sd(shares):.1f} %"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, their columns under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]


def _sd(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / max(1, len(values) - 1))

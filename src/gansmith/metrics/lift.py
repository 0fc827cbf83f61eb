"""Do recognisers read better with synthetic words? The results, and how sure they are.

What differs from seed to seed and from writer to writer is drawn again with replacement, both at
once (the bootstrap, Efron & Tibshirani 1993, clustered): a test set's words are as many, but its
writers are few, and the words of one hand are misread together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gansmith.data.words import characters, count_characters
from gansmith.metrics.gain import Origin, aligned, listed, spread, too_few
from gansmith.runtime import Draw, derive_seed

BASELINE, MADE, CONTROL = "A", "B", "S"
REPLICATES = 10_000
LENGTHS = ((1, 3), (4, 6), (7, 10), (11, None))
RARE = 50  # times among the real words: a character that comes less often is rare

Effect = Literal["helps", "no detectable lift", "hurts"]
Measure = Literal["WER", "CER"]


@dataclass(frozen=True)
class TestWords:
    """What the test words say, and whose hands they are, int64 (T,); each its own if unknown."""

    __test__ = False  # no test of pytest's

    texts: list[str]
    writers: Tensor

    @property
    def lengths(self) -> Tensor:
        return torch.tensor([len(characters(text)) for text in self.texts])


@dataclass(frozen=True)
class Arm:
    """Recognisers that differ by their seed alone.

    Attributes:
        name: the arm's letter; `Lift.arms` says what its recognisers were trained on.
        size: how many real words.
        cers, wers: character and word error rate of each seed's recogniser.
    """

    name: str
    size: int
    cers: tuple[float, ...]
    wers: tuple[float, ...]


@dataclass(frozen=True)
class Reduction:
    """By how much an arm's errors are fewer than those without synthetic words.

    Attributes:
        share: of the errors without; 0.1 where 20 % became 18 %.
        low, high: its 95 % interval.
    """

    arm: str
    size: int
    measure: Measure
    share: float
    low: float
    high: float

    @property
    def effect(self) -> Effect:
        return "helps" if self.low > 0 else "hurts" if self.high < 0 else "no detectable lift"

    def __str__(self) -> str:
        low, share, high = (f"{100 * x:+.1f}" for x in (self.low, self.share, self.high))
        return f"{self.effect} ({self.measure} reduced by {share} %, 95 % interval {low} to {high})"


@dataclass(frozen=True)
class Slice:
    """A part of the test words as an arm reads them: the mean over its seeds."""

    arm: str
    size: int
    kind: str
    part: str
    words: int
    cer: float
    wer: float


@dataclass(frozen=True)
class Lift:
    """What was found, and how: every arm, what it gains over real words alone, and where."""

    arms: dict[str, str]
    results: tuple[Arm, ...]
    reductions: tuple[Reduction, ...]
    slices: tuple[Slice, ...]
    real: int
    synthetic: int
    test: int
    writers: int
    seeds: int
    steps: int
    batch_size: int
    seed: int
    precision: str
    remarks: tuple[str, ...] = ()
    origin: Origin | None = None

    @property
    def sizes(self) -> list[int]:
        return sorted({arm.size for arm in self.results})

    def arm(self, name: str, size: int) -> Arm:
        return next(arm for arm in self.results if (arm.name, arm.size) == (name, size))

    def reduction(self, name: str, size: int, measure: Measure = "WER") -> Reduction:
        wanted = (name, size, measure)
        return next(r for r in self.reductions if (r.arm, r.size, r.measure) == wanted)

    @property
    def summary(self) -> str:
        """The verdicts on the generator's words, by word error rate, in a few sentences."""
        by_effect = {
            effect: [s for s in self.sizes if self.reduction(MADE, s).effect == effect]
            for effect in ("helps", "no detectable lift", "hurts")
        }
        said = {
            "helps": "The synthetic words help with {} real words.",
            "no detectable lift": "No detectable lift with {} real words.",
            "hurts": "The synthetic words hurt with {} real words.",
        }
        found = [said[effect].format(listed(sizes)) for effect, sizes in by_effect.items() if sizes]
        return " ".join(found)

    def lines(self) -> list[str]:
        """Tables, the verdicts and the protocol, for people."""
        return [
            *(f"{name}: {what}" for name, what in self.arms.items()),
            *self._table("WER"),
            *self._table("CER"),
            *(line for size in self.sizes for line in self._slices(size)),
            *(
                f"{r.size:,} real words, {r.arm} over {BASELINE}: {r}"
                for r in sorted(self.reductions, key=lambda r: r.size)
            ),
            self.summary,
            *self.cautions(),
            f"({self.seeds} seeds, {self.steps:,} steps of {self.batch_size} for each recogniser "
            f"in {self.precision}, {self.synthetic:,} synthetic words, {self.test:,} real ones of "
            f"{self.writers:,} writers to test with, seed {self.seed}; {REPLICATES:,} draws of "
            "writers and seeds)",
            *([] if self.origin is None else [f"({self.origin})"]),
        ]

    def cautions(self) -> list[str]:
        """What to keep in mind beside the verdicts."""
        found = list(self.remarks)
        if odd := [s for s in self.sizes if self.reduction(CONTROL, s).effect == "helps"]:
            found.append(
                f"The control {CONTROL} helps too with {listed(odd)} real words, though its texts "
                "are wrong: what helps there is not what the synthetic words say."
            )
        if any(size < self.real for size in self.sizes):
            found.append(
                f"A gain at fewer than all {self.real:,} real words includes what the generator "
                "learnt from the others, if it was trained on them: train one on as many "
                "(gansmith subset)."
            )
        return found + too_few("recogniser", self.steps, self.batch_size, max(self.sizes))

    def to_json(self) -> str:
        reductions = [asdict(r) | {"effect": r.effect} for r in self.reductions]
        more: dict[str, Any] = {
            "reductions": reductions,
            "summary": self.summary,
            "cautions": self.cautions(),
        }
        return json.dumps(asdict(self) | more, indent=1, ensure_ascii=False) + "\n"

    def _table(self, measure: Measure) -> list[str]:
        """A row a size, a column an arm."""
        rows = [[f"{measure}, by real words", *self.arms]]
        for size in self.sizes:
            arms = [self.arm(name, size) for name in self.arms]
            cells = [spread(a.wers if measure == "WER" else a.cers) for a in arms]
            rows.append([f"{size:,}", *cells])
        return ["", *aligned(rows)]

    def _slices(self, size: int) -> list[str]:
        here = [s for s in self.slices if s.size == size]
        parts = dict.fromkeys((s.kind, s.part, s.words) for s in here)
        wer = {(s.kind, s.part, s.arm): s.wer for s in here}
        rows = [[f"WER in %, {size:,} real words", "words", *self.arms]]
        for kind, part, words in parts:
            cells = (f"{100 * wer[kind, part, name]:.1f}" if words else "-" for name in self.arms)
            rows.append([part, f"{words:,}", *cells])
        return ["", *aligned(rows), *([""] if size == self.sizes[-1] else [])]


def arm_of(name: str, size: int, edits: Tensor, lengths: Tensor) -> Arm:
    """From the edits of each seed and test word, int64 (S, T)."""
    cers = edits.sum(1).double() / lengths.sum()
    wers = (edits > 0).double().mean(1)
    return Arm(name, size, tuple(cers.tolist()), tuple(wers.tolist()))


def reductions_of(
    name: str, size: int, edits: Tensor, baseline: Tensor, writers: Tensor
) -> list[Reduction]:
    """Of WER and CER, from both arms' edits (S, T), row by row of the same seed."""
    wrong, wrong_before = ((x > 0).long() for x in (edits, baseline))
    return [
        Reduction(name, size, "WER", *reduction(wrong, wrong_before, writers)),
        Reduction(name, size, "CER", *reduction(edits, baseline, writers)),
    ]


def reduction(
    errors: Tensor, baseline: Tensor, writers: Tensor, replicates: int = REPLICATES
) -> tuple[float, float, float]:
    """1 − errors / baseline, and its 95 % interval.

    Args:
        errors, baseline: whole numbers (S, T), of the same seeds and test words. What they would be
            divided by, words or characters, is the same in both and cancels out.
        writers: int64 (T,), whose each word is, from 0.

    Returns:
        (share, low, high): percentiles of what the same ratio would be had other writers, of as many,
        and other seeds been drawn. Both arms keep the same ones, so what they share cancels out.
    """
    seeds, count = len(errors), int(writers.max()) + 1
    generator = torch.Generator().manual_seed(derive_seed(0, Draw.USEFULNESS))
    some_writers = _drawn(count, replicates, generator)
    some_seeds = _drawn(seeds, replicates, generator)

    def total(of: Tensor) -> Tensor:
        by_writer = torch.zeros(seeds, count, dtype=torch.float64)
        by_writer.index_add_(1, writers, of.double())
        return ((some_writers @ by_writer.T) * some_seeds).sum(1)

    ratios = _reduced(total(errors), total(baseline))
    low, high = torch.quantile(ratios, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return float(_reduced(errors.sum(), baseline.sum())), low, high


def slices_of(
    name: str, size: int, edits: Tensor, test: TestWords, parts: dict[str, dict[str, Tensor]]
) -> list[Slice]:
    """How an arm reads each part, from its edits (S, T)."""
    found = []
    for kind, masks in parts.items():
        for part, inside in masks.items():
            own, words = edits[:, inside].double(), int(inside.sum())
            cer = float(own.mean(0).sum() / test.lengths[inside].sum()) if words else 0.0
            wer = float((own > 0).double().mean()) if words else 0.0
            found.append(Slice(name, size, kind, part, words, cer, wer))
    return found


def parts_of(test: TestWords, known: Sequence[str]) -> dict[str, dict[str, Tensor]]:
    """Bool (T,) of each part of the test words, three ways; `known` are the real words' texts."""
    lengths, vocabulary = test.lengths, set(known)
    often = {c for c, n in count_characters(known).items() if n >= RARE}
    inside = torch.tensor([text in vocabulary for text in test.texts])
    rare = torch.tensor([not often.issuperset(characters(text)) for text in test.texts])
    return {
        "length": {
            f"{low}-{high} characters" if high else f"{low} characters or more": (lengths >= low)
            & (lengths <= (high or lengths.max()))
            for low, high in LENGTHS
        },
        "vocabulary": {"a known text": inside, "an unknown text": ~inside},
        "characters": {f"a character seen < {RARE} times": rare, "no such character": ~rare},
    }


def _drawn(count: int, replicates: int, generator: torch.Generator) -> Tensor:
    """float (replicates, count): how often each comes among `count` drawn with replacement."""
    drawn = torch.randint(count, (replicates, count), generator=generator)
    times = torch.zeros(replicates, count, dtype=torch.float64)
    return times.scatter_add_(1, drawn, torch.ones(drawn.shape, dtype=torch.float64))


def _reduced(errors: Tensor, baseline: Tensor) -> Tensor:
    """1 − errors / baseline; 0 where both are 0, and finite where there were none before."""
    return torch.where(errors == baseline, 0.0, 1 - errors / baseline.clamp(min=0.5))

"""Figures that carry what they were measured by, and tables that refuse to mix them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator, model_validator

from gansmith.config import Section
from gansmith.errors import GansmithError

# What each figure is called for people, and which way is better: -1 lower, 1 higher, 0 neither.
FIGURES = {
    "fid": ("FID", -1),
    "fid_infinity": ("FID∞", -1),
    "kid": ("KID × 1000", -1),
    "precision": ("precision", 1),
    "recall": ("recall", 1),
    "density": ("density", 1),
    "coverage": ("coverage", 1),
    "sliced_wasserstein": ("sliced Wasserstein", -1),
    "inception_score": ("inception-style score", 1),
    "agreement": ("read as asked", 1),
    "cer": ("characters misread (CER)", -1),
    "wer": ("words misread (WER)", -1),
    "cer_same": ("CER of the real words' texts", -1),
    "hands": ("spread of hands, real is 1", 0),
    "borders": ("told by paper and borders", -1),
}
# Those that are never nought, so that multiples of the floor mean something: the others are
# unbiased, and of two real sets they come out as nought give or take chance.
ABOVE_NOUGHT = ("fid", "sliced_wasserstein")


class Protocol(Section):
    """How figures were measured. Only figures of one protocol can be compared."""

    space: str  # the feature space's name …
    weights: str  # … the hash of its weights, and what happens to pictures before it
    resize: str
    reference: str  # the real examples: their source …
    size: str  # … pixels, width x height, or values of a point …
    digest: str  # … the hash of their content as decoded …
    real: int  # … and how many
    made: int  # generated examples, and as many real ones for the floor
    seed: int
    read: int | None = None  # of words: how many were made to be read

    def __str__(self) -> str:
        read = "" if self.read is None else f"{self.read:,} read, "
        return (
            f"{read}{self.made:,} generated against {self.real:,} real of {self.reference} at "
            f"{self.size}, {self.space} features ({self.weights}, resize: {self.resize}), "
            f"seed {self.seed}"
        )


class Figure(Section):
    """A value with its standard error, and the floor: the same between two sets of real examples."""

    value: float
    error: float | None = None
    floor: float | None = None


class Balance(Section):
    """The classes' shares among generated and real examples, and their entropies in nats."""

    classes: tuple[str, ...]
    shares: tuple[float, ...]
    real_shares: tuple[float, ...]
    entropy: float
    real_entropy: float
    distance: float  # total variation: 0 the same, 1 nothing in common
    fid: tuple[float | None, ...] = ()  # within each class, and the same of real ones
    fid_floor: tuple[float | None, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> Balance:
        columns = (self.shares, self.real_shares, *filter(None, (self.fid, self.fid_floor)))
        if any(len(column) != len(self.classes) for column in columns):
            raise ValueError("expected a share for each class")
        return self

    @property
    def missing(self) -> list[str]:
        """The classes that are among the real examples and were never made."""
        rows = zip(self.classes, self.shares, self.real_shares, strict=True)
        return [name for name, share, real in rows if real > 0 and share == 0]


class Evaluation(Section):
    """What `gansmith evaluate` found; `evaluation.json` in the run's folder."""

    run: str
    step: int
    protocol: Protocol
    figures: dict[str, Figure]
    balance: Balance | None = None
    memorisation: dict[str, Any] | None = None
    details: dict[str, Any] | None = None  # of words: by length, character, measure of hands …
    said: tuple[str, ...] = ()  # and what that comes to, in sentences

    @field_validator("memorisation")
    @classmethod
    def _has_a_verdict(cls, found: dict[str, Any] | None) -> dict[str, Any] | None:
        if found is not None and not isinstance(found.get("verdict"), str):
            raise ValueError("expected a verdict in words")
        return found

    def __getitem__(self, name: str) -> float:
        return self.figures[name].value

    def to_json(self) -> str:
        return self.model_dump_json(indent=1) + "\n"

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Name, value, floor, and how many times the floor: for a table."""
        return [_row(name, self.figures[name]) for name in FIGURES if name in self.figures]

    def remarks(self) -> list[str]:
        """What a person should know beside the figures."""
        found = [*self.said]
        if self.balance:
            found.append(_balance_words(self.balance))
        if self.memorisation:
            found.append(self.memorisation["verdict"])
        return found


def read_evaluation(path: Path) -> Evaluation:
    """Read an ``evaluation.json``. Raises GansmithError."""
    try:
        return Evaluation.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = getattr(error, "strerror", None) or "it is not what gansmith wrote"
        raise GansmithError(
            f"{path}: expected figures, found none ({reason}); make them with: gansmith evaluate RUN"
        ) from None


def compare(evaluations: Sequence[Evaluation]) -> list[tuple[str, ...]]:
    """One row a figure, one column an evaluation, the floor last. Different protocols are an error."""
    first = evaluations[0]
    for other in evaluations[1:]:
        require_same_protocol(first, other)
    names = [n for n in FIGURES if all(n in e.figures for e in evaluations)]
    return [
        (FIGURES[n][0], *(show(n, e[n]) for e in evaluations), show(n, first.figures[n].floor))
        for n in names
    ]


def require_same_protocol(a: Evaluation, b: Evaluation) -> None:
    """Raise a GansmithError that names what differs."""
    both = a.protocol, b.protocol
    if a.protocol.size != b.protocol.size:
        raise GansmithError(
            f"{a.run} makes examples of {a.protocol.size}, {b.run} of {b.protocol.size}, and figures "
            "at two sizes can't be compared; train one of them at the other's size"
        )
    # The same data may lie under two names.
    names = [name for name in Protocol.model_fields if name != "reference"]
    differing = [
        " and ".join(_said(name, protocol) for protocol in both)
        for name in names
        if len({getattr(protocol, name) for protocol in both}) > 1
    ]
    if differing:
        raise GansmithError(
            f"{a.run} and {b.run} were measured differently ({'; '.join(differing)}), so their "
            "figures can't be compared; evaluate both again with the same --data, --space, -n and "
            "--seed"
        )


def _said(name: str, protocol: Protocol) -> str:
    if name == "digest":
        return f"data {protocol.reference} ({protocol.digest[:12]})"
    return f"{name} {getattr(protocol, name)}"


def show(name: str, value: float | None) -> str:
    """A figure for people, at the precision it deserves."""
    if value is None:
        return "–"
    if name == "kid":
        return f"{1000 * value:.3f}"
    return f"{value:.3f}" if value < 100 else f"{value:.1f}"


def _row(name: str, figure: Figure) -> tuple[str, str, str, str]:
    value = show(name, figure.value)
    if figure.error is not None:
        value += f" ± {show(name, figure.error)}"
    times = ""
    if name in ABOVE_NOUGHT and figure.floor:
        times = f"{figure.value / figure.floor:.1f} × the floor"
    return FIGURES[name][0], value, show(name, figure.floor), times


def _balance_words(balance: Balance) -> str:
    said = (
        f"Classes: {balance.distance:.1%} of the examples would have to change class to match the "
        f"real shares (entropy {balance.entropy:.3f} of {balance.real_entropy:.3f} nats)."
    )
    if balance.missing:
        said += f" Never made: {', '.join(balance.missing[:20])}."
    return said

"""What a run's figures say about its health: a verdict, how we know, since when, and what to do.

Nothing here trains, reads or writes. Records go in one after the other (those of metrics.jsonl, or
what another trainer's log holds) and a verdict comes out: while training, for a run that is resumed
and for `gansmith doctor` it is the same fold over the same records.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gansmith.health.conditions import CONDITIONS, HEALTHY, NAN, NO_FAULT, WARMING_UP
from gansmith.health.log_rules import LOG_RULES
from gansmith.health.rules import RULES, Rule, Severity
from gansmith.health.trends import Trends

__all__ = [
    "CONDITIONS",
    "HEALTHY",
    "LARGEST",
    "LOG_RULES",
    "NAN",
    "NO_FAULT",
    "RULES",
    "WARMING_UP",
    "Health",
    "Rule",
    "Severity",
    "Verdict",
    "course",
    "judge",
    "timeline",
    "unknown",
]

Record = Mapping[str, Any]
LARGEST = 1e300
FEWEST = 5  # readings before a game without a fault is called healthy …
VARIED = 0.5  # … and so much of the real examples' variety, once


@dataclass(frozen=True)
class Verdict:
    """How a run is at `step`, and since which step."""

    condition: str
    severity: Severity
    step: int
    since: int
    evidence: tuple[str, ...] = ()
    afresh: bool = False  # no earlier state is worth going back to
    clear: int | None = None  # the last reading that did not show it; None: just before `since`

    @property
    def sound_until(self) -> int:
        """The last step whose state can be without it; -1 where none is worth going back to."""
        if self.afresh:
            return -1
        return self.since - 1 if self.clear is None else self.clear

    @property
    def meaning(self) -> str:
        return CONDITIONS[self.condition].meaning

    @property
    def advice(self) -> str:
        return CONDITIONS[self.condition].advice

    def like(self, other: Verdict) -> bool:
        """Whether both say the same, if not for the same reason."""
        return (self.condition, self.severity) == (other.condition, other.severity)

    def words(self) -> str:
        """What it is, since when, and how we know."""
        since = f" since step {self.since:,}" if 0 < self.since < self.step else ""
        known = f" ({'; '.join(self.evidence)})" if self.evidence else ""
        return f"{self.condition}{since}{known}"

    def to_record(self) -> dict[str, Any]:
        """As a record of metrics.jsonl holds it."""
        return {
            "verdict": self.condition,
            "severity": self.severity.name.lower(),
            "since": self.since,
            "evidence": list(self.evidence),
        }


@dataclass
class _Streak:
    """For how many readings in a row a rule has held, since which step, and what showed it last."""

    count: int = 0
    since: int = 0
    clear: int = 0  # the step of the last reading in which it did not hold
    evidence: tuple[str, ...] = ()


class Health:
    """A fold over records: `see` each in turn; `verdict` is how things stand after the last."""

    def __init__(self, rules: tuple[Rule, ...] = RULES):
        self.rules = rules
        self._start(0, Trends())

    def see(self, record: Record) -> Verdict:
        """The verdict after one more record; one of a treatment starts anew."""
        step = int(record["step"])
        if isinstance(record.get("treatment"), str):
            self._start(step, Trends(step, self.trends.usual))
        elif wrong := not_finite(record):
            evidence = (f"{', '.join(wrong)} {'are' if len(wrong) > 1 else 'is'} not finite",)
            self.verdict = Verdict(NAN, Severity.FAILED, step, self._since(NAN, step), evidence)
        else:
            figures = numbers_of(record)
            figures |= self.trends.follow(step, figures)
            self.figures |= figures
            self.readings += "loss_d" in figures
            for rule, streak in zip(self.rules, self.streaks, strict=True):
                _count(rule, streak, figures, step)
            self.verdict = self._judge(step)
        return self.verdict

    @property
    def sound(self) -> bool:
        """Whether this is a state to go back to: a game that got somewhere and has not failed."""
        return self.verdict.severity < Severity.FAILED and self._without_fault() == HEALTHY

    def _start(self, step: int, trends: Trends) -> None:
        self.trends, self.readings = trends, 0
        self.figures: dict[str, float] = {}  # the newest of each
        self.streaks = [_Streak(clear=step) for _ in self.rules]
        self.verdict = Verdict(WARMING_UP, Severity.FINE, step, step)

    def _judge(self, step: int) -> Verdict:
        for rule, streak in zip(self.rules, self.streaks, strict=True):
            if streak.count >= rule.lasting:
                since = min(streak.since, self._since(rule.condition, step))
                clear = min(streak.clear, since - 1)
                known = streak.evidence
                return Verdict(
                    rule.condition, rule.severity, step, since, known, rule.afresh, clear
                )
        condition = self._without_fault()
        return Verdict(condition, Severity.FINE, step, self._since(condition, step))

    def _without_fault(self) -> str:
        if self.rules is LOG_RULES:
            return NO_FAULT
        varied = (self.trends.most_spread or 0.0) >= VARIED
        return HEALTHY if varied and self.readings >= FEWEST else WARMING_UP

    def _since(self, condition: str, step: int) -> int:
        return self.verdict.since if self.verdict.condition == condition else step


def not_finite(record: Record) -> list[str]:
    """Which of a record's figures are not numbers."""
    noted = record.get("not_finite")
    named = [str(name) for name in noted] if isinstance(noted, list) else []
    return named + [k for k, v in record.items() if isinstance(v, float) and not math.isfinite(v)]


def numbers_of(record: Record) -> dict[str, float]:
    """A record's figures, NaN left out. Anybody may have written it, so each is held to ±LARGEST:
    an integer may be longer than a float can hold."""
    return {
        key: float(max(-LARGEST, min(LARGEST, value)))
        for key, value in record.items()
        if isinstance(value, (int, float)) and value == value
    }


def judge(records: Iterable[Record], rules: tuple[Rule, ...] = RULES) -> Verdict:
    """The verdict after the last of `records`."""
    return course(records, rules)[0]


def timeline(records: Iterable[Record], rules: tuple[Rule, ...] = RULES) -> list[Verdict]:
    """Each verdict that differs from the one before, in the order of the steps."""
    return course(records, rules)[1]


def course(
    records: Iterable[Record], rules: tuple[Rule, ...] = RULES
) -> tuple[Verdict, list[Verdict]]:
    """What `judge` and `timeline` say, in one fold."""
    health = Health(rules)
    found: list[Verdict] = []
    for record in records:
        before, now = health.verdict, health.see(record)
        if not found or not now.like(before):
            found.append(now)
    return health.verdict, found


def unknown(records: Iterable[Record], rules: tuple[Rule, ...] = RULES) -> list[str]:
    """Conditions that `records` could not show, for want of the figures."""
    trends, seen = Trends(), set[str]()
    for record in records:
        figures = numbers_of(record)
        seen |= {*figures, *trends.follow(int(record["step"]), figures)}
    known = {rule.condition for rule in rules if all(s.figure in seen for s in rule.signs)}
    everything = dict.fromkeys(rule.condition for rule in RULES)
    return [condition for condition in everything if condition not in known]


def _count(rule: Rule, streak: _Streak, figures: Mapping[str, float], step: int) -> None:
    if not rule.applies(figures):
        return  # a record between two probes: what the last of them showed still stands
    if not rule.holds(figures):
        streak.count, streak.clear = 0, step
        return
    streak.since = streak.since if streak.count else step
    streak.count += 1
    streak.evidence = rule.words(figures)

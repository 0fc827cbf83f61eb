"""From the runs that `stability` left: what was noticed, when, what it was called, what was mended.

    python -m benchmarks.verdicts DIR [--calibration DIR]

Prints tables (docs/health.md holds them) and writes records/stability.json.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import record
from benchmarks.faults import FAULTS
from gansmith.health import HEALTHY, Severity, Verdict, timeline

IN_TIME = 0.2  # of the run's steps, after the fault began
COLLAPSED = 5.0  # times the median score of its like: a result that nobody would use
FIGURES = (
    *("told", "gap", "loss_d", "loss_g", "spread", "modes", "drift", "pace_d", "pace_g"),
    *("kept_d", "kept_g", "held_gap", "checkerboard"),
)


@dataclass(frozen=True)
class Outcome:
    """One small run: its case, its verdicts, its treatments and where it ended."""

    case: Mapping[str, Any]
    records: list[dict[str, Any]]
    verdicts: list[Verdict]
    repairs: int
    score: float  # the last; inf where there was none, or the run was stopped

    @property
    def group(self) -> str:
        return f"{self.case['recipe']}, {Path(self.case['source']).stem}"

    @property
    def alarms(self) -> list[Verdict]:
        return [v for v in self.verdicts if v.severity > Severity.FINE]

    @property
    def first(self) -> Verdict | None:
        """The first alarm after the fault, if it came in time."""
        begins, limit = self.case["begins"], IN_TIME * self.planned
        after = [v for v in self.alarms if begins <= v.step <= begins + limit]
        return after[0] if after else None

    @property
    def planned(self) -> int:
        """Steps that were asked for."""
        if "batch_size" in FAULTS[self.case["fault"]].changes:
            return int(self.case["steps"] * 32 / FAULTS[self.case["fault"]].changes["batch_size"])
        return int(self.case["steps"])


def read(path: Path) -> Outcome:
    *records, case = (json.loads(line) for line in path.read_text().splitlines())
    scores = [r["score"] for r in records if "score" in r]
    stopped = bool(case["ended"])
    return Outcome(
        case,
        records,
        timeline(records),
        sum("treatment" in r for r in records),
        math.inf if stopped or not scores else scores[-1],
    )


def detection(outcomes: Iterable[Outcome]) -> dict[str, dict[str, Any]]:
    """Of each fault: runs, how many were noticed in time, how many named rightly, and as what."""
    table = {}
    for fault, runs in _by(outcomes, lambda o: o.case["fault"]).items():
        if fault == "none":
            continue
        firsts = [run.first for run in runs]
        named = Counter(v.condition for v in firsts if v is not None)
        after = [v.step - r.case["begins"] for r, v in zip(runs, firsts, strict=True) if v]
        table[fault] = {
            "runs": len(runs),
            "in_time": sum(named.values()),
            "named_rightly": sum(n for c, n in named.items() if c in FAULTS[fault].called),
            "called": dict(named),
            "median_steps_until": statistics.median(after) if after else None,
        }
    return table


def recovery(outcomes: list[Outcome]) -> dict[str, dict[str, Any]]:
    """Of each fault that can be mended: how many ended within two deviations of clean runs."""
    clean = _by((o for o in outcomes if o.case["fault"] == "none"), lambda o: o.group)
    limits = {
        group: statistics.fmean(s) + 2 * statistics.stdev(s)
        for group, runs in clean.items()
        if len(s := [r.score for r in runs if math.isfinite(r.score)]) > 1
    }
    table = {}
    for fault, runs in _by(outcomes, lambda o: o.case["fault"]).items():
        if not FAULTS[fault].recoverable or fault == "none":
            continue
        like = [run for run in runs if _like(run) in limits]
        table[fault] = {
            "runs": len(like),
            "recovered": sum(run.score <= limits[_like(run)] for run in like),
            "scores": [_round(run.score) for run in like],
            "limits": [_round(limits[_like(run)]) for run in like],
            "repairs": [run.repairs for run in like],
        }
    return table


def healthy(outcomes: Iterable[Outcome]) -> dict[str, dict[str, Any]]:
    """Of each recipe and data set without a fault: alarms, repairs, and results of no use."""
    clean = [o for o in outcomes if o.case["fault"] == "none"]
    table = {}
    for group, runs in _by(clean, lambda o: o.group).items():
        usual = statistics.median(run.score for run in runs)
        table[group] = {
            "runs": len(runs),
            "alarms": {
                str(r.case["seed"]): [f"{v.step}: {v.condition}" for v in r.alarms]
                for r in runs
                if r.alarms
            },
            "repairs": sum(run.repairs for run in runs),
            "median_score": _round(usual),
            "worst_score": _round(max(run.score for run in runs)),
            "collapsed": sum(run.score > COLLAPSED * usual for run in runs),
            "healthy_at_the_end": sum(run.verdicts[-1].condition == HEALTHY for run in runs),
        }
    return table


def calibration(outcomes: Iterable[Outcome]) -> dict[str, dict[str, list[float]]]:
    """The 2nd, 50th and 98th percentile of each figure, by fault, after the fault and warm-up."""
    table: dict[str, dict[str, list[float]]] = {}
    for fault, runs in _by(outcomes, lambda o: o.case["fault"]).items():
        table[fault] = {}
        for name in FIGURES:
            values = [
                _figure(r, name)
                for run in runs
                for r in run.records
                if r["step"] > max(run.case["begins"], run.planned / 10)
            ]
            found = [v for v in values if v is not None and math.isfinite(v)]
            if found:
                table[fault][name] = [float(f"{q:.3g}") for q in np.percentile(found, [2, 50, 98])]
    return table


def _figure(found: Mapping[str, Any], name: str) -> float | None:
    if name == "gap" and "logit_real" in found:
        return float(found["logit_real"] - found["logit_fake"])
    return found.get(name)


def _like(run: Outcome) -> str:
    """The clean runs that it is compared with: those of the recipe that was really trained."""
    recipe = FAULTS[run.case["fault"]].changes.get("recipe", run.case["recipe"])
    return f"{recipe}, {Path(run.case['source']).stem}"


def _by(outcomes: Iterable[Outcome], key: Any) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(key(outcome), []).append(outcome)
    return groups


def _round(score: float) -> float | None:
    return float(f"{score:.3g}") if math.isfinite(score) else None


def _print(title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    print(f"\n{title}")
    for name, row in rows.items():
        print(f"  {name:28}", "  ".join(f"{key} {value}" for key, value in row.items()))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calibration", type=Path, help="runs that the bounds were set from")
    options = parser.parse_args(arguments)
    outcomes = [read(path) for path in sorted(options.folder.glob("*.jsonl"))]
    found, mended, fine = detection(outcomes), recovery(outcomes), healthy(outcomes)
    _print("detection", found)
    _print("recovery", mended)
    _print("without a fault", fine)
    faults, tried = (sum(row["runs"] for row in table.values()) for table in (found, mended))
    totals = {
        "fault_runs": faults,
        "in_time": sum(row["in_time"] for row in found.values()),
        "named_rightly": sum(row["named_rightly"] for row in found.values()),
        "recoverable_runs": tried,
        "recovered": sum(row["recovered"] for row in mended.values()),
        "runs_without_fault": sum(row["runs"] for row in fine.values()),
        "of_them_with_alarms": sum(len(row["alarms"]) for row in fine.values()),
        "of_them_collapsed": sum(row["collapsed"] for row in fine.values()),
    }
    print("\n", totals)
    result = {"totals": totals, "detection": found, "recovery": mended, "without_fault": fine}
    if options.calibration:
        old = [read(path) for path in sorted(options.calibration.glob("*.jsonl"))]
        result["calibration"] = calibration(old)
    print(record.write("stability", {"runs": len(outcomes)}, result))


if __name__ == "__main__":
    main()

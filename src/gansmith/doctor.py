"""How a run is, from the files that it left: one of gansmith's, or another trainer's log."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gansmith.errors import GansmithError
from gansmith.health import LARGEST, LOG_RULES, RULES, Verdict, course, judge, unknown
from gansmith.logs import read_log
from gansmith.run import RunFolder
from gansmith.sheets import refuse_special, variety_of_sheet

SLOWER = 0.5  # of the usual pace: worth a remark


@dataclass(frozen=True)
class Examination:
    """What was looked at, the verdict, how it came to that, and what can't be told from it."""

    what: str
    verdict: Verdict
    history: tuple[str, ...]
    remarks: tuple[str, ...]
    unknown: tuple[str, ...]

    def lines(self) -> list[str]:
        verdict = self.verdict
        lines = [f"{self.what}: {verdict.words()}", "", verdict.meaning]
        if verdict.severity and verdict.advice:
            lines.append(verdict.advice)
        if len(self.history) > 1:
            lines += ["", "how it went", *(f"  {line}" for line in self.history)]
        if self.remarks:
            lines += ["", *self.remarks]
        if self.unknown:
            lines += ["", f"can't be told from these figures: {', '.join(self.unknown)}"]
        return lines

    def to_json(self) -> str:
        verdict = self.verdict
        found = {
            "what": self.what,
            "step": verdict.step,
            **verdict.to_record(),
            "meaning": verdict.meaning,
            "advice": verdict.advice if verdict.severity else "",
            "history": self.history,
            "remarks": self.remarks,
            "unknown": self.unknown,
        }
        return json.dumps(found, indent=1)


def examine(
    paths: list[Path],
    *,
    samples: Path | None = None,
    tile: int | None = None,
    names: Mapping[str, str] | None = None,
) -> Examination:
    """Judge a run's folder, or a log as `read_log` takes it, with a sheet of `samples` if given.

    `tile` is the side of the sheet's pictures in pixels, where it can't be told. Raises
    GansmithError where there is nothing to judge, or it can't be read.
    """
    what = ", ".join(map(str, paths))
    try:
        _refuse_what_is_no_log(paths)
        run = _run_at(paths[0]) if len(paths) == 1 else None
        if run is not None and names:
            raise GansmithError(
                f"{what} is a run of gansmith: leave out --d-loss and --g-loss, which name the "
                "columns of another trainer's log"
            )
        if tile is not None and samples is None:
            raise GansmithError("--tile is the side of a sheet's pictures: name it with --samples")
        told: list[str] = []
        log = _records_of(run) if run is not None else read_log(paths, names, told.append)
        figures, remarks = variety_of_sheet(samples, tile) if samples is not None else ({}, [])
        remarks = told + remarks
    except OSError as error:
        raise GansmithError(
            f"{_short(str(error.filename or what))}: can't be read ({error.strerror or error}); "
            "check the path and who may read it"
        ) from None
    sheet = [{"step": log[-1]["step"], **figures}] if figures else []
    if run is not None:
        return _of_run(what, log, sheet, remarks)
    verdict, changes = course([*log, *sheet], LOG_RULES)
    missing = tuple(unknown([*log, *sheet], LOG_RULES))
    return Examination(what, verdict, tuple(map(_moment, changes)), tuple(remarks), missing)


def _refuse_what_is_no_log(paths: list[Path]) -> None:
    for path in paths:
        refuse_special(path)
        if path.is_dir() and len(paths) > 1:
            raise GansmithError(
                f"{path} is a folder, and {len(paths)} paths were given: expected one run, one log "
                "or two arrays of losses; judge one run at a time"
            )
    runs = sorted(file.parent for file in paths[0].glob("*/metrics.jsonl"))
    if runs and _run_at(paths[0]) is None:
        few = ", ".join(map(str, runs[:3])) + (", …" if len(runs) > 3 else "")
        raise GansmithError(
            f"{paths[0]}: expected one run, found a folder that holds {len(runs)}; judge one of "
            f"them: {few}"
        )


def _run_at(path: Path) -> RunFolder | None:
    """The run in a folder, or whose records a file `metrics.jsonl` holds."""
    if path.name == "metrics.jsonl" and path.is_file():
        run = RunFolder(path.parent)
        own = run.config_file.exists() or any("images" in r for r in run.records())
        return run if own else None
    run = RunFolder(path)
    return run if run.metrics_file.exists() or run.config_file.exists() else None


def _records_of(run: RunFolder) -> list[dict[str, Any]]:
    refuse_special(run.metrics_file)
    records = run.records()
    if not records:
        raise GansmithError(f"{run.path}: this run has no records yet; train it first")
    return records


def _of_run(
    what: str,
    records: list[dict[str, Any]],
    sheet: list[dict[str, Any]],
    remarks: list[str],
) -> Examination:
    """By the rules of runs, and by those of logs what a `sheet` shows; the worse counts."""
    verdict, changes = course(records, RULES)
    shown = judge(sheet, LOG_RULES)
    if shown.severity > verdict.severity:
        verdict = shown
        changes.append(shown)
    # A repair comes after the failure that it mends, and before what is said of it next.
    moments = [(v.step, 0 if v.severity else 2, _moment(v)) for v in changes]
    moments += [
        (r["step"], 1, f"step {r['step']:>7,}  repair: {r['treatment']}")
        for r in records
        if isinstance(r.get("treatment"), str)
    ]
    history = tuple(line for *_, line in sorted(moments, key=lambda m: m[:2]))
    not_shown = unknown(sheet, LOG_RULES)
    missing = tuple(c for c in unknown(records, RULES) if c in not_shown)
    return Examination(what, verdict, history, (*_remarks(records), *remarks), missing)


def _moment(verdict: Verdict) -> str:
    return f"step {verdict.step:>7,}  {verdict.severity.name.lower():7} {verdict.words()}"


def _remarks(records: list[dict[str, Any]]) -> list[str]:
    """What is worth knowing and no fault of the game's: scores and pace."""
    found = []
    scores = [(r["score"], r["step"]) for r in records if _is_number(r.get("score"))]
    if scores:
        best, at = min(scores)
        found.append(f"score {scores[-1][0]:.3g}, the best {best:.3g} at step {at:,}")
    paces = [r["images_per_second"] for r in records if _is_number(r.get("images_per_second"))]
    last = paces[-max(3, len(paces) // 10) :]
    if len(paces) >= 10 and statistics.median(last) < SLOWER * statistics.median(paces):
        usual, now = statistics.median(paces), statistics.median(last)
        found.append(
            f"it got slower: {now:,.0f} images a second at the end, {usual:,.0f} usually; "
            "does something else use this machine?"
        )
    return found


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:100]}…{text[-50:]}"


def _is_number(value: object) -> bool:
    """A finite figure; an integer may be longer than a float can hold."""
    return isinstance(value, (int, float)) and -LARGEST < value < LARGEST

"""How a run is, from the files that it left: one of gansmith's, or another trainer's log."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from gansmith.errors import GansmithError
from gansmith.health import LOG_RULES, RULES, Verdict, judge, timeline, unknown
from gansmith.logs import read_log
from gansmith.run import RunFolder
from gansmith.vitals import distinct, mean_distance

SLOWER = 0.5  # of the usual pace: worth a remark
TILES = (8, 16, 24, 28, 32, 48, 64, 96, 128, 256, 512)
PADDINGS = (2, 0, 1, 4)  # the most usual first
ALIKE = 0.25  # of a picture's own contrast: two that differ less are nearly the same


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

    `tile` is the side of the sheet's pictures in pixels, where it can't be guessed. Raises
    GansmithError where there is nothing to judge.
    """
    what = ", ".join(map(str, paths))
    run = RunFolder(paths[0])
    if len(paths) == 1 and run.metrics_file.exists():
        return _of_run(what, run)
    if len(paths) == 1 and run.config_file.exists():
        raise GansmithError(f"{run.path}: this run has no records yet; train it first")
    log: list[dict[str, Any]] = list(read_log(paths, names))
    if samples is not None:
        log.append({"step": log[-1]["step"], **variety_of_sheet(samples, tile)})
    history = tuple(_moment(verdict) for verdict in timeline(log, LOG_RULES))
    missing = tuple(unknown(log, LOG_RULES))
    return Examination(what, judge(log, LOG_RULES), history, (), missing)


def _of_run(what: str, run: RunFolder) -> Examination:
    records = run.records()
    if not records:
        raise GansmithError(f"{run.path}: this run has no records yet; train it first")
    # A repair comes after the failure that it mends, and before what is said of it next.
    moments = [(v.step, 0 if v.severity else 2, _moment(v)) for v in timeline(records, RULES)]
    moments += [
        (r["step"], 1, f"step {r['step']:>7,}  repair: {r['treatment']}")
        for r in records
        if isinstance(r.get("treatment"), str)
    ]
    history = tuple(line for *_, line in sorted(moments, key=lambda m: m[:2]))
    return Examination(
        what,
        judge(records, RULES),
        history,
        tuple(_remarks(records)),
        tuple(unknown(records, RULES)),
    )


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


def variety_of_sheet(path: Path, tile: int | None = None) -> dict[str, float]:
    """How much the pictures of a sheet differ: ``tile_spread``, their mean distance over their own
    contrast, and ``tile_modes``, the share of them that are not nearly another."""
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise GansmithError(f"--samples {path}: expected a picture ({error})") from None
    tiles = torch.from_numpy(_cut(pixels, tile, path)).flatten(1)
    contrast = (tiles - tiles.mean(1, keepdim=True)).norm(dim=1).mean().clamp_min(1e-6)
    return {
        "tile_spread": float(mean_distance(tiles) / contrast),
        "tile_modes": distinct(tiles, ALIKE * contrast) / len(tiles),
    }


def _cut(pixels: np.ndarray, tile: int | None, path: Path) -> np.ndarray:
    """The tiles (N, S, S, 3) of a sheet with the first padding that fits."""
    height, width = pixels.shape[:2]
    for side in (tile,) if tile else TILES:
        for gap in PADDINGS:
            down, across = ((length - gap) / (side + gap) for length in (height, width))
            if down == int(down) and across == int(across) and down * across >= 4:
                places = [(r, c) for r in range(int(down)) for c in range(int(across))]
                return np.stack(
                    [
                        pixels[top : top + side, left : left + side]
                        for r, c in places
                        for top, left in [(gap + r * (side + gap), gap + c * (side + gap))]
                    ]
                )
    raise GansmithError(
        f"--samples {path}: {width}x{height} pixels is no sheet of square pictures that can be "
        "guessed; give their side with --tile"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)

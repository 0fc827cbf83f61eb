"""How a run is, from the files that it left: one of gansmith's, or another trainer's log."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gansmith.data.pictures import flatten, open_picture, reason_for
from gansmith.errors import GansmithError
from gansmith.health import LARGEST, LOG_RULES, RULES, Verdict, course, judge, unknown
from gansmith.logs import read_log
from gansmith.run import RunFolder
from gansmith.vitals import distinct, mean_distance

SLOWER = 0.5  # of the usual pace: worth a remark
USUAL = (8, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512, 1024)
SMALLEST = min(USUAL)
GAPS = (0, 1, 2, 4)  # pixels around each picture of a sheet
FEWEST_TILES = 4
MOST_TILES = 1000
MOST_WORK = 2**31  # differences between pixels when each is compared with each: seconds
MOST_UNEVEN = 10  # levels of 256 from one colour: JPEG's noise
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
PIPED = ("/dev/stdin", "/dev/fd/")
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
        log = _records_of(run) if run is not None else list(read_log(paths, names))
        figures, remarks = variety_of_sheet(samples, tile) if samples is not None else ({}, [])
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
        _refuse_special(path)
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


def _refuse_special(path: Path) -> None:
    """A pipe would be waited for, and a device read for ever; what the shell pipes in is meant."""
    plain = path.is_file() or path.is_dir() or not path.exists()
    if not plain and not str(path).startswith(PIPED):
        raise GansmithError(
            f"{path}: expected a file or a folder, found a pipe or a device; "
            "write what it says to a file"
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
    _refuse_special(run.metrics_file)
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


def variety_of_sheet(path: Path, tile: int | None = None) -> tuple[dict[str, float], list[str]]:
    """How much the pictures of a sheet differ: ``tile_spread``, their mean distance over their own
    contrast, and ``tile_modes``, the share of them that are not nearly another; and how it was read.

    Raises GansmithError where it is no picture, or can't be cut into pictures of one side for
    certain, and OSError where it can't be read.
    """
    _refuse_special(path)
    content = path.read_bytes()
    try:
        with open_picture(content) as picture:
            pixels = np.asarray(flatten(picture, "white", grey=False))
    except Exception as error:  # decoders of damaged files raise anything
        raise GansmithError(f"--samples {path}: expected a picture ({reason_for(error)})") from None
    side, gap = _layout(pixels, tile, path)
    places = _places(pixels, side, gap)
    most = max(FEWEST_TILES, min(MOST_TILES, math.isqrt(MOST_WORK // (3 * side * side))))
    chosen = np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int)
    cut = np.stack([_tile(pixels, places[n], side) for n in chosen])
    tiles = torch.from_numpy(cut).float().flatten(1)
    contrast = (tiles - tiles.mean(1, keepdim=True)).norm(dim=1).mean().clamp_min(1e-6)
    figures = {
        "tile_spread": float(mean_distance(tiles) / contrast),
        "tile_modes": distinct(tiles, ALIKE * contrast) / len(tiles),
    }
    compared = f", {len(tiles):,} of them compared" if len(tiles) < len(places) else ""
    return figures, [f"{path}: read as {len(places):,} pictures of {side}×{side}{compared}"]


def _layout(pixels: np.ndarray, tile: int | None, path: Path) -> tuple[int, int]:
    """Side and gap of the pictures of a sheet (H, W, 3): where gaps of one colour show it, else
    `tile` side by side."""
    height, width = pixels.shape[:2]
    fitting = _fitting(height, width, tile)
    grey = (pixels @ LUMA).round()  # in a JPEG the colours of pictures run into gaps
    uneven = {at: _unevenness(grey, *at, known=bool(tile)) for at in fitting if at[1]}
    least = min(uneven.values(), default=math.inf)
    # Gaps around blocks of pictures are among those around each, and in a JPEG hardly as uneven.
    framed = [at for at, value in uneven.items() if value <= min(MOST_UNEVEN, 4 * least)]
    if framed:
        return min(framed)
    if tile and (tile, 0) in fitting:
        return tile, 0
    lacking = (
        f"are no sheet of four or more pictures of {tile}×{tile}, side by side or with gaps of 1, "
        "2 or 4 pixels in one colour around each; give their side with --tile"
        if tile
        else "show no gaps of one colour around pictures, so how it is to be cut can't be told; "
        "give the side of a picture with --tile"
    )
    raise GansmithError(f"--samples {path}: {width}×{height} pixels {lacking}")


def _fitting(height: int, width: int, tile: int | None) -> list[tuple[int, int]]:
    """Each side and gap of pictures that would fill a sheet."""
    sides = [tile] if tile else range(SMALLEST, min(height, width) + 1)
    return [
        (side, gap)
        for gap in GAPS
        for side in sides
        if all((length - gap) % (side + gap) == 0 for length in (height, width))
        and (height // (side + gap)) * (width // (side + gap)) >= FEWEST_TILES
    ]


def _unevenness(grey: np.ndarray, side: int, gap: int, known: bool) -> float:
    """How far the gaps' lines on a sheet (H, W) are from one colour: the root mean square of the
    worst, since a few pixels drawn across a line are no noise.

    Infinite for a side that is neither `known` nor usual if what borders on the gaps is of their
    colour too: any lines through a wide margin look like that.
    """
    colour = np.median(grey[:gap])
    uneven = _off(grey, colour, side + gap, range(gap)).max()
    if known or side in USUAL or uneven > MOST_UNEVEN:
        return float(uneven)
    border = _off(grey, colour, side + gap, (gap, gap + side - 1))
    return float(uneven) if border.mean() > MOST_UNEVEN else math.inf


def _off(grey: np.ndarray, colour: float, period: int, places: Iterable[int]) -> np.ndarray:
    """How far rows and columns of a sheet (H, W) are from a colour, at `places` in each `period`."""
    rows, columns = (np.isin(np.arange(n) % period, list(places)) for n in grey.shape)
    square = (grey - colour) ** 2
    lines = np.concatenate([square[rows].mean(1), square[:, columns].mean(0)])
    return np.asarray(np.sqrt(lines))


def _places(pixels: np.ndarray, side: int, gap: int) -> list[tuple[int, int]]:
    """Where the pictures of a sheet begin, row by row, without the empty places at its end."""
    rows, columns = (range(gap, length - side + 1, side + gap) for length in pixels.shape[:2])
    places = [(top, left) for top in rows for left in columns]
    if gap and np.ptp(_tile(pixels, places[0], side)):
        for _ in columns[1:]:
            if np.ptp(_tile(pixels, places[-1], side)):
                break
            places.pop()
    return places


def _tile(pixels: np.ndarray, place: tuple[int, int], side: int) -> np.ndarray:
    top, left = place
    return pixels[top : top + side, left : left + side]


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:100]}…{text[-50:]}"


def _is_number(value: object) -> bool:
    """A finite figure; an integer may be longer than a float can hold."""
    return isinstance(value, (int, float)) and -LARGEST < value < LARGEST

"""What other trainers leave, as records: CSV, TensorBoard's event files, arrays, printed lines.

Each becomes a list of records with ``step`` and those of gansmith's figures that it has, at most
`MOST` of them: a log of every step is averaged, because a verdict is about where a game goes and
not about single steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from gansmith.errors import GansmithError
from gansmith.logs.arrays import of_array, of_arrays
from gansmith.logs.events import of_events
from gansmith.logs.names import Log, Names
from gansmith.logs.texts import of_csv, of_lines

OPTIONS = {"loss_d": "--d-loss", "loss_g": "--g-loss"}
PLAYERS = {"loss_d": "discriminator", "loss_g": "generator"}
MOST = 300  # records of a log
LAST_STEP = 1e15

PARTS = {"loss_d_real", "loss_d_fake", "right_real", "right_fake"}


def read_log(
    paths: list[Path],
    names: Mapping[str, str] | None = None,
    remark: Callable[[str], None] = lambda _: None,
) -> Log:
    """Records of the losses in a CSV file, event files, two arrays, or printed lines.

    Args:
        paths: one file (``.csv``, ``.npy`` of two columns, events, any text), a folder with event
            files, or two arrays: the discriminator's losses and the generator's.
        names: what ``loss_d`` and ``loss_g`` are called in it, where that can't be guessed.
        remark: told in a sentence if rows were left out or numbered.

    Where a loss is negative anywhere, ``lowest`` of every record is the lowest of the log. Raises
    GansmithError where there is nothing of that kind, or one player's losses alone.
    """
    look = Names(dict(names or {}))
    if len(set(look.given.values())) < len(look.given):
        raise GansmithError(f"expected two names of losses, found {[*look.given.values()]}")
    for path in paths:
        if not path.exists():
            raise GansmithError(f"{path}: no such file or folder")
    try:
        rows = _met([_whole(row) for row in _rows(paths, look)])
    except OSError as error:
        raise GansmithError(f"{error.filename or paths[0]}: {error.strerror or error}") from None
    _check(rows, look, ", ".join(map(str, paths)))
    return _with_lowest(thin(_in_order(rows, remark)), rows)


def _check(rows: Log, look: Names, what: str) -> None:
    """Raises GansmithError unless both players' losses are there, under the names that were given."""
    for figure, given in look.given.items():
        if figure not in look.seen.values():
            raise GansmithError(
                f"{what}: expected the name {given!r}, found {look.listed()}; correct "
                f"{OPTIONS[figure]}"
            )
    found = [figure for figure in OPTIONS if any(figure in row for row in rows)]
    if not found:
        raise GansmithError(
            f"{what}: found no losses of a discriminator and a generator; "
            "expected columns, tags or printed names such as loss_d and loss_g, found "
            f"{look.listed()} (name them with --d-loss and --g-loss)"
        )
    for figure, player in PLAYERS.items():
        if figure not in found:
            raise GansmithError(
                f"{what}: expected losses of both players, found none of the {player} among "
                f"{look.listed()}; name them with {OPTIONS[figure]}"
            )
    if not any(OPTIONS.keys() <= row.keys() for row in rows):
        raise GansmithError(f"{what}: expected both losses side by side, found them far apart")


def _met(rows: Log) -> Log:
    """Rows with both losses. Where none has, because they are told by turns, neighbours are one."""
    if any(OPTIONS.keys() <= row.keys() for row in rows):
        return rows
    met: Log = []
    for row in rows:
        if met and not met[-1].keys() & row.keys() - {"step"}:
            met[-1] |= row
        else:
            met.append(dict(row))
    return met


def _with_lowest(records: Log, rows: Log) -> Log:
    losses = (row[figure] for row in rows for figure in OPTIONS if figure in row)
    lowest = min((loss for loss in losses if math.isfinite(loss)), default=0.0)
    return [{**record, "lowest": lowest} for record in records] if lowest < 0 else records


def _in_order(rows: Log, remark: Callable[[str], None]) -> Log:
    """Rows by the steps that are told, less those that a resumed run wrote again. Where that is
    half of them or more (steps of an epoch, say), or none are told, the rows are numbered."""
    told = [row for row in rows if _is_step(row.get("step"))]
    kept: Log = []
    for row in told:
        while kept and kept[-1]["step"] >= row["step"]:
            kept.pop()
        kept.append(row)
    if 2 * len(kept) > len(rows):
        if left := len(rows) - len(kept):
            remark(
                f"{left:,} rows of the log are left out: their steps are told again, or are none"
            )
        return kept
    if told:
        remark("steps in the log don't rise, so its rows are numbered instead")
    return [{**row, "step": number} for number, row in enumerate(rows, 1)]


def _is_step(value: float | None) -> bool:
    return value is not None and abs(value) <= LAST_STEP  # not so where it is not a number


def thin(rows: Log) -> Log:
    """Means over equal stretches, at most `MOST`, with the losses' deviations as ``…_sd``."""
    if not rows:
        return []
    stretches = np.array_split(np.arange(len(rows)), min(MOST, len(rows)))
    return [_mean([rows[i] for i in stretch]) for stretch in stretches]


def _rows(paths: list[Path], look: Names) -> Log:
    if len(paths) == 2:
        return of_arrays(paths)
    if len(paths) > 2:
        raise GansmithError(f"expected one log or two arrays of losses, found {len(paths)} paths")
    path = paths[0]
    if path.is_dir():
        return of_events(sorted(path.rglob("events.out.tfevents.*")), look, path)
    if "tfevents" in path.name:
        return of_events([path], look, path)
    if path.suffix == ".npy":
        return of_array(path)
    of_text = of_csv if path.suffix in (".csv", ".tsv") else of_lines
    return list(of_text(path, look))


def _whole(row: dict[str, float]) -> dict[str, float]:
    """A loss told in two parts is their sum; accuracies in percent are shares."""
    if not row.keys() & PARTS:
        return row
    if "loss_d" not in row and "loss_d_real" in row and "loss_d_fake" in row:
        row = row | {"loss_d": row["loss_d_real"] + row["loss_d_fake"]}
    return {
        key: value / 100 if key.startswith("right") and value > 1 else value
        for key, value in row.items()
        if key not in ("loss_d_real", "loss_d_fake")
    }


def _mean(rows: Log) -> dict[str, float]:
    keys = {key for row in rows for key in row}
    values = {key: np.array([row[key] for row in rows if key in row]) for key in sorted(keys)}
    found = {key: float(v.mean()) for key, v in values.items() if key != "step"}
    for key in ("loss_d", "loss_g"):
        if key in values and len(values[key]) > 1:
            found[f"{key}_sd"] = float(values[key].std())
    return {"step": int(rows[-1]["step"]), **found}

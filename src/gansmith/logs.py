"""What other trainers leave, as records: CSV, TensorBoard's event files, arrays, printed lines.

Each becomes a list of records with ``step`` and those of gansmith's figures that it has, at most
`MOST` of them: a log of every step is averaged, because a verdict is about where a game goes and
not about single steps.
"""

from __future__ import annotations

import csv
import math
import re
import struct
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from gansmith.errors import GansmithError
from gansmith.log_names import Names

OPTIONS = {"loss_d": "--d-loss", "loss_g": "--g-loss"}
PLAYERS = {"loss_d": "discriminator", "loss_g": "generator"}
MOST = 300  # records of a log
LAST_STEP = 1e15
LONGEST = 2**26  # bytes of an event: a broken length would ask for more

DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}  # TensorFlow's numbers of them
PARTS = {"loss_d_real", "loss_d_fake", "right_real", "right_fake"}
NUMBER = (
    r"[-+]?(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+"
    r"|(?i:nan|inf(?:inity)?))"
)
# ``Loss_D: 0.31``, ``d=0.31``, ``[D loss: 0.31]``, ``D(G(z)): 0.2 / 0.1``, ``'g_loss': 0.31``
VALUE = re.compile(rf"[:=]\s*({NUMBER})(?![\w.])")
NO_NAME = re.compile(r"[^\w /().-]")  # what can't be part of a printed name
LONGEST_NAME, LONGEST_LINE = 80, 1000

Log = list[dict[str, float]]


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
        return _of_arrays(paths)
    if len(paths) > 2:
        raise GansmithError(f"expected one log or two arrays of losses, found {len(paths)} paths")
    path = paths[0]
    if path.is_dir():
        return _of_events(sorted(path.rglob("events.out.tfevents.*")), look, path)
    if "tfevents" in path.name:
        return _of_events([path], look, path)
    if path.suffix == ".npy":
        return _of_array(path)
    of_text = _of_csv if path.suffix in (".csv", ".tsv") else _of_lines
    return list(of_text(path, look))


def _text(path: Path) -> str:
    content = path.read_bytes()
    wide = content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))  # as PowerShell's ``>`` writes
    return content.decode("utf-16" if wide else "utf-8-sig", "replace")


def _of_csv(path: Path, look: Names) -> Iterator[dict[str, float]]:
    lines = [line for line in _text(path).splitlines() if line.strip()]
    if not lines:
        return
    rows = csv.reader(lines, delimiter=max("\t;,", key=lines[0].count))
    try:
        figures = [look.figure(name) for name in next(rows)]
        for row in rows:
            yield _named(zip(figures, row, strict=False))
    except csv.Error as error:
        raise GansmithError(
            f"{path}: expected a CSV file, found something else ({error})"
        ) from None


def _of_lines(path: Path, look: Names) -> Iterator[dict[str, float]]:
    for line in _text(path).splitlines():
        found = _named(_pairs(line[:LONGEST_LINE], look))
        if found.keys() - {"step"}:
            yield found


def _pairs(line: str, look: Names) -> Iterator[tuple[str | None, str]]:
    """Each number that is told in a line, with the figure that it is."""
    end = 0
    for match in VALUE.finditer(line):
        start = match.start()
        name = _name_in(line[max(end, start - LONGEST_NAME) : start])
        end = match.end()
        if name:
            yield look.figure(name), match[1].replace(",", "")


@lru_cache(maxsize=4096)
def _name_in(text: str) -> str:
    """The name with which `text` ends: ``[3/5] Epoch 3 D_loss`` → ``D_loss``."""
    words = NO_NAME.split(text.rstrip(" \t'\""))[-1].split()
    numbers = [i for i, word in enumerate(words) if word.lstrip("(/.-")[:1].isdigit()]
    return " ".join(words[numbers[-1] + 1 :] if numbers else words).lstrip("(/.- ")


def _of_events(files: list[Path], look: Names, where: Path) -> Log:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from tensorboardX.proto.event_pb2 import Event

    steps: dict[int, dict[str, float]] = {}
    homes: dict[str, Path] = {}  # where each figure was found
    for file in files:
        for content in _framed(file):
            try:
                event = Event.FromString(content)
            except DecodeError as error:
                raise GansmithError(f"{file}: not TensorBoard's event file ({error})") from None
            for value in event.summary.value:
                scalar = _scalar(value)
                figure = _of_tag(value.tag, file, look) if scalar is not None else None
                if scalar is None or figure in (None, "step"):
                    continue
                if homes.setdefault(figure, file.parent) != file.parent:
                    raise GansmithError(
                        f"{where}: expected the event files of one run, found those of several, "
                        f"such as {homes[figure]} and {file.parent}; give one of these"
                    )
                steps.setdefault(event.step, {"step": event.step})[figure] = scalar
    if not files:
        raise GansmithError(f"{where}: expected a run of gansmith, or TensorBoard's event files")
    return [steps[step] for step in sorted(steps)]


def _of_tag(tag: str, file: Path, look: Names) -> str | None:
    """A scalar's figure. SummaryWriter.add_scalars writes each of them below one tag into a folder
    of its own: ``loss`` into ``loss_D`` and ``loss_G``, or ``loss/D`` and ``loss/G``."""
    main = f"_{tag.replace('/', '_')}_"
    home = f"_{'_'.join(file.parent.parts[-3:])}"
    _, found, rest = home.rpartition(main)
    return (look.figure(f"{tag}_{rest}") if found and rest else None) or look.figure(tag)


def _scalar(value: Any) -> float | None:
    """The number that a summary's value holds; None for histograms, pictures and texts."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    tensor = value.tensor
    if tensor.tensor_content and tensor.dtype in DTYPES:
        dtype = np.dtype(DTYPES[tensor.dtype])
        one = len(tensor.tensor_content) == dtype.itemsize
        return float(np.frombuffer(tensor.tensor_content, dtype)[0]) if one else None
    numbers = [*tensor.float_val, *tensor.double_val, *tensor.int_val, *tensor.int64_val]
    return float(numbers[0]) if len(numbers) == 1 else None


def _framed(file: Path) -> Iterator[bytes]:
    """TFRecord's frames: length, its checksum, content, its checksum. A cut one ends the file."""
    with file.open("rb") as stream:
        while len(head := stream.read(12)) == 12:
            (length,) = struct.unpack("<Q", head[:8])
            if length > LONGEST:
                raise GansmithError(f"{file}: not TensorBoard's event file (a frame is too long)")
            content = stream.read(length)
            if len(content) < length:
                return
            stream.read(4)
            yield content


def _of_arrays(paths: list[Path]) -> Log:
    by_name = sorted(paths, key=_place)
    d, g = (_load(path).ravel() for path in by_name)
    if len(d) != len(g):
        raise GansmithError(
            f"expected as many losses of the discriminator as of the generator, "
            f"found {len(d):,} and {len(g):,}"
        )
    return [
        {"step": step, "loss_d": float(a), "loss_g": float(b)}
        for step, (a, b) in enumerate(zip(d, g, strict=True), 1)
    ]


def _place(path: Path) -> int:
    """Of an array among two: the discriminator's losses come first, where names tell."""
    return {"loss_d": -1, "loss_g": 1}.get(Names({}).figure(path.stem) or "", 0)


def _of_array(path: Path) -> Log:
    both = _load(path)
    if both.ndim != 2 or 2 not in both.shape:
        raise GansmithError(
            f"{path}: expected two columns (losses of the discriminator and of the generator), "
            f"found the shape {both.shape}; or give two arrays"
        )
    both = both if both.shape[1] == 2 else both.T
    return [{"step": n, "loss_d": float(a), "loss_g": float(b)} for n, (a, b) in enumerate(both, 1)]


def _load(path: Path) -> np.ndarray:
    with path.open("rb") as stream:  # numpy leaves a broken archive open
        try:
            found = np.load(stream, allow_pickle=False)
        except Exception as error:  # a bad header makes numpy's parser raise nearly anything
            why = str(error).partition("\n")[0]
            raise GansmithError(f"{path}: expected an array of numbers ({why})") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        raise GansmithError(f"{path}: expected an array of numbers")
    return found


def _named(pairs: Iterable[tuple[str | None, str]]) -> dict[str, float]:
    """The figures among ``(figure, text)``, and their ``step`` if told; the first of each counts."""
    found: dict[str, float] = {}
    for figure, text in pairs:
        if figure is None or figure in found:
            continue
        try:
            found[figure] = float(text)
        except ValueError:
            continue
    return found


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

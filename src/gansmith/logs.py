"""What other trainers leave, as records: CSV, TensorBoard's event files, arrays, printed lines.

Each becomes a list of records with ``step`` and those of gansmith's figures that it has, at most
`MOST` of them: a log of every step is averaged, because a verdict is about where a game goes and
not about single steps.
"""

from __future__ import annotations

import csv
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gansmith.errors import GansmithError

MOST = 300  # records of a log
LONGEST = 2**26  # bytes of an event: a broken length would ask for more

# How the figures are called elsewhere: letters and digits only, in lower case.
ALIASES: dict[str, tuple[str, ...]] = {
    "loss_d": (
        *("lossd", "dloss", "errd", "d", "disc", "discloss", "lossdisc", "discriminatorloss"),
        *("lossdiscriminator", "discriminator", "criticloss", "losscritic", "lossesd", "netd"),
    ),
    "loss_g": (
        *("lossg", "gloss", "errg", "g", "gen", "genloss", "lossgen", "generatorloss", "ganloss"),
        *("lossgenerator", "generator", "lossesg", "netg"),
    ),
    "loss_d_real": ("lossdreal", "dlossreal", "drealloss", "errdreal", "dr", "d1", "discreal"),
    "loss_d_fake": ("lossdfake", "dlossfake", "dfakeloss", "errdfake", "df", "d2", "discfake"),
    "d_real": ("dx", "dreal", "realscore", "scorereal"),
    "d_fake": ("dgz", "dgz1", "dfake", "fakescore", "scorefake"),
    "right_real": ("accreal", "realacc", "realaccuracy", "accuracyreal", "drealacc", "a1"),
    "right_fake": ("accfake", "fakeacc", "fakeaccuracy", "accuracyfake", "dfakeacc", "a2"),
}
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}  # TensorFlow's numbers of them
STEPS = ("step", "steps", "iteration", "iter", "iterations", "globalstep")
NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|nan|inf(?:inity)?)"
# ``Loss_D: 0.31``, ``d=0.31``, ``[D loss: 0.31]``, ``D(G(z)): 0.2 / 0.1``, ``'g_loss': 0.31``
PAIR = re.compile(rf"([A-Za-z][\w /()]*?)['\"\s]*[:=]\s*({NUMBER})(?![\w.])", re.IGNORECASE)

Log = list[dict[str, float]]


def read_log(paths: list[Path], names: Mapping[str, str] | None = None) -> Log:
    """Records of the losses in a CSV file, event files, two arrays, or printed lines.

    Args:
        paths: one file (``.csv``, ``.npy`` of two columns, events, any text), a folder with event
            files, or two arrays: the discriminator's losses and the generator's.
        names: what ``loss_d`` and ``loss_g`` are called in it, where that can't be guessed.

    Raises GansmithError where there is nothing of that kind.
    """
    for path in paths:
        if not path.exists():
            raise GansmithError(f"{path}: no such file or folder")
    try:
        rows = _rows(paths, dict(names or {}))
    except OSError as error:
        raise GansmithError(f"{error.filename or paths[0]}: {error.strerror or error}") from None
    records = thin(_in_order([_whole(row) for row in rows]))
    if not any("loss_d" in r or "loss_g" in r or "d_real" in r for r in records):
        raise GansmithError(
            f"{', '.join(map(str, paths))}: found no losses of a discriminator and a generator; "
            "expected columns, tags or printed names such as loss_d and loss_g "
            "(name them with --d-loss and --g-loss)"
        )
    return records


def _in_order(rows: Log) -> Log:
    """Steps as they are told, if they rise; else the rows are numbered."""
    steps = [row["step"] for row in rows]
    if all(a < b for a, b in pairwise(steps)):
        return rows
    return [{**row, "step": number} for number, row in enumerate(rows, 1)]


def thin(rows: Log) -> Log:
    """Means over equal stretches, at most `MOST`, with the losses' deviations as ``…_sd``."""
    if not rows:
        return []
    stretches = np.array_split(np.arange(len(rows)), min(MOST, len(rows)))
    return [_mean([rows[i] for i in stretch]) for stretch in stretches]


def _rows(paths: list[Path], names: dict[str, str]) -> Log:
    if len(paths) == 2:
        return _of_arrays(paths)
    if len(paths) > 2:
        raise GansmithError(f"expected one log or two arrays of losses, found {len(paths)} paths")
    path = paths[0]
    if path.is_dir():
        return _of_events(sorted(path.rglob("events.out.tfevents.*")), names, path)
    if "tfevents" in path.name:
        return _of_events([path], names, path)
    if path.suffix == ".npy":
        return _of_array(path)
    text = path.read_bytes().decode("utf-8", "replace")
    if path.suffix in (".csv", ".tsv"):
        return list(_of_csv(text, names))
    return list(_of_lines(text, names))


def _of_csv(text: str, names: dict[str, str]) -> Iterator[dict[str, float]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return
    delimiter = max("\t;,", key=lines[0].count)
    try:
        for number, row in enumerate(csv.DictReader(lines, delimiter=delimiter), 1):
            found = {str(key): value for key, value in row.items() if isinstance(value, str)}
            yield _named(found.items(), names, number)
    except csv.Error as error:
        raise GansmithError(f"expected a CSV file, found something else ({error})") from None


def _of_lines(text: str, names: dict[str, str]) -> Iterator[dict[str, float]]:
    for line in text.splitlines():
        pairs = [(name.strip(), value) for name, value in PAIR.findall(line[:1000])]
        found = _named(pairs, names, 0)
        if len(found) > 1:
            yield found


def _of_events(files: list[Path], names: dict[str, str], where: Path) -> Log:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from tensorboardX.proto.event_pb2 import Event

    steps: dict[int, dict[str, float]] = {}
    for file in files:
        for content in _framed(file):
            try:
                event = Event.FromString(content)
            except DecodeError as error:
                raise GansmithError(f"{file}: not TensorBoard's event file ({error})") from None
            for value in event.summary.value:
                scalar = _scalar(value)
                if scalar is None:
                    continue
                found = _named([(value.tag, str(scalar))], names, event.step)
                if len(found) > 1:
                    steps.setdefault(event.step, {}).update(found)
    if not files:
        raise GansmithError(f"{where}: expected a run of gansmith, or TensorBoard's event files")
    return [steps[step] for step in sorted(steps)]


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
    by_name = sorted(paths, key=lambda p: _figure_of(p.stem, {}) == "loss_g")  # D first, if told
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
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise GansmithError(f"{path}: expected an array of numbers ({error})") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        raise GansmithError(f"{path}: expected an array of numbers")
    return found


def _named(
    pairs: Iterable[tuple[str, str]], names: Mapping[str, str], number: int
) -> dict[str, float]:
    """The figures among ``(name, text)`` pairs; the first of a name counts."""
    found: dict[str, float] = {"step": number}
    for name, text in pairs:
        figure = _figure_of(name, names)
        value = _number(text)
        if figure is not None and value is not None and (figure == "step" or figure not in found):
            found[figure] = value
    return found


def _figure_of(name: str, names: Mapping[str, str]) -> str | None:
    for figure, given in names.items():
        if name.strip() == given:
            return figure
    for part in (name, name.rpartition("/")[2]):  # TensorBoard's tags have paths
        plain = re.sub(r"[^a-z0-9]", "", part.lower())
        if plain in STEPS:
            return "step"
        for figure, aliases in ALIASES.items():
            if plain in aliases and figure not in names:
                return figure
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _whole(row: dict[str, float]) -> dict[str, float]:
    """A loss told in two parts is their sum; accuracies in percent are shares."""
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

"""Losses in TensorBoard's event files."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gansmith.errors import GansmithError
from gansmith.logs.names import Log, Names

LONGEST = 2**26  # bytes of an event: a broken length would ask for more
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}  # TensorFlow's numbers of them


def of_events(files: list[Path], look: Names, where: Path) -> Log:
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
                scalar = scalar_of(value)
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


def scalar_of(value: Any) -> float | None:
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

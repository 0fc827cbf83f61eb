"""Parquet files with pictures in a column, the way Hugging Face lays them out; needs no network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gansmith.data.source import Array, Item, Skipped, Source, names_of_labels
from gansmith.errors import GansmithError

MAX_CLASSES = 1000  # more distinct labels than that are taken for a measurement
_LABEL_NAMES = ("label", "labels", "class", "target", "fine_label", "coarse_label")
_BATCH_ROWS = 256


class ParquetSource(Source):
    """Pictures in a Parquet file.

    The column of pictures is the one Hugging Face's description names, or else the first that
    holds bytes, alone or in ``{bytes, path}``. Labels are in a column described as classes, or
    called ``label`` or the like.
    """

    def __init__(self, path: Path) -> None:
        self.name, self._path = path.stem, path
        with _open(path) as file:
            self._count = int(file.metadata.num_rows)
            schema = file.schema_arrow
            self.columns = list(schema.names)
            described = _descriptions(schema)
            self._image = _image_column(schema, described, path)
            label = _label_column(schema, described)
            self._labels: list[int | None] | None = None
            if label is not None:
                names = described.get(label, {}).get("names")
                self._set_labels(_values(file, label, path), names)
        self.variant = f"{self._image}, {label}"

    def __len__(self) -> int:
        return self._count

    def column(self, name: str) -> list[Any]:
        """All values of one column, in order."""
        with _open(self._path) as file:
            return _values(file, name, self._path)

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        row = 0
        with _open(self._path) as file:
            for batch in _batches(file, self._image, self._path):
                values = batch.column(0)
                for offset in range(-row % step, len(values), step):
                    yield self._item(row + offset, values[offset].as_py())
                row += len(values)

    def files(self) -> dict[str, Path]:
        return {"table": self._path}

    def _item(self, row: int, value: Any) -> Item | Skipped:
        content = value.get("bytes") if isinstance(value, dict) else value
        name = f"row {row}"
        if not isinstance(content, bytes):
            return Skipped(name, "there is no picture in this row")
        if self._labels is None:
            return Item(name, content)
        label = self._labels[row]
        return Skipped(name, "it has no label") if label is None else Item(name, content, label)

    def _set_labels(self, values: list[Any], names: list[str] | None) -> None:
        self._labels, self.classes = number_labels(values, names)


def number_labels(
    values: list[Any], names: list[str] | None
) -> tuple[list[int | None] | None, list[str] | None]:
    """Turn the values of a label column into indices and class names.

    Missing labels (None, or −1 where the classes are named, as Hugging Face writes them) become
    None. Where nothing is labelled, or too much differs for classes, both results are None.
    """
    missing = [value is None or (names is not None and value == -1) for value in values]
    present = [value for value, none in zip(values, missing, strict=True) if not none]
    if not present or not all(isinstance(value, int | str) for value in present):
        return None, None
    if names is not None and all(isinstance(v, int) and 0 <= v < len(names) for v in present):
        numbered: Array = np.asarray(present)
        classes = [str(name) for name in names]
    else:
        numbered, classes = names_of_labels(np.asarray(present))
    if len(classes) > MAX_CLASSES:
        return None, None
    numbers = iter(numbered.tolist())
    return [None if none else next(numbers) for none in missing], classes


def _open(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise GansmithError(f"Reading {path} needs pyarrow: pip install 'gansmith[hf]'.") from None
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise _damaged(path, error) from None


def _values(file: Any, column: str, path: Path) -> list[Any]:
    import pyarrow

    try:
        values: list[Any] = file.read([column]).column(0).to_pylist()
    except (OSError, UnicodeDecodeError, pyarrow.ArrowException) as error:
        raise _damaged(path, error) from None
    return values


def _batches(file: Any, column: str, path: Path) -> Iterator[Any]:
    import pyarrow

    batches = file.iter_batches(batch_size=_BATCH_ROWS, columns=[column])
    try:
        yield from batches
    except (OSError, pyarrow.ArrowException) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> GansmithError:
    return GansmithError(
        f"Expected a whole Parquet file, but {path} can't be read: {str(error).splitlines()[0]}. "
        "Copy or download it again."
    )


def _descriptions(schema: Any) -> dict[str, dict[str, Any]]:
    """What Hugging Face wrote into the file about each column."""
    try:
        written = json.loads((schema.metadata or {})[b"huggingface"])
        features = written["info"]["features"]
        return {name: entry for name, entry in features.items() if isinstance(entry, dict)}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _image_column(schema: Any, described: dict[str, dict[str, Any]], path: Path) -> str:
    import pyarrow

    def holds_bytes(kind: Any) -> bool:
        if pyarrow.types.is_struct(kind):
            return any(field.name == "bytes" for field in kind)
        return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))

    possible = [field.name for field in schema if holds_bytes(field.type)]
    named = [name for name in possible if described.get(name, {}).get("_type") == "Image"]
    if not possible:
        raise GansmithError(
            f"Expected a column of pictures (bytes, or bytes and path) in {path}, but found "
            f"{', '.join(f'{field.name}: {field.type}' for field in schema)}."
        )
    likely = [name for name in possible if name.startswith("im")]
    return str((named or likely or possible)[0])


def _label_column(schema: Any, described: dict[str, dict[str, Any]]) -> str | None:
    named = [name for name in schema.names if described.get(name, {}).get("_type") == "ClassLabel"]
    usual = [name for name in _LABEL_NAMES if name in schema.names]
    return (named or usual or [None])[0]

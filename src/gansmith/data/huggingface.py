"""``hf:owner/name[:split]``: data sets through Hugging Face ``datasets``, cached by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gansmith.data.folder import read_file
from gansmith.data.parquet import number_labels
from gansmith.data.source import Item, Skipped, Source
from gansmith.errors import GansmithError


class HuggingFaceSource(Source):
    """A data set with a column of images, and of class labels if there is one.

    Args:
        spec: ``owner/name`` or ``owner/name:split``; the split is "train" unless given.
    """

    def __init__(self, spec: str) -> None:
        path, _, split = spec.partition(":")
        self.variant = split or "train"
        name = "/".join(path.split("/")[-2:])  # of a local folder not the whole path
        self.name = name if self.variant == "train" else f"{name}:{self.variant}"
        self._rows = _load(path, self.variant)
        self._image = _column(self._rows, "Image")
        if self._image is None:
            raise GansmithError(
                f"Expected a column of images in hf:{spec}, but found "
                f"{', '.join(self._rows.column_names)}."
            )
        self._rows = self._rows.cast_column(self._image, _undecoded_image())
        self._labels: list[int | None] | None = None
        if label := _column(self._rows, "ClassLabel"):
            names = self._rows.features[label].names
            self._labels, self.classes = number_labels(list(self._rows[label]), names)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        images = self._rows.select_columns([self._image])
        for row in range(0, len(images), step):
            yield self._item(f"row {row}", images[row][self._image], row)

    def files(self) -> dict[str, Path]:
        # The Arrow files that datasets keeps; none where the rows lie in memory.
        paths = [Path(entry["filename"]) for entry in self._rows.cache_files]
        return {f"{number:05}": path for number, path in enumerate(paths)}

    def _item(self, name: str, image: dict[str, Any] | None, row: int) -> Item | Skipped:
        label = self._labels[row] if self._labels else None
        if self._labels and label is None:
            return Skipped(name, "it has no label")
        if image is None or (image["bytes"] is None and image["path"] is None):
            return Skipped(name, "there is no picture in this row")
        try:
            if image["bytes"] is None:
                return read_file(Path(image["path"]), name, label)
            return Item(name, image["bytes"], label)
        except OSError as error:
            return Skipped(name, f"can't be read ({error.strerror or error})")


def _load(path: str, split: str) -> Any:
    datasets = _datasets()
    try:
        return datasets.load_dataset(path, split=split)
    except Exception as error:  # offline, misspelt, private, no such split: each has its own kind
        raise GansmithError(
            f"Can't load the split {split!r} of {path} from the Hugging Face hub: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__} "
            "Check the name, the split and the network; a local Parquet file needs none of them."
        ) from None


def _datasets() -> Any:
    try:
        import datasets
    except ImportError:
        raise GansmithError("hf:… needs datasets: pip install 'gansmith[hf]'.") from None
    return datasets


def _undecoded_image() -> Any:
    return _datasets().Image(decode=False)


def _column(rows: Any, kind: str) -> str | None:
    columns = [name for name, feature in rows.features.items() if type(feature).__name__ == kind]
    return columns[0] if columns else None

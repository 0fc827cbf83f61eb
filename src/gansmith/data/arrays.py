"""Pictures and points that lie in arrays: .npy, .npz, IDX, and what the package makes itself."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gansmith.data.idx import labels_beside, read_idx
from gansmith.data.source import Array, Item, Kind, Skipped, Source, names_of_labels
from gansmith.errors import GansmithError

MAX_BYTES = 10 * 10**9
MAX_DIMENSION = 3  # of a point; more columns than that are taken for a mistake
_IMAGE_KEYS = ("images", "image", "x", "X", "data", "x_train", "train_images", "arr_0")
_LABEL_KEYS = ("labels", "label", "y", "Y", "targets", "target", "y_train", "train_labels", "arr_1")


class ArraySource(Source):
    """An array of pictures or points.

    Args:
        name: what to call it.
        values: for pictures N×H×W, N×H×W×C or N×C×H×W of 1, 3 or 4 channels, of any numeric type;
            for points N or N×D with D at most 3.
        labels: N integers or names, N×1 too; None where there are none.
        classes: what labels 0, 1, … are called; None to number and name them by their values.
        files: see ``Source.files``.

    Raises:
        GansmithError: shapes or values are none of these.
    """

    def __init__(
        self,
        name: str,
        values: Array,
        labels: Array | None = None,
        classes: list[str] | None = None,
        files: dict[str, Path] | None = None,
        variant: str = "",
    ) -> None:
        self.name, self.variant, self._files = name, variant, files or {}
        self.kind = _kind(values, name)
        self._values = _channels_last(values) if self.kind == "pictures" else _points(values, name)
        self._range = _value_range(values, name) if self.kind == "pictures" else (0.0, 1.0)
        self._labels: Array | None = None
        if labels is not None:
            self._labels, self.classes = _labels(labels, classes, len(values), name)

    def __len__(self) -> int:
        return len(self._values)

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        for index in range(0, len(self), step):
            value = self._values[index]
            content = self._to_8_bit(value) if self.kind == "pictures" else value
            label = None if self._labels is None else int(self._labels[index])
            yield Item(str(index), content, label)

    def files(self) -> dict[str, Path]:
        return self._files

    def _to_8_bit(self, picture: Array) -> Array:
        low, high = self._range
        if picture.dtype == np.uint8 and (low, high) == (0, 255):
            return np.ascontiguousarray(picture)
        scaled = (picture.astype(np.float64) - low) * (255 / (high - low))
        return np.rint(scaled).astype(np.uint8)


def open_digits() -> ArraySource:
    """Open the embedded digits: 1,797 of 8×8, grey, with their classes."""
    with np.load(Path(__file__).with_name("digits.npz")) as file:
        return ArraySource("digits", file["images"], file["labels"])


def open_npy(path: Path) -> ArraySource:
    """Open a ``.npy`` file of pictures or points; it may be larger than memory."""
    return ArraySource(path.stem, _load_npy(path), files={"images": path})


def open_npz(path: Path) -> ArraySource:
    """Open a ``.npz`` file with an array of pictures or points, and labels if there are any."""
    arrays = _load_npz(path)
    images = next((key for key in _IMAGE_KEYS if key in arrays), None)
    if images is None and len(arrays) == 1:
        images = next(iter(arrays))
    if images is None:
        raise GansmithError(
            f"Expected an array named images, x or data in {path}, but found "
            f"{', '.join(arrays) or 'none'}."
        )
    labels = next((key for key in _LABEL_KEYS if key in arrays), None)
    return ArraySource(
        path.stem, arrays[images], arrays[labels] if labels else None, files={"images": path}
    )


def open_idx(path: Path) -> ArraySource:
    """Open an IDX file of images, with the labels found beside it if any."""
    images = read_idx(path)
    if images.ndim < 3:
        raise GansmithError(
            f"Expected an IDX file of images (3 dimensions), but {path} holds {images.ndim}: "
            "labels, perhaps. Give the file of images."
        )
    beside = labels_beside(path)
    files = {"images": path} | ({"labels": beside} if beside else {})
    labels = first_column(read_idx(beside)) if beside else None
    return ArraySource(path.name.split(".")[0], images, labels, files=files)


def first_column(labels: Array) -> Array:
    """The class, where labels have more columns: QMNIST adds writer, series and more."""
    return labels[:, 0] if labels.ndim == 2 else labels


def _load_npy(path: Path) -> Array:
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header ends in any of a dozen exceptions
        raise _unreadable(path, error) from None
    return array


def _load_npz(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise ValueError(f"it unpacks to more than {MAX_BYTES // 10**9} GB")
        with np.load(path, allow_pickle=False) as file:
            wanted = [key for key in file.files if key in _IMAGE_KEYS + _LABEL_KEYS]
            return {key: file[key] for key in wanted or file.files}
    except Exception as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> GansmithError:
    return GansmithError(
        f"Expected NumPy arrays of numbers, but {path} can't be read: "
        f"{str(error).splitlines()[0] if str(error) else type(error).__name__}."
    )


def _kind(values: Array, name: str) -> Kind:
    if values.dtype.kind in "biuf" and values.ndim and values.size:
        if values.ndim <= 2 and (values.ndim == 1 or values.shape[1] <= MAX_DIMENSION):
            return "points"
        if values.ndim == 3 or (values.ndim == 4 and _channel_axis(values) is not None):
            return "pictures"
    raise GansmithError(
        f"Expected pictures (N×H×W, N×H×W×C or N×C×H×W with 1, 3 or 4 channels) or points "
        f"(N, or N×D with D up to {MAX_DIMENSION}), but {name} holds {values.dtype} of shape "
        f"{'×'.join(map(str, values.shape)) or 'none'}."
    )


def _channel_axis(values: Array) -> int | None:
    return next((axis for axis in (3, 1) if values.shape[axis] in (1, 3, 4)), None)


def _channels_last(values: Array) -> Array:
    if values.ndim == 4 and _channel_axis(values) == 1:
        values = np.moveaxis(values, 1, -1)
    if values.ndim == 4 and values.shape[-1] == 1:
        values = values[..., 0]
    return values


def _points(values: Array, name: str) -> Array:
    points = np.asarray(values, dtype=np.float32).reshape(len(values), -1)
    if not np.isfinite(points).all():
        raise GansmithError(f"Expected numbers, but {name} holds values that are not (NaN or ∞).")
    return points


def _value_range(values: Array, name: str) -> tuple[float, float]:
    """Which values mean black and white. Arrays don't say, so it is judged over all of them."""
    if values.dtype.kind == "b":
        return 0, 1
    low, high = _extremes(values)
    integers = values.dtype.kind in "iu"
    usual = [(0, 1), (0, 255), (0, 65535)] if integers else [(0, 1), (-1, 1), (0, 255), (0, 65535)]
    for black, white in usual:
        if black <= low and high <= white:
            return black, white
    raise GansmithError(
        f"Expected values of pictures in 0 … 1, −1 … 1, 0 … 255 or 0 … 65535, but {name} holds "
        f"{low:g} … {high:g}. Rescale them."
    )


def _extremes(values: Array) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for start in range(0, len(values), 1024):  # by pieces, as the array may be larger than memory
        piece = values[start : start + 1024]
        low, high = np.fmin(low, piece.min()), np.fmax(high, piece.max())
        if values.dtype == np.uint8 and high > 1:
            return 0.0, 255.0  # a byte above 1 settles it
        if not np.isfinite(piece.sum(dtype=np.float64)):
            return float("nan"), float("nan")
    return float(low), float(high)


def _labels(
    labels: Array, classes: list[str] | None, count: int, name: str
) -> tuple[Array, list[str]]:
    labels = labels.reshape(-1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (count,) or labels.dtype.kind not in "biuUS":
        raise GansmithError(
            f"Expected {count:,} labels, one integer or name each, but {name} holds "
            f"{labels.dtype} of shape {'×'.join(map(str, labels.shape))}."
        )
    if classes is None:
        return names_of_labels(labels)
    if labels.min() < 0 or labels.max() >= len(classes):
        raise GansmithError(
            f"Expected labels 0 … {len(classes) - 1} in {name}, but got "
            f"{labels.min()} … {labels.max()}."
        )
    return labels.astype(np.int64), classes

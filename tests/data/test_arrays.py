"""Arrays: .npy, .npz and IDX, their shapes, ranges and labels; the digits and the toys."""

from __future__ import annotations

import gzip
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from gansmith.data import Item, Source, open_source, prepare, survey
from gansmith.data.arrays import ArraySource
from gansmith.data.toy import grid_centres, ring_centres
from gansmith.errors import GansmithError


def contents(source: Source) -> np.ndarray:
    return np.stack([item.content for item in source if isinstance(item, Item)])


def idx(array: np.ndarray, code: int) -> bytes:
    head = struct.pack(">HBB", 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def small() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_axes_of_channels(channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, (5, 8, 7, channels), dtype=np.uint8)
    first = contents(ArraySource("x", values.transpose(0, 3, 1, 2)))
    last = contents(ArraySource("x", values))
    assert np.array_equal(first, last)
    assert np.array_equal(last, values[..., 0] if channels == 1 else values)


@pytest.mark.parametrize(
    ("dtype", "black", "white"),
    [
        (np.float32, 0, 1),
        (np.float64, -1, 1),
        (np.float16, 0, 255),
        (np.uint16, 0, 65535),
        (np.int64, 0, 255),
        (np.uint8, 0, 1),
        (bool, 0, 1),
        (np.dtype(">i4"), 0, 255),
    ],
)
def test_ranges(dtype: type, black: int, white: int) -> None:
    values = np.array([[[black, white]], [[white, black]]], dtype=dtype)
    assert contents(ArraySource("x", values)).tolist() == [[[0, 255]], [[255, 0]]]


@pytest.mark.parametrize("value", [-7.0, 1e6, np.nan, np.inf])
def test_other_ranges_are_refused(value: float) -> None:
    with pytest.raises(GansmithError, match="Rescale them"):
        ArraySource("x", np.array([[[0.0, value]]]))


@pytest.mark.parametrize("shape", [(0, 3, 3), (5, 784), (2, 5, 5, 2), (2, 2, 2, 2, 2), ()])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(GansmithError, match="Expected pictures"):
        ArraySource("x", np.zeros(shape, dtype=np.uint8))
    with pytest.raises(GansmithError, match="Expected pictures"):
        ArraySource("x", np.zeros((3, 3, 3), dtype=complex))


def test_labels_are_numbered_and_named() -> None:
    source = ArraySource("x", np.zeros((3, 2, 2)), np.array([[7], [3], [7]]))
    assert source.classes == ["3", "7"]
    assert [item.label for item in source if isinstance(item, Item)] == [1, 0, 1]
    assert ArraySource("x", np.zeros((2, 2, 2)), np.array(["b", "a"])).classes == ["a", "b"]
    with pytest.raises(GansmithError, match="Expected 3 labels"):
        ArraySource("x", np.zeros((3, 2, 2)), np.zeros(2, dtype=int))
    with pytest.raises(GansmithError, match="Expected labels 0 … 1"):
        ArraySource("x", np.zeros((3, 2, 2)), np.array([0, 1, 2]), ["a", "b"])


def test_npy_and_npz(tmp_path: Path, small: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", small)
    np.savez(tmp_path / "b.npz", images=small, labels=np.array([1, 0, 1, 0, 1]), other="text")
    np.savez_compressed(tmp_path / "c.npz", strange=small)
    for name in ("a.npy", "b.npz", "c.npz"):
        source = open_source(tmp_path / name)
        assert np.array_equal(contents(source), small)
        assert source.classes == (["0", "1"] if name == "b.npz" else None)
    np.savez(tmp_path / "d.npz", this=small, that=small)
    with pytest.raises(GansmithError, match="but found this, that"):
        open_source(tmp_path / "d.npz")


def test_objects_are_never_unpacked(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", images=np.array([{"a": 1}], dtype=object))
    for name in ("a.npy", "b.npz"):
        with pytest.raises(GansmithError, match="can't be read"):
            open_source(tmp_path / name)


def test_damaged_arrays(tmp_path: Path, small: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", small)
    np.savez(tmp_path / "b.npz", images=small)
    (tmp_path / "c-idx3").write_bytes(idx(small, 8))
    (tmp_path / "d-idx3.gz").write_bytes(gzip.compress(idx(small, 8)))
    rng = np.random.default_rng(0)
    for path in sorted(tmp_path.glob("*-*")) + sorted(tmp_path.glob("*.np*")):
        whole = path.read_bytes()
        for cut in rng.integers(0, len(whole), 20):
            path.write_bytes(whole[:cut])
            with pytest.raises(GansmithError):
                list(open_source(path))
        for place in rng.integers(0, len(whole), 60):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
            with suppress(GansmithError):  # the one kind of error there may be
                list(open_source(path))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"),
        ("qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int"),
    ],
)
def test_idx_with_labels_beside(
    tmp_path: Path, small: np.ndarray, packed: bool, images: str, labels: str
) -> None:
    numbers = np.array([3, 1, 4, 1, 5])
    wide = np.stack([numbers] + [numbers + 100] * 7, axis=1).astype(np.int32)
    written = idx(wide, 0x0C) if "idx2" in labels else idx(numbers.astype(np.uint8), 8)
    suffix = ".gz" if packed else ""
    (tmp_path / f"{images}{suffix}").write_bytes(
        gzip.compress(idx(small, 8)) if packed else idx(small, 8)
    )
    (tmp_path / labels).write_bytes(written)
    source = open_source(tmp_path / f"{images}{suffix}")
    assert np.array_equal(contents(source), small)
    assert source.classes == ["1", "3", "4", "5"]
    assert [item.label for item in source if isinstance(item, Item)] == [1, 0, 2, 0, 3]


def test_idx_of_labels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x-labels-idx1").write_bytes(idx(np.zeros(5, np.uint8), 8))
    with pytest.raises(GansmithError, match="Give the file of images"):
        open_source(tmp_path / "x-labels-idx1")


def test_idx_that_claims_terabytes(tmp_path: Path) -> None:
    (tmp_path / "x-idx3").write_bytes(struct.pack(">HBBIII", 0, 8, 3, 2**31, 2**10, 2**10))
    with pytest.raises(GansmithError, match="claims to hold"):
        open_source(tmp_path / "x-idx3")


def test_digits_are_those_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    expected = datasets.load_digits()
    dataset = prepare(open_source("digits"), height=8, width=8)
    assert dataset.values.shape == (1797, 1, 8, 8)
    rounded = np.rint(dataset.values[:, 0].double().numpy() * 16 / 255)
    assert np.array_equal(rounded, expected.images)
    assert dataset.labels is not None
    assert np.array_equal(dataset.labels.numpy(), expected.target)
    assert dataset.classes == [str(n) for n in range(10)]


@pytest.mark.parametrize(
    ("name", "centres"), [("ring", ring_centres()), ("grid25", grid_centres())]
)
def test_mixtures(name: str, centres: np.ndarray) -> None:
    points = prepare(open_source(name), height=None, width=None).values.numpy()
    nearest = np.linalg.norm(points[:, None] - centres, axis=2)
    counts = np.bincount(nearest.argmin(axis=1), minlength=len(centres))
    assert nearest.min(axis=1).max() < 0.3
    assert counts.min() > 0.9 * len(points) / len(centres)


def test_parabola_and_its_survey() -> None:
    source = open_source("parabola")
    first, again = (prepare(source, height=None, width=None) for _ in range(2))
    points = first.values.numpy()
    assert points.shape == (50_000, 2)
    assert points.dtype == np.float32
    assert np.allclose(points[:, 1], points[:, 0] ** 2, atol=1e-6)
    assert first.digest == again.digest
    seen = survey(source)
    assert (seen.kind, seen.count, seen.dimension) == ("points", 50_000, 2)


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 2), (50, 3)])
def test_points_from_npy(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    np.save(tmp_path / "p.npy", values)
    dataset = prepare(open_source(tmp_path / "p.npy"), height=None, width=None)
    assert dataset.kind == "points"
    assert np.allclose(dataset.values.numpy(), values.reshape(50, -1), atol=1e-6)


def test_points_that_are_not_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.array([1.0, np.nan]))
    with pytest.raises(GansmithError, match="NaN"):
        open_source(tmp_path / "p.npy")

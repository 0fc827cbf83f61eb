from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gansmith.data import open_source, prepare
from gansmith.errors import GansmithError
from gansmith.generate import Model
from gansmith.samples import write_grid, write_samples
from tests.builders import config, model, pictures, points, points_config


@pytest.fixture(scope="module")
def labelled() -> Model:
    torch.manual_seed(1)
    return model(config(), pictures(3, 16, 24, classes=("cat", "dog")))


@pytest.fixture(scope="module")
def plain() -> Model:
    torch.manual_seed(1)
    return model()


@pytest.mark.parametrize("n", [0, 1, 16, 37])
def test_an_npz_holds_exactly_what_generate_gives(labelled: Model, tmp_path: Path, n: int) -> None:
    write_samples(labelled, tmp_path / "some" / "x.npz", n, seed=5)
    expected = labelled.generate(n, seed=5)
    with np.load(tmp_path / "some" / "x.npz", allow_pickle=False) as found:
        assert sorted(found.files) == ["images", "labels"]
        assert found["images"].dtype == np.uint8
        assert np.array_equal(found["images"], expected.images)
        assert found["labels"].dtype == np.int64
        assert np.array_equal(found["labels"], expected.labels if n else [])
    assert [p.name for p in (tmp_path / "some").iterdir()] == ["x.npz"]


def test_an_npz_without_labels_holds_images_alone(plain: Model, tmp_path: Path) -> None:
    write_samples(plain, tmp_path / "x.NPZ", 3)
    with np.load(tmp_path / "x.NPZ", allow_pickle=False) as found:
        assert found.files == ["images"]
        assert found["images"].shape == (3, 16, 16, 1)


def test_points_go_to_an_npz_as_points(tmp_path: Path) -> None:
    maker = model(points_config(), points(classes=("a", "b")))
    write_samples(maker, tmp_path / "x.npz", 20, seed=3, labels=["b"])
    expected = maker.generate(20, seed=3, labels=["b"])
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        assert found["points"].dtype == np.float32
        assert np.array_equal(found["points"], expected.images)
        assert found["labels"].tolist() == [1] * 20


def test_the_same_samples_make_the_same_arrays_again_and_replace_a_file(
    plain: Model, tmp_path: Path
) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"something older")
    write_samples(plain, path, 20)
    first = np.load(path)["images"]
    write_samples(plain, path, 20)
    assert np.array_equal(np.load(path)["images"], first)


def test_what_was_there_stays_where_writing_fails(labelled: Model, tmp_path: Path) -> None:
    for name in ("x.npz", "x.parquet"):
        (tmp_path / name).write_bytes(b"older")
        with pytest.raises(GansmithError, match="cat, dog"):
            write_samples(labelled, tmp_path / name, 20, labels=["cow"])
        assert (tmp_path / name).read_bytes() == b"older"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.npz", "x.parquet"]


def test_writing_many_takes_flat_memory(plain: Model, tmp_path: Path) -> None:
    write_samples(plain, tmp_path / "warm.npz", 16)
    peaks = []
    tracemalloc.start()
    try:
        for n in (320, 1600):
            tracemalloc.reset_peak()
            write_samples(plain, tmp_path / f"{n}.npz", n)
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000  # the pictures alone are 330 kB more


def test_a_parquet_file_is_read_by_pyarrow_and_names_its_features(
    labelled: Model, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_samples(labelled, tmp_path / "x.parquet", 20, seed=2, labels=["dog", "cat"])
    table = parquet.read_table(tmp_path / "x.parquet")
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features == {
        "image": {"_type": "Image"},
        "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    }
    expected = labelled.generate(20, seed=2, labels=["dog", "cat"])
    assert table["label"].to_pylist() == expected.labels.tolist()
    for row, picture in zip(table["image"].to_pylist(), expected.images, strict=True):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(row["bytes"]))), picture)


def test_a_parquet_file_is_a_source_again(labelled: Model, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "x.parquet"
    write_samples(labelled, path, 20, seed=2)
    data = prepare(open_source(path), height=16, width=24, cache_dir=tmp_path / "cache")
    expected = labelled.generate(20, seed=2)
    assert np.array_equal(data.values.permute(0, 2, 3, 1).numpy(), expected.images)
    assert data.labels.tolist() == expected.labels.tolist()


def test_a_folder_holds_a_picture_a_file_and_a_folder_a_class(
    labelled: Model, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    write_samples(labelled, out, 20, seed=2)
    expected = labelled.generate(20, seed=2)
    for i, label in enumerate(expected.labels):
        path = out / labelled.spec.classes[label] / f"{i:06d}.png"
        assert np.array_equal(np.asarray(Image.open(path)), expected.images[i])
    assert len(list(out.rglob("*.png"))) == 20
    data = prepare(open_source(out), height=16, width=24, cache_dir=tmp_path / "cache")
    assert len(data) == 20
    assert data.classes == ["cat", "dog"]


def test_a_folder_without_labels_is_flat(plain: Model, tmp_path: Path) -> None:
    write_samples(plain, tmp_path / "out", 3)
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["000000.png", "000001.png", "000002.png"]
    with Image.open(tmp_path / "out" / "000000.png") as picture:
        assert picture.mode == "L"


@pytest.mark.parametrize(
    "names",
    [
        ("../up", "/root", "..", "."),
        ("a/b", "a_b", "a\\b"),
        ("a", "a ", "a.", " a"),
        ("", " ", "\x00"),
    ],
)
def test_names_of_classes_stay_inside_and_apart(tmp_path: Path, names: tuple[str, ...]) -> None:
    maker = model(config(), pictures(classes=names))
    n = len(names)
    write_samples(maker, tmp_path / "deep" / "out", 4 * n, labels=list(range(n)))
    files = [p.relative_to(tmp_path) for p in tmp_path.rglob("*.png")]
    assert all(p.parts[:2] == ("deep", "out") and len(p.parts) == 4 for p in files)
    folders: dict[str, list[int]] = {}
    for path in files:
        folders.setdefault(path.parts[2], []).append(int(path.stem) % n)
    assert sorted(set(labels).pop() for labels in folders.values()) == list(range(n))
    assert all(len(set(labels)) == 1 for labels in folders.values())


def test_a_folder_that_holds_something_is_not_written_to(plain: Model, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(GansmithError, match="new or empty folder"):
        write_samples(plain, tmp_path, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(GansmithError):
        write_samples(plain, tmp_path / "mine.txt", 3)
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(GansmithError, match="new or empty folder"):
        write_samples(plain, file, 3)
    assert file.read_text() == "mine"
    (tmp_path / "empty").mkdir()
    write_samples(plain, tmp_path / "empty", 1)


@pytest.mark.parametrize("name", ["x.png", "x.tar", "x.npy", "x.jpg"])
def test_other_endings_are_refused_with_those_that_work(
    plain: Model, tmp_path: Path, name: str
) -> None:
    with pytest.raises(GansmithError, match=rf"\.npz or \.parquet, found {name}"):
        write_samples(plain, tmp_path / name, 1)
    assert list(tmp_path.iterdir()) == []


def test_points_are_refused_where_pictures_are_written(tmp_path: Path) -> None:
    maker = model(points_config(), points())
    for name in ("folder", "x.parquet"):
        with pytest.raises(GansmithError, match=r"points.*FILE\.npz"):
            write_samples(maker, tmp_path / name, 3)
    with pytest.raises(GansmithError, match="points"):
        write_grid(maker, tmp_path / "x.png", 3)
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_shows_the_first_examples_row_by_row(plain: Model, tmp_path: Path) -> None:
    write_grid(plain, tmp_path / "a" / "x.png", 5, seed=8)
    sheet = np.asarray(Image.open(tmp_path / "a" / "x.png"))
    assert sheet.shape == (2 * 18 + 2, 3 * 18 + 2)
    made = plain.generate(5, seed=8).images
    for i in range(5):
        top, left = 2 + 18 * (i // 3), 2 + 18 * (i % 3)
        assert np.array_equal(sheet[top : top + 16, left : left + 16], made[i, :, :, 0])
    before = (tmp_path / "a" / "x.png").read_bytes()
    write_grid(plain, tmp_path / "a" / "x.png", 5, seed=8)
    assert (tmp_path / "a" / "x.png").read_bytes() == before


def test_a_sheet_has_a_column_for_each_label_asked_for(labelled: Model, tmp_path: Path) -> None:
    write_grid(labelled, tmp_path / "x.png", 6, labels=["cat", "dog"])
    with Image.open(tmp_path / "x.png") as sheet:
        assert sheet.size == (2 * 26 + 2, 3 * 18 + 2)


@pytest.mark.parametrize("n", [0, -1, 10_001, 10**12])
def test_a_sheet_of_none_or_of_far_too_many_is_refused(
    plain: Model, tmp_path: Path, n: int
) -> None:
    with pytest.raises(GansmithError, match="10,000"):
        write_grid(plain, tmp_path / "x.png", n)


def test_a_sheet_is_a_png(plain: Model, tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match=r"\.png, found x\.jpg"):
        write_grid(plain, tmp_path / "x.jpg", 4)

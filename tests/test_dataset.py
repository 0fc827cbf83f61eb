from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import sys
import tarfile
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from gansmith.data import DOWNLOADS, open_source, prepare
from gansmith.errors import GansmithError
from gansmith.generate import Model
from gansmith.metrics.protocol import Evaluation, Figure
from gansmith.run import RunFolder
from gansmith.synthetic import DatasetResult, layouts, write_dataset
from gansmith.synthetic.card import _size
from gansmith.synthetic.folder import Folder
from gansmith.synthetic.layouts import Example, Examples
from tests.builders import (
    config,
    model,
    pictures,
    points,
    points_config,
    protocol,
    weights,
    write_model,
)

LAYOUTS = ("folder", "parquet", "webdataset")
CLASSES = ("cat", "dog", "a/b")  # and b, a, … in folders: neither safe nor in order
Found = list[tuple[int | None, bytes]]


@pytest.fixture(scope="module")
def labelled() -> Model:
    torch.manual_seed(1)
    return model(config(), pictures(3, 16, 24, classes=CLASSES))


@pytest.fixture(scope="module")
def plain() -> Model:
    torch.manual_seed(1)
    return model()


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_bytes())


def pixels(png: bytes) -> bytes:
    return np.asarray(Image.open(io.BytesIO(png))).tobytes()


def members(tar: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """(name, content, header) by the POSIX rules of a tar file, without the library that wrote it."""
    at = 0
    while any(header := tar[at : at + 512]):
        assert header[257:263] in (b"ustar\0", b"ustar ")
        size = int(header[124:135], 8)
        yield header[:100].rstrip(b"\0").decode(), tar[at + 512 : at + 512 + size], header
        at += 512 + -(-size // 512) * 512


def read_folder(out: Path) -> Found:
    folders = {entry["folder"]: entry["label"] for entry in manifest(out)["classes"]}
    files = (out / "train").rglob("*.png")
    return [(folders.get(p.parent.name), pixels(p.read_bytes())) for p in files]


def read_parquet(out: Path) -> Found:
    parquet = pytest.importorskip("pyarrow.parquet")
    tables = [parquet.read_table(p) for p in sorted((out / "data").iterdir())]
    rows = [row for table in tables for row in table.to_pylist()]
    return [(row.get("label"), pixels(row["image"]["bytes"])) for row in rows]


def read_webdataset(out: Path) -> Found:
    """Neighbours with one key are one sample; the key is all up to the name's first dot."""
    samples: dict[str, dict[str, bytes]] = {}
    for path in sorted(out.glob("*.tar")):
        for name, content, _ in members(path.read_bytes()):
            folder, _, file = name.rpartition("/")
            key, _, ending = file.partition(".")
            sample = samples.setdefault(f"{folder}/{key}", {})
            assert ending not in sample
            assert next(reversed(samples)) == f"{folder}/{key}"
            sample[ending] = content
    return [(int(s["cls"]) if "cls" in s else None, pixels(s["png"])) for s in samples.values()]


READERS = {"folder": read_folder, "parquet": read_parquet, "webdataset": read_webdataset}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_there_are_exactly_so_many_of_each_class_and_they_are_the_generators_own(
    labelled: Model, tmp_path: Path, layout: str
) -> None:
    shards = None if layout == "folder" else 20
    result = write_dataset(
        labelled, tmp_path / "out", per_class=17, seed=4, layout=layout, per_shard=shards
    )
    found = READERS[layout](tmp_path / "out")
    assert Counter(label for label, _ in found) == dict.fromkeys(range(3), 17)
    made = labelled.generate(51, seed=4, labels=CLASSES)
    expected = [(int(n), i.tobytes()) for n, i in zip(made.labels, made.images, strict=True)]
    assert sorted(found) == sorted(expected)
    if shards:
        assert found == expected  # in turn: every shard is balanced
        assert sum(name.startswith(("data/", "train-")) for name in tree(tmp_path / "out")) == 3
    sizes = [len(content) for name, content in tree(tmp_path / "out").items() if "mani" not in name]
    assert result == DatasetResult(
        tmp_path / "out", layout, 51, 17, CLASSES, len(sizes), sum(sizes), result.sha256
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_without_classes_there_are_so_many_in_all_and_no_labels(
    plain: Model, tmp_path: Path, layout: str
) -> None:
    result = write_dataset(plain, tmp_path / "out", n=19, seed=2, layout=layout)
    expected = [(None, image.tobytes()) for image in plain.generate(19, seed=2).images]
    assert sorted(READERS[layout](tmp_path / "out")) == sorted(expected)
    assert (result.count, result.per_class, result.classes) == (19, None, None)
    assert manifest(tmp_path / "out")["classes"] == []


def test_a_picture_is_the_same_however_many_are_made(labelled: Model, tmp_path: Path) -> None:
    for n in (3, 20):
        write_dataset(labelled, tmp_path / str(n), per_class=n, seed=9)
    few, many = tree(tmp_path / "3"), tree(tmp_path / "20")
    names = [name for name in few if name.startswith("train/")]
    assert len(names) == 9
    assert all(few[name] == many[name] for name in names)
    write_dataset(labelled, tmp_path / "other", per_class=3, seed=10)
    other = tree(tmp_path / "other")
    assert all(other[name] != few[name] for name in names)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_again_is_the_same_bytes(labelled: Model, tmp_path: Path, layout: str) -> None:
    for name in ("a", "b"):
        write_dataset(labelled, tmp_path / name, per_class=5, layout=layout)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_a_tar_names_no_time_and_no_owner(labelled: Model, tmp_path: Path) -> None:
    write_dataset(labelled, tmp_path / "out", per_class=1, layout="webdataset")
    for _, _, header in members((tmp_path / "out" / "train-000000.tar").read_bytes()):
        assert header[108:116].rstrip(b"\0") == header[116:124].rstrip(b"\0") == b"0000000"
        assert header[136:148].rstrip(b"\0") == b"00000000000"
        assert header[265:329] == bytes(64)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_manifest_lists_every_file_with_its_hash(
    labelled: Model, tmp_path: Path, layout: str
) -> None:
    write_dataset(labelled, tmp_path / "out", per_class=2, seed=3, layout=layout)
    files = tree(tmp_path / "out")
    described = manifest(tmp_path / "out")
    listed = described.pop("files")
    del files["manifest.json"]
    assert listed == {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    assert (described["seed"], described["layout"], described["count"]) == (3, layout, 6)
    assert described["picture"] == {"height": 16, "width": 24, "channels": 3}
    assert described["classes"][2] == {"label": 2, "name": "a/b", "folder": "a_b", "count": 2}
    assert described["synthetic"] is True
    assert "not real" in described["licence"]["note"]
    assert ("pyarrow" in described["made_with"]) == (layout == "parquet")


def test_a_run_gives_its_name_its_weights_hash_and_its_figures_but_no_path(tmp_path: Path) -> None:
    run = tmp_path / "my run"
    source = str(tmp_path / "private" / "photos")
    folder = write_model(run, source=source, recipe="few-images")
    figures = {"step": 3, "fid": {"value": 12.3456789, "spaces": ["a", "b"]}, "bad": float("nan")}
    (run / "evaluation.json").write_text(json.dumps(figures))
    weights_hash = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    for place in (run, folder):
        result = write_dataset(place, tmp_path / f"out-{place.name}", n=2)
        assert result.sha256 == weights_hash
    files = tree(tmp_path / "out-my run")
    assert files == tree(tmp_path / "out-model")
    assert str(tmp_path).encode() not in b"".join(files.values())
    described = json.loads(files["manifest.json"], parse_constant=lambda name: pytest.fail(name))
    assert described["generator"] == {
        "run": "my run",
        "step": 5,
        "sha256": weights_hash,
        "recipe": "few-images",
        "seed": 0,
        "source": "photos",
    }
    assert described["figures"] == {**figures, "bad": None}
    text = files["README.md"].decode()
    assert "gansmith dataset 'my run' -n 2 --seed 0 --layout folder" in text
    assert "| fid, value | 12.3457 |\n| fid, spaces | a, b |\n| bad | – |" in text
    assert "at step 3, while these pictures come from step 5" in text


def test_the_card_says_first_whether_the_generator_copies(plain: Model, tmp_path: Path) -> None:
    pairs = [{"made": 7, "train": 9}] * 40
    figures = {"memorisation": {"verdict": "Copies: 3.0%. Look.", "closest": pairs, "p": 0.5}}
    write_dataset(plain, tmp_path / "new", n=1, protocol_figures=figures)
    card = (tmp_path / "new" / "README.md").read_text(encoding="utf-8")
    assert card.count("Copies: 3.0%. Look.") == 1
    assert card.index("Copies: ") < card.index("| figure | value |")
    assert "| memorisation, p | 0.5 |" in card
    assert "closest" not in card
    assert manifest(tmp_path / "new")["figures"] == figures


def test_an_evaluation_is_figures(plain: Model, tmp_path: Path) -> None:
    figures = {"fid": Figure(value=3.0, floor=1.0)}
    found = Evaluation(run="one", step=5, protocol=protocol(), figures=figures)
    write_dataset(plain, tmp_path / "new", n=1, protocol_figures=found)
    kept = manifest(tmp_path / "new")["figures"]
    assert kept["figures"]["fid"] == {"value": 3.0, "error": None, "floor": 1.0}


def test_figures_may_be_given_and_a_run_need_not_have_any(plain: Model, tmp_path: Path) -> None:
    write_dataset(plain, tmp_path / "a", n=1, protocol_figures=[{"name": "fid", "value": 3}])
    assert manifest(tmp_path / "a")["figures"] == [{"name": "fid", "value": 3}]
    assert "| 1, name | fid |\n| 1, value | 3 |" in (tmp_path / "a" / "README.md").read_text()
    write_dataset(plain, tmp_path / "b", n=1)
    assert manifest(tmp_path / "b")["figures"] is None
    assert "It was not measured." in (tmp_path / "b" / "README.md").read_text()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_damaged_evaluation_is_said_before_anything_is_written(
    tmp_path: Path, content: bytes
) -> None:
    write_model(tmp_path / "run")
    (tmp_path / "run" / "evaluation.json").write_bytes(content)
    with pytest.raises(GansmithError, match=r"evaluation\.json: expected .*evaluate the run again"):
        write_dataset(tmp_path / "run", tmp_path / "out", n=1)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("source", "name", "terms"),
    [
        ("mnist:test", "mnist:test", DOWNLOADS["mnist"].terms),
        ("digits", "digits", "CC BY 4.0"),
        ("hf:someone/things", "hf:someone/things", "not known"),
        ("/home/me/secret/photos.zip", "photos.zip", "not known"),
        ("C:\\secret\\photos", "photos", "not known"),
        ("", "unknown", "not known"),
    ],
)
def test_the_terms_of_the_training_data_are_named(
    tmp_path: Path, source: str, name: str, terms: str
) -> None:
    write_dataset(model(config(source=source)), tmp_path / "out", n=1)
    described = manifest(tmp_path / "out")
    assert described["generator"]["source"] == name
    assert described["generator"]["run"] is None
    assert terms in described["licence"]["training_data_terms"]
    text = (tmp_path / "out" / "README.md").read_text()
    assert terms in text
    assert "secret" not in text + json.dumps(described)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "--per-class: expected how many to make, 1 or more, found nothing"),
        ({"per_class": 0}, "1 or more, found 0"),
        ({"per_class": -3}, "1 or more, found -3"),
        ({"n": 5}, "makes 3 classes; use --per-class"),
        ({"n": 5, "per_class": 5}, "makes 3 classes; use --per-class"),
        ({"per_class": 1, "layout": "zip"}, "expected folder, parquet, webdataset, found 'zip'"),
        ({"per_class": 1, "seed": -1}, "seed: expected 0 or more"),
        ({"per_class": 1, "per_shard": 0, "layout": "parquet"}, "per_shard: expected 1 or more"),
        ({"per_class": 1, "per_shard": 5}, "pictures in folders have no shards"),
    ],
)
def test_what_can_not_be_made_is_said_in_a_sentence(
    labelled: Model, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(GansmithError, match=message):
        write_dataset(labelled, tmp_path / "out", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_counts_have_to_suit_the_generator(plain: Model, tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match="trained without classes; use -n"):
        write_dataset(plain, tmp_path / "out", per_class=5)
    with pytest.raises(GansmithError, match=r"-n: expected .* found nothing"):
        write_dataset(plain, tmp_path / "out")
    maker = model(points_config(), points(classes=("a", "b")))
    with pytest.raises(GansmithError, match=r"points, not pictures.*FILE\.npz"):
        write_dataset(maker, tmp_path / "out", per_class=5)
    twins = model(config(), pictures(classes=("a", "a")))
    with pytest.raises(GansmithError, match="the same name twice"):
        write_dataset(twins, tmp_path / "out", per_class=5)
    with pytest.raises(GansmithError, match="expected a run"):
        write_dataset(tmp_path / "nothing", tmp_path / "out", n=5)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(
    plain: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for name in ("full", "full/mine.txt"):
        with pytest.raises(GansmithError, match="new or empty folder"):
            write_dataset(plain, tmp_path / name, n=1)
    assert tree(tmp_path) == {"full/mine.txt": b"mine"}
    (tmp_path / "empty").mkdir()
    write_dataset(plain, tmp_path / "empty", n=1)
    assert "train/000000.png" in tree(tmp_path / "empty")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(GansmithError, match="a new name inside it"):
        write_dataset(plain, ".", n=1)
    write_dataset(plain, "new/below", n=1)
    assert "train/000000.png" in tree(tmp_path / "here" / "new" / "below")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_full_disk_is_said_and_leaves_nothing(
    labelled: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    class Full(io.BytesIO):
        def write(self, content: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device", "x")

    opened = Path.open

    def fills_up(path: Path, *arguments: Any, **more: Any) -> Any:
        data = path.suffix in (".tar", ".parquet") or path.name == "000003.png"
        return Full() if data else opened(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", fills_up)
    with pytest.raises(GansmithError, match="No space left on device; make room or"):
        write_dataset(labelled, tmp_path / "out", per_class=20, layout=layout)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("processes", [None, 2])
def test_parquet_without_pyarrow_is_a_sentence(
    plain: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int | None
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(GansmithError, match=r"pip install 'gansmith\[hf\]'"):
        write_dataset(plain, tmp_path / "out", n=3, layout="parquet", processes=processes)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(labelled: Model, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        assert (done, total) == (256, 300)
        assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == [".tmp-out"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(labelled, tmp_path / "out", per_class=100, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_is_cleared_away(labelled: Model, tmp_path: Path) -> None:
    (tmp_path / ".tmp-out" / "train" / "old").mkdir(parents=True)
    (tmp_path / ".tmp-out" / "train" / "old" / "000000.png").write_text("old")
    write_dataset(labelled, tmp_path / "out", per_class=1)
    assert "train/old/000000.png" not in tree(tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_two_processes_do_not_fill_one_folder(labelled: Model, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / ".tmp-out.lock"),
        pytest.raises(GansmithError, match="another process is writing it"),
    ):
        write_dataset(labelled, tmp_path / "out", per_class=1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_take_flat_memory(
    plain: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    if layout == "parquet":
        pytest.importorskip("pyarrow")
    monkeypatch.setattr(layouts, "ROW_GROUP", 64)
    peaks = []
    write_dataset(plain, tmp_path / "warm", n=1, layout=layout)
    tracemalloc.start()
    try:
        for turn, n in enumerate((160, 960, 160, 960)):
            tracemalloc.reset_peak()
            write_dataset(plain, tmp_path / str(turn), n=n, layout=layout)
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    # The pictures alone are 200 kB more. Once in a while a table of Python's own grows by megabytes
    # between two of them.
    assert min(peaks[1] - peaks[0], peaks[3] - peaks[2]) < 100_000


def test_a_shards_size_is_bounded_by_what_noise_takes(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for shape in ((1, 1, 1), (8, 8, 4), (300, 2, 3), (2, 300, 3), (128, 128, 1)):
        image = generator.integers(0, 256, shape, dtype=np.uint8)
        png = Example("x", image, None).png
        assert len(png) <= Examples(iter(()), shape, None).most_bytes


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
@pytest.mark.parametrize("layout", ["folder", "webdataset"])
def test_pictures_are_grey_colour_or_transparent(
    tmp_path: Path, channels: int, mode: str, layout: str
) -> None:
    maker = model(config(), pictures(channels, 16, 16))
    write_dataset(maker, tmp_path / "out", n=3, layout=layout)
    files = tree(tmp_path / "out")
    if layout == "webdataset":
        files |= {name: content for name, content, _ in members(files["train-000000.tar"])}
    names = [name for name in files if name.endswith(".png")]
    assert len(names) == 4
    assert {Image.open(io.BytesIO(files[name])).mode for name in names} == {mode}


def test_the_sheet_shows_the_first_of_each_class_in_a_column(
    labelled: Model, tmp_path: Path
) -> None:
    write_dataset(labelled, tmp_path / "out", per_class=2)
    sheet = np.asarray(Image.open(tmp_path / "out" / ".assets" / "samples.png"))
    assert sheet.shape == (2 + 2 * 18, 2 + 3 * 26, 3)
    for label, folder in enumerate(("cat", "dog", "a_b")):
        for i in range(2):
            top, left = 2 + i * 18, 2 + label * 26
            shown = sheet[top : top + 16, left : left + 24]
            picture = np.asarray(Image.open(tmp_path / "out" / "train" / folder / f"{i:06d}.png"))
            assert np.array_equal(shown, picture)
    text = (tmp_path / "out" / "README.md").read_text()
    assert "](.assets/samples.png)" in text


def test_a_thousand_classes(tmp_path: Path) -> None:
    names = tuple(f"class {i}" for i in range(1000))
    maker = model(config(), pictures(classes=names))
    result = write_dataset(maker, tmp_path / "out", per_class=1, layout="webdataset", per_shard=400)
    assert result.count == 1000
    found = read_webdataset(tmp_path / "out")
    assert Counter(label for label, _ in found) == dict.fromkeys(range(1000), 1)
    assert len(list((tmp_path / "out").glob("*.tar"))) == 3
    text = (tmp_path / "out" / "README.md").read_text()
    assert "and 980 more." in text


AWKWARD = ("test", "train", "../up", "a b.c", "é東", "__x__", "CON\n", "x" * 300, '"yes": [', "0")


@pytest.mark.parametrize("layout", ["folder", "webdataset"])
def test_our_own_sources_read_it_whatever_the_classes_are_called(
    tmp_path: Path, layout: str
) -> None:
    maker = model(config(), pictures(classes=AWKWARD))
    write_dataset(maker, tmp_path / "out", per_class=2, layout=layout)
    place = tmp_path / "out" / ("train-000000.tar" if layout == "webdataset" else "")
    data = prepare(open_source(place), height=16, width=16, cache_dir=tmp_path / "cache")
    folders = {entry["folder"]: entry["label"] for entry in manifest(tmp_path / "out")["classes"]}
    assert data.classes is not None
    assert data.labels is not None
    found = [
        (folders[data.classes[label]], values.numpy().tobytes())
        for label, values in zip(data.labels.tolist(), data.values, strict=True)
    ]
    made = maker.generate(20, labels=AWKWARD)
    expected = [(int(n), i.tobytes()) for n, i in zip(made.labels, made.images, strict=True)]
    assert sorted(found) == sorted(expected)
    assert max(len(folder.encode()) for folder in folders) <= 250


def test_two_classes_called_as_splits_are_two_classes(tmp_path: Path) -> None:
    maker = model(config(), pictures(classes=("train", "test")))
    write_dataset(maker, tmp_path / "out", per_class=2)
    assert open_source(tmp_path / "out").classes == ["class_test", "class_train"]


@pytest.fixture
def load_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Hugging Face's own loader, without network, asked for a folder and nothing else."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    return lambda out: datasets.load_dataset(
        str(out), split="train", cache_dir=str(tmp_path / "cache")
    )


@pytest.mark.parametrize("classes", [AWKWARD, ("only",), None], ids=["ten", "one", "none"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_hugging_face_loads_it_as_it_is(
    load_dataset: Any, tmp_path: Path, layout: str, classes: tuple[str, ...] | None
) -> None:
    maker = model(config(), pictures(3, 16, 16, classes=classes))
    shards = None if layout == "folder" else 7
    how_many = {"per_class": 2} if classes else {"n": 20}
    out = tmp_path / "out"
    result = write_dataset(maker, out, layout=layout, per_shard=shards, **how_many)
    rows = load_dataset(out)
    image, label = ("png", "cls") if layout == "webdataset" else ("image", "label")
    made = maker.generate(result.count, labels=classes)
    numbers = [None] * 20 if made.labels is None else made.labels.tolist()
    if layout == "folder":  # read in alphabetical order
        folders = [entry["folder"] for entry in manifest(out)["classes"]]
        numbers = [sorted(folders).index(folders[n]) if classes else None for n in numbers]
        classes = tuple(sorted(folders))
    found = [(row.get(label), np.asarray(row[image]).tobytes()) for row in rows]
    expected = [(n, i.tobytes()) for n, i in zip(numbers, made.images, strict=True)]
    assert sorted(found) == sorted(expected)
    if classes:
        assert rows.features[label].names == list(classes)
    else:
        assert label not in rows.features


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # it leaves files open
def test_the_webdataset_package_reads_it(labelled: Model, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    write_dataset(labelled, tmp_path / "out", per_class=4, layout="webdataset", per_shard=5)
    shards = str(tmp_path / "out" / "train-{000000..000002}.tar")
    rows = webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8").to_tuple("png", "cls")
    made = labelled.generate(12, labels=CLASSES)
    for (image, label), expected, number in zip(rows, made.images, made.labels, strict=True):
        assert np.array_equal(image, expected)
        assert label == number


def test_the_card_is_yaml_whatever_the_classes_are_called(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    names = (*AWKWARD, "\x00\x7f\x85\u2028\ufeff", "😀", "no", "---", "# a\\b", "'")
    maker = model(config(source="mnist"), pictures(classes=names))
    write_dataset(maker, tmp_path / "out", per_class=1, layout="webdataset")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))
    feature = head["dataset_info"]["features"][1]["dtype"]["class_label"]["names"]
    assert list(feature.values()) == list(names)
    assert head["license"] == "other"
    assert head["size_categories"] == ["n<1K"]
    assert {"synthetic", "gan"} <= set(head["tags"])
    body = text.split("\n---\n", 1)[1]
    for heading in ("How it was made", "What it is worth", "Limits", "Terms"):
        assert f"\n## {heading}\n" in body


@pytest.mark.parametrize(
    ("count", "name"),
    [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (60_000, "10K<n<100K"), (10**6, "1M<n<10M")],
)
def test_sizes_have_hugging_faces_names(count: int, name: str) -> None:
    assert _size(count) == name


def test_a_checkpoints_generator_has_the_hash_its_model_would_have(tmp_path: Path) -> None:
    a_config, spec = config(), pictures()
    state = weights(a_config, spec)
    RunFolder(tmp_path / "run").write_model(a_config, spec, state, 5)
    maker = Model(a_config, spec, state, 5, "cpu")
    a = write_dataset(maker, tmp_path / "a", n=1)
    b = write_dataset(tmp_path / "run", tmp_path / "b", n=1)
    assert a.sha256 == b.sha256


def test_a_failing_write_is_not_entered(tmp_path: Path) -> None:
    listed = io.StringIO()
    folder = Folder(tmp_path, listed)
    with contextlib.suppress(ValueError), folder.open("x/y.tar") as file:
        file.write(b"half")
        raise ValueError
    assert (listed.getvalue(), folder.count, folder.bytes) == ("", 0, 0)


def test_a_shard_is_a_tar_that_python_reads_to_its_end(labelled: Model, tmp_path: Path) -> None:
    write_dataset(labelled, tmp_path / "out", per_class=3, layout="webdataset")
    with tarfile.open(tmp_path / "out" / "train-000000.tar") as tar:
        assert len(tar.getmembers()) == 18

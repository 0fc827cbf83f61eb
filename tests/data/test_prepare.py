"""From source to data set: what is decoded, kept, found again, and rebuilt when damaged."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gansmith.data import Dataset, open_source, pictures, prepare, survey
from gansmith.data import cache as data_cache
from gansmith.errors import GansmithError


def prepared(root: Path, **options: Any) -> Dataset:
    return prepare(open_source(root), **{"height": 10, "width": 8} | options)


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: Any) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(pictures, "decode", decode)


def test_values_and_labels(picture_folder: Path, some_pictures: np.ndarray) -> None:
    dataset = prepared(picture_folder)
    expected = np.concatenate([some_pictures[::2], some_pictures[1::2]]).transpose(0, 3, 1, 2)
    assert dataset.values.dtype == torch.uint8
    assert np.array_equal(dataset.values.numpy(), expected)
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0] * 6 + [1] * 6
    assert (dataset.classes, dataset.skipped, len(dataset)) == (["cat", "dog"], [], 12)


def test_second_time_is_from_the_cache(
    picture_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (picture_folder / "cat" / "broken.png").write_bytes(b"x")
    first = prepared(picture_folder, max_skipped=0.5)
    forbid_decoding(monkeypatch)
    second = prepared(picture_folder, max_skipped=0.5)
    assert torch.equal(first.values, second.values)
    assert first.labels is not None
    assert second.labels is not None
    assert torch.equal(first.labels, second.labels)
    assert (first.digest, first.skipped) == (second.digest, second.skipped)


def test_a_copy_elsewhere_is_found_too(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = prepared(picture_folder).digest
    shutil.copytree(picture_folder, tmp_path / "copy")
    forbid_decoding(monkeypatch)
    assert prepared(tmp_path / "copy").digest == digest


def test_settings_make_other_digests(picture_folder: Path) -> None:
    digests = {
        prepared(picture_folder, **options).digest
        for options in (
            {},
            {"height": 8},
            {"fit": "pad"},
            {"channels": "grey"},
            {"background": "black"},
        )
    }
    assert len(digests) == 5


@pytest.mark.parametrize("old", [True, False])
def test_a_change_is_noticed(picture_folder: Path, old: bool) -> None:
    paths = sorted(picture_folder.rglob("*.png"))
    if old:  # so that sizes and times are trusted
        long_ago = time.time() - 1000
        for path in paths:
            os.utime(path, (long_ago, long_ago))
    first = prepared(picture_folder)
    times = paths[0].stat()
    changed = bytearray(paths[0].read_bytes())
    with Image.open(paths[0]) as image:
        image.transpose(Image.Transpose.ROTATE_180).save(paths[0])
    os.utime(paths[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    assert paths[0].read_bytes() != changed
    second = prepared(picture_folder)
    assert second.digest != first.digest
    assert not torch.equal(first.values[0], second.values[0])


def test_hashes_are_remembered(
    picture_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_cache, "_JUST_NOW", -1.0)
    digest = prepared(picture_folder).digest
    monkeypatch.setattr(data_cache, "_sha256_of_file", lambda path: 1 / 0)
    assert prepared(picture_folder).digest == digest
    (memo,) = (cache / "known").iterdir()
    memo.write_text("damaged")
    with pytest.raises(ZeroDivisionError):
        prepared(picture_folder)


@pytest.mark.parametrize("damage", ["cut", "flip", "no record", "bad record", "not a record"])
def test_damaged_cache_is_rebuilt(picture_folder: Path, cache: Path, damage: str) -> None:
    first = prepared(picture_folder)
    (entry,) = (cache / "decoded").iterdir()
    values, record = entry / "values", entry / "record.json"
    if damage == "cut":
        values.write_bytes(values.read_bytes()[:-1])
    elif damage == "flip":
        content = bytearray(values.read_bytes())
        content[100] ^= 1
        values.write_bytes(content)
    elif damage == "no record":
        record.unlink()
    else:
        record.write_text('{"shape": [1' if damage == "bad record" else '{"a": [{}]}')
    second = prepared(picture_folder)
    assert torch.equal(first.values, second.values)
    assert first.digest == second.digest


def test_too_large_for_memory_is_mapped(
    picture_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepared(picture_folder)
    monkeypatch.setattr(np, "fromfile", lambda *_, **__: 1 / 0)
    mapped = prepared(picture_folder, memory_gb=1e-6)
    assert torch.equal(whole.values, mapped.values)
    assert mapped.values[torch.tensor([3, 1])].shape == (2, 3, 10, 8)


def test_no_room_on_disk(picture_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100))
    with pytest.raises(GansmithError, match=r"but only 0\.0 GB are free"):
        prepared(picture_folder)


def test_cache_that_cannot_be_written(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(GansmithError, match="GANSMITH_CACHE"):
        prepared(picture_folder)


def test_nothing_unfinished_is_left(
    picture_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = cache / "decoded" / "unfinished-stale"
    stale.mkdir(parents=True)
    os.utime(stale, (0, 0))

    def decode(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pictures, "decode", decode)
        with pytest.raises(KeyboardInterrupt):
            prepared(picture_folder)
    assert list((cache / "decoded").iterdir()) == []
    prepared(picture_folder)


def test_several_at_once(picture_folder: Path, cache: Path) -> None:
    results: list[Dataset] = []
    threads = [
        threading.Thread(target=lambda: results.append(prepared(picture_folder))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(torch.equal(results[0].values, result.values) for result in results)
    assert len(list((cache / "decoded").iterdir())) == 1


def test_skipped_are_listed_and_limited(picture_folder: Path) -> None:
    (picture_folder / "cat" / "broken.png").write_bytes(b"x")
    with pytest.raises(GansmithError, match=r"1 of 13 are: cat/broken.png \(not a picture"):
        prepared(picture_folder)
    with pytest.raises(GansmithError, match=r"data\.max_skipped=0\.08"):
        prepared(picture_folder)
    dataset = prepared(picture_folder, max_skipped=0.08)
    assert [skipped.name for skipped in dataset.skipped] == ["cat/broken.png"]
    assert len(dataset) == 12
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0] * 6 + [1] * 6


def test_nothing_usable(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "a.png").write_bytes(b"")
    with pytest.raises(GansmithError, match=r"None of the pictures can be used: a\.png"):
        prepared(tmp_path / "all", max_skipped=1.0, channels="grey")
    with pytest.raises(GansmithError, match="None of the first 1"):
        prepared(tmp_path / "all", max_skipped=1.0)


def test_sizes(picture_folder: Path, encode: Callable[..., bytes]) -> None:
    assert prepared(picture_folder, height=None, width=None).values.shape[2:] == (10, 8)
    assert prepared(picture_folder, height=6, width=None).values.shape[2:] == (6, 6)
    (picture_folder / "cat" / "large.png").write_bytes(encode(np.zeros((30, 20), np.uint8)))
    with pytest.raises(GansmithError, match="typically 10 high and 8 wide"):
        prepared(picture_folder, height=None, width=None)
    with pytest.raises(GansmithError, match="at least 1"):
        prepared(picture_folder, height=-1, width=4)
    with pytest.raises(GansmithError, match="a colour such as white"):
        prepared(picture_folder, background="whitish")


def test_grey_or_colour(tmp_path: Path, encode: Callable[..., bytes]) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number in range(4):
        shade = np.full((8, 8, 3), 60 * number, dtype=np.uint8)
        (root / f"{number}.jpg").write_bytes(encode(shade, "JPEG"))
    assert not survey(open_source(root)).colour
    assert prepared(root).values.shape == (4, 1, 10, 8)
    assert prepared(root, channels="colour").values.shape == (4, 3, 10, 8)
    (root / "red.png").write_bytes(encode(Image.new("RGB", (8, 8), "red")))
    assert survey(open_source(root)).colour
    assert prepared(root).values.shape == (5, 3, 10, 8)
    assert prepared(root, channels="grey").values.shape == (5, 1, 10, 8)


def test_embedded_digits_leave_no_cache(cache: Path) -> None:
    calls: list[tuple[int, int]] = []
    dataset = prepare(
        open_source("digits"), height=32, width=32, progress=lambda *call: calls.append(call)
    )
    assert dataset.values.shape == (1797, 1, 32, 32)
    assert calls[-1] == (1797, 1797)
    assert not cache.exists()


@pytest.mark.skipif("GANSMITH_DATA" not in os.environ, reason="GANSMITH_DATA names no folder")
def test_real_data() -> None:
    root = Path(os.environ["GANSMITH_DATA"])
    digits = prepare(open_source("mnist", data_dir=root / "mnist"), height=32, width=32)
    assert digits.values.shape == (60_000, 1, 32, 32)
    assert digits.classes == [str(n) for n in range(10)]
    cars = prepare(open_source(root / "cifar10" / "test.parquet"), height=None, width=None)
    assert cars.values.shape == (10_000, 3, 32, 32)
    faces = prepare(open_source(root / "faces"), height=56, width=64)
    assert faces.values.shape == (400, 1, 56, 64)
    words = open_source(root / "words" / "train.parquet")
    assert (len(words), words.classes) == (7754, None)

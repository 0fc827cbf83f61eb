"""Folders and the layouts people keep their pictures in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gansmith.data import Item, Skipped, open_source, prepare
from gansmith.data.folder import arrange
from gansmith.errors import GansmithError


def labels(*names: str) -> tuple[list[str | None], list[str] | None]:
    layout = arrange(names, "here")
    classes = layout.classes
    return [
        None if n is None or not classes else classes[n] for n in layout.labels.values()
    ], classes


def test_flat_folder_has_no_classes() -> None:
    assert labels("a.png", "b.JPG", "notes.txt") == ([None, None], None)


def test_one_folder_a_class() -> None:
    assert labels("cat/1.png", "dog/2.png") == (["cat", "dog"], ["cat", "dog"])


def test_nested_folders_belong_to_the_first() -> None:
    assert labels("cat/old/1.png", "cat/2.png", "dog/x/y/3.png")[0] == ["cat", "cat", "dog"]


def test_folders_around_everything_say_nothing() -> None:
    assert labels("all/animals/cat/1.png", "all/animals/dog/2.png")[1] == ["cat", "dog"]
    assert labels("all/pictures/1.png", "all/pictures/2.png")[1] is None


def test_a_picture_beside_the_folders_means_no_classes() -> None:
    assert labels("1.png", "cat/2.png")[1] is None


def test_of_train_and_test_only_train_counts() -> None:
    found = labels("set/train/cat/1.png", "set/train/dog/2.png", "set/test/cat/3.png")
    assert found == (["cat", "dog"], ["cat", "dog"])
    assert labels("train/1.png", "val/2.png") == ([None], None)


def test_hidden_files_are_passed_over() -> None:
    assert labels("a.png", "._a.png", "__MACOSX/._a.png", ".cache/b.png") == ([None], None)


def test_reading(picture_folder: Path) -> None:
    source = open_source(picture_folder)
    items = list(source)
    assert len(source) == len(items) == 12
    assert source.classes == ["cat", "dog"]
    assert [item.label for item in items if isinstance(item, Item)] == [0] * 6 + [1] * 6
    assert [item.name for item in source.read(step=5)] == [items[n].name for n in (0, 5, 10)]


def test_links_in_circles_and_pipes(picture_folder: Path) -> None:
    (picture_folder / "cat" / "again").symlink_to(picture_folder)
    os.mkfifo(picture_folder / "cat" / "pipe.png")
    (picture_folder / "cat" / "gone.png").symlink_to(picture_folder / "nowhere.png")
    items = list(open_source(picture_folder))
    skipped = [item for item in items if isinstance(item, Skipped)]
    assert len(items) == 14
    assert {s.name for s in skipped} == {"cat/pipe.png", "cat/gone.png"}


def test_a_pipe_is_not_waited_for(picture_folder: Path) -> None:
    os.mkfifo(picture_folder / "cat" / "pipe.png")
    dataset = prepare(open_source(picture_folder), height=8, width=8, max_skipped=0.1)
    assert [(s.name, s.reason) for s in dataset.skipped] == [("cat/pipe.png", "not a regular file")]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "it is empty"),
        ({"a.txt": b"", "b.heic": b""}, r"found none among 2 files \(1 × .txt, 1 × .heic\)"),
        ({"train.parquet": b""}, "Give one of its data files instead: train.parquet"),
    ],
)
def test_nothing_found(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name, content in files.items():
        (root / name).write_bytes(content)
    with pytest.raises(GansmithError, match=message):
        open_source(root)


def test_what_is_not_there(tmp_path: Path, encode: Callable[..., bytes]) -> None:
    with pytest.raises(GansmithError, match="Did you mean fashion-mnist"):
        open_source("fashon-mnist")
    with pytest.raises(GansmithError, match="no data set, file or folder called"):
        open_source(tmp_path / "nowhere")
    with pytest.raises(GansmithError, match="together with a data folder"):
        open_source("ring", data_dir=tmp_path)
    (tmp_path / "one.png").write_bytes(b"x")
    with pytest.raises(GansmithError, match="single one"):
        open_source(tmp_path / "one.png")
    (tmp_path / "x.bin").write_bytes(b"x")
    with pytest.raises(GansmithError, match="none of these"):
        open_source(tmp_path / "x.bin")

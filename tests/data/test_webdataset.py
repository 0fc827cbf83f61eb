from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from gansmith.data.source import Item, Skipped
from gansmith.data.webdataset import WebDatasetSource
from gansmith.errors import GansmithError
from gansmith.synthetic.layouts import add_to_tar
from tests.shards import picture, write_tar


def test_pictures_have_the_labels_of_their_keys(tmp_path: Path) -> None:
    source = WebDatasetSource(write_tar(tmp_path / "a.tar", [7, 8, 9], [10, 2, 10]))
    assert source.classes == ["2", "10"]  # as numbers are ordered, not words
    items = list(source)
    assert [item.label for item in items if isinstance(item, Item)] == [1, 0, 1]
    assert [item.content for item in items if isinstance(item, Item)] == [
        picture(grey) for grey in (7, 8, 9)
    ]
    assert len(source) == 3
    assert [item.name for item in source.read(2)] == ["000000.png", "000002.png"]


def test_labels_may_be_names_or_missing(tmp_path: Path) -> None:
    named = WebDatasetSource(write_tar(tmp_path / "a.tar", [7, 8], ["dog", "cat\n"]))
    assert named.classes == ["cat", "dog"]
    bare = WebDatasetSource(write_tar(tmp_path / "b.tar", [7, 8]))
    assert bare.classes is None
    assert all(isinstance(item, Item) and item.label is None for item in bare)


def test_what_belongs_to_a_key_is_found_in_any_folder_and_order(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add_to_tar(tar, "x.y/001.seg.png", picture(1))
        add_to_tar(tar, "x.y/002.jpg", picture(2))
        add_to_tar(tar, "x.y/001.txt", b"a caption")
        add_to_tar(tar, "x.y/001.cls", b"3")
        add_to_tar(tar, "x.y/.hidden.png", picture(9))
    items = list(WebDatasetSource(tmp_path / "a.tar"))
    assert isinstance(items[0], Item)
    assert items[0].label == 0
    assert items[1] == Skipped("x.y/002.jpg", "it has no label")
    assert len(items) == 2


def test_a_damaged_or_hostile_tar_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", [1, 2, 3])
    (tmp_path / "cut.tar").write_bytes(path.read_bytes()[:2000])
    with pytest.raises(GansmithError, match=r"whole zip or tar archive.*cut\.tar"):
        WebDatasetSource(tmp_path / "cut.tar")
    with tarfile.open(tmp_path / "out.tar", "w") as tar:
        add_to_tar(tar, "../../000.png", picture(1))
    with pytest.raises(GansmithError, match="points outside"):
        WebDatasetSource(tmp_path / "out.tar")

"""A name is a name, whatever lies under it in the current folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gansmith import api
from gansmith.data import open_source, place
from gansmith.data.folder import FolderSource
from gansmith.errors import GansmithError

NAMES = ["digits", "ring", "mnist", "cifar10:test", "hf:somebody/something"]


@pytest.fixture
def folders(tmp_path: Path, encode: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a folder of four pictures under each name."""
    for name in [*NAMES, "mine"]:
        (tmp_path / "here" / name).mkdir(parents=True)
        for number in range(4):
            picture = encode(np.full((8, 8), number, dtype=np.uint8))
            (tmp_path / "here" / name / f"{number}.png").write_bytes(picture)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_called_like_a_name_is_meant_only_where_written_as_a_path(
    name: str, folders: Path
) -> None:
    assert place(name) == name
    assert place(f"./{name}") == str(folders / name)
    assert place(str(folders / name)) == str(folders / name)
    for path in (f"./{name}", folders / name):
        source = open_source(path)
        assert isinstance(source, FolderSource)
        assert len(source) == 4


def test_a_run_on_a_name_and_on_the_folder_called_like_it(folders: Path) -> None:
    by_name = api.plan("digits", settings={"images": 64})
    assert (by_name.config.source, len(by_name.dataset)) == ("digits", 1797)
    by_path = api.plan("./digits", settings={"images": 64, "size": "16"})
    assert (by_path.config.source, len(by_path.dataset)) == (str(folders / "digits"), 4)


def test_other_paths_are_made_absolute(folders: Path) -> None:
    assert place("mine") == str(folders / "mine")
    assert place(f"mine{os.sep}0.png") == str(folders / "mine" / "0.png")
    for text in ("missing", "", " "):
        assert place(text) == text
    with pytest.raises(GansmithError, match="no data set, file or folder called 'hf'"):
        open_source("hf")

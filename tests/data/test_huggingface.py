"""``hf:…`` with a real data set of the library ``datasets``, but no network."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gansmith.data import Item, Skipped, open_source, prepare
from gansmith.errors import GansmithError

datasets = pytest.importorskip("datasets")


@pytest.fixture
def rows(some_pictures: np.ndarray, encode: Callable[..., bytes]) -> Any:
    features = datasets.Features(
        {"picture": datasets.Image(), "kind": datasets.ClassLabel(names=["cat", "dog"])}
    )
    images = [{"bytes": encode(picture), "path": None} for picture in some_pictures]
    return datasets.Dataset.from_dict({"picture": images, "kind": [1, 0] * 6}, features=features)


@pytest.fixture
def hub(rows: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    asked = []

    def load_dataset(path: str, split: str) -> Any:
        asked.append((path, split))
        if split == "nowhere":
            raise ValueError('Unknown split "nowhere".\nMore.')
        return rows

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def test_images_and_labels(hub: list[tuple[str, str]], some_pictures: np.ndarray) -> None:
    source = open_source("hf:someone/animals")
    assert (source.name, source.classes, len(source)) == ("someone/animals", ["cat", "dog"], 12)
    assert [item.label for item in source if isinstance(item, Item)] == [1, 0] * 6
    dataset = prepare(source, height=10, width=8)
    assert np.array_equal(dataset.values.numpy(), some_pictures.transpose(0, 3, 1, 2))
    assert open_source("hf:someone/animals:test[:10%]").name == "someone/animals:test[:10%]"
    assert hub == [("someone/animals", "train"), ("someone/animals", "test[:10%]")]


def test_a_data_set_on_disk_is_cached(rows: Any, tmp_path: Path, cache: Path) -> None:
    rows.to_parquet(tmp_path / "rows" / "train.parquet")
    source = open_source(f"hf:{tmp_path / 'rows'}")
    first = prepare(source, height=8, width=8)
    assert prepare(source, height=8, width=8).digest == first.digest
    assert list((cache / "decoded").iterdir())


def test_rows_that_name_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    paths = [tmp_path / "pipe", tmp_path / "gone.png", tmp_path, Path("/dev/zero")]
    rows = datasets.Dataset.from_dict(
        {"image": [{"bytes": None, "path": str(path)} for path in paths]},
        features=datasets.Features(image=datasets.Image()),
    )
    monkeypatch.setattr(datasets, "load_dataset", lambda path, split: rows)
    reasons = [item.reason for item in open_source("hf:a/b") if isinstance(item, Skipped)]
    assert reasons == ["not a regular file"] * 4


def test_what_the_hub_does_not_have(hub: list[tuple[str, str]]) -> None:
    with pytest.raises(GansmithError, match='Unknown split "nowhere"'):
        open_source("hf:someone/animals:nowhere")


def test_no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = datasets.Dataset.from_dict({"text": ["a"]})
    monkeypatch.setattr(datasets, "load_dataset", lambda path, split: rows)
    with pytest.raises(GansmithError, match="column of images in hf:a/b, but found text"):
        open_source("hf:a/b")


@pytest.mark.parametrize(("missing", "spec"), [("datasets", "hf:a/b"), ("pyarrow", "a.parquet")])
def test_without_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, spec: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(GansmithError, match=r"pip install 'gansmith\[hf\]'"):
        open_source(spec)

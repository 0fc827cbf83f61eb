"""Parquet files, offline, in the layouts that are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gansmith.data import Item, Skipped, open_source
from gansmith.data.parquet import number_labels
from gansmith.errors import GansmithError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())]) if pa else None


@pytest.fixture
def images(some_pictures: np.ndarray, encode: Callable[..., bytes]) -> list[dict[str, Any]]:
    return [{"bytes": encode(picture), "path": None} for picture in some_pictures]


def written(path: Path, columns: dict[str, Any], features: dict[str, Any] | None = None) -> Path:
    table = pa.table(columns)
    if features:
        described = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": described})
    pq.write_table(table, path, row_group_size=5)
    return path


def test_hugging_face_layout(tmp_path: Path, images: list[dict[str, Any]]) -> None:
    path = written(
        tmp_path / "train.parquet",
        {
            "thumb": pa.array(images[::-1], IMAGE),
            "img": pa.array(images, IMAGE),
            "kind": [1, 0] * 6,
        },
        {"img": {"_type": "Image"}, "kind": {"_type": "ClassLabel", "names": ["cat", "dog"]}},
    )
    source = open_source(path)
    items = [item for item in source if isinstance(item, Item)]
    assert (len(source), source.classes) == (12, ["cat", "dog"])
    assert [item.content for item in items] == [image["bytes"] for image in images]
    assert [item.label for item in items] == [1, 0] * 6
    assert [i.name for i in source.read(step=5)] == ["row 0", "row 5", "row 10"]


def test_plain_bytes_and_named_labels(tmp_path: Path, images: list[dict[str, Any]]) -> None:
    columns = {"image": [i["bytes"] for i in images], "label": ["dog", "cat", None] * 4}
    source = open_source(written(tmp_path / "a.parquet", columns))
    items = list(source)
    assert source.classes == ["cat", "dog"]
    assert [item.label for item in items if isinstance(item, Item)] == [1, 0] * 4
    assert sum(isinstance(item, Skipped) for item in items) == 4


def test_words_without_labels(tmp_path: Path, images: list[dict[str, Any]]) -> None:
    columns = {"image": pa.array(images, IMAGE), "text": ["mot"] * 12, "writer": [1, 2, 3] * 4}
    source = open_source(written(tmp_path / "words.parquet", columns))
    assert source.classes is None
    assert len([item for item in source if isinstance(item, Item)]) == 12


def test_rows_without_a_picture_are_skipped(tmp_path: Path, images: list[dict[str, Any]]) -> None:
    holes: list[Any] = [*images[:10], None, {"bytes": None, "path": "/etc/passwd"}]
    items = list(open_source(written(tmp_path / "a.parquet", {"image": pa.array(holes, IMAGE)})))
    assert [item.name for item in items if isinstance(item, Skipped)] == ["row 10", "row 11"]


def test_labels_of_other_kinds() -> None:
    assert number_labels([2, 5, 2], None) == ([0, 1, 0], ["2", "5"])
    assert number_labels([0, -1, None], ["a", "b"]) == ([0, None, None], ["a", "b"])
    assert number_labels([-1, -1], ["a"]) == (None, None)
    assert number_labels([0.5, 1.5], None) == (None, None)
    assert number_labels(list(range(2000)), None) == (None, None)


def test_no_picture_column_and_damage(tmp_path: Path, images: list[dict[str, Any]]) -> None:
    with pytest.raises(GansmithError, match="but found text: string"):
        open_source(written(tmp_path / "a.parquet", {"text": ["x"]}))
    path = written(tmp_path / "b.parquet", {"image": pa.array(images, IMAGE)})
    whole = path.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 4):
        path.write_bytes(whole[:cut])
        with pytest.raises(GansmithError, match="whole Parquet file"):
            open_source(path)
    path.write_bytes(whole[:40] + bytes(2000) + whole[2040:])
    with pytest.raises(GansmithError, match="whole Parquet file"):
        list(open_source(path))

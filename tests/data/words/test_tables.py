"""Parquet files and data sets of the library ``datasets`` with a column of texts, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gansmith.data import open_source, prepare
from gansmith.data.words import find_words, open_words
from gansmith.errors import GansmithError
from tests.data.words.builders import TEXTS, imagefolder, items_of, skipped_of, texts_of, words

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())]) if pa else None


def table(path: Path, **columns: Any) -> str:
    """A Parquet file of `TEXTS`' pictures with these columns beside them."""
    images = [{"bytes": picture, "path": None} for _, picture in words()]
    pq.write_table(pa.table({"image": pa.array(images, IMAGE), **columns}), path, row_group_size=4)
    return str(path)


@pytest.mark.parametrize("texts", ["text", "Transcription", "ground_truth", "word"])
def test_texts_and_writers(tmp_path: Path, texts: str) -> None:
    path = table(tmp_path / "a.parquet", **{texts: TEXTS}, writer=list("abcde") * 2)
    source = open_words(path)
    assert (source.kind, source.name, source.classes, len(source)) == ("words", "a", None, 10)
    assert texts_of(source) == TEXTS
    assert [item.writer for item in items_of(source)] == list("abcde") * 2
    assert [item.content for item in items_of(source)] == [picture for _, picture in words()]
    assert [item.name for item in source.read(step=4)] == ["row 0", "row 4", "row 8"]


def test_labels_beside_the_texts_are_no_classes(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", text=TEXTS, label=[0, 1] * 5, writer=[None, 7] * 5)
    source = open_source(path, words=True)
    assert source.classes is None
    assert [(i.label, i.writer) for i in items_of(source)] == [(None, None), (None, "7")] * 5
    assert open_source(path).classes == ["0", "1"]


def test_texts_that_are_missing(tmp_path: Path) -> None:
    texts = [*TEXTS[:6], None, "", "\n", "x" * 10_000]
    source = open_words(table(tmp_path / "a.parquet", text=texts))
    assert texts_of(source) == TEXTS[:6]
    assert skipped_of(source) == {
        "row 6": "it has no transcription",
        "row 7": "its transcription is empty",
        "row 8": "its transcription is empty",
        "row 9": "its transcription is longer than 200 characters: give words or lines",
    }


def test_rows_without_a_picture(tmp_path: Path) -> None:
    images = [None, {"bytes": None, "path": "/etc/hosts"}, {"bytes": b"", "path": None}]
    columns = {"image": pa.array(images, IMAGE), "text": ["a", "b", "c"]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    source = open_words(str(tmp_path / "a.parquet"))
    assert list(skipped_of(source)) == ["row 0", "row 1"]
    with pytest.raises(GansmithError, match="None of the words can be used: row 0"):
        prepare(source, height=32, width=None)


def test_other_columns_of_that_name_hold_no_texts(tmp_path: Path) -> None:
    for number, values in enumerate(
        [
            list(range(10)),
            [0.5] * 10,
            [["a", "b"]] * 10,
            [{"a": "b"}] * 10,
            [b"bytes"] * 10,
            [True] * 10,
        ]
    ):
        path = table(tmp_path / f"{number}.parquet", text=values)
        assert find_words(path) is None
        with pytest.raises(GansmithError, match="Expected words with their transcriptions"):
            open_words(path)


def test_no_text_at_all(tmp_path: Path) -> None:
    assert find_words(table(tmp_path / "a.parquet", caption=TEXTS)) is None
    path = table(tmp_path / "b.parquet", text=pa.array([None] * 10, pa.string()))
    with pytest.raises(GansmithError, match=r"None of the words can be used: row 0 \(it has no tr"):
        prepare(open_words(path), height=32, width=None)


def test_texts_in_another_encoding(tmp_path: Path) -> None:
    offsets = pa.py_buffer(b"".join((3 * n).to_bytes(4, "little") for n in range(11)))
    raw = pa.StringArray.from_buffers(10, offsets, pa.py_buffer(b"\xe9t\xe9" * 10))
    path = table(tmp_path / "a.parquet", text=raw)
    with pytest.raises(GansmithError, match=r"a\.parquet can't be read"):
        open_words(path)


def test_damage_is_one_sentence(tmp_path: Path) -> None:
    path = Path(table(tmp_path / "a.parquet", text=TEXTS))
    whole = path.read_bytes()
    said = []
    for place in range(4, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place] + bytes(40) + whole[place + 40 :])
        try:
            list(open_words(str(path)))
        except GansmithError as error:
            said.append(str(error))
    assert said
    assert not any("\n" in sentence for sentence in said)


@pytest.fixture
def quiet_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return datasets


def test_a_local_parquet_through_datasets(tmp_path: Path, quiet_hub: Any) -> None:
    features = quiet_hub.Features(
        image=quiet_hub.Image(), text=quiet_hub.Value("string"), writer=quiet_hub.Value("int64")
    )
    rows = {
        "image": [{"bytes": picture, "path": None} for _, picture in words()],
        "text": [*TEXTS[:9], None],
        "writer": [1, 2] * 5,
    }
    data = quiet_hub.Dataset.from_dict(rows, features=features)
    (tmp_path / "rows").mkdir()
    data.to_parquet(tmp_path / "rows" / "train.parquet")
    source = open_words(f"hf:{tmp_path / 'rows'}")
    assert (source.kind, source.classes, len(source)) == ("words", None, 10)
    assert texts_of(source) == TEXTS[:9]
    assert [item.writer for item in items_of(source)] == (["1", "2"] * 5)[:9]
    assert skipped_of(source) == {"row 9": "it has no transcription"}
    first = prepare(source, height=32, width=None, max_skipped=0.1)
    again = prepare(open_words(f"hf:{tmp_path / 'rows'}"), height=32, width=None, max_skipped=0.1)
    assert (again.digest, again.written) == (first.digest, first.written)


def test_a_local_imagefolder_through_datasets(tmp_path: Path, quiet_hub: Any) -> None:
    source = open_words(f"hf:{imagefolder(tmp_path / 'folder', words())}")
    assert texts_of(source) == TEXTS
    assert [item.content for item in items_of(source)] == [picture for _, picture in words()]


def test_a_data_set_without_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    image = {"bytes": words(["mot"])[0][1], "path": None}
    features = datasets.Features(image=datasets.Image(), text=datasets.Value("int64"))
    rows = datasets.Dataset.from_dict({"image": [image], "text": [3]}, features=features)
    monkeypatch.setattr(datasets, "load_dataset", lambda path, split: rows)
    assert find_words("hf:someone/digits") is None
    with pytest.raises(GansmithError, match="Expected words with their transcriptions in hf:some"):
        open_words("hf:someone/digits")

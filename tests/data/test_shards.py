"""Many files: found, opened one by one wherever they lie, decoded, kept while there is room."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gansmith.data import open_source, prepare
from gansmith.data import sharded as decoded_shards
from gansmith.data.prepare import Dataset
from gansmith.data.sharded import Shards, make_room
from gansmith.data.shards import ShardSource, full, kept_in
from gansmith.data.source import Item, Skipped
from gansmith.errors import GansmithError
from tests.shards import write_shards, write_tar


def prepared(spec: str, **options: object) -> Dataset:
    return prepare(open_source(spec), height=16, width=16, **options)  # type: ignore[arg-type]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    return write_shards(tmp_path / "many")


def test_a_folder_a_pattern_and_an_address_are_the_same_files(shards: Path) -> None:
    (shards / "notes.txt").write_text("no shard")
    for spec in (f"shards:{shards}", f"shards:{shards}/train-*.tar", f"file://{shards}"):
        source = open_source(spec)
        assert isinstance(source, ShardSource)
        assert [shard.name for shard in source.shards] == [f"train-{n:03}.tar" for n in range(5)]
        assert source.classes == list("01234")


def test_a_shard_of_one_class_has_everybodys_numbers(shards: Path) -> None:
    source = ShardSource(f"shards:{shards}")
    with source.open(3) as shard:
        assert {item.label for item in shard if isinstance(item, Item)} == {3}


def test_what_stands_for_all_is_evenly_spread(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded_shards, "ANCHORED", 20)
    data = prepared(f"shards:{shards}")
    assert data.values[:, 0, 0, 0].tolist() == list(range(0, 200, 10))
    assert data.labels is not None
    assert data.labels.tolist() == [n // 4 for n in range(20)]
    assert data.places is not None
    assert data.places.tolist() == [[n // 40, n % 40] for n in range(0, 200, 10)]
    assert data.epoch == pytest.approx(200, abs=2)


def test_the_same_files_are_the_same_data_wherever_they_lie(shards: Path, tmp_path: Path) -> None:
    there = write_shards(tmp_path / "elsewhere" / "other")
    digest = prepared(f"shards:{shards}").digest
    assert prepared(f"shards:{there}").digest == digest
    write_tar(there / "train-005.tar", [1], [0])
    assert prepared(f"shards:{there}").digest != digest


def test_files_elsewhere_are_fetched_once_and_read_the_same(shards: Path) -> None:
    import fsspec

    there = fsspec.filesystem("memory")
    there.put(str(shards), "/bucket/many", recursive=True)
    data, local = prepared("memory://bucket/many"), prepared(f"shards:{shards}")
    assert torch.equal(data.values, local.values)
    assert data.digest == local.digest
    copies = list(kept_in().glob("*.tar"))
    assert len(copies) == 5
    times = [copy.stat().st_ctime_ns for copy in copies]
    assert data.shards is not None
    data.shards.open(2)
    prepared("memory://bucket/many")
    assert [copy.stat().st_ctime_ns for copy in copies] == times


def test_what_was_not_used_for_longest_makes_way(shards: Path) -> None:
    data = prepared(f"shards:{shards}")
    each = 40 * 16 * 16
    kept = [path for path in kept_in().iterdir() if path.is_dir()]
    assert len(kept) == 5
    make_room(kept_in(), 3.9 * each)
    assert len([path for path in kept_in().iterdir() if path.is_dir()]) == 3
    assert data.shards is not None
    source = ShardSource(f"shards:{shards}")
    again = Shards(source, data.shards._shape, 0.05, disk_gb=2.5 * each / 1e9)
    for number in (0, 1, 2, 3, 4, 0):
        opened = again.open(number)
        assert opened.values[:, 0, 0, 0].tolist() == list(range(40 * number, 40 * number + 40))
    assert len([path for path in kept_in().iterdir() if path.is_dir()]) <= 3


def test_a_file_that_changes_is_decoded_again(shards: Path) -> None:
    prepared(f"shards:{shards}")
    write_tar(shards / "train-002.tar", range(200, 240), [2] * 40)
    data = prepared(f"shards:{shards}")
    assert data.shards is not None
    assert data.shards.open(2).values[0, 0, 0, 0] == 200


def test_a_label_nobody_knew_of_is_skipped_and_said(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gansmith.data.shards.LOOKED_AT", 3)  # the shards 0, 2 and 4
    source = ShardSource(f"shards:{shards}")
    assert source.classes == ["0", "2", "4"]
    with source.open(1) as shard:
        first = next(iter(shard))
    assert isinstance(first, Skipped)
    assert first.reason == "the shards looked at first have no label '1'"


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("shards:{}/nowhere", "Expected files of .tar.*found none"),
        ("shards:{}/*.zip", "Expected files of .tar.*found none"),
        ("nosuch://bucket/x", "Can't read nosuch://bucket/x: Protocol not known"),
    ],
)
def test_what_is_not_there_is_said(shards: Path, spec: str, sentence: str) -> None:
    with pytest.raises(GansmithError, match=sentence):
        open_source(spec.format(shards))


def test_labels_in_some_alone_are_refused(shards: Path) -> None:
    write_tar(shards / "train-009.tar", [1, 2])
    with pytest.raises(GansmithError, match=r"train-009\.tar has none and train-000\.tar has"):
        ShardSource(f"shards:{shards}")


def test_a_damaged_shard_is_named(shards: Path) -> None:
    path = shards / "train-001.tar"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(GansmithError, match=r"train-001\.tar can't be read"):
        open_source(f"shards:{shards}")


def test_words_are_not_read_from_shards(shards: Path) -> None:
    with pytest.raises(GansmithError, match="words can't be read from shards yet"):
        open_source(f"shards:{shards}", words=True)


def test_a_place_is_kept_in_full() -> None:
    assert full("shards:here/*.tar") == f"shards:{Path.cwd()}/here/*.tar"
    assert full("s3://bucket/x") == "shards:s3://bucket/x"


def test_parquet_shards_are_read_as_well(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    from tests.shards import picture

    for number in range(2):
        rows = [{"image": picture(10 * number + g), "label": number} for g in range(10)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{number}.parquet")
    data = prepared(f"shards:{tmp_path}")
    assert data.classes == ["0", "1"]
    assert data.labels is not None
    assert data.labels.tolist() == [0] * 10 + [1] * 10
    assert data.values[:, 0, 0, 0].tolist() == list(range(20))


def test_a_bucket_is_read(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By s3fs, of a server that speaks S3."""
    pytest.importorskip("s3fs")
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="pictures")
        for path in shards.iterdir():
            client.upload_file(str(path), "pictures", f"many/{path.name}")
        for spec in ("s3://pictures/many/", "s3://pictures/many/train-*.tar"):
            data, local = prepared(spec), prepared(f"shards:{shards}")
            assert torch.equal(data.values, local.values)
            assert data.digest == local.digest
        with pytest.raises(GansmithError, match="found none"):
            open_source("s3://pictures/nothing/")
        with pytest.raises(GansmithError, match="s3://nosuchbucket"):
            open_source("s3://nosuchbucket/many/")
    finally:
        server.stop()

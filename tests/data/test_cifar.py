"""CIFAR-10 in its binary and its Python form, and the refusal to run what a file asks for."""

from __future__ import annotations

import io
import struct
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gansmith.data import Item, open_source
from gansmith.data.cifar import parse_python_batch
from gansmith.errors import GansmithError

PER_BATCH = 4


def python_2_batch(data: np.ndarray, labels: list[int]) -> bytes:
    """Write a batch instruction by instruction the way Python 2 did (protocol 2)."""

    def string(text: bytes) -> bytes:
        short = len(text) < 256
        return (b"U" + bytes([len(text)]) if short else b"T" + struct.pack("<i", len(text))) + text

    def number(value: int) -> bytes:
        return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)

    dtype = b"cnumpy\ndtype\nq\x07" + string(b"u1") + b"K\x00K\x01\x87Rq\x08"
    dtype += b"(K\x03" + string(b"|") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85q\x03"
    array += string(b"b") + b"q\x04\x87Rq\x05"
    array += b"(K\x01" + number(len(data)) + number(3072) + b"\x86q\x06" + dtype + b"\x89"
    array += string(data.tobytes()) + b"q\x09tb"
    numbers = b"]q\x0a(" + b"".join(number(label) for label in labels) + b"e"
    start = b"\x80\x02}q\x00("
    entries = string(b"batch_label") + string(b"training batch 1 of 5")
    entries += string(b"labels") + numbers + string(b"data") + array
    return start + entries + b"u."


@pytest.fixture
def cifar() -> tuple[np.ndarray, np.ndarray]:
    """uint8 images N×32×32×3 and labels, six batches of them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6 * PER_BATCH, 32, 32, 3), dtype=np.uint8)
    return images, rng.integers(0, 10, len(images)).astype(np.uint8)


@pytest.fixture(params=["bin", "py", "bin.tar.gz", "py.tar.gz", "flat"])
def folder(request: Any, tmp_path: Path, cifar: tuple[np.ndarray, np.ndarray]) -> Path:
    form = "py" if request.param.startswith("py") else "bin"
    root = tmp_path / "data" / ("" if request.param == "flat" else f"cifar-10-batches-{form}")
    root.mkdir(parents=True)
    planes = cifar[0].transpose(0, 3, 1, 2).reshape(len(cifar[0]), -1)
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        part = slice(number * PER_BATCH, (number + 1) * PER_BATCH)
        if form == "py":
            written = python_2_batch(planes[part], cifar[1][part].tolist())
            (root / name).write_bytes(written)
        else:
            records = np.concatenate([cifar[1][part, None], planes[part]], axis=1)
            (root / f"{name}.bin").write_bytes(records.tobytes())
    if not request.param.endswith("tar.gz"):
        return tmp_path / "data"
    (tmp_path / "packed").mkdir()
    name = {"bin": "cifar-10-binary.tar.gz", "py": "cifar-10-python.tar.gz"}[form]
    with tarfile.open(tmp_path / "packed" / name, "w:gz") as archive:
        archive.add(root, root.name)
    return tmp_path / "packed"


def test_all_forms_are_the_same(folder: Path, cifar: tuple[np.ndarray, np.ndarray]) -> None:
    for split, part in (("train", slice(0, 5 * PER_BATCH)), ("test", slice(5 * PER_BATCH, None))):
        source = open_source(f"cifar10:{split}", data_dir=folder)
        items = [item for item in source if isinstance(item, Item)]
        assert np.array_equal(np.stack([item.content for item in items]), cifar[0][part])
        assert [item.label for item in items] == cifar[1][part].tolist()
        assert source.classes is not None
        assert source.classes[0] == "airplane"


def test_newer_writers(cifar: tuple[np.ndarray, np.ndarray]) -> None:
    # Instructions that only newer versions write are refused, not misread.
    with pytest.raises(ValueError, match="it asks for"):
        parse_python_batch(b"\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00}\x94.")


def test_nothing_is_executed(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    command = f"touch {trace}".encode()
    hostile = b"\x80\x02cos\nsystem\nU" + bytes([len(command)]) + command + b"\x85R."
    with pytest.raises(ValueError, match="it asks for GLOBAL os system"):
        parse_python_batch(hostile)
    root = tmp_path / "cifar-10-batches-py"
    root.mkdir()
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        (root / name).write_bytes(hostile)
    with pytest.raises(GansmithError, match="which no CIFAR-10 file does"):
        open_source("cifar10", data_dir=tmp_path)
    assert not trace.exists()


def test_damage(folder: Path) -> None:
    rng = np.random.default_rng(0)
    paths = [path for path in folder.rglob("*") if path.is_file() and "test" not in path.name]
    path = sorted(paths)[0]
    whole = path.read_bytes()
    for cut in rng.integers(0, len(whole), 10):
        path.write_bytes(whole[:cut])
        with pytest.raises(GansmithError, match="can't be read"):
            open_source("cifar10", data_dir=folder)
    for _ in range(20):
        damaged = bytearray(whole)
        damaged[rng.integers(0, min(300, len(whole)))] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        with suppress(GansmithError):  # the one kind of error there may be
            open_source("cifar10", data_dir=folder)


def test_missing(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    with pytest.raises(GansmithError, match="expected the batches"):
        open_source("cifar10", data_dir=tmp_path)
    with pytest.raises(GansmithError, match="there is no such folder"):
        open_source("cifar10", data_dir=tmp_path / "nowhere")

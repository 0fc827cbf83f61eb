"""Downloads from a server on this machine: whole, cut short, altered, broken off and resumed."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gansmith.data import DOWNLOADS, Item, downloads, open_source
from gansmith.data.downloads import RemoteFile, open_download
from gansmith.errors import GansmithError


class Server(http.server.ThreadingHTTPServer):
    """Serves ``contents`` by path; drops the connection after ``drop_after`` bytes, a few times."""

    daemon_threads = True
    contents: dict[str, bytes]
    drops: int
    drop_after: int
    ranges: bool
    requests: list[tuple[str, str | None]]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        if self.path not in self.server.contents:
            self.send_error(404)
            return
        content = self.server.contents[self.path]
        start = int(wanted[6:].split("-")[0]) if wanted and self.server.ranges else 0
        if start >= len(content) > 0:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.server.drops:
            self.server.drops -= 1
            self.wfile.write(content[start : start + self.server.drop_after])
            self.close_connection = True
        else:
            self.wfile.write(content[start:])

    def log_message(self, *_: Any) -> None:
        pass


IMAGES = np.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=np.uint8)
LABELS = (np.arange(50) % 10).astype(np.uint8)


def packed(array: np.ndarray) -> bytes:
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.tobytes(), mtime=0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A mirror of a small "mnist" that is expected to hash to what it serves."""
    names = [file.name for file in DOWNLOADS["mnist"].files["train"]]
    contents = dict(zip(names, (packed(IMAGES), packed(LABELS)), strict=True))
    files = [
        RemoteFile(name, f"md5:{hashlib.md5(content).hexdigest()}", 0.1)
        for name, content in contents.items()
    ]
    entry = replace(DOWNLOADS["mnist"], files={"train": files})
    monkeypatch.setitem(DOWNLOADS, "mnist", entry)
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    server = Server(("127.0.0.1", 0), Handler)
    server.contents = {f"/mnist/{name}": content for name, content in contents.items()}
    server.drops, server.drop_after, server.ranges, server.requests = 0, 9000, True, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def check(source: Any) -> None:
    items = [item for item in source if isinstance(item, Item)]
    assert np.array_equal(np.stack([item.content for item in items]), IMAGES)
    assert [item.label for item in items] == LABELS.tolist()


def test_once_and_never_again(server: Server, cache: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        check(open_download("mnist", mirror=address(server), say=said.append))
    assert len(server.requests) == 2
    assert len(said) == 1
    assert "CC BY-SA" in said[0]
    left = {path.suffix for path in (cache / "downloads" / "mnist").iterdir()}
    assert left <= {".gz", ".lock"}


def test_mirror_from_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANSMITH_MIRROR", f"{address(server)}/")
    check(open_source("mnist"))
    assert "CC BY-SA" in capfd.readouterr().err


def test_broken_off_and_resumed_within_one_call(server: Server) -> None:
    server.drops = 2
    check(open_download("mnist", mirror=address(server)))
    assert [wanted for _, wanted in server.requests] == [None, "bytes=9000-", "bytes=18000-", None]


def test_broken_off_and_resumed_by_the_next_call(server: Server, cache: Path) -> None:
    server.drops = 3
    with pytest.raises(GansmithError, match=r"try again to go on.*--data-dir"):
        open_download("mnist", mirror=address(server))
    (part,) = cache.rglob("*.part")
    assert part.stat().st_size == 27000
    server.requests.clear()
    check(open_download("mnist", mirror=address(server)))
    assert server.requests[0][1] == "bytes=27000-"
    assert not list(cache.rglob("*.part"))


def test_a_server_that_cannot_resume(server: Server) -> None:
    server.ranges, server.drops = False, 1
    check(open_download("mnist", mirror=address(server)))


@pytest.mark.parametrize("length", [10, 10**6])
def test_a_part_of_another_file_is_dropped(server: Server, cache: Path, length: int) -> None:
    name = DOWNLOADS["mnist"].files["train"][0].name
    part = cache / "downloads" / "mnist" / f"{name}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(length))
    check(open_download("mnist", mirror=address(server)))


@pytest.mark.parametrize("damage", ["truncated", "altered", "page"])
def test_wrong_content_is_refused_and_removed(server: Server, cache: Path, damage: str) -> None:
    path = next(iter(server.contents))
    whole = server.contents[path]
    altered = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
    wrong = {"truncated": whole[:-7], "altered": altered, "page": b"<html>Log in</html>"}[damage]
    server.contents[path] = wrong
    with pytest.raises(GansmithError, match="truncated or altered"):
        open_download("mnist", mirror=address(server))
    assert [
        path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock"
    ] == []
    server.contents[path] = whole
    check(open_download("mnist", mirror=address(server)))


def test_an_altered_copy_in_the_cache_is_replaced(server: Server, cache: Path) -> None:
    check(open_download("mnist", mirror=address(server)))
    (images,) = cache.rglob("*images*.gz")
    images.write_bytes(b"altered")
    check(open_download("mnist", mirror=address(server)))


def test_missing_file_is_not_asked_for_again(server: Server) -> None:
    server.contents.clear()
    with pytest.raises(GansmithError, match="the server answered 404"):
        open_download("mnist", mirror=address(server))
    assert len(server.requests) == 1


def test_no_connection(server: Server) -> None:
    with pytest.raises(GansmithError, match=r"no connection to the server.*--data-dir"):
        open_download("mnist", mirror="http://127.0.0.1:9")


def test_cache_that_cannot_be_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "file"))
    with pytest.raises(GansmithError, match="GANSMITH_CACHE"):
        open_download("mnist", mirror=address(server))


@pytest.mark.parametrize("where", ["", "MNIST/raw", "raw", "mnist"])
@pytest.mark.parametrize("unpacked", [True, False])
def test_data_dir(tmp_path: Path, where: str, unpacked: bool) -> None:
    folder = tmp_path / where
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in (("train", slice(None)), ("t10k", slice(0, 5))):
        for name, array in ((f"{split}-images-idx3", IMAGES), (f"{split}-labels-idx1", LABELS)):
            content = packed(array[part])
            path = folder / f"{name}-ubyte{'' if unpacked else '.gz'}"
            path.write_bytes(gzip.decompress(content) if unpacked else content)
    check(open_source("mnist", data_dir=tmp_path))
    test = open_source("mnist:test", data_dir=tmp_path)
    assert (test.name, len(test)) == ("mnist:test", 5)


def test_data_dir_without_the_files(tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match=r"Expected train-images.* but it lacks them"):
        open_source("mnist", data_dir=tmp_path)
    with pytest.raises(GansmithError, match="mnist:train or mnist:test"):
        open_source("mnist:validation", data_dir=tmp_path)


def test_catalogue() -> None:
    assert list(DOWNLOADS) == ["mnist", "qmnist", "fashion-mnist", "kmnist", "cifar10"]
    for entry in DOWNLOADS.values():
        assert len(entry.classes) == 10
        assert entry.terms
        assert entry.origin.endswith("/")
        assert entry.megabytes > 1
        for file in (file for files in entry.files.values() for file in files):
            assert len(file.hash.removeprefix("md5:")) == 32

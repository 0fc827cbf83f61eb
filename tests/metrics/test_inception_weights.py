"""Inception's weights from a server on this machine: fetched, verified, converted, refused."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gansmith.data import downloads
from gansmith.data.catalogue import RemoteFile
from gansmith.errors import GansmithError
from gansmith.metrics import convert_weights
from gansmith.metrics.features import weights_hash
from gansmith.metrics.inception import InceptionV3
from gansmith.metrics.inception_weights import ORIGIN, PUBLISHED, inception_space


def some_weights() -> dict[str, Tensor]:
    """Random weights that are views of one short storage: 24 million of them in a file of 8 MB."""
    with torch.device("meta"):
        shapes = {name: t.shape for name, t in InceptionV3().state_dict().items()}
    pool = torch.rand(max(shape.numel() for shape in shapes.values())) * 0.1
    count = torch.tensor(7)
    return {
        name: pool[: shape.numel()].view(shape) if shape else count
        for name, shape in shapes.items()
    }


def saved(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def remote(content: bytes) -> RemoteFile:
    return RemoteFile(PUBLISHED.name, f"sha256:{hashlib.sha256(content).hexdigest()}", 8.0)


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return some_weights()


@pytest.fixture(scope="module")
def content(published: dict[str, Tensor]) -> bytes:
    return saved(published)


@pytest.fixture(scope="module")
def finished(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The converted weights, named as in the cache; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "in.pth").write_bytes(content)
    convert_weights.convert(folder / "in.pth", folder / "out")
    source, result = (hashlib.sha256((folder / f).read_bytes()) for f in ("in.pth", "out"))
    name = f"{source.hexdigest()[:16]}-{result.hexdigest()}.safetensors"
    return (folder / "out").rename(folder / name)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a mirror at which no one answers."""
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GANSMITH_MIRROR", "http://127.0.0.1:9")
    monkeypatch.delenv("GANSMITH_INCEPTION", raising=False)
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    return tmp_path / "cache"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content: bytes = self.server.content  # type: ignore[attr-defined]
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A mirror that has `content` at every path, and a list of what it was `asked`."""
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.asked = content, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("GANSMITH_MIRROR", f"http://127.0.0.1:{server.server_port}/")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_fetched_converted_verified_and_used(
    server: Any, content: bytes, published: dict[str, Tensor], finished: Path, cache: Path
) -> None:
    said: list[str] = []
    space = inception_space(progress=said.append, published=remote(content))
    assert server.asked == [f"/inception/{PUBLISHED.name}"]
    assert len(said) == 1
    assert "Apache 2.0" in said[0]
    assert (space.name, space.resize) == ("inception", "bilinear (TensorFlow 1) to 299x299")
    assert space.weights == weights_hash(space.network.state_dict())[:16]
    for name, tensor in published.items():
        assert torch.equal(space.network.state_dict()[name], tensor)
    seen = space.embed(torch.randint(0, 256, (1, 1, 9, 9), dtype=torch.uint8))
    assert seen.features.shape == (1, 2048)
    assert seen.probabilities is not None
    assert seen.probabilities.sum(1).item() == pytest.approx(1)
    # nothing is fetched or converted again: there is nothing left to do either with
    (cache / "downloads" / "inception" / PUBLISHED.name).unlink()
    again = inception_space(progress=said.append, published=remote(content))
    assert again.weights == space.weights
    assert len(server.asked) == len(said) == 1
    left = {path.name for path in (cache / "inception").iterdir()}
    assert left - {"convert.lock"} == {finished.name}


def test_a_file_that_was_altered_on_its_way_is_refused(
    server: Any, content: bytes, cache: Path
) -> None:
    server.content = content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]
    with pytest.raises(GansmithError, match=r"truncated or altered.*put it into .*GANSMITH_INCEP"):
        inception_space(published=remote(content))
    left = [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock"]
    assert left == []


def link(finished: Path, cache: Path) -> Path:
    (cache / "inception").mkdir(parents=True)
    os.link(finished, cache / "inception" / finished.name)
    return cache / "inception" / finished.name


def test_an_altered_conversion_is_not_used(content: bytes, finished: Path, cache: Path) -> None:
    converted = link(finished, cache)
    assert inception_space(published=remote(content)).weights == converted.stem[17:33]
    damaged = bytearray(converted.read_bytes())
    damaged[-1] ^= 1
    converted.unlink()
    converted.write_bytes(damaged)
    with pytest.raises(GansmithError, match="no connection to the server"):
        inception_space(published=remote(content))  # there is nothing to convert from
    assert not converted.exists()


def test_no_network(content: bytes, cache: Path) -> None:
    with pytest.raises(GansmithError) as failure:
        inception_space(published=remote(content))
    sentence = str(failure.value)
    assert "no connection to the server" in sentence
    assert ORIGIN + PUBLISHED.name in sentence
    assert str(cache / "downloads" / "inception") in sentence
    assert "GANSMITH_INCEPTION" in sentence
    assert "--data-dir" not in sentence


def test_no_network_and_another_file_in_the_place(content: bytes, cache: Path) -> None:
    folder = cache / "downloads" / "inception"
    folder.mkdir(parents=True)
    (folder / PUBLISHED.name).write_bytes(b"something else")
    with pytest.raises(GansmithError, match=r"put it into .* \(the file there has another hash\)"):
        inception_space(published=remote(content))


def test_a_copy_named_in_the_environment(
    content: bytes, finished: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "mine.pth"
    copy.write_bytes(content)
    monkeypatch.setenv("GANSMITH_INCEPTION", str(copy))
    converted = link(finished, cache)
    assert inception_space(published=remote(content)).weights == converted.stem[17:33]
    with pytest.raises(
        GansmithError, match=r"expected a copy of https:.* begins with [0-9a-f]+, but"
    ):
        inception_space()  # not the file that the world uses
    monkeypatch.setenv("GANSMITH_INCEPTION", str(tmp_path / "missing.pth"))
    with pytest.raises(GansmithError, match=r"Can't read .*missing.pth.* names \(No such file"):
        inception_space(published=remote(content))


def test_a_cache_that_cannot_be_written(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GansmithError, match="GANSMITH_CACHE"):
        inception_space(tmp_path / "file", published=remote(content))


class Bomb:
    """Runs a command when it is loaded by a loader that trusts its file."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> object:
        return os.mkdir, (str(self.mark),)


def test_a_file_that_would_execute_something_does_not(
    published: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, path = tmp_path / "executed", tmp_path / "bomb.pth"
    path.write_bytes(saved({**published, "fc.bias": Bomb(mark)}))
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        said = archive.read(name)
    assert b"mkdir" in said, "the bomb is armed"
    assert str(mark).encode() in said
    monkeypatch.setenv("GANSMITH_INCEPTION", str(path))
    with pytest.raises(GansmithError, match=r"Can't convert .*does not hold tensors alone"):
        inception_space(published=remote(path.read_bytes()))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"fc.bias": torch.zeros(1000)}, r"of fc.bias, expected float32 \(1008,\), found .*1000"),
        ({"fc.bias": torch.zeros(1008).half()}, r"found float16 \(1008,\)"),
        ({"more": torch.zeros(1)}, r"of more, expected nothing, found float32 \(1,\)"),
        ({"fc.bias": "text"}, "something else than a table of tensors"),
        ({7: torch.zeros(1)}, "of 7, expected nothing"),
    ],
)
def test_other_weights_are_not_converted(
    change: dict[Any, Any], sentence: str, published: dict[str, Tensor], tmp_path: Path
) -> None:
    source, target = tmp_path / "in.pth", tmp_path / "out.safetensors"
    torch.save({**published, **change}, source)
    with pytest.raises(GansmithError, match=sentence):
        convert_weights.convert(source, target)
    assert list(tmp_path.iterdir()) == [source]


def test_missing_weights_are_not_converted(
    content: bytes,
    published: dict[str, Tensor],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights = dict(published)
    del weights["Mixed_5b.branch1x1.bn.bias"]
    torch.save(weights, tmp_path / "in.pth")
    assert convert_weights.main([str(tmp_path / "in.pth"), str(tmp_path / "out")]) == 2
    assert "expected float32 (64,), found nothing" in capsys.readouterr().err
    (tmp_path / "in.pth").write_bytes(content[:9999])
    assert convert_weights.main([str(tmp_path / "in.pth"), str(tmp_path / "out")]) == 2
    assert "does not hold tensors alone" in capsys.readouterr().err
    assert convert_weights.main([]) == 2


def test_a_conversion_is_the_same_wherever_weights_lie_in_memory(
    published: dict[str, Tensor], finished: Path, tmp_path: Path
) -> None:
    apart = {
        name: t.to(memory_format=torch.channels_last) if t.dim() == 4 else t
        for name, t in published.items()
    }
    torch.save(dict(reversed(apart.items())), tmp_path / "in.pth")
    convert_weights.convert(tmp_path / "in.pth", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == finished.read_bytes()


def test_what_is_published() -> None:
    assert PUBLISHED.hash.startswith("sha256:6726825d")  # as the file's own name promises
    assert len(PUBLISHED.hash) == 7 + 64
    assert ORIGIN.startswith("https://")

"""The service as clients see it: a real process, real HTTP."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from gansmith.config import Config, DataSpec
from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.run import RunFolder
from gansmith.scribe import Scribe
from gansmith.serving import is_local, listening, serve
from tests.builders import config, points, points_config, weights, words, words_config

pytest.importorskip("fastapi")
CLASSES = ("cat", "dog", "eel")


def a_model(path: Path, a_config: Config, spec: DataSpec) -> Path:
    RunFolder(path).write_model(a_config, spec, weights(a_config, spec), 5)
    return path / "model"


@contextmanager
def running(model: Path | None, *options: str, **environment: str) -> Iterator[str]:
    """The address of a service, which is told to stop afterwards and does."""
    named = [] if model is None else [str(model)]
    command = [sys.executable, "-m", "gansmith", "serve", *named, "--port", "0", *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().split()
        assert said, process.communicate()[1]
        yield said[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = DataSpec(kind="pictures", shape=(3, 16, 24), classes=CLASSES)
    return a_model(tmp_path_factory.mktemp("m"), config(size="24x16", conditional="yes"), spec)


@pytest.fixture(scope="module")
def at(folder: Path) -> Iterator[str]:
    two = {"OMP_NUM_THREADS": "2"}  # so that two make at once
    with running(folder, "--most", "40", "--delay", "20", **two) as address:
        yield address


def asked(address: str, path: str = "/generate", headers: Any = None, **order: Any) -> Any:
    return requests.post(f"{address}{path}", json=order, headers=headers, timeout=60)


def picture(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as opened:
        return np.asarray(opened)


def test_pictures_are_those_of_the_command_in_all_forms(at: str, folder: Path) -> None:
    expected = load(folder).generate(20, seed=7, labels=["dog", 0])
    got = asked(at, n=20, seed=7, labels=["dog", 0], format="npz")
    assert got.status_code == 200
    assert got.headers["content-type"] == "application/x-npz"
    with np.load(io.BytesIO(got.content)) as arrays:
        assert np.array_equal(arrays["images"], expected.images)
        assert arrays["labels"].tolist() == [1, 0] * 10
    told = asked(at, n=20, seed=7, labels=["dog", 0], format="json").json()
    each = [picture(base64.b64decode(one["png"])) for one in told["examples"]]
    assert np.array_equal(np.stack(each), expected.images)
    assert told["labels"] == [1, 0] * 10
    one = asked(at, seed=7, labels="dog")
    assert one.headers["content-type"] == "image/png"
    assert np.array_equal(picture(one.content), expected.images[0])
    assert picture(asked(at, n=4).content).shape == (2 * 18 + 2, 2 * 26 + 2, 3)


def test_many_clients_at_once_get_the_bytes_that_each_gets_alone(at: str) -> None:
    orders = [{"n": 1 + n % 5, "seed": n % 7, "format": "npz"} for n in range(60)]
    alone = {json.dumps(order): asked(at, **order).content for order in orders}
    before = figure(at, "gansmith_desk_batches")
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda order: asked(at, **order).content, orders))
    assert found == [alone[json.dumps(order)] for order in orders]
    assert (
        figure(at, "gansmith_desk_batches") - before < 45
    )  # of 60 orders: some were made together


def figure(address: str, name: str) -> float:
    lines = requests.get(f"{address}/metrics", timeout=60).text.splitlines()
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))
    )


def test_sagemakers_contract(at: str) -> None:
    assert requests.get(f"{at}/ping", timeout=60).status_code == 200
    told = asked(at, "/invocations", n=2)
    assert told.headers["content-type"] == "application/json"
    assert told.json()["count"] == 2
    for accept, begins in (("image/png", b"\x89PNG"), ("x/y, application/x-npz;q=0.5", b"PK")):
        got = asked(at, "/invocations", headers={"Accept": accept}, n=2)
        assert got.content.startswith(begins)


def test_it_says_what_it_makes_and_has_a_page(at: str) -> None:
    told = requests.get(f"{at}/model", timeout=60).json()
    assert told["classes"] == list(CLASSES)
    assert told["most"]["n"] == 40
    schema = requests.get(f"{at}/openapi.json", timeout=60).json()
    assert set(schema["paths"]) == {"/ping", "/model", "/metrics", "/generate", "/invocations"}
    body = schema["paths"]["/generate"]["post"]["requestBody"]["content"]["application/json"]
    assert set(body["schema"]["properties"]) == {"n", "seed", "labels", "text", "format"}
    assert "swagger" in requests.get(f"{at}/docs", timeout=60).text.lower()


@pytest.mark.parametrize(
    ("order", "status", "said"),
    [
        ({"n": 41}, 422, "n: expected at most 40, found 41"),
        ({"n": 0}, 400, "n: Input should be greater than or equal to 1"),
        ({"n": "3"}, 400, "n: Input should be a valid integer"),
        ({"n": True}, 400, "n: Input should be a valid integer"),
        ({"seed": -1}, 400, "seed: "),
        ({"seed": 2**63}, 400, "seed: "),
        ({"m": 1}, 400, "m: Extra inputs are not permitted"),
        ({"labels": ["cow"]}, 422, "labels: expected cat, dog, eel, found cow"),
        ({"text": "cat"}, 422, "text: this generator makes pictures; leave it out"),
        ({"format": "gif"}, 400, "format: "),
    ],
)
def test_what_can_not_be_made_is_a_sentence(
    at: str, order: dict[str, Any], status: int, said: str
) -> None:
    got = asked(at, **order)
    assert got.status_code == status
    assert said in got.json()["error"]


def test_what_is_no_request_is_refused(at: str) -> None:
    def sent(content: bytes | Iterator[bytes], type_: str = "application/json") -> int:
        headers = {"Content-Type": type_}
        return requests.post(f"{at}/generate", content, headers=headers, timeout=60).status_code

    assert sent(b"{") == sent(b"") == sent(b"[1]") == sent(b"\xff\xfe") == 400
    assert sent(b"{}", "text/plain") == 400  # so that no page of another site can ask
    assert sent(b" " * 65_537) == 413
    assert sent(iter([b" " * 40_000] * 2)) == 413  # in pieces, of no stated length
    assert requests.get(f"{at}/generate", timeout=60).status_code == 405
    assert requests.get(f"{at}/../etc/passwd", timeout=60).status_code == 404
    assert asked(at).status_code == 200


def test_more_than_may_wait_is_refused_with_when_to_try_again(folder: Path) -> None:
    with running(folder, "--waiting", "16") as at, ThreadPoolExecutor(24) as pool:
        found = list(pool.map(lambda seed: asked(at, n=16, seed=seed), range(48)))
        assert {got.status_code for got in found} == {200, 429}
        refused = next(got for got in found if got.status_code == 429)
        assert refused.headers["Retry-After"] == "1"
        assert figure(at, "gansmith_desk_waiting") == 0
        assert asked(at, n=16).status_code == 200


@contextmanager
def sending(address: str, order: dict[str, Any], short: int = 0) -> Iterator[None]:
    """A client that goes without waiting for its answer, or before it has sent the last bytes."""
    body = json.dumps(order).encode()
    head = f"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + short}\r\n"
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        yield


def gone(address: str) -> float:
    return figure(address, 'gansmith_requests_total{path="/generate",status="499"}')


def test_for_who_has_gone_nothing_is_made(folder: Path) -> None:
    count = 20_000
    with running(folder, "--most", str(count), "--waiting", str(count)) as address:
        with sending(address, {"n": count}):
            while figure(address, "gansmith_desk_rows") == 0:
                pass
        while figure(address, "gansmith_desk_waiting"):
            asked(address, n=1)
        assert 0 < figure(address, "gansmith_desk_rows") < count
        assert gone(address) == 1
        with sending(address, {"n": 1}, short=1):
            pass
        while gone(address) == 1:
            pass
        assert 'status="500"' not in requests.get(f"{address}/metrics", timeout=60).text


def test_a_token_lets_in(folder: Path) -> None:
    with running(folder, "--host", "0.0.0.0", GANSMITH_TOKEN="sesame") as at:
        at = at.replace("0.0.0.0", "127.0.0.1")
        refused = asked(at)
        assert (refused.status_code, refused.headers["Connection"]) == (401, "close")
        assert asked(at, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert asked(at, headers={"Authorization": "Bearer sesame"}).status_code == 200
        assert requests.get(f"{at}/ping", timeout=60).status_code == 200
        assert requests.get(f"{at}/metrics", timeout=60).status_code == 401


def test_the_containers_command_serves_what_the_environment_says(folder: Path) -> None:
    """`gansmith serve` alone is what SageMaker starts."""
    told = {"GANSMITH_MODEL": str(folder), "GANSMITH_HOST": "0.0.0.0", "GANSMITH_NO_TOKEN": "1"}
    with running(None, **told) as at:
        at = at.replace("0.0.0.0", "127.0.0.1")
        assert requests.get(f"{at}/ping", timeout=60).status_code == 200
        assert asked(at, "/invocations").json()["count"] == 1


def test_others_are_not_let_in_by_chance(folder: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org", ""):
        assert not is_local(host)
        with pytest.raises(GansmithError, match="others could reach it"):
            serve(folder, host=host)
    assert is_local("127.0.0.1")
    assert is_local("::1")
    assert is_local("localhost")


def test_answers_wait_for_no_acknowledgement() -> None:
    """Else each takes 40 ms more: connections have it of the socket that listens."""
    with listening("127.0.0.1", 0) as at, socket.create_connection(at.getsockname()):
        connection, _ = at.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_address_that_is_taken_is_a_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(GansmithError, match=f"can't listen on 127.0.0.1, port {port}"):
            serve(folder, port=port)


def test_words_are_written_by_text_and_style(tmp_path: Path) -> None:
    folder = a_model(tmp_path, words_config(), words())
    with running(folder) as at:
        got = asked(at, text="bébé  add", seed=3, n=2)
        again = asked(at, text="bébé add", seed=3, n=2)
        assert got.status_code == 200, got.text
        assert got.content == again.content
        scribe = Scribe(load(folder))
        first = np.asarray(scribe.line("bébé add", scribe.style(3)))
        made = picture(got.content)[: first.shape[0], : first.shape[1]]
        assert np.abs(made.astype(int) - first).max() <= 1
        told = asked(at, text="abc", n=3, format="npz")
        with np.load(io.BytesIO(told.content)) as arrays:
            assert list(arrays) == ["line_0", "line_1", "line_2"]
        for order, said in (
            ({"text": "xyz"}, "not among"),
            ({}, "expected something to write"),
            ({"text": " "}, "expected something to write"),
            ({"text": "ab", "labels": 1}, "takes none"),
            ({"text": "a" * 201}, "at most 200 characters"),
            ({"text": "a" * 61}, "words of at most 60"),
        ):
            got = asked(at, **order)
            assert got.status_code == 422
            assert said in got.json()["error"]


def test_points_are_numbers(tmp_path: Path) -> None:
    folder = a_model(tmp_path, points_config(), points())
    with running(folder) as at:
        told = asked(at, n=3, seed=1).json()
        expected = load(folder).generate(3, seed=1).images
        assert np.array_equal([one["point"] for one in told["examples"]], expected)
        assert asked(at, format="png").status_code == 422

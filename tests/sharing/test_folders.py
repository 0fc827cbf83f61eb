"""Exported folders: loaded again, and put on a Hub by its own client."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gansmith
from gansmith.config import DataSpec
from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.run import RunFolder
from gansmith.sharing import export
from gansmith.sharing.card import card, sheet
from gansmith.sharing.hub import push
from tests.builders import (
    config,
    model,
    points,
    points_config,
    weights,
    words,
    words_config,
    write_model,
)


def a_run(path: Path, **changes: Any) -> Path:
    """A run's folder, with a model and figures."""
    write_model(path, source="/home/somebody/secret/cats", **changes)
    (path / "evaluation.json").write_text('{"step": 4, "fid": 12.5, "verdict": "<b>"}')
    return path


@pytest.mark.parametrize("to", ["safetensors", "hf"])
def test_a_folder_loads_and_makes_the_same(tmp_path: Path, to: str) -> None:
    run = a_run(tmp_path / "run")
    found = export(run, tmp_path / "out", to)
    assert found.bytes == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    (tmp_path / "out" / "README.md").write_text("what somebody says of it")
    again = load(tmp_path / "out")
    expected = load(run).generate(5, seed=3).images
    np.testing.assert_array_equal(again.generate(5, seed=3).images, expected)
    assert again.step == 5


def test_nothing_of_somebodys_disk_is_passed_on(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", data_dir="/home/somebody/data")
    export(run, tmp_path / "out")
    for path in (tmp_path / "out").iterdir():
        assert b"somebody" not in path.read_bytes(), path
    assert load(tmp_path / "out").config.source == "cats"


def test_it_is_named_after_the_run_and_takes_no_place_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert gansmith.export(run).path == Path("run-safetensors")
    assert gansmith.export(run / "model", to="hf").path == Path("run-hf")
    before = (tmp_path / "run-hf" / "README.md").read_bytes()
    for taken in ("run-hf", "run-hf/README.md"):
        with pytest.raises(GansmithError, match="expected a new or an empty folder"):
            export(run, taken)
    assert (tmp_path / "run-hf" / "README.md").read_bytes() == before
    with pytest.raises(GansmithError, match=r"--out: expected a name ending in \.onnx, found run"):
        export(run, "run", "onnx")
    with pytest.raises(GansmithError, match="--to: expected safetensors, onnx, torch-export, hf"):
        export(run, to="pickle")
    (tmp_path / "file").touch()
    with pytest.raises(GansmithError, match="can't write to"):
        export(run, "file/there")


def test_the_card_says_what_it_is_and_what_it_is_worth(tmp_path: Path) -> None:
    export(a_run(tmp_path / "cats-001"), tmp_path / "out")
    said = (tmp_path / "out" / "README.md").read_text()
    assert "# A generator of cats" in said
    assert "of cats-001" in said
    assert "| fid | 12.5 |" in said
    assert "at step 4, while these weights are of step 5" in said
    assert "<b>" not in said  # strangers' text is no markup
    assert not said.startswith("---")
    with Image.open(tmp_path / "out" / "samples.png") as shown:
        assert shown.size[0] > 8 * 16


def test_the_card_of_the_hub_is_one_that_its_library_reads(tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    spec = DataSpec(kind="pictures", shape=(1, 16, 16), classes=("zero", "- one: two"))
    of = model(config(conditional="yes", recipe="a: 'b'\n- c"), spec)
    read = hub.ModelCard(card(of, None, None, picture=True, hub=True))
    assert read.data.library_name == "gansmith"
    assert read.data.pipeline_tag == "unconditional-image-generation"
    assert read.data.tags[-1] == "a: 'b'\n- c"
    assert "It was not measured." in read.text


@pytest.mark.parametrize("kind", ["pictures", "classes", "points", "words"])
def test_what_the_card_says_to_type_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    classes = DataSpec(kind="pictures", shape=(1, 16, 16), classes=("a", "```"))
    of = {
        "pictures": lambda: (config(), DataSpec(kind="pictures", shape=(1, 16, 16))),
        "classes": lambda: (config(conditional="yes"), classes),
        "points": lambda: (points_config(), points()),
        "words": lambda: (words_config(), words()),
    }[kind]()
    RunFolder(tmp_path / "run").write_model(*of, weights(*of), 5)
    export(tmp_path / "run", tmp_path / "this-folder")
    said = (tmp_path / "this-folder" / "README.md").read_text()
    code = said.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert ("samples.png" in said) == (kind != "points") == (sheet(load("run")) is not None)


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as an upload needs; what is committed is kept."""

    committed: dict[str, bytes]

    def _say(self, found: Any, status: int = 200) -> None:
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/api/whoami-v2":
            self._say({"name": "me", "type": "user"})
        else:
            self._say({"sha": "0" * 40, "siblings": [], "id": "me/cats"})

    def do_POST(self) -> None:
        body = self._body()
        host = self.headers["Host"]
        if self.path == "/api/repos/create":
            self._say({"url": f"http://{host}/me/cats"})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            usual = {"uploadMode": "regular", "shouldIgnore": False, "oid": None}
            regular = [{"path": f["path"], **usual} for f in files]
            self._say({"files": regular})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.committed[line["value"]["path"]] = content
            self._say({"commitUrl": f"http://{host}/me/cats/commit/1", "commitOid": "1" * 40})
        else:
            self._say({"valid": True})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.committed = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def pushed(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("huggingface_hub")
    home = {"HF_HOME": str(tmp_path / "home"), "NO_PROXY": "*", "HF_HUB_DISABLE_XET": "1"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    command = [sys.executable, "-m", "gansmith", "export", "run", "--to", "hf", "--push", "me/cats"]
    return subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=kept | home | environment
    )


def test_what_is_pushed_arrives(tmp_path: Path, hub: str) -> None:
    a_run(tmp_path / "run")
    found = pushed(tmp_path, HF_ENDPOINT=hub, HF_TOKEN="hf_token")
    assert found.returncode == 0, found.stderr
    assert "me/cats" in found.stdout
    expected = {path.name: path.read_bytes() for path in (tmp_path / "run-hf").iterdir()}
    assert Hub.committed == expected
    assert set(expected) >= {"model.json", "model.safetensors", "manifest.json", "README.md"}


def test_nobody_logged_in_and_no_hub_are_sentences_and_the_folder_is_there(tmp_path: Path) -> None:
    a_run(tmp_path / "run")
    found = pushed(tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert found.returncode == 2
    assert "nobody is logged in" in found.stderr
    assert "Traceback" not in found.stderr
    (tmp_path / "run-hf").rename(tmp_path / "kept")
    found = pushed(tmp_path, HF_ENDPOINT="http://127.0.0.1:9", HF_TOKEN="hf_token")
    assert found.returncode == 2
    assert "the Hugging Face Hub did not take me/cats" in found.stderr
    assert "Traceback" not in found.stderr
    assert load(tmp_path / "run-hf").step == load(tmp_path / "kept").step == 5


def test_a_name_that_is_none_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match=r"expected OWNER/NAME, found '\.\./etc'"):
        push(tmp_path, "../etc")


def test_a_damaged_export_is_refused(tmp_path: Path) -> None:
    export(a_run(tmp_path / "run"), tmp_path / "out")
    path = tmp_path / "out" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(GansmithError, match=r"model\.safetensors differs from the SHA-256"):
        load(tmp_path / "out")


def test_bad_models_say_so(tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match="found nothing there"):
        export(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()

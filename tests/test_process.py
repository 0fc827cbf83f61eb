"""Real processes, really killed, starved and crowded."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import kill

from gansmith import checkpoint
from gansmith.generate import load

SETTINGS = {
    "generator_filters": 4,
    "discriminator_filters": 4,
    "batch_size": 8,
    "images": 8 * 120,
    "log_every": 5,
    "sample_every": 20,
    "checkpoint_every": 10,
}
OPTIONS = [f"--set={key}={value}" for key, value in SETTINGS.items()]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and limits")


def gansmith(*arguments: object, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gansmith", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        preexec_fn=before,
    )


def train(out: Path, *options: object, before: Callable[[], None] | None = None):
    return gansmith("train", "digits", "--resume", "--out", out, *OPTIONS, *options, before=before)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def has_checkpoint(out: Path) -> bool:
    return any(checkpoint.paths(out / "checkpoints"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    process = train(out)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "open it in a browser" in output
    return out


def test_a_run_killed_again_and_again_ends_byte_identical(tmp_path: Path) -> None:
    result = kill.run(6, tmp_path, seed=1)
    assert result["kills"] == 6
    assert result["runs_byte_identical"] >= 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_says_how_to_go_on_and_sets_the_usual_status(
    whole: Path, tmp_path: Path, number: int, status: int
) -> None:
    out = tmp_path / "run"
    process = train(out)
    wait_for(lambda: has_checkpoint(out), process)
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == status, errors
    assert "Traceback" not in errors
    assert f"gansmith train --resume --out {out}" in output
    saved = checkpoint.newest(out / "checkpoints")
    assert saved is not None
    assert f"stopped at step {saved.step:,}" in output
    process = train(out)
    process.communicate(timeout=120)
    assert kill.differences(whole, out) == []


def test_a_full_disk_is_a_sentence_and_leaves_earlier_checkpoints_whole(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = train(out, "--images", 8 * 20)
    process.communicate(timeout=60)
    assert process.returncode == 0

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = train(out, "--images", 8 * 60, before=no_large_files)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "Traceback" not in errors
    assert "can't write to" in errors
    assert "intact" in errors
    saved = checkpoint.newest(out / "checkpoints")
    assert saved is not None
    assert saved.step == 20
    assert load(out).step == 20
    assert not list(out.rglob(".tmp-*"))


def test_a_full_device_is_a_sentence(tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / ".holder").symlink_to("/dev/full")
    process = train(out)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "No space left on device" in errors
    assert "Traceback" not in errors


def test_a_folder_that_cant_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = train(tmp_path / "file" / "run")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "can't write to" in errors
    assert "Traceback" not in errors


def test_the_second_run_in_a_folder_is_told_who_holds_it(tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = train(out, "--images", 10_000_000)
    wait_for(lambda: has_checkpoint(out), first)
    second = train(out)
    _, errors = second.communicate(timeout=60)
    first.kill()
    first.communicate()
    assert second.returncode == 2, errors
    assert f"in use by process {first.pid} on" in errors
    assert checkpoint.newest(out / "checkpoints") is not None


def test_the_holder_of_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = train(out, "--images", 10_000_000)
    wait_for(lambda: has_checkpoint(out), first)
    first.kill()
    first.communicate()
    second = train(out, "--images", 8)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 0, errors


def test_out_of_memory_names_the_batch_and_a_smaller_one(tmp_path: Path) -> None:
    def little_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))

    process = train(
        tmp_path / "run", "--set=batch_size=400000", "--device", "cpu", before=little_memory
    )
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2, errors
    assert "out of memory with batch_size 400000" in errors
    assert "--set batch_size=200000" in errors

"""Several processes, real ones that torchrun starts, play one run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gansmith.loop import Session
from gansmith.run import RunFolder
from tests.together import STEPS, case

ROOT = Path(__file__).parents[1]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
QUICK = [
    *("--recipe", "dcgan-32", "--precision", "fp32", "--set", "batch_size=8"),
    *("--set", "generator_filters=4", "--set", "discriminator_filters=4"),
    *("--set", "checkpoint_every=10", "--set", "log_every=5", "--set", "evaluate_n=16"),
]


def started(*command: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    return subprocess.Popen(
        [*command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def ended(*command: str, status: int = 0) -> str:
    process = started(*command)
    try:
        said, _ = process.communicate(timeout=300)
    finally:
        kill_all(process)
    assert process.returncode == status, said
    return said


def kill_all(process: subprocess.Popen[str]) -> None:
    """With what it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def gansmith(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gansmith", *arguments]


def records(run: Path) -> dict[int, dict[str, Any]]:
    return {record["step"]: record for record in RunFolder(run).records()}


@pytest.mark.parametrize("name", ["plain", "classes", "penalties", "points", "words", "shards"])
def test_two_processes_play_the_run_of_one(tmp_path: Path, name: str) -> None:
    """The same losses, and all other figures of every step, of the same global batch."""
    if name == "words":
        pytest.importorskip("cv2")
    data, a_config = case(name)
    Session(data, a_config, RunFolder(tmp_path / "one")).train()
    ended(*TORCHRUN, "--nproc-per-node=2", "-m", "tests.together", str(tmp_path / "two"), name)
    one, two = (records(tmp_path / run) for run in ("one", "two"))
    assert list(one) == list(two) == list(range(1, STEPS + 1))
    for step, expected in one.items():
        for key, value in expected.items():
            # Of one step a deviation is the root of what rounding leaves.
            if isinstance(value, float) and "second" not in key and not key.endswith("_sd"):
                assert two[step][key] == pytest.approx(value, rel=1e-4, abs=1e-4), (step, key)


def wait_for(what: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if what.exists():
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come")


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The processes of a run, the first one first."""
    import psutil

    children = psutil.Process(process.pid).children()
    ranks = {c.environ().get("RANK"): c.pid for c in children if "RANK" in c.environ()}
    return [pid for _, pid in sorted(ranks.items())]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_run_goes_on_when_a_process_is_killed(tmp_path: Path, rank: int) -> None:
    run = tmp_path / "run"
    process = started(
        *gansmith("train", "digits", *QUICK, "--images", "960", "--out", str(run)),
        *("--processes", "2"),
    )
    wait_for(run / "checkpoints" / "step-000000020", process)
    os.kill(workers(process)[rank], signal.SIGKILL)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "resuming from step" in (run / "log.txt").read_text()
    assert max(records(run)) == 120
    assert (run / "model" / "model.safetensors").exists()


def test_told_to_stop_all_leave_and_another_number_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = started(
        *gansmith("train", "digits", *QUICK, "--images", "100000", "--out", str(run)),
        *("--processes", "2"),
    )
    wait_for(run / "checkpoints" / "step-000000010", process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "and saved" in (run / "log.txt").read_text()
    step = max(int(p.name.split("-")[1]) for p in (run / "checkpoints").glob("step-*"))
    images = str(8 * (step + 10))
    ended(*gansmith("train", "--resume", "--out", str(run), "--images", images))
    assert max(records(run)) == step + 10


def test_a_batch_that_can_not_be_shared_is_refused_in_a_sentence(tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = ended(
        *gansmith("train", "digits", *QUICK, "--out", str(run), "--processes", "3"), status=2
    )
    assert "batch_size: expected a multiple of the 3 processes, found 8" in said
    assert "Traceback" not in said
    assert not run.exists()


def test_what_the_first_process_refuses_ends_all(tmp_path: Path) -> None:
    said = ended(
        *TORCHRUN,
        "--nproc-per-node=2",
        "-m",
        "gansmith",
        "train",
        str(tmp_path / "nowhere"),
        status=1,
    )
    assert said.count("gansmith: ") == 1, said
    assert "nowhere" in said


def test_the_settings_of_a_run_are_written_once(tmp_path: Path) -> None:
    """torchrun's own command does what --processes does."""
    run = tmp_path / "run"
    ended(
        *(*TORCHRUN, "--nproc-per-node=2", "-m", "gansmith", "train", "digits", *QUICK),
        *("--images", "80", "--out", str(run)),
    )
    assert json.loads((run / "config.json").read_text())["images"] == 80
    assert max(records(run)) == 10
    assert "in each of 2 processes" in (run / "log.txt").read_text()

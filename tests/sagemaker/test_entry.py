"""The program of a training job, a real process in a relocated /opt/ml: trains, is killed, goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import gansmith
from gansmith.sagemaker.metrics import definitions

SOURCE = str(Path(gansmith.__file__).parents[1])
QUICK = {
    **{"dataset": "digits", "nz": 16, "ngf": 4, "ndf": 4, "batch-size": 16, "log-interval": 5},
    **{"sample-interval": 20, "checkpoint_every": 10, "evaluate_n": 16, "recipe": "dcgan-32"},
}


class Box:
    """A relocated /opt/ml, and the program in it."""

    def __init__(self, base: Path, **hyperparameters: Any):
        self.base = base
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SM_")},
            **{"PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1", "SAGEMAKER_BASE_DIR": str(base)},
            "SM_HPS": json.dumps({**QUICK, **hyperparameters}),
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "gansmith.sagemaker.entry", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment | environment,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=300)
        return process.returncode, said

    def wait_for(self, pattern: str, process: subprocess.Popen[str]) -> None:
        for _ in range(1200):
            if list(self.base.glob(pattern)):
                return
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.1)
        raise AssertionError(f"{pattern} did not come")

    @property
    def steps(self) -> list[int]:
        text = (self.base / "checkpoints" / "run" / "metrics.jsonl").read_text()
        return [json.loads(line)["step"] for line in text.splitlines()]


def test_a_job_leaves_its_model_its_pictures_and_its_figures(tmp_path: Path) -> None:
    status, said = (box := Box(tmp_path, images=640)).run("--batch-size", "32")
    assert status == 0, said
    model = gansmith.load(tmp_path / "model")
    assert (model.step, model.config.latent_size, model.config.batch_size) == (20, 16, 32)
    output = tmp_path / "output" / "data"
    assert (output / "report.html").stat().st_size > 10_000
    assert list((output / "samples").glob("*.png"))
    assert not (tmp_path / "output" / "failure").exists()
    assert box.steps[-1] == 20
    found = {d["Name"]: re.findall(d["Regex"], said) for d in definitions()}
    assert len(found["loss_d"]) >= 4
    assert float(found["images_per_second"][-1]) > 0


def test_killed_and_started_again_it_goes_on(tmp_path: Path) -> None:
    box = Box(tmp_path, images=100_000)
    process = box.start()
    box.wait_for("checkpoints/run/checkpoints/step-000000020", process)
    process.kill()
    process.communicate()
    saved = max(int(p.name[5:]) for p in tmp_path.glob("checkpoints/run/checkpoints/step-*"))
    half_synced = (
        tmp_path / "checkpoints/run/checkpoints/step-000099990"
    )  # as a mirror may leave it
    half_synced.mkdir()
    (half_synced / "state.json").write_text("{}")
    status, said = Box(tmp_path, images=16 * (saved + 10)).run()
    assert status == 0, said
    assert f"resuming from step {saved:,}" in said
    assert gansmith.load(tmp_path / "model").step == saved + 10
    assert box.steps == sorted(set(box.steps))


def test_cut_off_in_its_first_checkpoint_it_begins_anew(tmp_path: Path) -> None:
    half_synced = tmp_path / "checkpoints/run/checkpoints/step-000000010"
    half_synced.mkdir(parents=True)
    (half_synced / "state.json").write_text("{}")
    (box := Box(tmp_path, images=320)).start().communicate(timeout=300)
    assert box.steps[-1] == 20


def test_told_to_stop_it_saves(tmp_path: Path) -> None:
    box = Box(tmp_path, images=100_000)
    process = box.start()
    box.wait_for("checkpoints/run/checkpoints/step-000000010", process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert "and saved" in (tmp_path / "checkpoints" / "run" / "log.txt").read_text()
    saved = max(int(p.name[5:]) for p in tmp_path.glob("checkpoints/run/checkpoints/step-*"))
    assert gansmith.load(tmp_path / "model").step == saved


def test_why_it_can_not_be_done_is_left_for_the_service(tmp_path: Path) -> None:
    status, said = Box(tmp_path, lr=-1, no_such_key=3).run()
    reason = (tmp_path / "output" / "failure").read_text()
    assert status == 2
    assert "lr" in reason
    assert "no_such_key" in reason
    assert reason in said
    assert "Traceback" not in said


@pytest.mark.usefixtures("alone_at_the_port")
def test_two_hosts_play_one_run(tmp_path: Path) -> None:
    """Each starts torchrun, which finds the other; the first one writes."""
    hosts = ["127.0.0.1", "127.0.0.2"]
    boxes = [Box(tmp_path / host, images=320) for host in hosts]
    told = {"SM_HOSTS": json.dumps(hosts), "SM_NUM_GPUS": "0"}
    running = [
        box.start(**told, SM_CURRENT_HOST=host) for box, host in zip(boxes, hosts, strict=True)
    ]
    for process in running:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
    assert boxes[0].steps[-1] == 20
    assert gansmith.load(tmp_path / hosts[0] / "model").step == 20
    assert not (tmp_path / hosts[1] / "model").exists()


@pytest.mark.usefixtures("alone_at_the_port")
def test_what_two_hosts_can_not_do_ends_them_once_with_a_reason(tmp_path: Path) -> None:
    hosts = ["127.0.0.1", "127.0.0.2"]
    boxes = [Box(tmp_path / host, lr=-1) for host in hosts]
    told = {"SM_HOSTS": json.dumps(hosts), "SM_NUM_GPUS": "0"}
    running = [
        box.start(**told, SM_CURRENT_HOST=host) for box, host in zip(boxes, hosts, strict=True)
    ]
    said = [process.communicate(timeout=200)[0] for process in running]
    assert running[0].returncode == 2, said[0]
    assert "lr" in (tmp_path / hosts[0] / "output" / "failure").read_text()
    assert "".join(said).count("gansmith: ") == 1

"""The job's program as AWS's own toolkits start it: unpacked from what the launcher uploads, in a
relocated /opt/ml, by the command that a container runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gansmith
from gansmith.sagemaker.bundle import training_archive
from tests.sagemaker.conftest import Killed
from tests.sagemaker.test_entry import QUICK

pytest.importorskip("sagemaker_training")
TRAIN = Path(sys.executable).parent / "train"
PYTORCH = {"SAGEMAKER_TRAINING_MODULE": "sagemaker_pytorch_container.training:main"}
pytestmark = pytest.mark.slow


def prepare(base: Path, hosts: tuple[str, ...] = ("localhost",), host: str = "localhost") -> Path:
    """What the service puts into a container."""
    configs = base / "input" / "config"
    configs.mkdir(parents=True)
    (base / "sourcedir.tar.gz").write_bytes(training_archive())
    write(configs / "inputdataconfig.json", {})
    machine = {"hosts": list(hosts), "current_host": host, "network_interface_name": "lo"}
    write(configs / "resourceconfig.json", machine)
    return base


def ask(base: Path, **given: Any) -> None:
    """The hyper-parameters, each as JSON in a text, as the service has them."""
    toolkit = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": str(base / "sourcedir.tar.gz"),
        "sagemaker_region": "eu-west-1",
        "sagemaker_job_name": "a-job",
    }
    texts = {key: json.dumps(value) for key, value in {**QUICK, **toolkit, **given}.items()}
    write(base / "input" / "config" / "hyperparameters.json", texts)


def write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content))


def start(base: Path, **environment: str) -> subprocess.Popen[str]:
    own = {k: v for k, v in os.environ.items() if not k.startswith("SM_") and k != "PYTHONPATH"}
    more = {"SAGEMAKER_BASE_DIR": str(base), "OMP_NUM_THREADS": "1", "AWS_REGION": "eu-west-1"}
    return subprocess.Popen(
        [str(TRAIN)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=own | more | environment,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 0, said
    return said


@pytest.mark.parametrize("environment", [{}, PYTORCH], ids=["base", "pytorch"])
def test_it_trains_is_killed_and_goes_on(
    tmp_path: Path, environment: dict[str, str], killed: Killed
) -> None:
    base = prepare(tmp_path)
    ask(base, images=1_000_000)
    process = start(base, **environment)
    saved = base / "checkpoints" / "run" / "checkpoints"
    step = killed(process, saved)
    ask(base, images=16 * (step + 10))
    said = end(start(base, **environment))
    assert f"resuming from step {step:,}" in said
    assert gansmith.load(base / "model").step == step + 10
    assert (base / "output" / "data" / "report.html").exists()


def test_what_is_wrong_is_the_jobs_reason(tmp_path: Path) -> None:
    base = prepare(tmp_path)
    ask(base, no_such_key=1)
    process = start(base)
    said, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    assert "no_such_key: no such key" in said
    assert (base / "output" / "failure").read_text().startswith("the configuration can't")


@pytest.mark.usefixtures("alone_at_the_port")
def test_two_hosts(tmp_path: Path) -> None:
    hosts = ("127.0.0.1", "127.0.0.2")
    running = []
    for host in hosts:
        base = prepare(tmp_path / host, hosts, host)
        ask(base, images=320)
        running.append(start(base, **PYTORCH))
    for process in running:
        end(process)
    assert gansmith.load(tmp_path / hosts[0] / "model").step == 20

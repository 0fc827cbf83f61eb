"""The job's program as version 3 of AWS's SDK starts it: by the SDK's own drivers and script,
unchanged, in a namespace that has its own /opt/ml, as they name no other place.

`make test-slow` installs the SDK's files without what they need: the drivers need nothing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sklearn.datasets import load_digits

import gansmith
from gansmith.sagemaker import contract
from gansmith.sagemaker.bundle import training_archive
from gansmith.sagemaker.metrics import definitions
from tests.sagemaker.conftest import Killed
from tests.sagemaker.test_entry import QUICK

pytestmark = pytest.mark.slow
APART = ("unshare", "--map-root-user", "--mount")
HOSTS = ("algo-1", "algo-2")
CODE = "sourcedir.tar.gz"
BASIC, TORCHRUN = "basic_script_driver.py", "torchrun_driver.py"


def sdk() -> Path:
    """Where the SDK's files are; it can't be imported."""
    try:
        return Path(str(distribution("sagemaker-train").locate_file("sagemaker/train")))
    except PackageNotFoundError:
        pytest.skip("`make test-slow` installs sagemaker-train")


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    try:
        subprocess.run([*APART, "mount", "--bind", "/opt", "/opt"], check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("an own /opt/ml needs Linux, and leave to make namespaces")


class Box:
    """A host: what the service puts into its /opt/ml, and what is found there afterwards."""

    def __init__(self, base: Path, driver: str = BASIC, hosts: tuple[str, ...] = HOSTS[:1]):
        self.base, self.hosts = base, hosts
        self.ml = base / "opt" / "ml"
        for folder in ("model", "output", "checkpoints", "input/config", "input/data/code"):
            (self.ml / folder).mkdir(parents=True)
        (self.ml / "input" / "data" / "code" / CODE).write_bytes(training_archive())
        self.drivers = self.ml / "input" / "data" / "sm_drivers"
        shutil.copytree(sdk() / "container_drivers", self.drivers)
        (self.drivers / "sm_train.sh").write_text(script(driver))
        write(self.drivers / "sourcecode.json", {"source_dir": CODE, "entry_script": "train.py"})
        processes = {"process_count_per_node": 2 // len(hosts), "smp": None}
        write(self.drivers / "distributed.json", processes if driver == TORCHRUN else {})
        channels = {key: {"TrainingInputMode": "File"} for key in ("code", "sm_drivers")}
        write(self.ml / "input" / "config" / "inputdataconfig.json", channels)

    def ask(self, **given: Any) -> None:
        """The hyper-parameters, as the SDK sends them: texts as they are, all else as JSON."""
        asked = {**QUICK, "data": {"fit": "pad"}, **given}
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in asked.items()}
        write(self.ml / "input" / "config" / "hyperparameters.json", texts)

    def bring(self, channel: str) -> Path:
        """A channel, an empty folder."""
        listed = self.ml / "input" / "config" / "inputdataconfig.json"
        write(listed, json.loads(listed.read_text()) | {channel: {"TrainingInputMode": "File"}})
        (folder := self.ml / "input" / "data" / channel).mkdir()
        return folder

    def start(self, host: str = HOSTS[0]) -> subprocess.Popen[str]:
        """Run the container's command, with an /opt that has this /opt/ml beside all else in it."""
        machine = {"current_host": host, "hosts": list(self.hosts), "network_interface_name": "lo"}
        machine["current_instance_type"] = "ml.m5.xlarge"
        write(self.ml / "input" / "config" / "resourceconfig.json", machine)
        names = "".join(f"127.0.0.{n} {name}\n" for n, name in enumerate(HOSTS, 1))
        (self.base / "hosts").write_text(names + Path("/etc/hosts").read_text())
        mounts = [(self.base / "hosts", "/etc/hosts")]
        for other in Path("/opt").iterdir():
            if other.is_dir() and other.name != "ml":
                (self.base / "opt" / other.name).mkdir(exist_ok=True)
                mounts.append((other, str(self.base / "opt" / other.name)))
        mounts.append((self.base / "opt", "/opt"))
        lines = [f"mount --rbind {shlex.quote(str(a))} {shlex.quote(str(b))}" for a, b in mounts]
        lines.append("exec /opt/ml/input/data/sm_drivers/sm_train.sh")
        (self.drivers / "sm_train.sh").chmod(0o755)
        told = {k: v for k, v in os.environ.items() if not k.startswith(("SM_", "PYTHONPATH"))}
        told |= {"TRAINING_JOB_NAME": "a-job", "OMP_NUM_THREADS": "1"}
        told["PATH"] = f"{Path(sys.executable).parent}:{told['PATH']}"
        return subprocess.Popen(
            [*APART, "bash", "-ec", "\n".join(lines)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=told,
            start_new_session=True,
        )

    def told(self) -> dict[str, str]:
        """What the drivers told the program."""
        words = shlex.split((self.ml / "input" / "sm_training.env").read_text())
        return dict(word.split("=", 1) for word in words if word != "export")

    def failure(self) -> str:
        file = self.ml / "output" / "failure"
        return file.read_text() if file.exists() else ""


def script(driver: str) -> str:
    """sm_train.sh, put together as the SDK's ModelTrainer does."""
    spec = importlib.util.spec_from_file_location("templates", sdk() / "templates.py")
    assert spec is not None
    assert spec.loader is not None
    templates = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(templates)
    execute = templates.EXECUTE_BASIC_SCRIPT_DRIVER
    if driver != BASIC:
        names = {"driver_name": "Torchrun", "driver_script": driver}
        execute = templates.EXEUCTE_DISTRIBUTED_DRIVER.format(**names)  # (sic)
    return str(
        templates.TRAIN_SCRIPT_TEMPLATE.format(
            working_dir=f"cd /opt/ml/input/data/code \ntar -xzf {CODE} \n",
            install_requirements="",
            execute_driver=execute,
        )
    )


def write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content))


def end(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 0, said
    return said


@pytest.mark.parametrize("driver", [BASIC, TORCHRUN])
def test_it_trains_and_goes_on(tmp_path: Path, driver: str, killed: Killed) -> None:
    """Killed in the middle of it; by torchrun's driver with two processes."""
    box = Box(tmp_path, driver)
    box.ask(images=1_000_000)
    process = box.start()
    saved = box.ml / "checkpoints" / "run" / "checkpoints"
    step = killed(process, saved)
    box.ask(images=16 * (step + 10))
    said = end(box.start())
    assert f"resuming from step {step:,}" in said
    model = gansmith.load(box.ml / "model")
    assert (model.step, model.config.latent_size, model.config.data.fit) == (step + 10, 16, "pad")
    assert (box.ml / "output" / "data" / "report.html").exists()
    found = {d["Name"]: re.findall(d["Regex"], said) for d in definitions()}
    assert len(found["loss_d"]) >= 2
    assert not box.failure()


def test_all_that_is_read_is_told(tmp_path: Path) -> None:
    """The contract reads no variable of which the drivers know nothing, and what they say is meant."""
    box = Box(tmp_path)
    folder = box.bring("photos")
    for n, digit in enumerate(load_digits().images[:200]):
        Image.fromarray((digit * 15).astype("uint8")).resize((32, 32)).save(folder / f"{n}.png")
    box.ask(dataset="photos", images=320, cuda=False, epochs=None)
    said = end(box.start())
    told = box.told()
    read = re.findall(r'"(SM_[A-Z_]+[A-Z])"', Path(contract.__file__).read_text())
    assert set(read) <= set(told)
    found = contract.read_contract(told)
    assert {k: str(v) for k, v in found.channels.items()} == {"photos": "/opt/ml/input/data/photos"}
    assert found.hyperparameters["data"] == {"fit": "pad"}
    assert (found.hosts, found.host, found.gpus, found.network) == (("algo-1",), "algo-1", 0, "lo")
    assert gansmith.load(box.ml / "model").step == 20, said


@pytest.mark.parametrize("driver", [BASIC, TORCHRUN])
def test_what_is_wrong_is_the_jobs_reason(tmp_path: Path, driver: str) -> None:
    box = Box(tmp_path, driver)
    box.ask(lr=-1)
    process = box.start()
    said, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    assert said.count("gansmith: ") == 1
    assert "lr" in box.failure()
    assert "Traceback" not in box.failure()


@pytest.mark.usefixtures("alone_at_the_port")
@pytest.mark.parametrize("driver", [BASIC, TORCHRUN])
def test_two_hosts(tmp_path: Path, driver: str) -> None:
    boxes = {host: Box(tmp_path / host, driver, HOSTS) for host in HOSTS}
    for box in boxes.values():
        box.ask(images=320)
    running = [box.start(host) for host, box in boxes.items()]
    for process in running:
        end(process)
    assert gansmith.load(boxes["algo-1"].ml / "model").step == 20
    assert not list((boxes["algo-2"].ml / "model").iterdir())

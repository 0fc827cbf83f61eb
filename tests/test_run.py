"""The run folder: what it holds, and who may write to it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gansmith.config import Config
from gansmith.errors import GansmithError
from gansmith.run import RunFolder, free_folder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


def test_a_record_is_a_line(run: RunFolder) -> None:
    run.append({"step": 1, "loss": 0.5})
    run.append({"step": 2, "loss": 0.25})
    assert run.metrics_file.read_text() == '{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.25}\n'


@pytest.mark.parametrize("rest", ['{"step": 3, "lo', "[]\n", "{}\n", '{"step": "3"}\n', "[" * 9999])
def test_what_is_not_a_whole_record_is_left_out(run: RunFolder, rest: str) -> None:
    run.append({"step": 1})
    with run.metrics_file.open("a") as file:
        file.write(rest)
    assert run.records() == [{"step": 1}]


@pytest.mark.parametrize("step", ["true", "-1", "1.0", str(2**63), "9" * 400], ids=lambda s: s[:9])
def test_a_record_counts_whole_steps_of_a_size_that_can_be(run: RunFolder, step: str) -> None:
    run.append({"step": 0})
    run.append({"step": 2**63 - 1})
    with run.metrics_file.open("a") as file:
        file.write(f'{{"step": {step}, "loss_d": 1.0}}\n')
    assert [record["step"] for record in run.records()] == [0, 2**63 - 1]


def test_rewinding_forgets_what_came_after(run: RunFolder) -> None:
    pictures = np.zeros((1, 2, 2, 1), np.uint8)
    for step in (1, 2, 3):
        run.append({"step": step})
        run.write_samples(f"step-{step:09d}", pictures)
    run.write_samples("real", pictures)
    (run.samples / "step-by-hand.png").write_bytes(b"somebody's own")
    run.rewind(2)
    assert [record["step"] for record in run.records()] == [1, 2]
    assert sorted(p.name for p in run.samples.iterdir()) == [
        "real.png",
        "step-000000001.png",
        "step-000000002.png",
        "step-by-hand.png",
    ]


def test_points_are_written_as_numbers(run: RunFolder) -> None:
    points = np.array([[1.0, 2.0]], np.float32)
    assert (np.load(run.write_samples("real", points)) == points).all()


def test_the_configuration_comes_back(run: RunFolder) -> None:
    config = Config(lr=1e-3, size="56x64", augment=("flip",))
    run.write_config(config)
    assert run.read_config() == config
    assert json.loads(run.config_file.read_text())["lr"] == 1e-3


def test_a_folder_without_a_configuration_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match=r"expected a run with a config\.json"):
        RunFolder(tmp_path).read_config()


def test_only_one_may_hold_a_folder(run: RunFolder) -> None:
    refused = pytest.raises(GansmithError, match="in use by process")
    with run.locked(), refused, RunFolder(run.path).locked():
        pass
    with RunFolder(run.path).locked():
        pass


def test_holding_a_folder_clears_what_a_kill_left(run: RunFolder) -> None:
    for place in (run.path, run.checkpoints, run.samples):
        (place / ".tmp-step-1-99").mkdir(parents=True)
        (place / ".tmp-file").write_text("half")
    with run.locked():
        assert not list(run.path.rglob(".tmp-*"))


def test_a_free_folder_is_the_first_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a-001").mkdir()
    assert free_folder(tmp_path, "a").path == tmp_path / "a-002"

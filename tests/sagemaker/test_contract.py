"""What containers say, as the two toolkits and the service itself say it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gansmith.errors import GansmithError
from gansmith.sagemaker.contract import LONGEST_REASON, read_contract


def test_as_the_v2_toolkit_says_it() -> None:
    found = read_contract(
        {
            "SM_MODEL_DIR": "/opt/ml/model",
            "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
            "SM_OUTPUT_DIR": "/opt/ml/output",
            "SM_CHANNELS": '["testing","training"]',
            "SM_CHANNEL_TRAINING": "/opt/ml/input/data/training",
            "SM_CHANNEL_TESTING": "/opt/ml/input/data/testing",
            "SM_HPS": '{"batch-size":64,"dataset":"qmnist","sagemaker_x":1}',
            "SM_HOSTS": '["algo-2","algo-1"]',
            "SM_CURRENT_HOST": "algo-2",
            "SM_NUM_GPUS": "4",
            "SM_NETWORK_INTERFACE_NAME": "eth0",
        }
    )
    assert found.model == Path("/opt/ml/model")
    assert found.output == Path("/opt/ml/output/data")
    assert found.failure == Path("/opt/ml/output/failure")
    assert found.checkpoints == Path("/opt/ml/checkpoints")
    assert dict(found.channels) == {
        "testing": Path("/opt/ml/input/data/testing"),
        "training": Path("/opt/ml/input/data/training"),
    }
    assert found.hyperparameters == {"batch-size": 64, "dataset": "qmnist"}
    assert (found.hosts, found.host) == (("algo-1", "algo-2"), "algo-2")
    assert (found.gpus, found.network) == (4, "eth0")


def test_as_the_v3_driver_says_it_whose_channels_are_those_of_code_as_well() -> None:
    found = read_contract(
        {
            "SM_OUTPUT_FAILURE": "/elsewhere/failure",
            "SM_CHANNELS": '["photos", "code", "sm_drivers"]',
            "SM_CHANNEL_PHOTOS": "/opt/ml/input/data/photos",
            "SM_CHANNEL_CODE": "/opt/ml/input/data/code",
            "SM_HPS": '{"minutes": 3}',
            "SM_HOSTS": '["algo-1"]',
            "SM_CURRENT_HOST": "algo-1",
            "SM_NUM_GPUS": "0",
        }
    )
    assert list(found.channels) == ["photos"]
    assert found.failure == Path("/elsewhere/failure")


def test_as_the_service_writes_it_where_nobody_reads_it_aloud(tmp_path: Path) -> None:
    configs = tmp_path / "input" / "config"
    configs.mkdir(parents=True)
    for name, content in {
        "hyperparameters": {"epochs": "2", "dataset": '"mnist"'},
        "resourceconfig": {
            "current_host": "algo-1",
            "hosts": ["algo-1"],
            "network_interface_name": "eth0",
        },
        "inputdataconfig": {"training": {"TrainingInputMode": "File"}},
    }.items():
        (configs / f"{name}.json").write_text(json.dumps(content))
    found = read_contract({"SAGEMAKER_BASE_DIR": str(tmp_path)})
    assert found.channels == {"training": tmp_path / "input" / "data" / "training"}
    assert found.hyperparameters == {"epochs": "2", "dataset": '"mnist"'}
    assert (found.host, found.network) == ("algo-1", "eth0")
    assert found.checkpoints == tmp_path / "checkpoints"


def test_a_channel_without_a_list_of_channels_counts() -> None:
    found = read_contract({"SM_CHANNEL_TRAIN": "/data"})
    assert found.channels == {"train": Path("/data")}


@pytest.mark.parametrize(
    "environment",
    [{"SM_HPS": "{"}, {"SM_HPS": "[]"}, {"SM_CHANNELS": "{}"}],
)
def test_what_is_no_json_is_said(environment: dict[str, str]) -> None:
    with pytest.raises(GansmithError, match=next(iter(environment))):
        read_contract(environment)


def test_a_host_that_is_none_of_the_hosts() -> None:
    with pytest.raises(GansmithError, match="expected one of algo-1, found algo-9"):
        read_contract({"SM_HOSTS": '["algo-1"]', "SM_CURRENT_HOST": "algo-9"})


def test_a_reason_is_no_longer_than_the_service_keeps(tmp_path: Path) -> None:
    found = read_contract({"SAGEMAKER_BASE_DIR": str(tmp_path)})
    found.fail("ä" * 5000)
    assert (tmp_path / "output" / "failure").read_text() == "ä" * LONGEST_REASON


def test_where_no_reason_can_be_left_nothing_else_goes_wrong(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file")
    read_contract({"SAGEMAKER_BASE_DIR": str(tmp_path)}).fail("why")

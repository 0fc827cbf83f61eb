"""The tutorials' command lines, and ours, as settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gansmith.errors import GansmithError
from gansmith.sagemaker.arguments import Asked, read_arguments
from gansmith.sagemaker.contract import Contract, usual

HPS = (
    '{"beta1":0.5,"dataset":"qmnist","epochs":15,"learning-rate":0.0002,"log-interval":64,"nc":1,'
    '"nz":100,"sample-interval":100}'
)


def contract(channels: dict[str, Path] | None = None, **given: Any) -> Contract:
    base = usual()
    return Contract(
        *(base.model, base.output, base.failure, base.checkpoints, channels or {}, given)
    )


def asked(line: str | Sequence[str], of: Contract | None = None) -> Asked:
    words = line.split() if isinstance(line, str) else line
    return read_arguments(of or contract(), words)


def test_the_tutorials_command_line_unchanged() -> None:
    found = asked(
        [
            *("--dataset", "qmnist", "--model-dir", "/tmp/m", "--output-dir", "/tmp/o"),
            *("--data-dir", "/tmp/d", "--hps", HPS),
        ]
    )
    assert (found.source, found.recipe) == ("qmnist", "dcgan")
    assert found.settings == {
        "beta1": "0.5",
        "epochs": "15",
        "lr": "0.0002",
        "log_every": "64",
        "latent_size": "100",
        "sample_every": "100",
        "data": {"channels": "grey"},
        "data_dir": "/tmp/d",
    }
    assert found.places == {"model_dir": Path("/tmp/m"), "output_dir": Path("/tmp/o")}


def test_all_that_the_tutorials_script_can_be_told() -> None:
    found = asked(
        "--batch-size 32 --test-batch-size 1000 --seed 7 --log-interval 10 --save-model "
        "--cuda False --workers 2 --num-gpus 0 --pin-memory True --dataset mnist --ngf 64 --ndf 32"
    )
    assert found.settings == {
        **{"batch_size": "32", "seed": "7", "log_every": "10", "device": "cpu"},
        **{"generator_filters": "64", "discriminator_filters": "32"},
    }
    assert set(found.passed_over) == {
        *("test_batch_size", "save_model", "workers", "num_gpus", "pin_memory")
    }


@pytest.mark.parametrize(
    ("text", "device"), [("True", None), ("true", None), ("", "cpu"), ("0", "cpu")]
)
def test_cuda_is_for_whoever_has_it(text: str, device: str | None) -> None:
    given = contract(cuda=text) if text else contract(cuda="false")
    assert read_arguments(given, ["--dataset=digits"]).settings.get("device") == device


def test_hyphens_underscores_quotes_and_types_of_hyperparameters() -> None:
    of = contract(
        **{"batch-size": "64", "beta1": 0.5, "dataset": '"mnist"', "r1": "", "minutes": None}
    )
    found = read_arguments(of, ["--batch_size", "16"])
    assert found.source == "mnist"
    assert found.settings == {"batch_size": "16", "beta1": "0.5"}


@pytest.mark.parametrize(
    "line",
    [
        ["--augment", "['flip', 'affine']", "--data", "fit=pad"],  # the v2 toolkit
        ["--augment", '["flip", "affine"]', "--data", '{"fit": "pad"}'],  # the v3 driver
        [],
    ],
)
def test_lists_and_sections_whichever_toolkit_repeats_them(line: list[str]) -> None:
    of = contract(augment=["flip", "affine"], data={"fit": "pad"})
    found = read_arguments(of, ["--dataset=digits", *line])
    assert found.settings == {"augment": ("flip", "affine"), "data": {"fit": "pad"}}


def test_lists_and_sections_as_texts_of_json() -> None:
    """Where no toolkit has read the service's file."""
    found = read_arguments(
        contract(augment='["flip"]', data='{"fit": "pad"}', dataset='"digits"'), []
    )
    assert found.settings == {"augment": ("flip",), "data": {"fit": "pad"}}


def test_data_come_from_the_channel(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "words.parquet").write_bytes(b"")
    (tmp_path / "b" / ".hidden").write_bytes(b"")
    both = {"training": tmp_path / "a", "more": tmp_path / "b"}
    assert asked("", contract(both)).source == str(tmp_path / "a")
    assert asked("", contract({"x": tmp_path / "b"})).source == str(tmp_path / "b/words.parquet")
    assert asked("--dataset mnist", contract(both)).settings["data_dir"] == str(tmp_path / "a")
    assert asked("--dataset mnist", contract({"x": tmp_path / "a"})).settings == {}
    found = asked("--unlabelled more --source more/words.parquet", contract(both))
    assert found.settings["unlabelled"] == str(tmp_path / "b/words.parquet")
    assert found.source == str(tmp_path / "b/words.parquet")
    with pytest.raises(GansmithError, match="found x, y"):
        asked("", contract({"x": tmp_path / "a", "y": tmp_path / "b"}))


def test_what_is_built_in_needs_no_folder(tmp_path: Path) -> None:
    assert asked("--dataset digits", contract({"training": tmp_path})).settings == {}


def test_places_in_s3_are_the_services_business() -> None:
    assert asked("--dataset digits --model-dir s3://bucket/x").places == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "expected something to train on"),
        ("loose", "expected --name value, found 'loose'"),
        ("--hps {", "--hps: expected a JSON object"),
        ("--dataset mnist --cuda maybe", "cuda: expected true or false"),
    ],
)
def test_what_can_not_be_meant(line: str, said: str) -> None:
    with pytest.raises(GansmithError, match=said):
        asked(line)

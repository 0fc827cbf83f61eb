"""Requests as the service's own description wants them, and refused where it would refuse them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError

import pytest

from gansmith.errors import GansmithError
from gansmith.sagemaker import bundle
from gansmith.sagemaker.images import ACCOUNTS, TAGS, serving_image, training_image
from gansmith.sagemaker.jobs import checked
from gansmith.sagemaker.machines import SEVERAL, has_gpu, is_arm
from gansmith.sagemaker.metrics import definitions, line
from gansmith.sagemaker.request import Wanted, training_request

WANTED = Wanted(
    name="digits-1",
    role="arn:aws:iam::123456789012:role/service-role/Trainer",
    image=training_image("2.13", "eu-west-1", "ml.m5.xlarge"),
    code="s3://bucket/code/sourcedir.tar.gz",
    output="s3://bucket/out",
    channels={"training": "s3://bucket/data/"},
    hyperparameters={"dataset": "mnist", "beta1": 0.5, "save-model": True},
    checkpoints="s3://bucket/checkpoints",
    instance_type="ml.m5.xlarge",
    spot=True,
    max_run=600,
    max_wait=1200,
    tags={"team": "a"},
    region="eu-west-1",
)


def test_boto3_takes_it() -> None:
    """Names and types are those of the service's description, which boto3 brings along."""
    pytest.importorskip("botocore")
    from botocore.session import get_session
    from botocore.validate import ParamValidator

    model = get_session().get_service_model("sagemaker").operation_model("CreateTrainingJob")
    report = ParamValidator().validate(training_request(WANTED), model.input_shape)
    assert not report.has_errors(), report.generate_report()


def test_what_is_asked_for() -> None:
    request = training_request(WANTED)
    assert request["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 600,
        "MaxWaitTimeInSeconds": 1200,
    }
    assert request["EnableManagedSpotTraining"] is True
    assert request["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"
    given = {key: json.loads(text) for key, text in request["HyperParameters"].items()}
    assert given["dataset"] == "mnist"
    assert (given["beta1"], given["save-model"]) == (0.5, True)
    assert given["sagemaker_program"] == "train.py"
    assert given["sagemaker_submit_directory"] == WANTED.code
    on_demand = training_request(replace(WANTED, spot=False, max_wait=None))
    assert "MaxWaitTimeInSeconds" not in on_demand["StoppingCondition"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = replace(
        WANTED,
        name="-x" * 40,
        role="Trainer",
        instance_type="m5.xlarge",
        instances=0,
        output="/local",
        channels={"tr ain": "s3://bucket/x", "code": "s3://bucket/y"},
        hyperparameters={f"p{n}": "x" for n in range(99)} | {"k" * 257: "v", "long": "x" * 2500},
        max_run=1200,
        max_wait=600,
        checkpoints=None,
    )
    with pytest.raises(GansmithError) as refused:
        training_request(wrong)
    said = str(refused.value)
    for part in (
        *("name: ", "role: ", "instance type: ", "instances: ", "output: ", "channel: "),
        *("max wait: ", "checkpoints: ", "hyper-parameters: expected at most 100, found 106"),
        *("hyper-parameter kkk", "hyper-parameter long: expected at most 2,500"),
    ):
        assert part in said
    assert len(said.splitlines()) == 13


def test_only_spot_jobs_wait() -> None:
    with pytest.raises(GansmithError, match="only spot jobs wait"):
        training_request(replace(WANTED, spot=False))


@pytest.mark.parametrize("version", TAGS)
def test_images(version: str) -> None:
    assert training_image(version, "us-east-1", "ml.g5.xlarge").startswith(
        f"763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch:{version}-cu13"
    )
    for region in ACCOUNTS:
        address = training_image(version, region, "ml.c5.xlarge")
        assert re.fullmatch(
            rf"\d{{12}}\.dkr\.ecr\.{region}\.amazonaws\.com/pytorch:{version}-cpu-[\w-]+", address
        )


def test_no_image_is_made_up() -> None:
    with pytest.raises(GansmithError, match=r"2\.11, 2\.12, 2\.13, found 1\.4; .*--image-uri"):
        training_image("1.4", "us-east-1", "ml.m5.large")
    with pytest.raises(GansmithError, match="cn-north-1"):
        training_image("2.13", "cn-north-1", "ml.m5.large")


@pytest.mark.parametrize(
    ("instance_type", "image"),
    [
        ("ml.m5.large", "pytorch-inference:2.6.0-cpu"),
        ("ml.g5.xlarge", "pytorch-inference:2.6.0-gpu"),
        ("ml.c7g.large", "pytorch-inference-arm64:2.6.0-cpu"),
    ],
)
def test_what_serves(instance_type: str, image: str) -> None:
    assert f".eu-west-1.amazonaws.com/{image}-" in serving_image("eu-west-1", instance_type)
    with pytest.raises(GansmithError, match="region nowhere"):
        serving_image("nowhere", instance_type)


def test_machines_as_the_service_knows_them() -> None:
    """Of its instance types some have ARM's processors, and those with several GPUs are among them."""
    pytest.importorskip("botocore")
    from botocore.session import get_session

    model = get_session().get_service_model("sagemaker")
    train = set(model.shape_for("TrainingInstanceType").enum)
    assert set(SEVERAL) <= train
    assert all(map(has_gpu, SEVERAL))
    assert {t for t in train if is_arm(t)} == {"ml.p6e-gb200.36xlarge"}
    serve = model.shape_for("ProductionVariantInstanceType").enum
    arm = "c6g c6gd c6gn c7g c8g m6g m6gd m8g p6e-gb200 r6g r6gd r7gd r8g"
    assert {t.split(".")[1] for t in serve if is_arm(t)} == set(arm.split())
    for refuses in (lambda t: training_image("2.13", "us-east-1", t), partial(serving_image, "x")):
        with pytest.raises(GansmithError, match=r"ml\.p6e-gb200.*--image-uri"):
            refuses("ml.p6e-gb200.36xlarge")


@pytest.mark.parametrize(
    ("instance_type", "instances", "given"),
    [
        ("ml.m5.xlarge", 3, {}),
        ("ml.g5.12xlarge", 1, {"batch_size": 30}),
        ("ml.g5.48xlarge", 2, {"recipe": "fast", "batch_size": 40}),
    ],
)
def test_a_batch_that_can_not_be_shared(
    instance_type: str, instances: int, given: dict[str, object]
) -> None:
    asked = {"dataset": "mnist", **given}
    wanted = replace(WANTED, hyperparameters=asked, instances=instances)
    with pytest.raises(GansmithError, match="batch_size: expected a multiple of the"):
        checked(replace(wanted, instance_type=instance_type))
    checked(
        replace(wanted, instance_type=instance_type, hyperparameters=asked | {"batch_size": 48})
    )


def test_what_was_never_installed_names_no_requirements(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(bundle, "requires", unknown)
    with pytest.raises(GansmithError, match="pip install"):
        bundle.requirements()


def test_the_expressions_find_the_figures() -> None:
    said = line(120, {"loss_d": 1.25, "loss_g": 3e-07, "d_real": 0.5, "unknown": 1.0})
    found = {
        entry["Name"]: float(match[1])
        for entry in definitions()
        if (match := re.search(entry["Regex"], f"2026-11-20 {said}"))
    }
    assert found == {"loss_d": 1.25, "loss_g": 3e-07, "d_real": 0.5}


def test_training_is_given_time_to_begin_and_to_end() -> None:
    """Else the service ends the job before it has ended."""
    with pytest.raises(GansmithError, match="max run: expected 2400 seconds or more"):
        training_request(replace(WANTED, hyperparameters={"minutes": 30}, max_run=1800, spot=False))
    with pytest.raises(GansmithError, match="or more, as what comes before and after"):
        training_request(replace(WANTED, max_run=10))


@pytest.mark.parametrize("name", ["a" * 63, "a-1"])
def test_names_of_at_most_63(name: str) -> None:
    training_request(replace(WANTED, name=name))
    with pytest.raises(GansmithError, match="name"):
        training_request(replace(WANTED, name=name + "-" + "b" * 63))


def test_what_json_has_not() -> None:
    with pytest.raises(GansmithError, match="hyper-parameters: expected what JSON has"):
        training_request(replace(WANTED, hyperparameters={"x": object()}))

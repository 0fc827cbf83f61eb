"""The request that starts a training job, checked before it is sent.

The service says of most mistakes only that there is one, and of some after minutes; its limits are in
its reference, under CreateTrainingJob.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gansmith.errors import GansmithError
from gansmith.sagemaker.contract import BASE, CODE
from gansmith.sagemaker.metrics import definitions

NAME = re.compile(r"(?=.{1,63}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*")
CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,64}")
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
PLACE = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?")
PARAMETERS, LONGEST_KEY, LONGEST_VALUE = 100, 256, 2500
CHANNELS, LONGEST_PLACE = 20, 1024
TAGS, LONGEST_TAG = 50, (128, 256)
LONGEST_RUN = 28 * 24 * 3600  # seconds
BESIDES = 600  # seconds that installing, reading the data and writing the report may take
PROGRAM = "train.py"


@dataclass(frozen=True)
class Wanted:
    """A job, as a person thinks of it. Places are s3:// addresses, times seconds."""

    name: str
    role: str
    image: str
    code: str  # sourcedir.tar.gz
    output: str
    channels: Mapping[str, str] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: str | None = None
    instance_type: str = "ml.g5.xlarge"
    instances: int = 1
    volume_gb: int = 50
    max_run: int = 3600
    spot: bool = False
    max_wait: int | None = None  # with spot: max_run, and how long to wait for a machine
    tags: Mapping[str, str] = field(default_factory=dict)
    region: str = "us-east-1"


def training_request(wanted: Wanted) -> dict[str, Any]:
    """What boto3's ``create_training_job`` takes. Raises a GansmithError with all that is wrong."""
    if problems := list(_problems(wanted)):
        raise GansmithError("the job can't be asked for:\n" + "\n".join(f"  {p}" for p in problems))
    stop = {"MaxRuntimeInSeconds": wanted.max_run}
    if wanted.spot:
        stop["MaxWaitTimeInSeconds"] = wanted.max_wait or 2 * wanted.max_run
    request: dict[str, Any] = {
        "TrainingJobName": wanted.name,
        "RoleArn": wanted.role,
        "AlgorithmSpecification": {
            "TrainingImage": wanted.image,
            "TrainingInputMode": "File",
            "EnableSageMakerMetricsTimeSeries": True,
            "MetricDefinitions": definitions(),
        },
        "HyperParameters": hyperparameters(wanted),
        "OutputDataConfig": {"S3OutputPath": wanted.output},
        "ResourceConfig": {
            "InstanceType": wanted.instance_type,
            "InstanceCount": wanted.instances,
            "VolumeSizeInGB": wanted.volume_gb,
        },
        "StoppingCondition": stop,
        "EnableManagedSpotTraining": wanted.spot,
    }
    if wanted.channels:
        request["InputDataConfig"] = [_channel(*pair) for pair in wanted.channels.items()]
    if wanted.checkpoints:
        request["CheckpointConfig"] = {
            "S3Uri": wanted.checkpoints,
            "LocalPath": f"{BASE}/checkpoints",
        }
    if wanted.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in wanted.tags.items()]
    return request


def hyperparameters(wanted: Wanted) -> dict[str, str]:
    """Those of the person, and what the container's toolkit finds the program by; as JSON, as it
    expects them."""
    toolkit = {
        "sagemaker_program": PROGRAM,
        "sagemaker_submit_directory": wanted.code,
        "sagemaker_region": wanted.region,
        "sagemaker_job_name": wanted.name,
        "sagemaker_container_log_level": 20,
    }
    return {
        key: json.dumps(value, ensure_ascii=False)
        for key, value in {**wanted.hyperparameters, **toolkit}.items()
    }


def _channel(name: str, place: str) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": place,
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def _problems(wanted: Wanted) -> Iterator[str]:
    if not NAME.fullmatch(wanted.name):
        yield f"name: expected up to 63 letters, digits and hyphens, found {wanted.name!r}"
    if not ROLE.fullmatch(wanted.role):
        yield f"role: expected arn:aws:iam::ACCOUNT:role/NAME, found {wanted.role!r}"
    if not INSTANCE.fullmatch(wanted.instance_type):
        yield f"instance type: expected such as ml.g5.xlarge, found {wanted.instance_type!r}"
    for name, count, least in (
        ("instances", wanted.instances, 1),
        ("volume", wanted.volume_gb, 1),
    ):
        if count < least:
            yield f"{name}: expected {least} or more, found {count}"
    if wanted.max_run > LONGEST_RUN:
        yield f"max run: expected at most {LONGEST_RUN:,} seconds, found {wanted.max_run:,}"
    yield from _problems_of_spot(wanted)
    places = {"output": wanted.output, "code": wanted.code, **wanted.channels}
    if wanted.checkpoints is not None:
        places["checkpoints"] = wanted.checkpoints
    for name, place in places.items():
        if not PLACE.fullmatch(place) or len(place) > LONGEST_PLACE:
            yield f"{name}: expected s3://BUCKET/…, found {place[:100]!r}"
    for name in wanted.channels:
        if not CHANNEL.fullmatch(name):
            yield f"channel: expected letters, digits, '.', '_' and '-', found {name!r}"
        if name in CODE:
            yield f"channel: {name} is what toolkits bring code by; call it otherwise"
    if len(wanted.channels) > CHANNELS:
        yield f"channels: expected at most {CHANNELS}, found {len(wanted.channels)}"
    try:
        yield from _problems_of_parameters(hyperparameters(wanted))
    except TypeError as error:
        yield f"hyper-parameters: expected what JSON has ({error})"
    if len(wanted.tags) > TAGS:
        yield f"tags: expected at most {TAGS}, found {len(wanted.tags)}"
    for key, value in wanted.tags.items():
        if not 0 < len(key) <= LONGEST_TAG[0] or len(value) > LONGEST_TAG[1]:
            yield f"tag {key[:20]!r}: expected 1 to 128 characters, and at most 256 after it"
    yield from _problems_of_time(wanted)


def _problems_of_time(wanted: Wanted) -> Iterator[str]:
    """A job that the service ends is no whole one."""
    minutes = 0.0
    with suppress(TypeError, ValueError):  # that it is no number is said of all settings
        minutes = float(wanted.hyperparameters.get("minutes") or 0)
    if 60 * minutes + BESIDES > wanted.max_run:
        training = f"training takes {minutes:g} minutes and " if minutes else ""
        yield (
            f"max run: expected {60 * minutes + BESIDES:.0f} seconds or more, as {training}what "
            f"comes before and after it takes some, found {wanted.max_run}"
        )


def _problems_of_spot(wanted: Wanted) -> Iterator[str]:
    if wanted.max_wait is not None and not wanted.spot:
        yield "max wait: only spot jobs wait"
    if wanted.spot and (wanted.max_wait or wanted.max_run) < wanted.max_run:
        yield (
            f"max wait: expected at least the {wanted.max_run} seconds of max run, which it "
            f"includes, found {wanted.max_wait}"
        )
    if wanted.spot and not wanted.checkpoints:
        yield "checkpoints: a spot job needs a place for them, or an interruption loses all"


def _problems_of_parameters(given: Mapping[str, str]) -> Iterator[str]:
    if len(given) > PARAMETERS:
        yield f"hyper-parameters: expected at most {PARAMETERS}, found {len(given)}"
    for key, text in given.items():
        if len(key) > LONGEST_KEY:
            yield f"hyper-parameter {key[:20]}…: expected at most {LONGEST_KEY} characters"
        if len(text) > LONGEST_VALUE:
            yield (
                f"hyper-parameter {key}: expected at most {LONGEST_VALUE:,} characters, "
                f"found {len(text):,}"
            )

"""Training jobs: start one, find one again, see how it goes, stop it, fetch what it made."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from gansmith import recipes
from gansmith.config import merge
from gansmith.data import is_name
from gansmith.errors import GansmithError
from gansmith.sagemaker import aws
from gansmith.sagemaker.arguments import read_arguments
from gansmith.sagemaker.bundle import training_archive
from gansmith.sagemaker.contract import usual
from gansmith.sagemaker.images import NEWEST, training_image
from gansmith.sagemaker.machines import processes
from gansmith.sagemaker.request import Wanted, training_request
from gansmith.world import World

LOGS = "/aws/sagemaker/TrainingJobs"
OVER = ("Completed", "Failed", "Stopped")
EVERY = 15.0  # seconds between looks at a job
LATE = 5.0  # that its last lines, the reason among them, may come after its end
Say = Callable[[str], None]


@dataclass(frozen=True)
class Status:
    """How a job goes. `seconds` are those that are paid for, once it is over."""

    name: str
    state: str  # InProgress, Completed, Failed, Stopping, Stopped
    phase: str  # Starting, Downloading, Training, Interrupted, Uploading …
    reason: str | None
    model: str | None  # s3:// of model.tar.gz
    output: str | None  # s3:// of output.tar.gz
    seconds: int | None
    figures: Mapping[str, float]

    @property
    def is_over(self) -> bool:
        return self.state in OVER


@dataclass(frozen=True)
class Job:
    """A training job, by its name: attach to one from anywhere, at any time."""

    name: str
    region: str

    def status(self) -> Status:
        found = self._described()
        artifacts = found.get("ModelArtifacts", {}).get("S3ModelArtifacts")
        return Status(
            name=self.name,
            state=found["TrainingJobStatus"],
            phase=found.get("SecondaryStatus", ""),
            reason=found.get("FailureReason"),
            model=artifacts,
            output=_beside(artifacts),
            seconds=found.get("BillableTimeInSeconds"),
            figures={m["MetricName"]: m["Value"] for m in found.get("FinalMetricDataList", ())},
        )

    def wait(self, say: Say = print, every: float = EVERY) -> Status:
        """Tell the job's log until it is over. Raises a GansmithError with the reason if it fails."""
        seen: dict[str, str] = {}
        while True:
            status = self.status()  # before the log: what is logged until then is still told
            for line in self._new_lines(seen):
                say(line)
            if status.is_over:
                break
            time.sleep(every)
        time.sleep(min(every, LATE))
        for line in self._new_lines(seen):
            say(line)
        if status.state == "Failed":
            raise GansmithError(f"{self.name} failed: {status.reason or 'for no reason given'}")
        return status

    def logs(self) -> Iterator[str]:
        """All that the job has said."""
        yield from self._new_lines({})

    def stop(self) -> None:
        """Ask for its end; what it has saved stays."""
        with aws.explained(f"stopping {self.name}"):
            aws.client("sagemaker", self.region).stop_training_job(TrainingJobName=self.name)

    def download(self, to: str | Path) -> list[Path]:
        """Fetch model.tar.gz, which `gansmith.load` reads, and output.tar.gz, if there is one."""
        to, status = Path(to), self.status()
        if status.model is None or not status.is_over:
            raise GansmithError(f"{self.name} has no model yet: it is {status.state}")
        found = [to / "model.tar.gz"]
        aws.fetch(status.model, found[0], self.region)
        if status.output and _exists(status.output, self.region):
            found.append(to / "output.tar.gz")
            aws.fetch(status.output, found[1], self.region)
        return found

    def _described(self) -> dict[str, Any]:
        with aws.explained(f"looking for the job {self.name}"):
            found: dict[str, Any] = aws.client("sagemaker", self.region).describe_training_job(
                TrainingJobName=self.name
            )
        return found

    def _new_lines(self, seen: dict[str, str]) -> Iterator[str]:
        """What was logged since; `seen` is the place in each host's log."""
        cloudwatch = aws.client("logs", self.region)
        for stream in self._streams(cloudwatch):
            while True:
                place = {"nextToken": seen[stream]} if stream in seen else {}
                with aws.explained(f"reading the log of {self.name}"):
                    page = cloudwatch.get_log_events(
                        logGroupName=LOGS, logStreamName=stream, startFromHead=True, **place
                    )
                yield from (event["message"] for event in page["events"])
                token = page.get("nextForwardToken")
                if token is None or token == seen.get(stream):
                    break
                seen[stream] = token

    def _streams(self, cloudwatch: Any) -> list[str]:
        from botocore.exceptions import ClientError

        found: list[str] = []
        pages = cloudwatch.get_paginator("describe_log_streams")
        with aws.explained(f"reading the log of {self.name}"):
            try:
                for page in pages.paginate(logGroupName=LOGS, logStreamNamePrefix=f"{self.name}/"):
                    found += [stream["logStreamName"] for stream in page["logStreams"]]
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise  # else no job of the account has said anything
        return found


def planned(
    source: str | None,
    *,
    role: str,
    region: str,
    bucket: str,
    name: str | None = None,
    framework: str = NEWEST,
    image: str | None = None,
    instance_type: str = "ml.g5.xlarge",
    **more: Any,
) -> Wanted:
    """The job that would train on `source`: an s3:// address, a name that we know, or a path, which
    `start` uploads. `more` are the other fields of `Wanted`.
    """
    name = name or f"gansmith-{datetime.now(UTC):%Y%m%d-%H%M%S}-{token_hex(2)}"
    place = f"s3://{bucket}/gansmith/{name}"
    given, channels = dict(more.pop("hyperparameters", {})), dict(more.pop("channels", {}))
    if source and source.startswith("s3://"):
        channels["training"] = _closed(source)
    elif source and is_name(source):
        given["dataset"] = source
    elif source:
        if not Path(source).exists():
            raise GansmithError(
                f"{source}: expected s3://…, a file or a folder, or a known name, found nothing"
            )
        channels["training"] = f"{place}/data/"
    return Wanted(
        name=name,
        role=role,
        region=region,
        image=image or training_image(framework, region, instance_type),
        instance_type=instance_type,
        code=f"{place}/sourcedir.tar.gz",
        output=f"{place}/output",
        channels={name: _closed(at) for name, at in channels.items()},
        hyperparameters=given,
        checkpoints=_closed(more.pop("checkpoints", None) or f"{place}/checkpoints"),
        **more,
    )


def start(wanted: Wanted, source: str | None = None, say: Say = lambda line: None) -> Job:
    """Upload what has to be there, and ask for the job. Raises GansmithError; nothing is sent where
    the request itself is wrong."""
    request = checked(wanted)
    if is_there(wanted):
        raise GansmithError(f"name: there is a job {wanted.name} already; give another")
    archive = training_archive()
    local = source and not source.startswith("s3://") and not is_name(source)
    if local:
        count = aws.upload(Path(str(source)), wanted.channels["training"], wanted.region)
        say(f"{count:,} files: {wanted.channels['training']}")
    aws.put(archive, wanted.code, wanted.region)
    with aws.explained(f"starting {wanted.name}"):
        aws.client("sagemaker", wanted.region).create_training_job(**request)
    return Job(wanted.name, wanted.region)


def checked(wanted: Wanted) -> dict[str, Any]:
    """The request, if what the container is asked for can be meant so, too."""
    request = training_request(wanted)
    contract = replace(
        usual(),
        channels={name: Path("/nowhere") for name in wanted.channels},
        hyperparameters=wanted.hyperparameters,
    )
    asked = read_arguments(contract, ())
    count = wanted.instances * processes(wanted.instance_type)
    if asked.recipe:
        config = merge(recipes.recipe(asked.recipe), asked.settings)
        World(0, count).share(config.batch_size)
    else:
        recipes.first_taking(asked.settings, count)
    return request


def is_there(wanted: Wanted) -> bool:
    """Whether a job has that name."""
    try:
        Job(wanted.name, wanted.region).status()
    except GansmithError as error:
        if "not found" in str(error).lower() or "could not find" in str(error).lower():
            return False
        raise
    return True


def _closed(place: str) -> str:
    """A folder's address ends in "/", or it would be that of `photos-old`, too, where `photos` is
    meant; a file's has an ending."""
    return place if place.endswith("/") or "." in place.rpartition("/")[2] else f"{place}/"


def _beside(model: str | None) -> str | None:
    return re.sub(r"model\.tar\.gz$", "output.tar.gz", model) if model else None


def _exists(place: str, region: str) -> bool:
    from botocore.exceptions import ClientError

    bucket, key = aws.split(place)
    with aws.explained(f"looking for {place}"):
        try:
            aws.client("s3", region).head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return False
            raise
    return True

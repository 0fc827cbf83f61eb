"""Amazon SageMaker: jobs from a notebook or a terminal, and what runs in them.

from gansmith import sagemaker
job = sagemaker.train("s3://bucket/photos/", role="arn:aws:iam::…:role/…", spot=True, wait=False)
sagemaker.attach(job.name).wait()
gansmith.load(job.download("fetched/")[0])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from gansmith.sagemaker import aws
from gansmith.sagemaker.cost import estimate, hourly_price
from gansmith.sagemaker.endpoints import Endpoint, deploy
from gansmith.sagemaker.jobs import Job, Status, checked, planned, start
from gansmith.sagemaker.pictures import generate_fake_handwriting
from gansmith.sagemaker.request import Wanted

__all__ = [
    "Endpoint",
    "Job",
    "Status",
    "Wanted",
    "attach",
    "checked",
    "deploy",
    "estimate",
    "generate_fake_handwriting",
    "hourly_price",
    "planned",
    "train",
]
Say = Callable[[str], None]


def train(
    source: str | Path | None = None,
    *,
    role: str,
    region: str | None = None,
    bucket: str | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    wait: bool = True,
    say: Say = print,
    **more: Any,
) -> Job:
    """Start a training job.

    Args:
        source: an s3:// address, a name that gansmith knows (``mnist``), or a path, which is uploaded.
        role: the ARN of the role that the job works under.
        bucket: where data, code, checkpoints and results go; the account's own for SageMaker if None.
        hyperparameters: settings of `gansmith train`, and the tutorials' names for them.
        wait: tell the log until the job is over, and raise if it failed.
        more: see `jobs.planned` and `request.Wanted`: ``spot=True``, ``instance_type=…`` and so on.

    Raises:
        GansmithError: the request is wrong (all that is, at once), or AWS refuses it.
    """
    region = region or aws.usual_region()
    place = None if source is None else str(source)
    plan = partial(
        planned,
        place,
        role=role,
        region=region,
        hyperparameters=dict(hyperparameters or {}),
        **more,
    )
    if bucket is None:
        checked(plan(bucket="not-known-yet"))  # before one is made
    wanted = plan(bucket=bucket or aws.bucket_of(region))
    checked(wanted)
    say(estimate(wanted, hourly_price(wanted.instance_type, region)))
    job = start(wanted, place, say)
    say(f"started {job.name}")
    if wait:
        job.wait(say)
    return job


def attach(name: str, region: str | None = None) -> Job:
    """A job that was started earlier, from here or elsewhere. Raises GansmithError if there is none."""
    job = Job(name, region or aws.usual_region())
    job.status()
    return job

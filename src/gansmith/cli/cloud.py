"""`gansmith sagemaker …`: jobs on Amazon SageMaker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gansmith.cli.common import RunArgument, say

app = typer.Typer(
    name="sagemaker",
    no_args_is_help=True,
    help="Train on Amazon SageMaker, and serve from there (docs/sagemaker.md).",
)

Name = Annotated[str, typer.Argument(help="The job's name, as `train` said it.")]
Region = Annotated[str | None, typer.Option(help="[default: that of your AWS configuration].")]
Role = Annotated[
    str,
    typer.Option(envvar="GANSMITH_ROLE", help="ARN of the role that it works under."),
]
Bucket = Annotated[
    str | None, typer.Option(help="[default: sagemaker-REGION-ACCOUNT, made if there is none].")
]
Image = Annotated[str | None, typer.Option("--image-uri", help="Instead of AWS's own image.")]


@app.command()
def upload(path: Path, place: str, region: Region = None) -> None:
    """Put a file or a folder below s3://BUCKET/KEY.

    - `gansmith sagemaker upload photos/ s3://my-bucket/photos`
    """
    from gansmith.sagemaker import aws

    count = aws.upload(path, place, region or aws.usual_region())
    say(f"{count:,} files: {place}")


@app.command()
def train(
    role: Role,
    source: Annotated[
        str | None,
        typer.Argument(help="s3://…, a path that is uploaded, or a known name such as `mnist`."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A hyper-parameter, as key=value: settings of `gansmith train`."
        ),
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option(help="More data, as name=s3://…; settings may name it.")
    ] = None,
    instance_type: Annotated[str, typer.Option(help="What to train on.")] = "ml.g5.xlarge",
    instances: Annotated[int, typer.Option(help="How many of them.")] = 1,
    spot: Annotated[
        bool, typer.Option("--spot", help="Cheaper; goes on when interrupted.")
    ] = False,
    max_run: Annotated[int, typer.Option(help="Seconds of training at most.")] = 3600,
    max_wait: Annotated[
        int | None, typer.Option(help="With --spot: those, and what it may wait for a machine.")
    ] = None,
    checkpoints: Annotated[
        str | None, typer.Option(help="s3://…: those of an earlier job, to go on from.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="[default: gansmith-DATE-TIME].")] = None,
    framework_version: Annotated[str, typer.Option(help="Of PyTorch in AWS's image.")] = "2.13",
    image: Image = None,
    volume_gb: Annotated[int, typer.Option(help="Disk.")] = 50,
    tag: Annotated[list[str] | None, typer.Option(help="key=value.")] = None,
    bucket: Bucket = None,
    region: Region = None,
    wait: Annotated[bool, typer.Option(help="Tell the job's log until it is over.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the request and its cost; send nothing.")
    ] = False,
) -> None:
    """Start a training job.

    - `gansmith sagemaker train photos/ --role ROLE --spot --set minutes=30`
    - `gansmith sagemaker train mnist --role ROLE --instance-type ml.m5.xlarge --dry-run`
    """
    from gansmith import sagemaker
    from gansmith.sagemaker import aws

    options: dict[str, Any] = {
        "hyperparameters": _pairs("--set", set_),
        "channels": _pairs("--channel", channel),
        "tags": _pairs("--tag", tag),
        "instance_type": instance_type,
        "instances": instances,
        "spot": spot,
        "max_run": max_run,
        "max_wait": max_wait,
        "checkpoints": checkpoints,
        "name": name,
        "framework": framework_version,
        "image": image,
        "volume_gb": volume_gb,
        "role": role,
    }
    if dry_run:
        region = region or aws.usual_region()
        wanted = sagemaker.planned(source, region=region, bucket=bucket or "your-bucket", **options)
        say(json.dumps(sagemaker.checked(wanted), indent=1, ensure_ascii=False))
        say(sagemaker.estimate(wanted, sagemaker.hourly_price(instance_type, region)))
        return
    job = sagemaker.train(source, region=region, bucket=bucket, wait=False, say=say, **options)
    if wait:
        job.wait(say)
    _how(job.status())


@app.command()
def status(name: Name, region: Region = None) -> None:
    """How a job goes."""
    _how(_job(name, region).status())


@app.command()
def logs(name: Name, region: Region = None) -> None:
    """All that a job has said."""
    say(*_job(name, region).logs())


@app.command()
def attach(name: Name, region: Region = None) -> None:
    """Tell a job's log until it is over, whoever started it."""
    _how(_job(name, region).wait(say))


@app.command()
def stop(name: Name, region: Region = None) -> None:
    """End a job; what it has saved stays."""
    _job(name, region).stop()
    say(f"asked {name} to stop")


@app.command()
def download(
    name: Name,
    out: Annotated[Path, typer.Option(help="A folder.")] = Path(),
    region: Region = None,
) -> None:
    """Fetch what a job made: model.tar.gz, which every command takes, and output.tar.gz."""
    say(*map(str, _job(name, region).download(out)))


@app.command()
def deploy(
    run: RunArgument,
    name: Annotated[str, typer.Option(help="Of the endpoint.")],
    role: Role,
    instance_type: Annotated[str, typer.Option(help="What to serve from.")] = "ml.m5.large",
    image: Image = None,
    bucket: Bucket = None,
    region: Region = None,
) -> None:
    """Put a generator behind an endpoint, which costs until `delete`."""
    from gansmith import sagemaker

    endpoint = sagemaker.deploy(
        run,
        name=name,
        role=role,
        region=region,
        bucket=bucket,
        instance_type=instance_type,
        image=image,
    )
    say(f"{endpoint.name}: {endpoint.status()}; it costs until: gansmith sagemaker delete {name}")


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="The endpoint's name.")], region: Region = None
) -> None:
    """Take an endpoint away, with its configuration and model."""
    from gansmith import sagemaker
    from gansmith.sagemaker import aws

    sagemaker.Endpoint(name, region or aws.usual_region()).delete()
    say(f"deleted {name}")


def _job(name: str, region: str | None) -> Any:
    from gansmith import sagemaker

    return sagemaker.attach(name, region)


def _how(status: Any) -> None:
    say(f"{status.name}: {status.state}, {status.phase}")
    if status.reason:
        say(f"  reason   {status.reason}")
    for name, value in sorted(status.figures.items()):
        say(f"  {name:<20} {value:.6g}")
    if status.seconds is not None:
        say(f"  paid for {status.seconds:,} seconds of each machine")
    if status.model:
        say(f"  model    {status.model}")


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    from gansmith.errors import GansmithError

    found = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise GansmithError(f"{option} expects key=value, found {text!r}")
        found[key.strip()] = value.strip()
    return found

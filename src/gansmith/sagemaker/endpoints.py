"""A generator behind an address of AWS's: put there, and taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gansmith.checkpoint import with_manifest
from gansmith.errors import GansmithError
from gansmith.generate import Model, load
from gansmith.run import model_files
from gansmith.sagemaker import aws
from gansmith.sagemaker.bundle import packed, serving_files
from gansmith.sagemaker.images import serving_image
from gansmith.sagemaker.machines import has_gpu
from gansmith.sagemaker.request import INSTANCE, NAME, ROLE

STARTING = 1800  # seconds that installing may take
DRIVER = "al2023-ami-sagemaker-inference-gpu-4-1"  # the one that knows CUDA 13, as torch now wants


@dataclass(frozen=True)
class Endpoint:
    """What it is called; the model and its configuration have the same name."""

    name: str
    region: str

    def status(self) -> str:
        """Creating, InService, Failed …"""
        with aws.explained(f"looking for the endpoint {self.name}"):
            found = aws.client("sagemaker", self.region).describe_endpoint(EndpointName=self.name)
        return str(found["EndpointStatus"])

    def delete(self) -> None:
        """With its configuration and model, so that nothing of it goes on costing. What is gone
        already does not matter."""
        sagemaker = aws.client("sagemaker", self.region)
        with aws.explained(f"deleting {self.name}"):
            _unless_gone(sagemaker.delete_endpoint, EndpointName=self.name)
            _unless_gone(sagemaker.delete_endpoint_config, EndpointConfigName=self.name)
            _unless_gone(sagemaker.delete_model, ModelName=self.name)


def deploy(
    run: str | Path,
    *,
    name: str,
    role: str,
    region: str | None = None,
    bucket: str | None = None,
    instance_type: str = "ml.m5.large",
    image: str | None = None,
) -> Endpoint:
    """Put a generator behind an endpoint, which costs until it is deleted.

    Args:
        run: a run, a model folder, or a packed one.
        image: one that serves `gansmith serve` (see the Dockerfile); AWS's own if None.

    Raises GansmithError.
    """
    problems = [
        f"{what}: expected another form, found {text!r}"
        for what, pattern, text in (
            ("name", NAME, name),
            ("role", ROLE, role),
            ("instance type", INSTANCE, instance_type),
        )
        if not pattern.fullmatch(text)
    ]
    if problems:
        raise GansmithError("; ".join(problems))
    region = region or aws.usual_region()
    image = image or serving_image(region, instance_type)
    content = archive_of(load(run, "cpu"))
    place = f"s3://{bucket or aws.bucket_of(region)}/gansmith/{name}/model.tar.gz"
    aws.put(content, place, region)
    sagemaker = aws.client("sagemaker", region)
    container = {
        "Image": image,
        "ModelDataUrl": place,
        "Environment": {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_REGION": region,
        },
    }
    variant: dict[str, Any] = {
        "VariantName": "all",
        "ModelName": name,
        "InstanceType": instance_type,
        "InitialInstanceCount": 1,
        "ContainerStartupHealthCheckTimeoutInSeconds": STARTING,
    }
    if has_gpu(instance_type):
        variant["InferenceAmiVersion"] = DRIVER
    with aws.explained(f"deploying {name}"):
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    return Endpoint(name, region)


def archive_of(model: Model) -> bytes:
    """model.tar.gz: the generator, and the code that serves it, which its manifest does not name."""
    weights = model.network.state_dict()
    files = model_files(model.config, model.spec, weights, model.step, model.digest)
    code = {f"code/{path}": content for path, content in serving_files().items()}
    return packed(with_manifest(files) | code)


def _unless_gone(delete: Callable[..., Any], **named: str) -> None:
    from botocore.exceptions import ClientError

    try:
        delete(**named)
    except ClientError as error:
        if "could not find" not in str(error).lower():
            raise

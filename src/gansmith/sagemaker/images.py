"""AWS's own images with PyTorch in them, by version, region and what they run on."""

from __future__ import annotations

from gansmith.errors import GansmithError
from gansmith.sagemaker.machines import has_gpu, is_arm

REPOSITORY = "pytorch"
# Tags of a torch version for processors and for GPUs, as SageMaker's SDK of October 2026 lists them.
TAGS = {
    "2.11": ("cpu-amzn2023-sagemaker", "cu130-amzn2023-sagemaker"),
    "2.12": ("cpu-amzn2023-sagemaker", "cu130-amzn2023-sagemaker"),
    "2.13": ("cpu-amzn2023-sagemaker", "cu133-amzn2023-sagemaker"),
}
NEWEST = "2.13"
# AWS's newest images that serve PyTorch models; what the package needs is installed over it.
SERVING = "pytorch-inference:2.6.0-cpu-py312-ubuntu22.04-sagemaker"
SERVING_GPU = "pytorch-inference:2.6.0-gpu-py312-cu124-ubuntu22.04-sagemaker"
SERVING_ARM = "pytorch-inference-arm64:2.6.0-cpu-py312-ubuntu22.04-sagemaker"
USUAL_ACCOUNT = "763104351884"
USUAL_REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
    *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "ap-south-1"),
    *("ap-northeast-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-2"),
)
ACCOUNTS = dict.fromkeys(USUAL_REGIONS, USUAL_ACCOUNT) | {
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-3": "364406365360",
    "ap-south-2": "772153158452",
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-6": "633930458069",
    "ap-southeast-7": "590183813437",
    "ca-west-1": "204538143572",
    "eu-central-2": "380420809688",
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "me-west-1": "124382933778",
    "mx-central-1": "637423239942",
}


def training_image(version: str, region: str, instance_type: str) -> str:
    """The image's address. Raises a GansmithError where none is known."""
    if version not in TAGS:
        raise GansmithError(
            f"--framework-version: expected one of {', '.join(TAGS)}, found {version}; or name an "
            "image with --image-uri"
        )
    if is_arm(instance_type):
        raise GansmithError(
            f"no image of PyTorch {version} is known for ARM's processors, as {instance_type} has; "
            "take another, or name an image with --image-uri"
        )
    return _address(f"{REPOSITORY}:{version}-{TAGS[version][has_gpu(instance_type)]}", region)


def serving_image(region: str, instance_type: str) -> str:
    """The same for an endpoint."""
    if not is_arm(instance_type):
        return _address(SERVING_GPU if has_gpu(instance_type) else SERVING, region)
    if has_gpu(instance_type):
        raise GansmithError(f"no image is known for {instance_type}; name one with --image-uri")
    return _address(SERVING_ARM, region)


def _address(image: str, region: str) -> str:
    if region not in ACCOUNTS:
        raise GansmithError(f"no image is known for the region {region}; name one with --image-uri")
    return f"{ACCOUNTS[region]}.dkr.ecr.{region}.amazonaws.com/{image}"

"""The one place that talks to AWS, with boto3, whose refusals become sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gansmith.errors import GansmithError


def client(service: str, region: str | None = None) -> Any:
    """A client of boto3, of its usual credentials. Raises a GansmithError without it, or a region."""
    require_boto3()
    import boto3

    return boto3.client(service, region_name=region or usual_region())


def require_boto3() -> None:
    if find_spec("boto3") is None:
        raise GansmithError("SageMaker needs boto3: pip install 'gansmith[aws]'")


def usual_region() -> str:
    """That of the person's configuration. Raises a GansmithError where there is none."""
    require_boto3()
    from boto3.session import Session

    if region := Session().region_name:
        return str(region)
    raise GansmithError("expected a region: --region, or AWS_DEFAULT_REGION, or `aws configure`")


@contextmanager
def explained(what: str) -> Iterator[None]:
    """What AWS refuses, in a sentence."""
    require_boto3()
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        raise GansmithError(
            f"{what}: AWS refused ({told.get('Code', '')}): {told.get('Message', error)}"
        ) from None
    except (BotoCoreError, Boto3Error) as error:
        raise GansmithError(f"{what}: {error}") from None


def bucket_of(region: str) -> str:
    """The account's bucket for SageMaker in a region, as its SDK calls it; made if there is none."""
    with explained("finding the account"):
        account = client("sts", region).get_caller_identity()["Account"]
    from botocore.exceptions import ClientError

    name, s3 = f"sagemaker-{region}-{account}", client("s3", region)
    with explained(f"looking for the bucket {name}"):
        try:
            s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise
            where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            s3.create_bucket(Bucket=name, **({} if region == "us-east-1" else where))
    return name


def upload(path: Path, place: str, region: str) -> int:
    """A file or all of a folder's files below s3://BUCKET/KEY/; how many. What is hidden stays."""
    bucket, prefix = split(place)
    if not path.exists():
        raise GansmithError(f"{path}: expected a file or a folder, found nothing")
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    root = path.parent if path.is_file() else path
    files = [p for p in files if not any(part[0] == "." for part in p.relative_to(root).parts)]
    if not files:
        raise GansmithError(f"{path}: expected files, found none")
    s3 = client("s3", region)
    with explained(f"uploading {path} to {place}"):
        for file in files:
            key = "/".join(filter(None, (prefix, file.relative_to(root).as_posix())))
            s3.upload_file(str(file), bucket, key)
    return len(files)


def put(content: bytes, place: str, region: str) -> None:
    bucket, key = split(place)
    with explained(f"writing {place}"):
        client("s3", region).put_object(Bucket=bucket, Key=key, Body=content)


def fetch(place: str, target: Path, region: str) -> None:
    """One object into a file, which is there whole or not at all."""
    bucket, key = split(place)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        with explained(f"fetching {place}"):
            client("s3", region).download_file(bucket, key, str(part))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def split(place: str) -> tuple[str, str]:
    """``s3://bucket/a/b`` → ``("bucket", "a/b")``."""
    bucket, _, key = place.removeprefix("s3://").partition("/")
    if not place.startswith("s3://") or not bucket:
        raise GansmithError(f"expected s3://BUCKET/…, found {place!r}")
    return bucket, key.strip("/")

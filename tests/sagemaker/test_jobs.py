"""Jobs by plain boto3 against moto's server, over HTTP, which completes jobs at once, unchecked."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gansmith
from gansmith import cli, sagemaker
from gansmith.errors import GansmithError
from gansmith.sagemaker import aws
from gansmith.sagemaker.endpoints import archive_of
from tests.builders import model, write_model

boto3 = pytest.importorskip("boto3")
pytest.importorskip("moto.server")
ROLE = "arn:aws:iam::123456789012:role/Trainer"
REGION = "eu-west-1"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def account(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "1.png").write_bytes(b"1")
    (folder / "2.png").write_bytes(b"2")
    (folder / ".DS_Store").write_bytes(b"x")
    return folder


def keys(bucket: str, prefix: str = "") -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for entry in found.get("Contents", ())]


def test_a_folder_is_uploaded_without_what_is_hidden(photos: Path) -> None:
    bucket = aws.bucket_of(REGION)
    assert bucket == aws.bucket_of(REGION) == f"sagemaker-{REGION}-123456789012"
    assert aws.upload(photos, f"s3://{bucket}/up", REGION) == 2
    assert keys(bucket, "up/") == ["up/2.png", "up/a/1.png"]
    assert aws.upload(photos / "2.png", f"s3://{bucket}/one/", REGION) == 1
    assert keys(bucket, "one/") == ["one/2.png"]


def test_a_job_from_a_folder_to_its_model(photos: Path, tmp_path: Path) -> None:
    said: list[str] = []
    job = sagemaker.train(
        photos,
        role=ROLE,
        spot=True,
        name="a-job",
        wait=False,
        say=said.append,
        hyperparameters={"minutes": 3},
    )
    assert "price is not known" in said[0]
    bucket = f"sagemaker-{REGION}-123456789012"
    data = [k for k in keys(bucket, "gansmith/a-job/") if "/data/" in k]
    assert data == ["gansmith/a-job/data/2.png", "gansmith/a-job/data/a/1.png"]
    asked = boto3.client("sagemaker").describe_training_job(TrainingJobName="a-job")
    assert asked["InputDataConfig"][0]["ChannelName"] == "training"
    assert asked["CheckpointConfig"]["S3Uri"] == f"s3://{bucket}/gansmith/a-job/checkpoints/"
    place = json.loads(asked["HyperParameters"]["sagemaker_submit_directory"])
    body = (
        boto3.client("s3")
        .get_object(Bucket=bucket, Key=place.removeprefix(f"s3://{bucket}/"))["Body"]
        .read()
    )
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        names = archive.getnames()
    assert {"train.py", "requirements.txt", "gansmith/sagemaker/entry.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]

    status = sagemaker.attach(job.name).status()
    assert (status.state, status.is_over) == ("Completed", True)
    leave_model(status.model)
    fetched = job.download(str(tmp_path / "fetched"))
    assert [p.name for p in fetched] == ["model.tar.gz"]
    assert gansmith.load(fetched[0]).step == 7


def leave_model(place: str | None) -> None:
    """What moto's jobs do not."""
    assert place is not None
    bucket = aws.split(place)[0]
    if bucket not in [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]]:
        boto3.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
    aws.put(archive_of(model(step=7)), place, REGION)


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "Trainer"},
        {"hyperparameters": {"minuts": 3}},
        {"hyperparameters": {"lr": -1}},
        {"source": "no/such"},
    ],
    ids=str,
)
def test_a_wrong_request_is_never_sent(
    photos: Path, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a bucket is made for it."""

    def never(*_: Any) -> None:
        raise AssertionError

    for name in ("bucket_of", "put", "upload", "client"):
        monkeypatch.setattr(aws, name, never)
    with pytest.raises(GansmithError, match=r"role: |minuts|lr|expected s3://"):
        sagemaker.train(**{"source": photos, "role": ROLE, "name": "never", "say": len, **wrong})


def test_a_name_that_is_taken_leaves_that_jobs_data_alone(photos: Path) -> None:
    first = sagemaker.train(photos, role=ROLE, name="twice", wait=False, say=len)
    bucket = aws.bucket_of(REGION)
    before = keys(bucket, f"gansmith/{first.name}/")
    (photos / "3.png").write_bytes(b"3")
    with pytest.raises(GansmithError, match="there is a job twice already"):
        sagemaker.train(photos, role=ROLE, name="twice", wait=False, say=len)
    assert keys(bucket, f"gansmith/{first.name}/") == before


def test_no_region_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(GansmithError, match="expected a region"):
        sagemaker.attach("x")


def test_a_fetch_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "model.tar.gz"
    target.write_bytes(b"before")
    with pytest.raises(GansmithError, match="fetching"):
        aws.fetch(f"s3://{aws.bucket_of(REGION)}/nothing", target, REGION)
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_dry_run_prints_what_would_be_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(
            [
                *("sagemaker", "train", "mnist", "--role", ROLE, "--dry-run", "--name", "dry"),
                *("--set", "epochs=2", "--instance-type", "ml.m5.xlarge"),
            ]
        )
    assert ended.value.code == 0
    said = capsys.readouterr().out
    request, _ = json.JSONDecoder().raw_decode(said)
    assert request["HyperParameters"]["dataset"] == '"mnist"'
    assert request["HyperParameters"]["epochs"] == '"2"'
    assert "pytorch:2.13-cpu" in request["AlgorithmSpecification"]["TrainingImage"]
    with pytest.raises(GansmithError):
        sagemaker.attach("dry")


def test_what_a_job_says_is_told_by_host_and_once() -> None:
    job = sagemaker.train("mnist", role=ROLE, name="talks", wait=False, say=lambda line: None)
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
    for host in ("algo-1", "algo-2"):
        stream = f"talks/{host}-1"
        where = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": stream}
        logs.create_log_stream(**where)
        now = int(time.time() * 1000)
        events = [{"timestamp": now + n, "message": f"{host} {n}"} for n in range(3)]
        logs.put_log_events(**where, logEvents=events)
    said: list[str] = []
    seen: dict[str, str] = {}
    said += job._new_lines(seen)
    assert list(job._new_lines(seen)) == []
    logs.put_log_events(**where, logEvents=[{"timestamp": now + 9, "message": "late"}])
    assert list(job._new_lines(seen)) == ["late"]
    assert list(job.logs()) == [*said, "late"]
    waited: list[str] = []
    job.wait(waited.append, every=0)
    assert waited == [*said, "late"]
    assert said == [f"algo-{h} {n}" for h in (1, 2) for n in range(3)]


def test_an_endpoint_comes_and_goes_with_all_its_parts(tmp_path: Path) -> None:
    write_model(tmp_path / "run")
    bucket = aws.bucket_of(REGION)
    end = sagemaker.deploy(tmp_path / "run", name="e-1", role=ROLE, region=REGION, bucket=bucket)
    assert end.status() == "InService"
    client = boto3.client("sagemaker")
    container = client.describe_model(ModelName="e-1")["PrimaryContainer"]
    assert "/pytorch-inference:2.6.0-cpu" in container["Image"]
    end.delete()
    end.delete()
    assert client.list_models()["Models"] == []
    assert client.list_endpoint_configs()["EndpointConfigs"] == []
    with pytest.raises(GansmithError, match="e-1"):
        end.status()


def prices(instance: str, dollars: str) -> dict[str, Any]:
    side = {"pricePerUnit": {"USD": dollars}}
    return {"terms": {"OnDemand": {"t": {"priceDimensions": {"d": side}}}}}


def test_the_price_is_that_of_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.stub import Stubber

    from gansmith.sagemaker import cost
    from tests.sagemaker.test_request import WANTED

    pricing = boto3.client("pricing", region_name="us-east-1")
    stub = Stubber(pricing)
    stub.add_response(
        "get_products",
        {"PriceList": [json.dumps(prices("x", "0.23")), json.dumps(prices("x", "0"))]},
        {
            "ServiceCode": "AmazonSageMaker",
            "Filters": [
                {"Type": "TERM_MATCH", "Field": field, "Value": value}
                for field, value in (
                    ("instanceName", "ml.m5.xlarge"),
                    ("regionCode", REGION),
                    ("component", "Training"),
                )
            ],
            "MaxResults": 10,
        },
    )
    monkeypatch.setattr(cost, "client", lambda service, region: pricing)
    with stub:
        hourly = cost.hourly_price("ml.m5.xlarge", REGION)
    assert hourly == 0.23
    assert "at most $0.04 on demand" in cost.estimate(WANTED, hourly)

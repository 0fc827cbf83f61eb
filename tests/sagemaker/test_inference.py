"""The functions that AWS's image calls: the same pictures as any other way."""

from __future__ import annotations

import io
import json
import runpy
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import gansmith
from gansmith.errors import GansmithError
from gansmith.sagemaker.endpoints import archive_of
from gansmith.sagemaker.inference import input_fn, model_fn, output_fn, predict_fn, refusal
from gansmith.sagemaker.pictures import generate_fake_handwriting
from tests.builders import write_model

REFUSALS = type(refusal(""))


def test_what_this_generator_can_not_make(model: Path) -> None:
    with pytest.raises(REFUSALS, match="leave it out"):
        predict_fn(input_fn(b'{"text": "word"}'), model_fn(str(model)))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "run")


def test_orders_are_those_of_serve(model: Path) -> None:
    order = input_fn(b'{"n": 20, "seed": 3}', "application/json; charset=utf-8")
    made = predict_fn(order, model_fn(str(model)))
    body, type_ = output_fn(made, "application/x-npz")
    assert type_ == "application/x-npz"
    with np.load(io.BytesIO(body)) as arrays:
        assert (arrays["images"] == gansmith.load(model).generate(20, seed=3).images).all()
    body, type_ = output_fn(made, "text/csv")
    assert (json.loads(body)["count"], type_) == (20, "application/json")
    assert output_fn(made, "image/png")[0][:4] == b"\x89PNG"
    named = predict_fn(input_fn(b'{"format": "png"}'), model_fn(str(model)))
    assert output_fn(named, "*/*")[1] == "image/png"


@pytest.mark.parametrize("body", [b"", b"{", b'{"n": 0}', b'{"x": 1}', b'{"n": 257}'])
def test_what_is_no_order(body: bytes) -> None:
    with pytest.raises(REFUSALS):
        input_fn(body)


def test_another_type_of_body() -> None:
    with pytest.raises(REFUSALS, match="expected a body of the type application/json"):
        input_fn(b"{}", "text/csv")


def test_the_tutorials_sheet(model: Path) -> None:
    sheet = generate_fake_handwriting(
        model, num_images=9, nz=gansmith.load(model).config.latent_size
    )
    side = gansmith.load(model).spec.shape[-1]
    assert sheet.size == (3 * (side + 2) + 2, 3 * (side + 2) + 2)
    with pytest.raises(GansmithError, match="nz: expected"):
        generate_fake_handwriting(model, nz=7)


def test_awss_own_handler(model: Path, tmp_path: Path) -> None:
    """As its image runs it: what `deploy` packs, unpacked, and the toolkit's transformer."""
    transformer_of = pytest.importorskip("sagemaker_inference.transformer").Transformer
    handler = pytest.importorskip(
        "sagemaker_pytorch_serving_container.default_pytorch_inference_handler"
    ).DefaultPytorchInferenceHandler
    folder = tmp_path / "unpacked"
    with tarfile.open(fileobj=io.BytesIO(archive_of(gansmith.load(model)))) as archive:
        if hasattr(tarfile, "data_filter"):  # not in Debian's 3.11
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    assert gansmith.load(folder).step == 5
    code = runpy.run_path(str(folder / "code" / "inference.py"))
    default = handler()
    for name in ("model_fn", "input_fn", "predict_fn", "output_fn"):
        setattr(default, f"default_{name}", code[name])
    transformer = transformer_of(default_inference_handler=default)
    context = SimpleNamespace(
        system_properties={"model_dir": str(folder)},
        get_request_header=lambda *_: "application/json",
    )
    transformer.validate_and_initialize(model_dir=str(folder), context=context)
    body, type_ = default.default_output_fn(
        default.default_predict_fn(
            default.default_input_fn(b'{"n": 3}', "application/json"), transformer._model
        ),
        "image/png",
    )
    assert (body[:4], type_) == (b"\x89PNG", "image/png")

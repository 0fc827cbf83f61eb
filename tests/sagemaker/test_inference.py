"""The functions that AWS's image calls: the same pictures as any other way."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

import gansmith
from gansmith.errors import GansmithError
from gansmith.sagemaker.inference import input_fn, model_fn, output_fn, predict_fn
from gansmith.sagemaker.pictures import generate_fake_handwriting
from tests.builders import write_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "run")


def test_orders_are_those_of_serve(model: Path) -> None:
    order = input_fn(b'{"n": 20, "seed": 3}', "application/json; charset=utf-8")
    made = predict_fn(order, model_fn(str(model)))
    with np.load(io.BytesIO(output_fn(made, "application/x-npz"))) as arrays:
        assert (arrays["images"] == gansmith.load(model).generate(20, seed=3).images).all()
    assert json.loads(output_fn(made, "*/*"))["count"] == 20
    assert output_fn(made, "image/png")[:4] == b"\x89PNG"


@pytest.mark.parametrize("body", [b"", b"{", b'{"n": 0}', b'{"x": 1}', b'{"n": 257}'])
def test_what_is_no_order(body: bytes) -> None:
    with pytest.raises(GansmithError):
        input_fn(body)


def test_another_type_of_body() -> None:
    with pytest.raises(GansmithError, match="expected a body of the type application/json"):
        input_fn(b"{}", "text/csv")


def test_the_tutorials_sheet(model: Path) -> None:
    sheet = generate_fake_handwriting(
        model, num_images=9, nz=gansmith.load(model).config.latent_size
    )
    side = gansmith.load(model).spec.shape[-1]
    assert sheet.size == (3 * (side + 2) + 2, 3 * (side + 2) + 2)
    with pytest.raises(GansmithError, match="nz: expected"):
        generate_fake_handwriting(model, nz=7)

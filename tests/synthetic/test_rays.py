"""Pictures as rows of a Ray Data set, made by Ray itself on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from gansmith.errors import GansmithError
from gansmith.generate import Model
from gansmith.imaging import png_bytes, to_picture
from gansmith.synthetic import rays
from tests.builders import config, model, pictures

CLASSES = ("cat", "dog", "cow")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    yield ray
    ray.shutdown()


def expected(maker: Model, n: int, classes: tuple[str, ...] | None) -> dict[int, Any]:
    made = maker.generate(n, seed=3, labels=classes)
    labels = [None] * n if made.labels is None else made.labels.tolist()
    return {
        number: (label, png_bytes(to_picture(image)))
        for number, (label, image) in enumerate(zip(labels, made.images, strict=True))
    }


@pytest.mark.slow
@pytest.mark.parametrize("classes", [CLASSES, None], ids=["classes", "none"])
def test_two_actors_make_every_picture_once(cluster: Any, classes: tuple[str, ...] | None) -> None:
    torch.manual_seed(1)
    maker = model(config(), pictures(3, 16, 24, classes=classes))
    n = 3 * (rays.RANGE - 7)  # two ranges and most of a third
    how_many: dict[str, int] = {"per_class": n // 3} if classes else {"n": n}
    rows = rays.ray_dataset(maker, seed=3, actors=2, device="cpu", **how_many).take_all()
    assert sorted(row["number"] for row in rows) == list(range(n))
    found = {row["number"]: (row.get("label"), row["image"]) for row in rows}
    assert found == expected(maker, n, classes)


def test_what_can_not_be_made_is_said_before_ray_begins() -> None:
    pytest.importorskip("ray.data")
    maker = model(config(), pictures(classes=CLASSES))
    with pytest.raises(GansmithError, match="makes 3 classes; use --per-class"):
        rays.ray_dataset(maker, n=5)
    with pytest.raises(GansmithError, match="seed: expected 0 or more"):
        rays.ray_dataset(maker, per_class=5, seed=-1)


def test_without_ray_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(GansmithError, match=r"pip install 'gansmith\[ray\]'"):
        rays.ray_dataset(model(), n=5)

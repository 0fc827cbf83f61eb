"""From a source to a usable generator in one call, on every kind of data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gansmith
from gansmith.data.toy import ring_centres

TINY = {
    "generator_filters": 4,
    "discriminator_filters": 4,
    "batch_size": 8,
    "images": 40,
    "sample_every": 100,
}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "cache"))


def folder_of_pictures(path: Path, count: int, size: tuple[int, int], mode: str) -> Path:
    """Discs of many sizes and places."""
    rng = np.random.default_rng(0)
    path.mkdir()
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    for number in range(count):
        x, y, r = rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height, rng.uniform(4, 12)
        disc = ((columns - x) ** 2 + (rows - y) ** 2 < r * r) * 255
        picture = Image.fromarray(disc.astype(np.uint8))
        if mode == "RGB":
            picture = Image.merge("RGB", (picture, picture.rotate(90), picture.rotate(180)))
        picture.save(path / f"{number}.png")
    return path


@pytest.mark.parametrize(
    ("size", "mode", "shape"),
    [("64", "L", (64, 64, 1)), ("56x64", "RGB", (64, 56, 3)), ("64x56", "L", (56, 64, 1))],
)
def test_a_small_folder_of_any_shape_trains(
    tmp_path: Path, size: str, mode: str, shape: tuple[int, int, int]
) -> None:
    source = folder_of_pictures(tmp_path / "discs", 20, (92, 112), mode)
    result = gansmith.train(source, out=tmp_path / "run", **{**TINY, "size": size})
    assert result.run == tmp_path / "run"
    assert result.report.exists()
    model = gansmith.load(result.run)
    assert model.config.recipe == "fast-few"
    samples = model.generate(3, seed=1)
    assert samples.images.shape == (3, *shape)
    assert samples.labels is None


def test_the_models_folder_alone_is_enough(tmp_path: Path) -> None:
    result = gansmith.train("digits", out=tmp_path / "run", **TINY)
    model = (tmp_path / "run" / "model").rename(tmp_path / "elsewhere")
    whole, alone = gansmith.load(result.run), gansmith.load(model)
    assert (whole.generate(20, seed=3).images == alone.generate(20, seed=3).images).all()


def test_broken_pictures_are_said_and_too_many_stop_the_run(tmp_path: Path) -> None:
    source = folder_of_pictures(tmp_path / "discs", 30, (40, 40), "L")
    (source / "0.png").write_bytes(b"not a picture")
    said: list[str] = []
    watcher = Lines(said)
    gansmith.train(source, out=tmp_path / "run", watcher=watcher, **TINY)
    assert any("skipped 1 " in line and "0.png" in line for line in said)
    for number in range(1, 4):
        (source / f"{number}.png").write_bytes(b"")
    with pytest.raises(gansmith.GansmithError, match="max_skipped"):
        gansmith.train(source, out=tmp_path / "again", **TINY)
    gansmith.train(source, out=tmp_path / "again", **TINY, data={"max_skipped": 0.5})


def test_a_ring_is_covered(tmp_path: Path) -> None:
    """The shortest training that shows it; the full recipe is twice as long."""
    result = gansmith.train("ring", out=tmp_path / "run", images=600_000, sample_every=1000)
    points = gansmith.load(result.run).generate(1000, seed=1).images
    distance = np.linalg.norm(points[:, None] - ring_centres()[None], axis=2)
    near = distance.argmin(1)[distance.min(1) < 0.2]
    assert np.bincount(near, minlength=8).min() >= 20
    assert len(near) > 500
    assert (result.run / "plots" / "points.png").exists()


def test_a_parabola_is_learnt(tmp_path: Path) -> None:
    result = gansmith.train("parabola", out=tmp_path / "run", images=300_000, sample_every=1000)
    points = gansmith.load(result.run).generate(1000, seed=1).images
    x = np.linspace(-1.5, 1.5, 3001)
    curve = np.stack([x, x * x], 1)
    distance = np.linalg.norm(points[:, None] - curve[None], axis=2).min(1)
    assert np.median(distance) < 0.05
    assert points[:, 0].min() < -0.6
    assert points[:, 0].max() > 0.6


class Lines:
    def __init__(self, said: list[str]):
        self.say = said.append

    def tick(self, progress: object) -> None: ...

"""Frames, films and pictures small enough for a page."""

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from gansmith.config import Config
from gansmith.report import embed, film
from gansmith.report.plots import Themed, smooth
from gansmith.report.story import read_story
from gansmith.run import RunFolder


def noise(width: int, height: int, mode: str = "L", seed: int = 0) -> Image.Image:
    shape = (height, width) if mode == "L" else (height, width, 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, shape, np.uint8))


def reel(count: int, size: tuple[int, int] = (60, 40), mode: str = "L") -> film.Reel:
    pictures = [noise(*size, mode, seed) for seed in range(count)]
    frames = tuple(film.Frame(100 * k, Themed(p, p)) for k, p in enumerate(pictures))
    return film.Reel(frames, Themed(pictures[0], pictures[0]), points=False)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("count", [1, 2, 60])
def test_a_gif_has_every_frame_and_rests_on_the_last(count: int, mode: str) -> None:
    frames = [film.label(f.picture.light, str(f.images)) for f in reel(count, mode=mode).frames]
    gif = opened(film.gif(frames))
    durations = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
    assert len(durations) == count
    assert durations[-1] == film.HOLD
    assert all(100 <= duration <= 500 for duration in durations[:-1])


def test_a_long_run_is_thinned_out(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.write_config(Config(batch_size=10))
    for step in range(0, 4000, 20):
        run.write_samples(f"step-{step:09d}", np.full((4, 6, 6, 1), step % 251, np.uint8))
    shot = film.shoot(read_story(tmp_path))
    images = [frame.images for frame in shot.frames]
    assert len(images) == film.MOST_FRAMES
    assert (images[0], images[-1]) == (0, 39_800)
    assert len(set(np.diff(images).tolist())) <= 2


def test_evenly_keeps_the_ends() -> None:
    assert film.evenly(range(10), 3) == [0, 4, 9]
    assert film.evenly([1], 3) == [1]
    assert film.evenly([], 3) == []


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((60, 40), (420, 280)),
        ((400, 300), (400, 300)),
        ((1600, 400), (800, 200)),
        ((20, 5000), (4, 1000)),
        ((5000, 3), (800, 1)),
    ],
)
def test_fit_enlarges_by_whole_factors_and_bounds(
    size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert film.fit(noise(*size)).size == fitted


def test_sheets_that_changed_their_size_make_one_film() -> None:
    frames = reel(2).frames + reel(1, (90, 90), "RGB").frames
    gif = opened(film.files(film.Reel(frames, None, False))["samples.gif"])
    assert gif.n_frames == 3  # type: ignore[attr-defined]
    assert gif.size == (450, 450 + film.BAND)


def test_real_and_generated_stand_side_by_side() -> None:
    sheet = opened(film.files(reel(2))["real-and-generated.png"])
    assert sheet.size == (2 * 420 + 3 * 16, 280 + film.BAND + 2 * 16)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_mp4_is_made_and_always_the_same(mode: str) -> None:
    frames = [film.label(noise(401, 301, mode, seed), "x") for seed in range(3)]
    made = film.mp4(frames)
    assert made is not None
    assert made[4:8] == b"ftyp"
    assert film.mp4(frames) == made


def test_no_ffmpeg_no_mp4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "samples.mp4" not in film.files(reel(2))


def test_an_ffmpeg_that_fails_or_hangs_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "false")
    assert film.mp4([noise(40, 40)] * 2) is None

    def hang(*args: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("ffmpeg", 1)

    monkeypatch.setattr(subprocess, "run", hang)
    assert film.mp4([noise(40, 40)] * 2) is None


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_on_the_page_keep_to_their_budget(mode: str) -> None:
    large = noise(500, 500, mode)
    for budget in (1_000_000, 100_000, 10_000):
        kind, content = embed.compress(large, 1600, budget)
        assert len(content) <= budget
        assert opened(content).format == kind.upper()
    assert opened(embed.compress(large, 300, 10**6)[1]).width == 300


def test_a_running_mean_keeps_a_level_line_level() -> None:
    np.testing.assert_allclose(smooth(np.full(100, 0.7)), 0.7)
    assert smooth(np.array([3.0])).tolist() == [3.0]

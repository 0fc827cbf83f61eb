"""The report's part on health: what happened, with the pictures of the moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gansmith.report import write_report
from gansmith.report.plots import LIGHT
from gansmith.report.story import read_story
from gansmith.run import RunFolder
from tests.test_health import run as records_of
from tests.test_report import EVIL, Page, make_run


def repaired(path: Path, words: str = "back to step 500, with d_lr 1 -> 0.1") -> RunFolder:
    run = make_run(path, batch_size=64)
    batch = run.read_config().batch_size
    records = [
        *records_of(10),
        *records_of(1, start=500, kept_d=4.0),
        {"step": 550, "treatment": words},
        *records_of(10, start=550),
    ]
    for record in records:
        run.append({**record, "images": record["step"] * batch, "seconds": record["step"] / 10})
    for step in (0, 400, 550, 1000):
        run.write_samples(f"step-{step:09d}", np.full((4, 8, 8, 1), step % 256, np.uint8))
    return run


def test_what_happened_and_what_was_done_is_told_with_its_picture(tmp_path: Path) -> None:
    run = repaired(tmp_path / "run")
    story = read_story(run.path)
    names = [spell.verdict.condition for spell in story.spells]
    assert names == ["warming up", "healthy", "exploding", "warming up", "healthy"]
    assert story.spells[2].treatment == "back to step 500, with d_lr 1 -> 0.1"
    assert [s.end for s in story.spells[:-1]] == [s.start for s in story.spells[1:]]
    page = Page(write_report(run.path))
    for words in (
        "Its health",
        "exploding",
        "grow by 6.0% a step",
        "Repair: back to step 500",
        "repaired once",
    ):
        assert words in page.text
    kinds = [tags.get("class") for name, tags in page.tags if name == "li"]
    assert kinds[:5] == ["fine", "fine", "failed", "fine", "fine"]
    assert any(tags.get("alt") == "samples after 35,200 images" for _, tags in page.tags)


def test_a_band_of_colours_lies_over_the_losses(tmp_path: Path) -> None:
    run = repaired(tmp_path / "run")
    write_report(run.path)
    pixels = np.asarray(Image.open(run.path / "plots" / "losses.png").convert("RGB")).astype(int)
    shares = []
    for colour in (LIGHT.health[0], LIGHT.health[2]):
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        shares.append(int((np.abs(pixels - rgb).max(2) < 24).sum()))
    assert min(shares) > 50
    assert shares[0] > shares[1]


def test_a_run_that_went_well_says_so_and_hides_the_rest(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for record in records_of(20):
        run.append({**record, "images": record["step"] * 32, "seconds": 1.0})
    page = Page(write_report(run.path))
    assert "Healthy since step 250" in page.text
    assert "How it came to that" in page.text


@pytest.mark.parametrize("evil", [EVIL, "<b>" * 1000])
def test_strangers_words_stay_words(tmp_path: Path, evil: str) -> None:
    run = repaired(tmp_path / "run", evil)
    page = Page(write_report(run.path))
    assert page.count("script") == 1
    assert page.count("b") == 0

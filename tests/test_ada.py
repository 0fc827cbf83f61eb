from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
import torch
from torch import Tensor

from gansmith import recipes
from gansmith.ada import Odds
from gansmith.augment import augment
from gansmith.config import merge
from gansmith.data import open_source, prepare
from gansmith.loop import Session
from gansmith.run import RunFolder
from tests.builders import CPU, config

KNOWN, UNKNOWN = torch.tensor(1.0), torch.tensor(0.0)


def adaptive(**changes: object) -> Odds:
    wanted = {
        "augment": ("flip",),
        "augment_target": 0.6,
        "augment_kimg": 1.0,
        "batch_size": 50,
        "augment_p": 0.8,
    }
    return Odds(config(**{**wanted, **changes}), CPU)


def after(odds: Odds, sign: Tensor, steps: int) -> float:
    for _ in range(steps):
        odds.update(sign)
    return odds.p.item()


@pytest.mark.parametrize(
    "changes", [{"augment": ("flip",)}, {"augment_target": 0.6}], ids=["no target", "no kinds"]
)
def test_without_a_target_the_odds_are_constant(changes: dict[str, object]) -> None:
    odds = Odds(config(augment_p=0.3, **changes), CPU)
    assert odds.p.item() == pytest.approx(0.3)
    assert after(odds, KNOWN, 100) == pytest.approx(0.3)


def test_they_rise_from_nothing_to_one_in_so_many_images() -> None:
    odds = adaptive(augment_p=1.0)
    assert odds.p.item() == 0
    assert after(odds, KNOWN, 10) == pytest.approx(0.5)  # 500 images of 1,000
    assert after(odds, KNOWN, 10) == pytest.approx(1.0)


def test_they_stay_within_their_bounds_and_turn_back() -> None:
    odds = adaptive()
    assert after(odds, UNKNOWN, 5) == 0
    assert after(odds, KNOWN, 100) == pytest.approx(0.8)
    assert after(odds, UNKNOWN, 4) == pytest.approx(0.6)
    assert after(odds, torch.tensor(0.6), 4) == pytest.approx(0.6)  # just as wanted


@pytest.mark.parametrize("kind", ["flip", "cutout", "brightness"])
def test_the_augmentation_follows_them(kind: str) -> None:
    pictures = torch.rand(4000, 1, 8, 8) - 0.5
    odds = adaptive()
    assert torch.equal(augment(pictures, [kind], odds.p), pictures)
    after(odds, KNOWN, 5)
    changed = (augment(pictures, [kind], odds.p) != pictures).flatten(1).any(1).float().mean()
    share = {"flip": 0.125}.get(kind, 0.25)  # a flip is on, and then to either side
    assert changed.item() == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(("count", "over_fits"), [(12, True), (1797, False)])
def test_a_discriminator_that_knows_its_pictures_by_heart_is_augmented(
    count: int, over_fits: bool, tmp_path: Path
) -> None:
    """Twelve digits are known within seconds, all of them are not; each record says the odds."""
    digits = prepare(open_source("digits"), height=16, width=16)
    digits = replace(digits, values=digits.values[:count], labels=None, classes=None)
    few = {
        "size": "16",
        "generator_filters": 8,
        "discriminator_filters": 16,
        "images": 16 * 300,
        "batch_size": 16,
        "augment": ("flip",),
        "augment_target": 0.6,
        "augment_kimg": 2,
        "lr": 5e-3,
        "d_lr": 2.5e-3,
        "evaluate_n": 16,
        "samples": 16,
        "log_every": 50,
        "precision": "fp32",
    }
    Session(digits, merge(recipes.recipe("fast-few"), few), RunFolder(tmp_path)).train()
    odds = [r["augment_p"] for r in RunFolder(tmp_path).records() if "augment_p" in r]
    assert len(odds) == 6
    assert (median(odds) > 0.5) == over_fits, odds  # 0.7 and 0.2 with three seeds each

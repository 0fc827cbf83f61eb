from __future__ import annotations

import math

import pytest
import torch

from gansmith.motion import TRACKED, Motion, sample
from gansmith.players import Players
from tests.builders import CPU, config, pictures


@pytest.fixture
def players() -> Players:
    return Players.create(config(norm="none"), pictures(), CPU)


def test_weights_that_rest_do_not_move_and_keep_all(players: Players) -> None:
    found = Motion(players).look(10)
    assert found == {"pace_d": 0, "kept_d": 1, "pace_g": 0, "kept_g": 1}


def test_a_way_is_told_over_the_length_and_the_root_of_the_steps(players: Players) -> None:
    motion = Motion(players)
    motion.start(50)
    with torch.no_grad():
        for weight in players.generator.parameters():
            weight.mul_(3)
    found = motion.look(66)
    assert found["pace_g"] == pytest.approx(2 / 3 / math.sqrt(16), rel=1e-5)
    assert found["kept_g"] == pytest.approx(3, rel=1e-5)
    assert found["pace_d"] == 0
    assert motion.look(70)["pace_g"] == 0


def test_one_layer_that_is_lost_is_noticed(players: Players) -> None:
    motion = Motion(players)
    with torch.no_grad():
        next(p for p in players.discriminator.parameters() if p.dim() > 1).mul_(0.1)
    assert motion.look(1)["kept_d"] == pytest.approx(0.1, rel=1e-5)


def test_what_is_remembered_survives_a_checkpoint(players: Players) -> None:
    before, after = Motion(players), Motion(players)
    before.start(7)
    kept = {name: tensor.clone() for name, tensor in before.tensors().items()}
    with torch.no_grad():
        for weight in players.generator.parameters():
            weight.add_(0.1)
    after.start(12)
    after.restore(kept)
    assert after.look(20) == before.look(20)


def test_a_sample_is_small_even_of_wide_layers() -> None:
    wide = torch.nn.Sequential(torch.nn.Linear(300, 300), torch.nn.Linear(2, 3))
    assert [len(part) for part in sample(wide)] == [
        len(range(0, 90_000, 90_000 // TRACKED)),
        6,
    ]

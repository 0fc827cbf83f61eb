from __future__ import annotations

import pytest

from gansmith.config import Config
from gansmith.objectives import noise_level
from gansmith.remedies import LADDERS, remedy
from tests.builders import config, points_config, words_config


def changed(condition: str, attempt: int = 0, **figures: float) -> Config:
    a_config = config(lr=0.02, d_lr=0.01, r1=0.0)
    found = remedy(condition, attempt, a_config, figures, images=0)
    assert found is not None
    return a_config.with_(**found.changes)


def test_the_rate_of_the_player_whose_weights_explode_is_lowered_as_they_grew() -> None:
    found = changed("exploding", growth_d=0.04, growth_g=0.002)
    assert (found.d_lr, found.lr) == (pytest.approx(0.01 / 40), 0.02)
    both = changed("exploding", growth_d=0.04, growth_g=0.08)
    assert (both.d_lr, both.lr) == (pytest.approx(0.01 / 80), pytest.approx(0.02 / 80))


def test_a_player_that_outruns_its_rival_is_slowed_and_else_both() -> None:
    assert changed("mode collapse", pace_g=0.1, pace_d=0.01).lr == pytest.approx(0.02 / 3, rel=1e-2)
    assert changed("mode collapse", pace_g=0.1, pace_d=0.01).d_lr == 0.01
    both = changed("mode collapse", pace_g=0.02, pace_d=0.01)
    assert both.lr < 0.02
    assert both.d_lr < 0.01


def test_a_generator_that_makes_one_thing_is_quickened_or_calmed_and_a_frozen_one_begins_anew() -> (
    None
):
    slow = remedy("generator stuck", 0, config(lr=2e-4), {"pace_g": 0.01}, 0)
    assert slow is not None
    assert slow.changes == {"lr": pytest.approx(1e-3), "d_lr": pytest.approx(1e-4)}
    thrown = changed("generator stuck", pace_g=0.01)
    assert (thrown.lr, thrown.d_lr, thrown.r1) == (pytest.approx(0.004), pytest.approx(0.002), 3)
    assert changed("generator stuck", pace_g=0.0).lr == 0.02


def test_a_remedy_that_would_change_nothing_is_passed_over_and_none_undoes_another() -> None:
    lost = "discriminator overpowering"
    for r1 in (30, 100):
        found = remedy(lost, 0, config(r1=r1), {"spread": 0.5}, 0)
        assert found is not None
        assert "r1" not in found.changes
        assert "d_lr" in found.changes
    plain = remedy(lost, 0, config(), {"spread": 0.5}, 0)
    assert plain is not None
    assert plain.changes == {"r1": 3}  # rates stay the person's


@pytest.mark.parametrize("condition", LADDERS)
def test_every_remedy_is_one_that_words_can_take(condition: str) -> None:
    for attempt in range(len(LADDERS[condition])):
        if found := remedy(condition, attempt, words_config(), {"spread": 0.5}, images=1000):
            words_config().with_(**found.changes)


def test_no_rate_is_raised_above_one() -> None:
    highest = remedy(
        "discriminator overpowering", 0, config(lr=0.5, norm="none"), {"spread": 0.5}, 0
    )
    assert highest is not None
    assert config().with_(**highest.changes).lr == 1


def test_a_lost_game_begins_anew_with_rates_that_suit_its_networks() -> None:
    lost = "discriminator overpowering"
    usual = remedy(lost, 0, config(lr=0.02), {"spread": 0.5}, 0)
    assert usual is not None
    assert usual.words == "r1 0 -> 3"
    noise = changed(lost, spread=1.5)
    assert (noise.lr, noise.d_lr, noise.r1) == (pytest.approx(0.004), pytest.approx(0.002), 3)
    unnormed = remedy(lost, 0, config(lr=1e-3, norm="none"), {"spread": 0.5}, 0)
    assert unnormed is not None
    assert unnormed.changes["lr"] == unnormed.changes["d_lr"] == pytest.approx(6e-3)
    keras = remedy(lost, 0, config(lr=1e-3, norm="none", init="keras"), {"spread": 0.5}, 0)
    assert keras is not None
    assert keras.changes.get("lr", 1e-3) == 1e-3
    wide = config(lr=1e-3, generator_filters=16, discriminator_filters=160)
    found = remedy(lost, 0, wide, {"spread": 0.5}, 0)
    assert found is not None
    assert (found.changes["lr"], found.changes["d_lr"]) == (1e-3, pytest.approx(1e-4))


def test_a_discriminators_own_rate_does_not_follow_the_generators() -> None:
    a_config = config(lr=0.02)
    found = remedy("generator overpowering", 0, a_config, {}, 0)
    assert found is not None
    assert a_config.with_(**found.changes).d_lr == 0.02


def test_instance_noise_starts_where_training_is_and_goes() -> None:
    found = remedy("discriminator overpowering", 1, config(), {}, images=40_000)
    assert found is not None
    noisy = config().with_(**found.changes)
    assert noise_level(noisy, 40_000) == pytest.approx(0.2)
    assert noise_level(noisy, 45_000) == 0


def test_augmentation_is_for_pictures_and_never_leaks() -> None:
    found = remedy("discriminator memorising", 0, config(augment_p=1.0), {}, 0)
    assert found is not None
    assert found.changes["augment_p"] == 0.8
    assert found.changes["augment_target"] == 0.6
    of_points = remedy("discriminator memorising", 0, points_config(), {}, 0)
    assert of_points is not None
    assert "augment" not in of_points.changes


def test_data_can_not_be_mended_by_training() -> None:
    assert remedy("data problem", 0, config(), {}, 0) is None


@pytest.mark.parametrize("condition", LADDERS)
def test_every_rung_gives_a_configuration_that_holds_and_says_what_it_does(
    condition: str,
) -> None:
    for a_config in (config(), points_config(), config(lr=1.0, r1=20, clip=0.1)):
        for attempt in range(len(LADDERS[condition])):
            found = remedy(condition, attempt, a_config, {}, 1000)
            assert found is not None
            assert found.words
            a_config.with_(**found.changes)
        assert remedy(condition, len(LADDERS[condition]), a_config, {}, 1000) is None

"""Verdicts from records that show one thing each, and the fold that comes to them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from gansmith.health import (
    CONDITIONS,
    HEALTHY,
    LARGEST,
    LOG_RULES,
    NAN,
    NO_FAULT,
    RULES,
    WARMING_UP,
    Health,
    Severity,
    course,
    judge,
    numbers_of,
    timeline,
    unknown,
)
from gansmith.remedies import LADDERS

WELL: dict[str, float] = {
    **{"loss_d": 1.2, "loss_g": 0.9, "loss_d_sd": 0.03, "loss_g_sd": 0.05},
    **{"logit_real": 0.3, "logit_fake": -0.3, "told": 0.75},
    **{"spread": 0.95, "modes": 1.0, "checkerboard": 0.0001, "drift": 0.2, "held_gap": 0.1},
    **{"pace_d": 0.01, "pace_g": 0.01, "kept_d": 1.0, "kept_g": 1.0},
    **{"real_spread": 0.8, "real_modes": 1.0, "real_peak": 1.0, "real_constant": 0},
    **{"examples": 5000, "batch": 32, "leaks": 0, "outweighs": 0.8},
}


def run(count: int = 40, every: int = 50, start: int = 0, **changes: float) -> list[dict[str, Any]]:
    """Records of a game that goes well but for `changes`."""
    steps = range(start + every, start + every * (count + 1), every)
    return [{"step": step, **WELL, **changes} for step in steps]


def test_a_game_that_goes_well_is_warming_up_and_then_healthy() -> None:
    found = timeline(run())
    assert [v.condition for v in found] == [WARMING_UP, HEALTHY]
    assert found[-1].severity is Severity.FINE
    assert found[-1].since == 250


def test_a_game_without_variety_yet_is_not_called_healthy() -> None:
    assert judge(run(8, every=10, spread=0.3)).condition == WARMING_UP


FAULTS: dict[str, dict[str, float]] = {
    "data problem": {"real_peak": 255},
    "exploding": {"kept_d": 3.8},
    "weights lost": {"kept_g": 0.1},
    "generator stuck": {"pace_g": 0.0},
    "discriminator stuck": {"pace_d": 0.0},
    "mode collapse": {"modes": 0.2},
    "discriminator overpowering": {
        **{"told": 1.0, "logit_real": 6, "logit_fake": -4, "spread": 0.3, "modes": 0.9}
    },
    "generator overpowering": {"told": 0.3, "spread": 0.6},
    "discriminator memorising": {"held_gap": 2.0},
    "augmentation leak": {"leaks": 2},
    "players unequal": {"outweighs": 14},
    "batch too small": {"batch": 2},
    "checkerboard": {"checkerboard": 0.1},
    "colours off": {"drift": 5.0},
}


@pytest.mark.parametrize("condition", FAULTS)
def test_each_fault_is_named_and_shown(condition: str) -> None:
    found = judge(run(40, **FAULTS[condition]))
    assert found.condition == condition
    assert found.severity > Severity.FINE
    assert found.evidence
    assert "{" not in "".join(found.evidence)
    assert found.meaning
    assert found.advice


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"real_modes": 1 / 64}, "only 2% of the real examples differ"),
        ({"told": 0.02, "loss_d": 0.01}, "calls real fake"),
        ({"examples": 20}, "only 20 examples"),
        ({"real_constant": 1}, "1 of the channels"),
        ({"real_peak": 255.0}, "a real picture holds 255"),
    ],
)
def test_what_is_wrong_with_the_data_is_said(changes: dict[str, float], words: str) -> None:
    found = judge(run(10, **changes))
    assert found.condition == "data problem"
    assert words in found.words()


def test_a_discriminator_that_is_fooled_is_not_taken_for_swapped_labels() -> None:
    assert judge(run(30, told=0.1, spread=0.6, loss_d=2.5)).condition == "generator overpowering"


def test_data_that_change_are_noticed_though_what_they_are_now_would_be_fine() -> None:
    assert judge(run(40, real_spread=0.5)).condition == HEALTHY
    found = judge([*run(20), *run(4, start=1000, real_spread=0.5)])
    assert (found.condition, found.since) == ("data problem", 1050)
    assert "62%" in found.words()
    classes = [*run(20, real_classes=10), *run(4, start=1000, real_classes=1)]
    assert "10% as many classes" in judge(classes).words()


def test_variety_that_is_lost_is_a_collapse_and_that_never_was_a_weak_generator() -> None:
    lost = [*run(20), *run(4, start=1000, spread=0.05, modes=0.02)]
    assert judge(lost).condition == "mode collapse"
    never = run(40, spread=0.05, modes=0.02, told=1.0, logit_real=1.0)
    assert judge(never).condition == "discriminator overpowering"
    assert judge(run(40, spread=0.2, modes=0.5)).condition == "generator stuck"


def test_a_generator_that_fools_and_still_gains_is_let_go_on() -> None:
    gaining = [r | {"spread": 0.3 + 0.02 * n} for n, r in enumerate(run(25, told=0.3))]
    assert judge(gaining).severity is Severity.FINE


def test_a_game_that_is_slowly_lost_is_begun_afresh() -> None:
    beaten = {"told": 1.0, "logit_real": 2.0, "logit_fake": -1.0}
    lost = judge(run(30, spread=0.73, **beaten))
    assert lost.condition == "discriminator overpowering"
    assert lost.afresh
    growing = [r | {"spread": 0.3 + 0.02 * n} for n, r in enumerate(run(30, **beaten))]
    assert judge(growing).severity is Severity.FINE
    once_well = run(10, spread=1.0) + run(20, start=500, spread=0.73, **beaten)
    assert judge(once_well).severity is Severity.FINE


def test_a_loss_beyond_all_measure_is_an_explosion_in_our_own_runs_too() -> None:
    assert judge(run(10, loss_d=1e305)).condition == "exploding"
    assert judge(run(10, loss_d=-3e3, loss_g=4e3)).condition == HEALTHY  # Wasserstein's


def test_noise_that_is_told_for_certain_is_a_lost_game_though_it_varies() -> None:
    noise = {"told": 1.0, "logit_real": 6.0, "logit_fake": -8.0, "spread": 1.5}
    lost = judge(run(15, **noise))
    assert (lost.condition, lost.since, lost.afresh) == ("discriminator overpowering", 500, True)
    assert "150%" in lost.words()
    late = judge([*run(70), *run(3, start=3500, **noise)])
    assert (late.condition, late.since, late.afresh) == (lost.condition, 3550, False)
    assert judge(run(15, **noise | {"spread": 1.1})).severity is Severity.FINE
    assert judge(run(15, **noise | {"told": 0.9})).severity is Severity.FINE


def test_a_state_is_sound_where_the_game_got_somewhere_whatever_is_warned_of() -> None:
    health = Health()
    for record in run(10, batch=4):
        health.see(record)
    assert health.verdict.condition == "batch too small"
    assert health.sound
    unseen = Health()
    for record in run(10, every=20):
        unseen.see({"step": record["step"], "loss_d": 1.2, "loss_g": 0.9})
    assert not unseen.sound
    assert unseen.verdict.condition == WARMING_UP
    for record in run(4, start=500, modes=0.1):
        health.see(record)
    assert not health.sound


def test_a_verdict_says_when_it_was_last_not_so() -> None:
    found = judge([*run(20), *run(1, start=1050, kept_g=0.1)])
    assert (found.since, found.clear) == (1100, 1000)


def test_a_good_game_that_fades_late_is_not_thrown_away() -> None:
    grey = {"told": 0.95, "logit_real": 2.0, "logit_fake": -1.0, "spread": 0.8}
    late = judge([*run(60, every=100, spread=0.9), *run(8, start=6000, **grey)])
    assert (late.condition, late.afresh) == ("discriminator overpowering", False)


def test_a_generator_that_makes_one_black_picture_is_known_early() -> None:
    black = {"spread": 0.01, "modes": 0.02, "told": 1.0, "logit_real": 4, "logit_fake": -4}
    dead = next(v for v in timeline(run(20, every=20, **black)) if v.severity)
    assert (dead.condition, dead.step, dead.afresh) == ("generator stuck", 240, True)
    rarely = next(v for v in timeline(run(5, every=360, **black)) if v.severity is Severity.FAILED)
    assert (rarely.condition, rarely.step, rarely.afresh) == ("generator stuck", 1440, True)


def test_what_lasts_a_moment_is_no_fault() -> None:
    spike = {"told": 0.3, "modes": 0.1}
    assert judge([*run(20), *run(2, start=1000, **spike), *run(3, start=1100)]).condition == HEALTHY


def test_between_probes_the_verdict_stands_and_its_beginning_is_remembered() -> None:
    health = Health()
    for record in run(20):
        health.see(record)
    for record in run(5, start=1000, modes=0.2):
        health.see(record)
    losses = {"step": 1255, "loss_d": 1.2, "loss_g": 0.9}
    found = health.see(losses)
    assert (found.condition, found.step, found.since) == ("mode collapse", 1255, 1050)
    assert "20%" in found.words()
    assert health.see(run(1, start=1300)[0]).condition == HEALTHY


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_comes_before_all_else(value: float) -> None:
    found = judge([*run(20), {"step": 1010, "loss_d": value, "kept_d": 9.0}])
    assert (found.condition, found.severity) == (NAN, Severity.FAILED)
    assert "loss_d" in found.words()
    assert judge([{"step": 3, "not_finite": ["a weight"]}]).words().count("a weight") == 1


@pytest.mark.parametrize("value", [1e305, -1e305, 10**400], ids=["large", "low", "long"])
def test_a_loss_beyond_all_measure_is_a_loss_and_not_absent(value: float) -> None:
    lost = [{"step": i, "loss_d": value, "loss_g": 1.0} for i in range(40)]
    assert judge(lost, LOG_RULES).condition == "exploding"
    assert numbers_of(lost[0])["loss_d"] == (LARGEST if value > 0 else -LARGEST)
    assert numbers_of({"step": 1, "loss_d": math.nan}) == {"step": 1}


def test_a_treatment_starts_anew_but_the_data_are_remembered() -> None:
    treated = [*run(20, kept_d=3.0), {"step": 1000, "treatment": "afresh"}]
    assert judge(treated).condition == WARMING_UP
    assert judge([*treated, *run(20, start=1000)]).condition == HEALTHY
    changed = [*treated, *run(20, start=1000, real_spread=0.4)]
    assert judge(changed).condition == "data problem"


@pytest.mark.parametrize("treatment", [None, 5, {"x": 1}])
def test_a_treatment_that_says_nothing_is_none(treatment: object) -> None:
    lost = run(20, kept_d=3.0)
    assert judge([*lost, {"step": 1000, "treatment": treatment}]).condition == "exploding"


def test_the_course_of_a_run_is_both_in_one_fold() -> None:
    records = iter([*run(20), *run(4, start=1000, modes=0.2)])
    last, changes = course(records)
    assert (last.condition, last.step) == ("mode collapse", 1200)
    assert [v.condition for v in changes] == [WARMING_UP, HEALTHY, "mode collapse"]


def test_a_fold_that_is_taken_up_again_says_the_same() -> None:
    records = [*run(15), *run(5, start=750, modes=0.3), {"step": 1000, "treatment": "x"}, *run(9)]
    whole = Health()
    said = [whole.see(record) for record in records]
    for cut in range(len(records)):
        again = Health()
        for record in records[:cut]:
            again.see(json.loads(json.dumps(record)))
        assert [again.see(record) for record in records[cut:]] == said[cut:]


def test_every_rule_has_words_and_every_remedy_a_rule() -> None:
    for rule in (*RULES, *LOG_RULES):
        assert rule.condition in CONDITIONS
        assert rule.lasting >= 1
        assert rule.severity > Severity.FINE
        for sign in rule.signs:
            assert sign.low < sign.high
            assert sign.words.format(0.5)
    assert set(LADDERS) <= {*(rule.condition for rule in RULES), NAN}


def log(count: int = 400, **losses: float) -> list[dict[str, Any]]:
    wave = [0.05 * math.sin(i) for i in range(count)]
    return [
        {"step": i + 1, **{name: value * (1 + w) for name, value in losses.items()}}
        for i, w in enumerate(wave)
    ]


@pytest.mark.parametrize(
    ("losses", "condition"),
    [
        ({"loss_d": 1.2, "loss_g": 0.9}, NO_FAULT),
        ({"loss_d": 0.6, "loss_g": 2.5}, NO_FAULT),
        ({"loss_d": 0.01, "loss_g": 8.0}, "discriminator overpowering"),
        ({"loss_d": 0.1, "loss_g": 4.0}, "discriminator overpowering"),
        ({"loss_d": 0.01, "loss_g": 0.005}, "data problem"),
        ({"loss_d": 4.0, "loss_g": 0.02}, "generator overpowering"),
        ({"loss_d": 900.0, "loss_g": 1.0}, "exploding"),
    ],
)
def test_what_losses_alone_tell(losses: dict[str, float], condition: str) -> None:
    assert judge(log(**losses), LOG_RULES).condition == condition


def test_a_log_of_a_beginning_is_not_called_a_failure() -> None:
    found = judge(log(80, loss_d=0.01, loss_g=8.0), LOG_RULES)
    assert (found.condition, found.severity) == ("discriminator overpowering", Severity.WARNING)


def test_losses_that_stand_still_and_that_swing() -> None:
    still = [{"step": i, "loss_d": 0.7, "loss_g": 0.7} for i in range(60)]
    assert judge(still, LOG_RULES).condition == "generator stuck"
    swing = [{"step": i, "loss_d": 0.1 + 3 * (i // 5 % 3 == 0), "loss_g": 1.0} for i in range(80)]
    found = judge(swing, LOG_RULES)
    assert (found.condition, found.severity) == ("oscillating", Severity.WARNING)
    single_batches = [r | {"loss_d": 1 + 0.9 * math.sin(r["step"])} for r in swing]  # by 64 %
    assert judge(single_batches, LOG_RULES).condition == NO_FAULT


@pytest.mark.parametrize(
    ("loss_d", "loss_g"),
    [
        (lambda wave: -7 - 5 * wave, lambda wave: 8 + 2 * wave),  # Wasserstein's
        (lambda wave: -2 + 0.5 * wave, lambda wave: -3 + wave),
        (lambda wave: -1 + 0.1 * wave, lambda wave: 0.5 + 3 * wave),
        (lambda wave: 2.02 + 0.03 * wave, lambda wave: 0.05 + 0.04 * wave),  # hinge, at its rest
        (lambda wave: 2.2 + 0.1 * wave, lambda wave: 0.05 + 0.2 * wave),
    ],
)
def test_other_losses_that_go_well_are_no_fault(
    loss_d: Callable[[float], float], loss_g: Callable[[float], float]
) -> None:
    waves = [math.sin(i) for i in range(400)]
    told = [(loss_d(wave), loss_g(wave)) for wave in waves]
    lowest = min(min(both) for both in told)
    log = [
        {"step": n, "loss_d": d, "loss_g": g} | ({"lowest": lowest} if lowest < 0 else {})
        for n, (d, g) in enumerate(told, 1)
    ]
    assert {v.condition for v in timeline(log, LOG_RULES)} == {NO_FAULT}
    assert ("oscillating" in unknown(log, LOG_RULES)) == (lowest < 0)


def test_of_a_game_with_negative_losses_size_and_stillness_are_judged() -> None:
    well: dict[str, float] = {"loss_d": -3.0, "loss_g": 2.0, "lowest": -3.1}
    assert judge(log(**well), LOG_RULES).condition == NO_FAULT
    assert judge(log(**well | {"loss_d": -900.0}), LOG_RULES).condition == "exploding"
    still = [{"step": i, **well} for i in range(60)]
    assert judge(still, LOG_RULES).condition == "generator stuck"
    assert judge([*log(**well), {"step": 401, "loss_d": math.nan}], LOG_RULES).condition == NAN


def test_a_run_whose_losses_swing_is_told_so_but_not_for_a_loss_about_zero() -> None:
    def swinging(level: float) -> list[dict[str, Any]]:
        return [r | {"loss_d": level + 0.9 * (-1) ** n} for n, r in enumerate(run(60))]

    found = judge(swinging(1.0))
    assert (found.condition, found.severity) == ("oscillating", Severity.WARNING)
    assert judge(swinging(0.1)).condition == HEALTHY


def test_what_can_not_be_told_is_listed() -> None:
    assert unknown(run(40, score=3.0)) == []
    missing = unknown(log(loss_d=1.2, loss_g=0.9), LOG_RULES)
    assert "mode collapse" in missing
    assert "discriminator overpowering" not in missing
    assert "mode collapse" not in unknown(
        [*log(loss_d=1.2, loss_g=0.9), {"step": 9, "tile_spread": 1.0}], LOG_RULES
    )


def test_growth_is_told_a_step_whatever_the_probes_distance() -> None:
    slowly = [*run(3, every=100), *run(20, start=300, every=100, kept_g=2.8)]
    assert judge(slowly).condition == HEALTHY  # 1.8 % a step, as small networks do at first
    assert judge([{"step": 50, **WELL, "kept_g": 2.8}]).condition == "exploding"

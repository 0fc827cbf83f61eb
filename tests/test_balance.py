from __future__ import annotations

import pytest

from gansmith.balance import MOST, STEP, Balance
from tests.builders import config


def test_without_the_option_nothing_changes() -> None:
    balance, a_config = Balance(), config()
    balance.update(1.0, a_config)
    assert balance.applied(a_config) is a_config


@pytest.mark.parametrize("kind", ["rate", "r1"])
def test_a_discriminator_that_tells_too_much_is_held_back_and_released(kind: str) -> None:
    a_config = config(balance=kind, balance_target=0.8, lr=1e-3, r1=0.5)
    balance = Balance()
    balance.update(0.9, a_config)
    held = balance.applied(a_config)
    if kind == "rate":
        assert (held.d_lr, held.lr, held.r1) == (pytest.approx(1e-3 / STEP), 1e-3, 0.5)
    else:
        assert (held.d_lr, held.r1) == (None, pytest.approx(0.5 * STEP))
    balance.update(0.5, a_config)
    assert balance.applied(a_config) is a_config
    for _ in range(1000):
        balance.update(1.0, a_config)
    assert balance.strength == MOST


def test_a_game_without_a_penalty_gets_one() -> None:
    a_config = config(balance="r1", r1=0.0)
    balance = Balance()
    balance.update(1.0, a_config)
    assert balance.applied(a_config).r1 == pytest.approx(0.1 * STEP)

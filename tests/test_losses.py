from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd import gradcheck

from gansmith.losses import (
    GAMES,
    Targets,
    gradient_penalty,
    hard_targets,
    soft_targets,
    zero_centred_penalty,
)

REAL = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)
FAKE = torch.tensor([-3.0, 1.5, 0.25], dtype=torch.float64)


def log1p_exp(x: float) -> float:
    return math.log(1 + math.exp(x))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def d_loss(name: str, real: Tensor, fake: Tensor) -> float:
    return GAMES[name].discriminator(real, fake, hard_targets(real, fake)).item()


def pairs() -> list[tuple[float, float]]:
    return list(zip(REAL.tolist(), FAKE.tolist(), strict=True))


BCE = mean([log1p_exp(-r) for r, _ in pairs()]) + mean([log1p_exp(f) for _, f in pairs()])
HINGE = mean([max(0, 1 - r) for r, _ in pairs()]) + mean([max(0, 1 + f) for _, f in pairs()])
EXPECTED = {
    # name: (discriminator's, generator's), written out with plain numbers
    "non-saturating": (BCE, mean([log1p_exp(-f) for _, f in pairs()])),
    "saturating": (BCE, -mean([log1p_exp(f) for _, f in pairs()])),
    "least-squares": (
        0.5 * mean([(r - 1) ** 2 for r, _ in pairs()]) + 0.5 * mean([f**2 for _, f in pairs()]),
        0.5 * mean([(f - 1) ** 2 for _, f in pairs()]),
    ),
    "hinge": (HINGE, -mean([f for _, f in pairs()])),
    "wasserstein": (mean([f - r for r, f in pairs()]), -mean([f for _, f in pairs()])),
    "relativistic": (
        mean([log1p_exp(f - r) for r, f in pairs()]),
        mean([log1p_exp(r - f) for r, f in pairs()]),
    ),
}


def test_every_loss_has_its_expected_values_here() -> None:
    assert set(EXPECTED) == set(GAMES)


@pytest.mark.parametrize("name", sorted(GAMES))
def test_losses_have_the_values_of_their_formulas(name: str) -> None:
    expected_d, expected_g = EXPECTED[name]
    assert d_loss(name, REAL, FAKE) == pytest.approx(expected_d, rel=1e-12)
    assert GAMES[name].generator(FAKE, REAL).item() == pytest.approx(expected_g, rel=1e-12)


@pytest.mark.parametrize("name", sorted(GAMES))
def test_gradients_of_losses_are_those_of_finite_differences(name: str) -> None:
    real, fake = (x.clone().requires_grad_() for x in (REAL, FAKE))
    game = GAMES[name]
    assert gradcheck(lambda r, f: game.discriminator(r, f, hard_targets(r, f)), (real, fake))
    assert gradcheck(lambda f: game.generator(f, REAL), (fake,))


@pytest.mark.parametrize(
    ("name", "d", "g"),
    [
        ("non-saturating", 2 * math.log(2), math.log(2)),
        ("saturating", 2 * math.log(2), -math.log(2)),
        ("least-squares", 0.5, 0.5),
        ("hinge", 2.0, 0.0),
        ("wasserstein", 0.0, 0.0),
        ("relativistic", math.log(2), math.log(2)),
    ],
)
def test_a_discriminator_that_knows_nothing_has_the_known_loss(
    name: str, d: float, g: float
) -> None:
    nothing = torch.zeros(5, dtype=torch.float64)
    assert d_loss(name, nothing, nothing) == pytest.approx(d)
    assert GAMES[name].generator(nothing, nothing).item() == pytest.approx(g)


def test_the_best_discriminator_for_two_known_densities_is_their_log_ratio() -> None:
    # On three places with known odds the optimum is D* = p / (p + q) (Goodfellow 2014, prop. 1),
    # and the loss there is 2 log 2 - 2 JSD(p, q).
    p, q = (torch.tensor(x, dtype=torch.float64) for x in ([0.5, 0.3, 0.2], [0.1, 0.3, 0.6]))
    count = 1000
    places = torch.arange(3)
    real, fake = (places.repeat_interleave((x * count).round().long()) for x in (p, q))
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12, tolerance_change=0)

    def loss() -> Tensor:
        targets = hard_targets(logits[real], logits[fake])
        return GAMES["non-saturating"].discriminator(logits[real], logits[fake], targets)

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
    torch.testing.assert_close(logits.detach(), (p / q).log(), atol=1e-5, rtol=0)
    middle = (p + q) / 2
    divergence = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
    assert loss().item() == pytest.approx(2 * math.log(2) - 2 * divergence.item(), abs=1e-9)


@pytest.mark.parametrize("name", sorted(GAMES))
@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_a_discriminator_that_is_very_sure_gives_finite_losses_and_gradients(
    name: str, scale: float
) -> None:
    if name == "least-squares" and scale > 1e10:
        pytest.skip("its square is beyond fp32 by definition")
    for sign in (1, -1):
        real = torch.full((4,), sign * scale, requires_grad=True)
        fake = torch.full((4,), -sign * scale, requires_grad=True)
        game = GAMES[name]
        d = game.discriminator(real, fake, hard_targets(real, fake))
        d.backward()
        g = game.generator(fake, real.detach())
        g.backward()
        assert all(x.isfinite().all() for x in (d, g, real.grad, fake.grad))


def test_the_saturating_generator_learns_nothing_where_it_loses_and_the_other_does() -> None:
    gradients = {}
    for name in ("saturating", "non-saturating"):
        fake = torch.tensor([-20.0], requires_grad=True)
        GAMES[name].generator(fake, fake).backward()
        gradients[name] = fake.grad.item()
    assert -1e-8 < gradients["saturating"] < 0
    assert gradients["non-saturating"] == pytest.approx(-1)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-10, 10), min_size=1, max_size=5),
    st.lists(st.floats(-10, 10), min_size=5, max_size=5),
    st.floats(-100, 100),
)
def test_only_differences_count_in_a_relativistic_game(
    real: list[float], fake: list[float], offset: float
) -> None:
    r = torch.tensor(real, dtype=torch.float64)
    f = torch.tensor(fake[: len(real)], dtype=torch.float64)
    game = GAMES["relativistic"]
    here, there = (
        game.discriminator(*x, hard_targets(r, f)) for x in ((r, f), (r + offset, f + offset))
    )
    assert here.item() == pytest.approx(there.item(), abs=1e-9)
    # Changing sides turns one player's loss into the other's …
    assert game.discriminator(r, f, hard_targets(r, f)).item() == game.generator(r, f).item()
    # … and f(t) - f(-t) = t for the softplus.
    difference = game.generator(f, r) - game.discriminator(r, f, hard_targets(r, f))
    assert difference.item() == pytest.approx((r - f).mean().item(), abs=1e-9)


def test_only_the_relativistic_generator_needs_the_real_logits() -> None:
    for name, game in GAMES.items():
        changes = game.generator(FAKE, REAL) != game.generator(FAKE, REAL + 1)
        assert bool(changes) == game.needs_real == (name == "relativistic")


def test_smoothing_lowers_the_real_label_alone() -> None:
    targets = soft_targets(torch.zeros(1000), torch.zeros(1000), smoothing=0.1, noise=0.0)
    assert targets.real.unique().tolist() == [pytest.approx(0.9)]
    assert targets.fake.unique().tolist() == [0]


def test_noisy_labels_are_flipped_with_the_odds_given_and_independently() -> None:
    n, odds = 40_000, 0.2
    targets = soft_targets(torch.zeros(n), torch.zeros(n), smoothing=0.1, noise=odds)
    assert {round(x, 6) for x in targets.real.tolist()} == {0.0, 0.9}
    assert {round(x, 6) for x in targets.fake.tolist()} == {0.0, 0.9}
    flipped_real, flipped_fake = targets.real < 0.5, targets.fake > 0.5
    deviation = math.sqrt(odds * (1 - odds) / n)
    for flipped in (flipped_real, flipped_fake):
        assert abs(flipped.float().mean().item() - odds) < 5 * deviation
    both = (flipped_real & flipped_fake).float().mean().item()
    assert abs(both - odds**2) < 5 * math.sqrt(odds**2 / n)


def test_without_smoothing_and_noise_soft_labels_are_hard() -> None:
    soft, hard = soft_targets(REAL, FAKE, 0, 0), hard_targets(REAL, FAKE)
    assert torch.equal(soft.real, hard.real)
    assert torch.equal(soft.fake, hard.fake)
    assert hard.real.tolist() == [1, 1, 1]
    assert hard.fake.tolist() == [0, 0, 0]


def test_smoothed_cross_entropy_is_least_at_the_smoothed_odds() -> None:
    logit = torch.tensor([math.log(0.9 / 0.1)], dtype=torch.float64, requires_grad=True)
    none = torch.full((1,), -1e9, dtype=torch.float64)
    targets = Targets(torch.full_like(logit, 0.9), torch.zeros_like(none))
    GAMES["non-saturating"].discriminator(logit, none, targets).backward()
    assert logit.grad.item() == pytest.approx(0, abs=1e-12)


def test_swapped_labels_swap_the_players_in_losses_that_take_sides() -> None:
    swapped = Targets(torch.zeros_like(REAL), torch.ones_like(FAKE))
    for name in ("non-saturating", "least-squares", "hinge", "wasserstein"):
        told_wrong = GAMES[name].discriminator(REAL, FAKE, swapped).item()
        assert told_wrong == pytest.approx(d_loss(name, FAKE, REAL))


class Linear(nn.Module):
    """D(x) = w · x."""

    def __init__(self, w: Tensor):
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return x.flatten(1) @ self.w


def test_r1_of_a_linear_discriminator_is_half_its_squared_norm() -> None:
    d = Linear(torch.tensor([3.0, 4.0], dtype=torch.float64))
    x = torch.randn(7, 2, dtype=torch.float64, requires_grad=True)
    penalty = zero_centred_penalty(d(x), x)
    assert penalty.item() == pytest.approx(12.5)
    penalty.backward()
    torch.testing.assert_close(d.w.grad, d.w.detach())  # d(½ w²)/dw = w


def test_r1_of_a_quadratic_discriminator_is_the_mean_squared_gradient() -> None:
    # D(x) = ½ xᵀAx with A symmetric: ∇D = Ax, so the penalty is ½ mean ‖Ax‖².
    a = torch.tensor([[2.0, 0.5], [0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([[1.0, 2.0], [-1.0, 0.0], [3.0, 1.0]], dtype=torch.float64, requires_grad=True)
    penalty = zero_centred_penalty(0.5 * torch.einsum("ni,ij,nj->n", x, (a + a.T) / 2, x), x)
    expected = sum((2 * p + 0.5 * q) ** 2 + (0.5 * p - q) ** 2 for p, q in x.tolist()) / (
        2 * len(x)
    )
    assert penalty.item() == pytest.approx(expected)
    (gradient,) = torch.autograd.grad(penalty, a)
    rows = x.detach()
    by_hand = torch.einsum("ij,nj,nk->ik", a.detach(), rows, rows) / len(rows)
    torch.testing.assert_close(gradient, (by_hand + by_hand.T) / 2)


def test_gradient_penalty_of_a_linear_critic_depends_on_its_norm_alone() -> None:
    real, fake = torch.randn(6, 2, 1, 2), torch.randn(6, 2, 1, 2)
    for w, expected in (([1.0, 0, 0, 0], 0.0), ([3.0, 0, 4.0, 0], 16.0), ([0.0] * 4, 1.0)):
        assert gradient_penalty(Linear(torch.tensor(w)), real, fake).item() == pytest.approx(
            expected, abs=1e-5
        )


def test_gradient_penalty_of_a_dead_critic_has_finite_gradients() -> None:
    d = Linear(torch.zeros(4))
    gradient_penalty(d, torch.ones(3, 4), torch.zeros(3, 4)).backward()
    assert d.w.grad.isfinite().all()


def test_gradient_penalty_looks_at_points_on_the_lines_from_real_to_fake() -> None:
    seen = []

    class Note(nn.Module):
        def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
            seen.append((x.detach(), labels))
            return x.flatten(1).sum(1)

    real, fake, labels = torch.randn(500, 3), torch.randn(500, 3), torch.arange(500)
    gradient_penalty(Note(), real, fake, labels)
    ((between, given),) = seen
    share = (between - fake) / (real - fake)
    torch.testing.assert_close(share[:, 0], share[:, 1], atol=1e-2, rtol=1e-2)
    assert 0 <= share[:, 0].min() < 0.05
    assert 0.95 < share[:, 0].max() <= 1
    assert given is labels


def test_gradient_penalty_gives_no_gradient_to_the_pictures() -> None:
    real, fake = torch.randn(3, 4), torch.randn(3, 4, requires_grad=True)
    gradient_penalty(Linear(torch.ones(4)), real, fake).backward()
    assert fake.grad is None

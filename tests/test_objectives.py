from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.losses import GAMES
from gansmith.models import Networks, build_networks, draw_latent
from gansmith.objectives import (
    discriminator_losses,
    disguise,
    generator_losses,
    mismatch_weight,
    noise_level,
)
from tests.builders import config, pictures, points, points_config

NETWORKS = {
    "dcgan": (config(), pictures(1, 16, 16)),
    "dcgan without norm": (config(norm="none"), pictures(3, 16, 24)),
    "dcgan with labels": (config(d_norm="none"), pictures(1, 16, 16, classes=("a", "b", "c"))),
    "dcgan-keras": (
        config(model="dcgan-keras", norm="none", init="torch", dropout=0.4),
        pictures(1, 16, 16),
    ),
    "dcgan-keras, colour": (
        config(model="dcgan-keras", norm="none", init="torch", dropout=0.4),
        pictures(3, 16, 16, classes=("a", "b")),
    ),
    "mlp": (points_config(), points()),
    "mlp with labels": (points_config(), points(classes=("a", "b"))),
}


def play(name: str, **changes: object) -> tuple[Networks, Config, Tensor, Tensor | None, Tensor]:
    a_config, spec = NETWORKS[name]
    a_config = a_config.with_(**changes)
    networks = build_networks(a_config, spec)
    real, labels = batch(spec, a_config.batch_size)
    fake = networks.generator(draw_latent(a_config, len(real), real.device), labels)
    return networks, a_config, real, labels, fake


def batch(spec: DataSpec, count: int) -> tuple[Tensor, Tensor | None]:
    labels = torch.arange(count) % spec.class_count if spec.classes else None
    return torch.rand(count, *spec.shape) * 2 - 1, labels


class Sum(nn.Module):
    """D(x) = w Σx: its gradient is w everywhere."""

    def __init__(self, w: float):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.w * x.flatten(1).sum(1)


@pytest.mark.parametrize("loss", sorted(GAMES))
@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_penalties_reach_every_weight_of_every_network_with_every_loss(
    network: str, loss: str
) -> None:
    critic = {"gradient_penalty": 10.0, "d_norm": "none"} if loss == "wasserstein" else {}
    networks, a_config, real, labels, fake = play(network, loss=loss, r1=1.0, r2=1.0, **critic)
    d = discriminator_losses(networks.discriminator, real, labels, fake, a_config, 0, True)
    assert d["total"] > d["loss_d"] or network.startswith("dcgan-keras")  # penalties count
    d["total"].backward()
    for name, parameter in networks.discriminator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert all(p.grad is None for p in networks.generator.parameters())
    g = generator_losses(networks.discriminator, real, labels, fake, a_config, 0)
    g["total"].backward()
    for name, parameter in networks.generator.named_parameters():
        assert parameter.grad.isfinite().all(), name
    assert sum(p.grad.abs().sum() for p in networks.generator.parameters()) > 0


@pytest.mark.parametrize("loss", sorted(GAMES))
def test_the_players_figures_are_the_losses_of_their_logits(loss: str) -> None:
    networks, a_config, real, labels, fake = play("mlp", loss=loss)
    d = discriminator_losses(networks.discriminator, real, labels, fake, a_config, 0, True)
    with torch.no_grad():
        on_real, on_fake = networks.discriminator(real), networks.discriminator(fake)
    targets = torch.ones_like(on_real), torch.zeros_like(on_fake)
    expected = {
        "non-saturating": F.binary_cross_entropy_with_logits(on_real, targets[0])
        + F.binary_cross_entropy_with_logits(on_fake, targets[1]),
        "least-squares": ((on_real - 1) ** 2).mean() / 2 + (on_fake**2).mean() / 2,
        "hinge": (1 - on_real).clamp(min=0).mean() + (1 + on_fake).clamp(min=0).mean(),
        "wasserstein": on_fake.mean() - on_real.mean(),
        "relativistic": (1 + (on_fake - on_real).exp()).log().mean(),
    }
    expected["saturating"] = expected["non-saturating"]
    torch.testing.assert_close(d["total"].detach(), expected[loss])
    torch.testing.assert_close(d["loss_d"], expected[loss])
    torch.testing.assert_close(d["d_real"], (1 / (1 + (-on_real).exp())).mean())
    torch.testing.assert_close(d["d_fake"], (1 / (1 + (-on_fake).exp())).mean())
    g = generator_losses(networks.discriminator, real, labels, fake, a_config, 0)
    assert g["total"].item() == g["loss_g"].item()
    assert not any(v.requires_grad for k, v in {**d, **g}.items() if k != "total")


def test_a_lazy_penalty_counts_as_often_as_it_was_left_out() -> None:
    real, fake = torch.randn(4, 6), torch.randn(4, 6)
    w, norm = 0.5, 6 * 0.5**2
    for every in (1, 4):
        a_config = config(loss="wasserstein", d_norm="none", r1=3.0, r2=5.0, penalty_every=every)
        losses = discriminator_losses(Sum(w), real, None, fake, a_config, 0, penalise=True)
        penalty = losses["total"] - losses["loss_d"]
        assert penalty.item() == pytest.approx(every * (3.0 + 5.0) * norm / 2, rel=1e-5)
        losses = discriminator_losses(Sum(w), real, None, fake, a_config, 0, penalise=False)
        assert losses["total"].item() == losses["loss_d"].item()


def test_the_gradient_penalty_has_its_weight() -> None:
    a_config = config(loss="wasserstein", d_norm="none", gradient_penalty=10.0)
    w = 0.5
    losses = discriminator_losses(
        Sum(w), torch.randn(4, 6), None, torch.randn(4, 6), a_config, 0, True
    )
    expected = 10 * (w * math.sqrt(6) - 1) ** 2
    assert (losses["total"] - losses["loss_d"]).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("augmented", [(), ("flip", "cutout")])
def test_the_callers_tensors_stay_as_they_were(augmented: tuple[str, ...]) -> None:
    networks, a_config, real, labels, fake = play("dcgan", r1=1.0, r2=1.0, augment=augmented)
    before = real.clone(), fake.detach().clone()
    losses = discriminator_losses(networks.discriminator, real, labels, fake, a_config, 0, True)
    losses["total"].backward()
    assert not real.requires_grad
    assert real.grad is None
    assert torch.equal(real, before[0])
    assert torch.equal(fake, before[1])


def test_mixed_batches_share_their_statistics_and_separate_ones_do_not() -> None:
    networks, a_config, real, labels, fake = play("dcgan with labels", d_norm="batch")
    d = networks.discriminator
    separate = discriminator_losses(d, real, labels, fake, a_config, 0, True)
    mixed_config = a_config.with_(batches="mixed")
    mixed = discriminator_losses(d, real, labels, fake, mixed_config, 0, True)
    with torch.no_grad():
        both = d(torch.cat([real, fake]), torch.cat([labels, labels]))
        apart = d(real, labels), d(fake, labels)
    torch.testing.assert_close(mixed["d_real"], both[:4].sigmoid().mean())
    torch.testing.assert_close(mixed["d_fake"], both[4:].sigmoid().mean())
    torch.testing.assert_close(separate["d_real"], apart[0].sigmoid().mean())
    assert mixed["loss_d"] != separate["loss_d"]


@pytest.mark.parametrize("network", ["dcgan without norm", "mlp with labels"])
def test_without_batch_norm_mixing_changes_nothing(network: str) -> None:
    networks, a_config, real, labels, fake = play(network, r1=1.0, r2=0.5)
    results = [
        discriminator_losses(
            networks.discriminator, real, labels, fake, a_config.with_(batches=kind), 0, True
        )["total"]
        for kind in ("mixed", "separate")
    ]
    torch.testing.assert_close(*results)


def test_label_smoothing_and_noise_reach_the_loss() -> None:
    networks, a_config, real, labels, fake = play("mlp", label_smoothing=0.2)
    losses = discriminator_losses(networks.discriminator, real, labels, fake, a_config, 0, True)
    on_real, on_fake = (networks.discriminator(x).detach() for x in (real, fake))
    expected = (0.8 * F.softplus(-on_real) + 0.2 * F.softplus(on_real)).mean()
    torch.testing.assert_close(losses["loss_d"], expected + F.softplus(on_fake).mean())
    noisy = a_config.with_(label_smoothing=0.0, noisy_labels=0.49)
    drawn = {
        discriminator_losses(networks.discriminator, real, labels, fake, noisy, 0, True)[
            "loss_d"
        ].item()
        for _ in range(20)
    }
    assert len(drawn) > 5


def test_instance_noise_falls_linearly_to_zero_and_stays_there() -> None:
    falling = config(instance_noise=0.4, instance_noise_kimg=2)
    seen = [noise_level(falling, images) for images in (0, 500, 1000, 2000, 9000)]
    assert seen == pytest.approx([0.4, 0.3, 0.2, 0.0, 0.0])
    assert noise_level(config(instance_noise=0.4), 10**9) == 0.4
    assert noise_level(config(), 0) == 0


def test_noise_has_the_standard_deviation_asked_for() -> None:
    noised = disguise(torch.zeros(100, 1, 32, 32), config(instance_noise=0.3), 0)
    assert noised.std().item() == pytest.approx(0.3, rel=0.02)
    clean = torch.randn(2, 1, 4, 4)
    assert torch.equal(disguise(clean, config(), 0), clean)


def test_both_players_see_augmented_pictures_real_and_fake() -> None:
    seen: list[Tensor] = []

    class Note(Sum):
        def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
            seen.append(x.detach())
            return super().forward(x)

    a_config = config(loss="relativistic", augment=("brightness",), augment_p=1.0)
    real, fake = torch.zeros(4, 1, 8, 8), torch.zeros(4, 1, 8, 8, requires_grad=True)
    discriminator_losses(Note(1.0), real, None, fake, a_config, 0, True)
    generator_losses(Note(1.0), real, None, fake, a_config, 0)["total"].backward()
    assert len(seen) == 4
    assert all((x != 0).all() for x in seen)
    assert len({x[0, 0, 0, 0].item() for x in seen}) == 4  # drawn anew each time
    assert (fake.grad != 0).all()
    assert (real == 0).all()


def test_the_generators_turn_gives_the_real_pictures_no_graph() -> None:
    networks, a_config, real, labels, fake = play("mlp", loss="relativistic")
    generator_losses(networks.discriminator, real, labels, fake, a_config, 0)["total"].backward()
    on_fake = networks.discriminator(fake.detach())
    on_real = networks.discriminator(real).detach()
    # Only the fake side of the difference moves the discriminator's weights.
    expected = torch.autograd.grad(
        F.softplus(on_real - on_fake).mean(), list(networks.discriminator.parameters())
    )
    for parameter, gradient in zip(networks.discriminator.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


CONDITIONAL = {
    "dcgan": (config(d_norm="none"), pictures(1, 16, 16, classes=("a", "b", "c"))),
    "dcgan-keras": (
        config(model="dcgan-keras", norm="none", init="torch"),
        pictures(1, 16, 16, classes=("a", "b", "c")),
    ),
    "compact": (
        config(model="compact", d_norm="none"),
        pictures(3, 12, 9, classes=("a", "b", "c")),
    ),
    "mlp": (points_config(), points(classes=("a", "b", "c"))),
}


def mismatched(name: str, **changes: object) -> tuple[nn.Module, Config, Tensor, Tensor, Tensor]:
    """A discriminator that has learnt what the labels mean, and 7 examples."""
    a_config, spec = CONDITIONAL[name]
    a_config = a_config.with_(**changes)
    networks = build_networks(a_config, spec)
    for parameter in networks.discriminator.parameters():
        nn.init.normal_(parameter, 0.0, 0.1)
    real, labels = batch(spec, 7)
    assert labels is not None
    with torch.no_grad():
        fake = networks.generator(draw_latent(a_config, 7, real.device), labels)
    return networks.discriminator, a_config, real, labels, fake


@pytest.mark.parametrize("batches", ["separate", "mixed"])
@pytest.mark.parametrize("name", sorted(CONDITIONAL))
def test_real_ones_under_wrong_labels_are_fakes(name: str, batches: str) -> None:
    d, a_config, real, _, fake = mismatched(name, mismatch=0.7, batches=batches, dropout=0.0)
    labels = torch.tensor([0, 0, 1, 2, 2, 2, 0])  # shifted by one: right by chance in four places
    losses = discriminator_losses(d, real, labels, fake, a_config, 0, True)
    others = torch.tensor([0, 0, 0, 1, 2, 2, 2])
    with torch.no_grad():
        right, wrong, made = d(real, labels), d(real, others), d(fake, labels)
    adversarial = F.softplus(-right).mean() + F.softplus(made).mean()
    expected = sum(math.log1p(math.exp(wrong[i])) for i in (2, 3, 6)) / 7
    assert expected > 0.01
    torch.testing.assert_close(losses["loss_d"], adversarial)
    torch.testing.assert_close(losses["total"].detach(), adversarial + 0.7 * expected)
    torch.testing.assert_close(losses["d_real"], right.sigmoid().mean())
    torch.testing.assert_close(losses["d_fake"], made.sigmoid().mean())


@pytest.mark.parametrize("batches", ["separate", "mixed"])
@pytest.mark.parametrize("name", sorted(CONDITIONAL))
def test_a_batch_of_one_class_has_no_wrong_labels(name: str, batches: str) -> None:
    d, a_config, real, labels, fake = mismatched(
        name, mismatch=1.0, batches=batches, r1=1.0, r2=1.0
    )
    losses = discriminator_losses(d, real, torch.ones_like(labels), fake, a_config, 0, False)
    assert losses["total"].item() == losses["loss_d"].item()
    losses["total"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in d.parameters())
    plain = discriminator_losses(
        d, real, torch.ones_like(labels), fake, a_config.with_(mismatch=0.0), 0, True
    )
    penalised = discriminator_losses(d, real, torch.ones_like(labels), fake, a_config, 0, True)
    torch.testing.assert_close(penalised["total"], plain["total"])


@pytest.mark.parametrize("name", sorted(CONDITIONAL))
def test_mixing_changes_nothing_about_wrong_labels_without_batch_norm(name: str) -> None:
    d, a_config, real, labels, fake = mismatched(name, mismatch=0.5, r1=0.3, r2=0.2)
    totals = [
        discriminator_losses(d, real, labels, fake, a_config.with_(batches=kind), 0, True)["total"]
        for kind in ("mixed", "separate")
    ]
    torch.testing.assert_close(*totals)


@pytest.mark.parametrize("batches", ["separate", "mixed"])
@pytest.mark.parametrize("name", ["dcgan", "dcgan-keras", "compact"])
def test_wrong_labels_cost_no_second_pass_through_the_convolutions(name: str, batches: str) -> None:
    d, a_config, real, labels, fake = mismatched(name, batches=batches)
    seen: list[int] = []
    first = next(m for m in d.modules() if isinstance(m, nn.Conv2d))
    first.register_forward_hook(lambda module, x, y: seen.append(len(x[0])))
    counts = []
    for weight in (0.0, 1.0):
        seen.clear()
        wanted = a_config.with_(mismatch=weight)
        discriminator_losses(d, real, labels, fake, wanted, 0, True)
        counts.append(sum(seen))
    assert counts == [14, 14]


def test_without_labels_there_are_no_wrong_ones() -> None:
    networks, a_config, real, labels, fake = play("dcgan without norm", mismatch=1.0)
    losses = discriminator_losses(networks.discriminator, real, labels, fake, a_config, 0, True)
    assert losses["total"].item() == losses["loss_d"].item()


def test_wrong_labels_are_no_matter_of_the_generator() -> None:
    d, a_config, real, labels, fake = mismatched("mlp", mismatch=1.0)
    totals = {
        generator_losses(d, real, labels, fake, a_config.with_(mismatch=w), 0)["total"].item()
        for w in (0.0, 1.0)
    }
    assert len(totals) == 1


def test_the_mismatch_halves_with_the_images_seen() -> None:
    falling = config(mismatch=0.5, mismatch_kimg=40)
    assert [mismatch_weight(falling, n) for n in (0, 40_000, 80_000)] == [0.5, 0.25, 0.125]
    assert mismatch_weight(config(mismatch=0.5), 10**6) == 0.5

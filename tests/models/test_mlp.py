from __future__ import annotations

import torch
from torch import nn

from gansmith.models import build_networks, draw_latent
from tests.builders import CPU, points, points_config


def test_the_perceptrons_are_two_layers_of_leaky_units_and_an_output() -> None:
    a_config = points_config(generator_filters=7, discriminator_filters=5, latent_size=3)
    networks = build_networks(a_config, points())
    g = [tuple(m.weight.shape) for m in networks.generator.modules() if isinstance(m, nn.Linear)]
    d = [
        tuple(m.weight.shape) for m in networks.discriminator.modules() if isinstance(m, nn.Linear)
    ]
    assert g == [(7, 3), (7, 7), (2, 7)]
    assert d == [(5, 2), (5, 5), (1, 5)]


def test_a_perceptron_computes_what_it_says() -> None:
    networks = build_networks(points_config(), points())
    (w1, b1), (w2, b2), (w3, b3) = (
        (m.weight, m.bias) for m in networks.generator.modules() if isinstance(m, nn.Linear)
    )
    z = torch.randn(9, 6)
    h = z @ w1.T + b1
    h = torch.maximum(h, 0.2 * h) @ w2.T + b2
    expected = torch.maximum(h, 0.2 * h) @ w3.T + b3
    torch.testing.assert_close(networks.generator(z), expected)
    assert networks.discriminator(expected).shape == (9,)


def test_labels_are_heard_by_both() -> None:
    networks = build_networks(points_config(), points(classes=("a", "b")))
    z, labels = torch.randn(1, 6).expand(2, -1), torch.tensor([0, 1])
    made = networks.generator(z, labels)
    assert not torch.allclose(made[0], made[1])
    logits = networks.discriminator(made[:1].expand(2, -1), labels)
    assert logits[0] != logits[1]


def test_only_the_discriminator_drops_out() -> None:
    networks = build_networks(points_config(dropout=0.5), points())
    z = torch.randn(4, 6)
    assert torch.equal(networks.generator(z), networks.generator(z))
    x = torch.randn(4, 2)
    assert not torch.equal(networks.discriminator(x), networks.discriminator(x))


def test_latents_are_normal_or_uniform_around_zero() -> None:
    normal = draw_latent(points_config(latent_size=50), 2000, CPU)
    uniform = draw_latent(points_config(latent_size=50, latent="uniform"), 2000, CPU)
    for latent, sd in ((normal, 1.0), (uniform, 3**-0.5)):
        assert latent.shape == (2000, 50)
        assert latent.mean().abs() < 5 * sd / 100_000**0.5
        assert (latent.std() - sd).abs() < 0.01
    assert normal.abs().max() > 3
    assert 0.99 < uniform.abs().max() <= 1


def test_latents_come_from_the_generator_given() -> None:
    a_config = points_config()
    first, second = (
        draw_latent(a_config, 3, CPU, torch.Generator().manual_seed(4)) for _ in range(2)
    )
    assert torch.equal(first, second)

"""The Keras book's networks against the numbers that its `model.summary()` prints."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gansmith.config import DataSpec
from gansmith.models import Networks, build_networks
from gansmith.models.layers import JoinLabel, Projection
from gansmith.recipes import recipe
from tests.builders import config, pictures

DIGITS, COLOUR = pictures(1, 28, 28), pictures(3, 32, 32)


def build(spec: DataSpec) -> Networks:
    return build_networks(recipe("dcgan-keras"), spec)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def conv(a: int, b: int, kernel: int) -> int:
    return a * b * kernel**2 + b


def dense(a: int, b: int) -> int:
    return a * b + b


def test_the_digit_networks_have_the_books_parameters() -> None:
    networks = build(DIGITS)
    d = conv(1, 64, 3) + conv(64, 64, 3) + dense(7 * 7 * 64, 1)
    g = dense(100, 7 * 7 * 128) + 2 * conv(128, 128, 4) + conv(128, 1, 7)
    assert (count(networks.discriminator), count(networks.generator)) == (d, g)
    assert (d, g) == (40_705, 1_164_289)


def test_the_colour_networks_have_the_books_parameters() -> None:
    networks = build(COLOUR)
    d = conv(3, 64, 3) + conv(64, 128, 3) + conv(128, 128, 3) + conv(128, 256, 3)
    d += dense(4 * 4 * 256, 1)
    g = dense(100, 4 * 4 * 256) + conv(256, 128, 4) + 2 * conv(128, 128, 4) + conv(128, 3, 3)
    assert (count(networks.discriminator), count(networks.generator)) == (d, g)
    assert (d, g) == (522_497, 1_466_115)


def test_weights_start_as_keras_starts_them() -> None:
    torch.manual_seed(0)
    for network in (build(DIGITS).discriminator, build(COLOUR).generator):
        for layer in network.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                a, b, *kernel = layer.weight.shape
                bound = (6 / ((a + b) * torch.Size(kernel).numel())) ** 0.5
                assert 0.9 * bound < layer.weight.abs().max() <= bound
                assert not layer.bias.any()


def leaves(network: nn.Module) -> list[str]:
    """The layers in the order they run."""
    order: list[str] = []
    hooks = [
        m.register_forward_hook(lambda m, *_: order.append(type(m).__name__))
        for m in network.modules()
        if not list(m.children()) and type(m) not in (JoinLabel, Projection)
    ]
    spec = COLOUR if any(getattr(m, "in_channels", 0) == 3 for m in network.modules()) else DIGITS
    network(torch.zeros(2, *spec.shape))
    for hook in hooks:
        hook.remove()
    return order


def test_digits_are_dropped_out_after_every_convolution_and_colour_once_at_the_end() -> None:
    assert leaves(build(DIGITS).discriminator) == [
        *["Conv2d", "LeakyReLU", "Dropout"] * 2,
        "Flatten",
        "Linear",
    ]
    assert leaves(build(COLOUR).discriminator) == [
        *["Conv2d", "LeakyReLU"] * 4,
        "Flatten",
        "Dropout",
        "Linear",
    ]


@pytest.mark.parametrize("spec", [DIGITS, COLOUR], ids=["digits", "colour"])
def test_dropout_is_at_work_in_training_only(spec: DataSpec) -> None:
    discriminator = build(spec).discriminator
    x = torch.rand(2, *spec.shape)
    assert {m.p for m in discriminator.modules() if isinstance(m, nn.Dropout)} == {0.4}
    assert not torch.equal(discriminator(x), discriminator(x))
    discriminator.eval()
    assert torch.equal(discriminator(x), discriminator(x))


@pytest.mark.parametrize("spec", [DIGITS, COLOUR], ids=["digits", "colour"])
def test_pictures_lie_in_the_range_of_all_others_and_have_the_datas_shape(spec: DataSpec) -> None:
    networks = build(spec)
    made = networks.generator(100 * torch.randn(2, 100))
    assert made.shape == (2, *spec.shape)
    assert made.abs().max() <= 1
    assert made.min() < 0
    assert networks.discriminator(made).shape == (2,)


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 56, 64), (1, 64, 56), (3, 28, 28), (1, 16, 16)])
@pytest.mark.parametrize("classes", [None, ("a", "b")], ids=["plain", "labelled"])
def test_other_sizes_work_too(shape: tuple[int, ...], classes: tuple[str, ...] | None) -> None:
    a_config = config(model="dcgan-keras", norm="none", init="torch")
    networks = build_networks(a_config, pictures(*shape, classes=classes))
    labels = torch.tensor([0, 1]) if classes else None
    made = networks.generator(torch.randn(2, 6), labels)
    assert made.shape == (2, *shape)
    assert networks.discriminator(made, labels).shape == (2,)

"""The compact networks: every size they promise, closed forms, and that every weight learns."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from gansmith.errors import GansmithError
from gansmith.models import Networks, build_networks, draw_latent
from gansmith.models.compact import MADE_FROM, SEEN_TO, Halve, Squares, sides, widths
from gansmith.models.layers import ClassAffine
from gansmith.objectives import discriminator_losses, generator_losses
from tests.builders import CPU, config, pictures

SQUARE = [(side, side) for side in range(8, 257, 8)]
OTHERS = [(8, 256), (256, 8), (64, 48), (72, 128), (160, 96), (28, 28), (30, 30), (45, 33)]
ODD = [(9, 9), (11, 250), (15, 16), (17, 31), (33, 45), (255, 129), (253, 253)]
CHANNELS = (1, 3, 4)


def build(
    height: int, width: int, channels: int = 1, classes: tuple[str, ...] | None = None, **changes
) -> Networks:
    a_config = config(model="compact", size=f"{width}x{height}", **changes)
    return build_networks(a_config, pictures(channels, height, width, classes=classes))


@pytest.mark.parametrize(("height", "width"), [*SQUARE, *OTHERS, *ODD])
def test_any_size_goes_there_and_back(height: int, width: int) -> None:
    """Without memory or arithmetic, so that all of them can be tried."""
    for channels in CHANNELS:
        for classes in (None, ("a", "b", "c")):
            with torch.device("meta"):
                networks = build(height, width, channels, classes)
                labels = torch.zeros(2, dtype=torch.long) if classes else None
                made = networks.generator(torch.zeros(2, 6), labels)
                logits = networks.discriminator(made, labels)
            assert made.shape == (2, channels, height, width)
            assert logits.shape == (2,)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (30, 30), (33, 45), (64, 24)])
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("classes", [None, ("a", "b", "c")])
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_every_weight_gets_a_gradient(
    height: int, width: int, channels: int, classes: tuple[str, ...] | None, norm: str
) -> None:
    # With batch norm's epsilon beside weights of 0.02, tiny networks' gradients vanish.
    networks = build(height, width, channels, classes, d_norm=norm, init="torch")
    a_config = config(model="compact", d_norm=norm, r1=1.0)
    labels = torch.arange(6) % 3 if classes else None
    real = torch.rand(6, channels, height, width) * 2 - 1
    fake = networks.generator(draw_latent(a_config, 6, CPU), labels)
    assert fake.abs().max() <= 1
    assert fake.std(0).max() > 1e-3
    discriminator_losses(networks.discriminator, real, labels, fake, a_config, 0, True)[
        "total"
    ].backward()
    for name, parameter in networks.discriminator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
    nn.init.normal_(networks.discriminator.logit.weight)
    generator_losses(networks.discriminator, real, labels, fake, a_config, 0)["total"].backward()
    for name, parameter in networks.generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("changes", "knows"),
    [
        ({}, False),
        ({"conditional_norm": True}, True),
        ({"conditional_norm": True, "norm": "none"}, False),
    ],
)
def test_norms_know_the_classes_where_they_are_told_to(
    changes: dict[str, object], knows: bool
) -> None:
    labelled = build(16, 16, 3, ("a", "b", "c"), **changes).generator.state_dict()
    assert any("affine.0.scale" in name for name in labelled) == knows
    bare = build(16, 16, 3, None, **changes).generator.state_dict()
    assert not any("affine.0.scale" in name for name in bare)


def test_classes_share_a_norm_and_deviate_from_it() -> None:
    affine = ClassAffine(3, 2)
    x, labels = torch.randn(6, 2, 4, 5), torch.tensor([0, 1, 2, 0, 1, 2])
    assert torch.equal(affine(x, labels), x)  # not at first
    assert affine.scale is not None
    assert affine.shift is not None
    with torch.no_grad():
        affine.scale.weight[1] = torch.tensor([1.0, 0])
        affine.shift.weight[1] = torch.tensor([0, 3.0])
    made = affine(x, labels)
    assert torch.equal(made[0::3], x[0::3])
    assert torch.allclose(made[1::3, 0], 2 * x[1::3, 0])
    assert torch.allclose(made[1::3, 1], x[1::3, 1] + 3)
    assert torch.equal(ClassAffine(0, 2)(x, None), x)
    with pytest.raises(ValueError, match="a label for each example"):
        affine(x, None)


@pytest.mark.parametrize(
    ("size", "stages"),
    [
        ((8, 8), [(4, 4), (8, 8)]),
        ((28, 28), [(4, 4), (7, 7), (14, 14), (28, 28)]),
        ((32, 32), [(4, 4), (8, 8), (16, 16), (32, 32)]),
        ((24, 40), [(6, 10), (12, 20), (24, 40)]),
        ((40, 24), [(10, 6), (20, 12), (40, 24)]),
        ((45, 33), [(6, 5), (12, 9), (23, 17), (45, 33)]),
    ],
)
def test_sides_halve_until_the_smaller_is_4_to_6(
    size: tuple[int, int], stages: list[tuple[int, int]]
) -> None:
    assert sides(*size, SEEN_TO) == stages


@pytest.mark.parametrize("size", [*SQUARE, *OTHERS, *ODD])
def test_every_stage_is_half_of_the_next_rounded_up(size: tuple[int, int]) -> None:
    for most in (MADE_FROM, SEEN_TO):
        found = sides(*size, most)
        assert found[-1] == size
        assert 4 <= min(found[0]) <= most
        for small, large in pairwise(found):
            assert small == tuple(-(-side // 2) for side in large)


@pytest.mark.parametrize("size", [(7, 7), (8, 7), (4, 64), (264, 264), (257, 8), (1, 1)])
def test_other_sizes_are_a_sentence(size: tuple[int, int]) -> None:
    height, width = size
    with pytest.raises(GansmithError, match=f"8 to 256 pixels, found {width}x{height}"):
        build(height, width)


def test_widths_double_towards_the_smallest_and_stop() -> None:
    assert widths(16, 2) == [32, 16]
    assert widths(16, 6) == [128, 128, 128, 64, 32, 16]


@pytest.mark.parametrize("classes", [None, ("a", "b", "c")])
@pytest.mark.parametrize(("size", "channels"), [((32, 32), 3), ((45, 33), 1), ((256, 256), 4)])
def test_parameters_are_as_many_as_the_formula_says(
    size: tuple[int, int], channels: int, classes: tuple[str, ...] | None
) -> None:
    f, z = 8, 6
    with torch.device("meta"):
        networks = build(
            *size, channels, classes, generator_filters=f, discriminator_filters=f, latent_size=z
        )
    wide, base = shape_of(size, MADE_FROM, f)
    inputs = z + (32 if classes else 0)
    between = sum(16 * a * b for a, b in pairwise(wide))
    label = 3 * 32 if classes else 0
    last = 4 * channels * (9 * wide[-1] + 1)
    norms = 2 * sum(wide)
    assert parameters(networks.generator) == (
        label + inputs * wide[0] * base + norms + between + last
    )
    wide, base = shape_of(size, SEEN_TO, f)
    convolutions = sum(16 * a * b for a, b in pairwise(wide)) + 9 * 4 * channels * f
    # The first layer sees pictures: a bias and no norm; the last is the logit and the projection.
    projection = 3 * wide[0] if classes else 0
    assert parameters(networks.discriminator) == (
        convolutions + f + 2 * sum(wide[:-1]) + base * wide[0] + projection
    )


def shape_of(size: tuple[int, int], most: int, filters: int) -> tuple[list[int], int]:
    """Channels, most first, and the places of the smallest stage."""
    stages = sides(*size, most)
    wide = [filters * min(8, 2**n) for n in range(len(stages) - 1)][::-1]
    return wide, stages[0][0] * stages[0][1]


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def test_it_is_smaller_than_the_tutorials_network_of_as_many_filters() -> None:
    counts = {}
    for model in ("compact", "dcgan"):
        a_config = config(
            model=model, size="64", generator_filters=64, discriminator_filters=64, latent_size=100
        )
        with torch.device("meta"):
            networks = build_networks(a_config, pictures(3, 64, 64))
        counts[model] = parameters(networks.generator), parameters(networks.discriminator)
    assert counts["compact"][0] < 1.1 * counts["dcgan"][0]
    assert counts["compact"][1] < 1.1 * counts["dcgan"][1]


def test_a_class_is_heard_from_the_start() -> None:
    generator = build(32, 32, 1, ("a", "b"), init="torch").generator.eval()
    latent = torch.randn(1, 6).expand(2, -1)
    made = generator(latent, torch.tensor([0, 1]))
    assert not torch.equal(made[0], made[1])


def test_the_discriminator_hears_labels_once_it_has_learnt_what_they_mean() -> None:
    d = build(16, 16, 1, ("a", "b")).discriminator.eval()
    x, labels = torch.randn(2, 1, 16, 16), torch.tensor([0, 1])
    assert torch.equal(d(x, labels), d(x, labels.flip(0)))  # it starts at zero
    nn.init.normal_(d.projection.embedding.weight)
    assert not torch.equal(d(x, labels), d(x, labels.flip(0)))
    both = d(x, torch.stack([labels, labels.flip(0)]))
    assert both.shape == (2, 2)
    torch.testing.assert_close(both[0], d(x, labels))
    torch.testing.assert_close(both[1], d(x, labels.flip(0)))


@pytest.mark.parametrize("size", [(7, 5), (8, 6), (5, 8)])
def test_halving_sees_every_pixel_and_zeros_around(size: tuple[int, int]) -> None:
    layer = Halve(2, 3, bias=True)
    x = torch.randn(2, 2, *size)
    surrounded = nn.functional.pad(x, (2, 4, 2, 4))
    made = layer(x)
    assert made.shape[2:] == tuple(-(-n // 2) for n in size)
    for row in range(made.shape[2]):
        for column in range(made.shape[3]):
            # A window starts one pixel before its square, or two where the side is odd.
            top, left = (
                2 + 2 * place - 1 - side % 2
                for place, side in zip((row, column), size, strict=True)
            )
            window = surrounded[:, :, top : top + 4, left : left + 4]
            expected = torch.einsum("ncij,ocij->no", window, layer.weight) + layer.bias
            torch.testing.assert_close(made[:, :, row, column], expected)


def test_the_first_layer_is_a_convolution_6x6_with_stride_2() -> None:
    d, x = build(8, 12, 3).discriminator, torch.randn(2, 3, 8, 12)
    layer = d.layers[0]
    weight = nn.functional.pixel_shuffle(layer.weight, 2)
    expected = nn.functional.conv2d(x, weight, layer.bias, 2, 2)
    torch.testing.assert_close(layer(d.squares(x)), expected)


@pytest.mark.parametrize("size", [(7, 5), (8, 7), (5, 8)])
def test_squares_of_an_odd_side_repeat_its_edge(size: tuple[int, int]) -> None:
    x = torch.randn(2, 2, *size)
    rows, columns = ([*range(n), *([n - 1] if n % 2 else [])] for n in size)
    found = Squares()(x)
    assert found.shape == (2, 8, *(-(-n // 2) for n in size))
    even = x[:, :, rows][:, :, :, columns]
    for row in (0, 1):
        for column in (0, 1):
            corner = even[:, :, row::2, column::2]
            torch.testing.assert_close(found[:, 2 * row + column :: 4], corner)


def test_bf16_runs_through_both() -> None:
    networks = build(28, 28, 3, ("a", "b"))
    labels = torch.tensor([0, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = networks.generator(torch.randn(2, 6), labels)
        loss = networks.discriminator(made, labels).float().sum()
    loss.backward()
    assert made.dtype == torch.bfloat16
    assert all(p.grad is not None for p in networks.generator.parameters())

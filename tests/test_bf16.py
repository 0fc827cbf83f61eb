from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gansmith.bf16 import CONVOLUTIONS, agrees, keep_fp32, keep_fp32_where_wrong
from gansmith.models import build_networks, build_recogniser
from gansmith.models.layout import label_rows
from gansmith.recipes import RECIPES, recipe
from tests.builders import pictures, points, words

SOUND_HERE = not torch.cpu._is_amx_tile_supported()


def bf16(network: nn.Module, *x: Tensor | None) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return network(*x).float()


class Garbage(nn.Conv2d):
    """Right in fp32; in bf16 what `spoil` makes of it."""

    def __init__(self, *args: int, spoil: str):
        super().__init__(*args)
        self.spoil = spoil

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        if not torch.is_autocast_enabled("cpu"):
            return y
        return {
            "one wrong column": lambda: torch.cat([y[..., :1] + 3 * y.std(), y[..., 1:]], -1),
            "nan": lambda: torch.where(torch.arange(y.shape[-1]) == 0, torch.nan, y),
            "noise": lambda: y * 0 + torch.randn_like(y),
            "wrong gradient": lambda: y.detach() + 0.5 * (y - y.detach()),
            "zero": lambda: y * 0,
        }[self.spoil]()


SPOILT = ["one wrong column", "nan", "noise", "wrong gradient", "zero"]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_layer_that_is_wrong_in_bf16_is_found_and_kept_in_fp32(spoil: str) -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), Garbage(4, 4, 3, spoil=spoil), nn.Conv2d(4, 2, 3)
    )
    x = torch.randn(3, 1, 12, 12)
    wrong = keep_fp32_where_wrong(network, x)
    assert "2" in wrong
    assert not SOUND_HERE or wrong == ["2"]
    # Kept, it computes in fp32 whatever the autocast, and the network agrees.
    assert bf16(network[:3], x).isfinite().all()
    hidden = torch.randn(3, 4, 10, 10)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        kept = network[2](hidden.bfloat16())
    assert kept.dtype == torch.float32
    torch.testing.assert_close(kept, network[2](hidden.bfloat16().float()))
    assert (bf16(network, x) - network(x)).norm() < 0.05 * network(x).norm()


def test_a_layer_kept_in_fp32_still_learns() -> None:
    layer = Garbage(1, 2, 3, spoil="nan")
    keep_fp32(layer)
    x = torch.randn(2, 1, 8, 8)
    bf16(layer, x).square().sum().backward()
    assert layer.weight.grad.isfinite().all()
    assert layer.weight.grad.dtype == torch.float32
    assert (layer.weight.grad != 0).all()


def test_the_comparison_leaves_no_trace() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True)).eval()
    x = torch.randn(2, 1, 8, 8)
    before = {key: t.clone() for key, t in network.state_dict().items()}, network(x)
    keep_fp32_where_wrong(network, x)
    assert all(torch.equal(t, before[0][key]) for key, t in network.state_dict().items())
    assert torch.equal(network(x), before[1])
    assert all(p.grad is None for p in network.parameters())
    assert not x.requires_grad
    assert not network[0]._forward_pre_hooks


def test_rounding_is_not_taken_for_an_error() -> None:
    for scale in (1e-6, 1.0, 1e6):
        layer = nn.Conv2d(3, 8, 4, 2, 1)
        assert agrees(layer, scale * torch.randn(4, 3, 16, 16)) or not SOUND_HERE


SIZES = ["28", "32", "64", "56x64", "64x56", "128"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted(n for n in RECIPES if recipe(n).model != "words"))
def test_every_recipe_at_every_size_is_right_under_bf16_once_checked(name: str, size: str) -> None:
    a_config = recipe(name).with_(generator_filters=4, discriminator_filters=4)
    if a_config.model == "mlp":
        spec = points()
    else:
        a_config = a_config.with_(size=size)
        spec = pictures(3, a_config.height, a_config.width)
    networks = build_networks(a_config, spec)
    x = torch.rand(4, *spec.shape) * 2 - 1
    latent = torch.randn(4, a_config.latent_size)
    for network, example in ((networks.generator, latent), (networks.discriminator, x)):
        network.eval()
        wrong = keep_fp32_where_wrong(network, example)
        assert not SOUND_HERE or wrong == []
        for layer in network.modules():
            if isinstance(layer, CONVOLUTIONS):
                shape = (4, layer.in_channels, 8, 8)
                assert bf16(layer, torch.randn(shape)).isfinite().all()
        exact, rounded = network(example), bf16(network, example)
        assert (exact - rounded).norm() <= 0.05 * exact.norm() + 1e-6


@pytest.mark.parametrize("height", [32, 64])
@pytest.mark.parametrize("width", [8, 16, 24, 160])  # a single narrow character upwards
def test_words_of_every_width_are_right_under_bf16_once_checked(height: int, width: int) -> None:
    a_config = recipe("words").with_(
        size=str(height), generator_filters=8, discriminator_filters=8, recogniser_filters=4
    )
    spec, unit = words(height, 320), height // 32
    networks, recogniser = build_networks(a_config, spec), build_recogniser(a_config, spec)
    labels = label_rows(torch.full((4,), unit * width), torch.ones(4, 1, dtype=torch.int64))
    latent = torch.randn(4, a_config.latent_size)
    made = networks.generator.eval()(latent, labels).detach()
    cases = (
        (networks.generator, latent, labels),
        (networks.discriminator.eval(), made, labels),
        (recogniser.eval(), made, labels[:, 0]),
    )
    for network, example, told in cases:
        wrong = keep_fp32_where_wrong(network, example, told)
        assert not SOUND_HERE or wrong == []
        with torch.no_grad():
            exact = network(example, told)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                rounded = network(example, told)
        assert (exact - rounded.float()).norm() <= 0.05 * exact.norm() + 1e-6


@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("transposed", [False, True])
def test_the_shapes_known_to_go_wrong_agree_once_checked(
    kernel: int, width: int, transposed: bool
) -> None:
    # Stride 2 onto an output one pixel wide: the trap on processors with AMX.
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    network = nn.Sequential(kind(8, 8, kernel, 2, kernel // 2))
    x = torch.randn(4, 8, 16, width)
    if not transposed and width + 2 * (kernel // 2) < kernel:
        pytest.skip("narrower than the kernel")
    keep_fp32_where_wrong(network, x)
    for _ in range(3):  # what it reads that is not its own may change
        assert agrees(network[0], x)

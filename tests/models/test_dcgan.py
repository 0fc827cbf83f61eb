"""The tutorials' networks against formulas, and a step against one written out here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.errors import GansmithError
from gansmith.loop import Session
from gansmith.models import Networks, build_networks
from gansmith.models.dcgan import halvings, nearest_size
from gansmith.models.layers import JoinLabel, Projection
from gansmith.recipes import recipe
from gansmith.run import RunFolder
from tests.builders import config, dataset, pictures

FAITHFUL = [("dcgan", 1), ("dcgan", 3), ("dcgan-mxnet", 3)]


def trained(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def build(name: str, channels: int) -> Networks:
    return build_networks(recipe(name), pictures(channels, 64, 64))


def convolutions(channels: list[int]) -> int:
    """Weights of a chain of 4×4 convolutions without biases."""
    return sum(16 * a * b for a, b in pairwise(channels))


@pytest.mark.parametrize(("name", "channels"), FAITHFUL)
def test_parameters_are_as_many_as_the_formula_says(name: str, channels: int) -> None:
    f = 128 if name == "dcgan-mxnet" else 64
    wide = [8 * f, 4 * f, 2 * f, f]
    numbers_a_norm = 1 if name == "dcgan-mxnet" else 2  # the scale is fixed there
    networks = build(name, channels)
    assert trained(networks.generator) == (
        convolutions([100, *wide, channels]) + numbers_a_norm * sum(wide)
    )
    # The first layer sees pictures and has no norm; the last is the logit.
    assert trained(networks.discriminator) == (
        convolutions([channels, *wide[::-1], 1]) + numbers_a_norm * sum(wide[:-1])
    )


def test_parameters_are_as_many_as_the_pytorch_tutorial_prints() -> None:
    networks = build("dcgan", 3)
    assert trained(networks.generator) == 3_576_704
    assert trained(networks.discriminator) == 2_765_568


def layers_of(network: nn.Module) -> list[nn.Module]:
    """Those that do something: a label that there is none of is joined by a module without layers."""
    leaves = [m for m in network.modules() if not list(m.children())]
    return [m for m in leaves if not isinstance(m, (JoinLabel, Projection))]


@pytest.mark.parametrize(("name", "channels"), FAITHFUL)
def test_layers_stand_in_the_papers_order_and_make_its_shapes(name: str, channels: int) -> None:
    networks = build(name, channels)
    f = 128 if name == "dcgan-mxnet" else 64
    block = ["ConvTranspose2d", "BatchNorm", "ReLU"]
    assert [type(m).__name__ for m in layers_of(networks.generator)] == [
        *block * 4,
        "ConvTranspose2d",
        "Tanh",
    ]
    assert [type(m).__name__ for m in layers_of(networks.discriminator)] == [
        "Conv2d",
        "LeakyReLU",
        *["Conv2d", "BatchNorm", "LeakyReLU"] * 3,
        "Conv2d",
    ]
    shapes: list[tuple[int, ...]] = []
    for layer in [*layers_of(networks.generator), *layers_of(networks.discriminator)]:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
            assert layer.bias is None
        if isinstance(layer, nn.LeakyReLU):
            assert layer.negative_slope == 0.2
        if isinstance(layer, nn.BatchNorm2d):
            assert (layer.eps, layer.momentum) == (1e-5, 0.1)
    made = networks.generator(torch.randn(2, 100))
    logits = networks.discriminator(made)
    assert made.shape == (2, channels, 64, 64)
    assert made.abs().max() <= 1
    assert logits.shape == (2,)
    up = [(8 * f, 4, 4), (4 * f, 8, 8), (2 * f, 16, 16), (f, 32, 32), (channels, 64, 64)]
    assert shapes == [*up, *up[-2::-1], (1, 1, 1)]


@pytest.mark.parametrize(("name", "channels"), FAITHFUL)
def test_weights_start_as_in_the_paper(name: str, channels: int) -> None:
    networks = build(name, channels)
    for layer in [*layers_of(networks.generator), *layers_of(networks.discriminator)]:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            near = 5 * 0.02 / layer.weight.numel() ** 0.5
            assert abs(layer.weight.mean().item()) < near
            assert abs(layer.weight.std().item() - 0.02) < near
        if isinstance(layer, nn.BatchNorm2d):
            assert (layer.bias == 0).all()
            if name == "dcgan-mxnet":
                assert (layer.weight == 1).all()
                assert not layer.weight.requires_grad
            else:
                near = 5 * 0.02 / len(layer.weight) ** 0.5
                assert abs(layer.weight.mean().item() - 1) < near
                assert abs(layer.weight.std().item() - 0.02) < near


def test_weights_are_normally_distributed() -> None:
    weight = build("dcgan", 1).generator.layers[3].weight.detach().flatten().double() / 0.02
    assert (weight**3).mean().abs() < 0.02
    assert ((weight**4).mean() - 3).abs() < 0.05


class FixedScaleNorm(nn.Module):
    """MXNet's BatchNorm(fix_gamma=True, eps=1e-5): the batch's own statistics, then + β."""

    def __init__(self, channels: int):
        super().__init__()
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = (x - mean).square().mean((0, 2, 3), keepdim=True)
        return (x - mean) / (variance + 1e-5).sqrt() + self.beta.view(1, -1, 1, 1)


def reference(f: int, channels: int, fixed: bool) -> tuple[nn.Sequential, nn.Sequential]:
    """The tutorials' networks, typed out."""
    norm = FixedScaleNorm if fixed else nn.BatchNorm2d
    generator = nn.Sequential(
        nn.ConvTranspose2d(100, f * 8, 4, 1, 0, bias=False),
        norm(f * 8),
        nn.ReLU(),
        nn.ConvTranspose2d(f * 8, f * 4, 4, 2, 1, bias=False),
        norm(f * 4),
        nn.ReLU(),
        nn.ConvTranspose2d(f * 4, f * 2, 4, 2, 1, bias=False),
        norm(f * 2),
        nn.ReLU(),
        nn.ConvTranspose2d(f * 2, f, 4, 2, 1, bias=False),
        norm(f),
        nn.ReLU(),
        nn.ConvTranspose2d(f, channels, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(channels, f, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2),
        nn.Conv2d(f, f * 2, 4, 2, 1, bias=False),
        norm(f * 2),
        nn.LeakyReLU(0.2),
        nn.Conv2d(f * 2, f * 4, 4, 2, 1, bias=False),
        norm(f * 4),
        nn.LeakyReLU(0.2),
        nn.Conv2d(f * 4, f * 8, 4, 2, 1, bias=False),
        norm(f * 8),
        nn.LeakyReLU(0.2),
        nn.Conv2d(f * 8, 1, 4, 1, 0, bias=False),
    )
    # In memory as ours, channels innermost, so that sums are taken in the same order.
    last = torch.channels_last
    return generator.to(memory_format=last), discriminator.to(memory_format=last)


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """In order; the two must agree on every shape."""
    trained = [p for p in source.parameters() if p.requires_grad]
    for a, b in zip(trained, target.parameters(), strict=True):
        assert a.shape == b.shape
        b.data.copy_(a.data)


def tutorial_step(
    generator: nn.Module, discriminator: nn.Module, real: Tensor, latent: Tensor
) -> tuple[float, float]:
    """One step of the PyTorch tutorial: its lines, its order. Updates both; returns the losses.

    But for one thing: its sigmoid and BCELoss are one function of the logit here, because BCELoss
    loses the gradient where D is as sure as the wide network is after its first step.
    """
    n = len(real)
    bce = F.binary_cross_entropy_with_logits
    d_adam = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999), foreach=False)
    g_adam = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999), foreach=False)
    discriminator.zero_grad()
    loss_real = bce(discriminator(real).view(-1), torch.ones(n))
    loss_real.backward()
    fake = generator(latent.view(n, 100, 1, 1))
    loss_fake = bce(discriminator(fake.detach()).view(-1), torch.zeros(n))
    loss_fake.backward()
    d_adam.step()
    generator.zero_grad()
    loss_g = bce(discriminator(fake).view(-1), torch.ones(n))
    loss_g.backward()
    g_adam.step()
    return (loss_real + loss_fake).item(), loss_g.item()


@pytest.fixture(params=["fp32", "fp64"])
def precision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """In fp64 nothing is decided by rounding, such as on which side of a ReLU's kink a unit lies."""
    if request.param == "fp64":
        torch.set_default_dtype(torch.float64)
        monkeypatch.setattr("gansmith.stream.to_network", lambda v, _: v.double() / 127.5 - 1)
    yield request.param
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("name", "channels"), FAITHFUL)
def test_a_training_step_gives_the_tutorials_numbers(
    name: str, channels: int, tmp_path: Path, precision: str
) -> None:
    n = 3
    a_config = recipe(name).with_(batch_size=n, device="cpu", precision="fp32")
    session = Session(dataset(8, channels, 64, 64), a_config, RunFolder(tmp_path / "run"))
    players = session.players
    fixed = name == "dcgan-mxnet"
    generator, discriminator = reference(128 if fixed else 64, channels, fixed)
    copy_weights(players.generator, generator)
    copy_weights(players.discriminator, discriminator)
    before = [p.detach().clone() for p in (*generator.parameters(), *discriminator.parameters())]

    figures = session._play()
    latent = session.stream.latent(0)
    assert latent.shape == (n, 100)
    loss_d, loss_g = tutorial_step(generator, discriminator, session.stream.batch(0).real, latent)

    # The generator's is taken after the discriminator's step, and so tells of that step's rounding.
    assert figures["loss_d"].item() == pytest.approx(loss_d, rel=5e-6)
    assert figures["loss_g"].item() == pytest.approx(loss_g, rel=2e-5)
    ours = [
        p.detach()
        for network in (players.generator, players.discriminator)
        for p in network.parameters()
        if p.requires_grad
    ]
    expected = [p.detach() for p in (*generator.parameters(), *discriminator.parameters())]
    for old, new, right in zip(before, ours, expected, strict=True):
        assert (right - old).abs().median() == pytest.approx(2e-4, rel=1e-3)
        # Adam's first step is lr times the gradient's sign, which rounding decides for the few
        # weights whose gradient is about zero.
        off = (new - right).abs() > 1e-6
        assert off.double().mean() < (1e-4 if precision == "fp64" else 1e-2)
        assert (new - right).abs().max() < 2.01 * 2e-4


def test_a_bf16_step_gives_the_naive_autocast_ones_losses_within_its_noise(tmp_path: Path) -> None:
    a_config = recipe("dcgan").with_(batch_size=8, device="cpu", precision="bf16")
    session = Session(dataset(16, 1, 64, 64), a_config, RunFolder(tmp_path / "run"))
    generator, discriminator = reference(64, 1, fixed=False)
    copy_weights(session.players.generator, generator)
    copy_weights(session.players.discriminator, discriminator)
    latent, real = session.stream.latent(0), session.stream.batch(0).real
    figures = session._play()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        on_real, on_fake = (
            discriminator(x).flatten() for x in (real, generator(latent.view(8, 100, 1, 1)))
        )
    loss = F.softplus(-on_real.float()).mean() + F.softplus(on_fake.float()).mean()
    assert figures["loss_d"].item() == pytest.approx(loss.item(), rel=0.01)


def test_running_statistics_after_a_step_are_the_tutorials(tmp_path: Path) -> None:
    a_config = recipe("dcgan").with_(batch_size=4, device="cpu", precision="fp32")
    session = Session(dataset(8, 1, 64, 64), a_config, RunFolder(tmp_path / "run"))
    generator, discriminator = reference(64, 1, fixed=False)
    copy_weights(session.players.generator, generator)
    copy_weights(session.players.discriminator, discriminator)
    session._play()
    latent = session.stream.latent(0)
    tutorial_step(generator, discriminator, session.stream.batch(0).real, latent)
    for ours, theirs, times in (
        (session.players.generator, generator, 1),
        (session.players.discriminator, discriminator, 3),
    ):
        for (name, a), b in zip(ours.named_buffers(), theirs.buffers(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
            if name.endswith("num_batches_tracked"):
                assert a == times


SIZES = {
    "28": (2, (7, 7)),
    "32": (3, (4, 4)),
    "64": (4, (4, 4)),
    "56x64": (3, (8, 7)),
    "64x56": (3, (7, 8)),
    "128": (5, (4, 4)),
    "16": (2, (4, 4)),
    "120x16": (2, (4, 30)),
}


@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("classes", [None, ("a", "b", "c")], ids=["plain", "labelled"])
def test_every_size_that_halves_gives_pictures_of_that_size(
    size: str, classes: tuple[str, ...] | None
) -> None:
    a_config = config(size=size, generator_filters=2, discriminator_filters=2)
    height, width = a_config.height, a_config.width
    stages, base = SIZES[size]
    assert halvings(height, width) == (stages, base)
    networks = build_networks(a_config, pictures(3, height, width, classes=classes))
    labels = torch.tensor([0, 2]) if classes else None
    made = networks.generator(torch.randn(2, a_config.latent_size), labels)
    assert made.shape == (2, 3, height, width)
    assert networks.discriminator(made, labels).shape == (2,)
    widths = [m.out_channels for m in networks.generator.modules() if hasattr(m, "out_channels")]
    assert widths == [*(2 * 2**k for k in reversed(range(stages))), 3]


@pytest.mark.parametrize("size", ["1", "8", "30", "30x4", "31", "65", "4", "9999", "296", "64x63"])
def test_a_size_that_does_not_halve_is_refused_with_one_that_does(size: str) -> None:
    a_config = config(size=size)
    with pytest.raises(GansmithError, match=r"size: expected .*; try \d+x\d+") as caught:
        build_networks(a_config, pictures(1, a_config.height, a_config.width))
    width, height = (int(x) for x in str(caught.value).rpartition("try ")[2].split("x"))
    halvings(height, width)


@settings(max_examples=300)
@given(st.integers(1, 9999), st.integers(1, 9999))
def test_a_size_halves_cleanly_and_its_suggestion_is_near(height: int, width: int) -> None:
    try:
        times, base = halvings(height, width)
    except GansmithError:
        assert halvings(nearest_size(height), nearest_size(width))
        for side in (height, width):
            assert abs(nearest_size(side) - side) <= max(15, side / 15)
    else:
        assert times >= 2
        assert (base[0] * 2**times, base[1] * 2**times) == (height, width)
        assert 4 <= min(base) <= 15


def test_labels_change_the_picture_and_the_logit() -> None:
    spec = pictures(1, 16, 16, classes=("a", "b"))
    networks = build_networks(config(), spec)
    latent = torch.randn(1, 6).expand(2, -1)
    made = networks.generator.eval()(latent, torch.tensor([0, 1]))
    assert not torch.allclose(made[0], made[1])
    # The projection starts at zero …
    same = made[:1].detach().expand(2, -1, -1, -1)
    d = networks.discriminator.eval()
    logits = d(same, torch.tensor([0, 1]))
    assert logits[0].item() == pytest.approx(logits[1].item())
    # … and is e(y)·Σφ(x) once it has learned.
    with torch.no_grad():
        d.projection.embedding.weight[1] = 0.5
    features = d.layers(same)[0].sum()
    changed = d(same, torch.tensor([0, 1]))
    assert (changed[1] - changed[0]).item() == pytest.approx(0.5 * features.item(), rel=1e-4)


@pytest.mark.parametrize("d_norm", ["batch", "none", None])
def test_norms_and_dropout_stand_where_the_switches_say(d_norm: str | None) -> None:
    a_config = config(norm="batch", d_norm=d_norm, dropout=0.3)
    networks = build_networks(a_config, pictures(1, 16, 16))
    kinds = [type(m).__name__ for m in networks.discriminator.modules()]
    assert kinds.count("BatchNorm") == (0 if d_norm == "none" else 1)
    assert kinds.count("Dropout") == 2
    assert "BatchNorm" in [type(m).__name__ for m in networks.generator.modules()]
    without = build_networks(config(norm="none"), pictures(1, 16, 16))
    for network in (without.generator, without.discriminator):
        assert not any(isinstance(m, nn.BatchNorm2d) for m in network.modules())


def test_the_same_seed_gives_the_same_weights() -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        networks = build_networks(
            Config(**config().model_dump()), DataSpec(kind="pictures", shape=(1, 16, 16))
        )
        states.append(torch.cat([p.flatten() for p in networks.generator.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])

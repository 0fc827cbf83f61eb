"""The vital signs against closed forms, and that taking them leaves no trace in the training."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gansmith import recipes, vitals
from gansmith.config import Config
from gansmith.data import open_source, prepare
from gansmith.models import build_networks
from gansmith.objectives import discriminator_losses, generator_losses
from gansmith.players import Players
from gansmith.recipes import recipe
from gansmith.stream import Stream, describe
from gansmith.world import World
from tests.builders import CPU, config, dataset, pictures, points, points_config


def test_distances_of_the_corners_of_a_square() -> None:
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert vitals.mean_distance(corners) == pytest.approx((4 + 2 * math.sqrt(2)) / 6)
    assert vitals.mean_distance(corners[:1]) == 0


def test_modes_are_counted_once_each() -> None:
    clusters = torch.tensor([0.0, 0.01, 5.0, 5.01, 5.02, 9.0])[:, None]
    assert vitals.distinct(clusters, 0.1) == 3
    assert vitals.distinct(clusters, 0.001) == 6
    assert vitals.distinct(clusters, 100.0) == 1
    assert vitals.distinct(torch.zeros(5, 2), 0.0) == 1


def test_the_same_examples_have_all_the_variety_there_is_and_one_repeated_has_none() -> None:
    real = torch.randn(32, 1, 8, 8)
    same = vitals.of_examples(real, real)
    assert (same["spread"], same["modes"], same["real_modes"]) == (1, 1, 1)
    collapsed = vitals.of_examples(real[:1].expand_as(real), real)
    assert collapsed["spread"] == 0
    assert collapsed["modes"] == 1 / 32
    half = vitals.of_examples(real[:16].repeat(2, 1, 1, 1), real)
    assert half["modes"] == 0.5
    data_problem = vitals.of_examples(real, real[:1].expand_as(real))
    assert data_problem["real_spread"] == 0
    assert data_problem["real_modes"] == 1 / 32


def test_a_checkerboard_is_all_of_its_own_variance_and_a_slope_next_to_nothing() -> None:
    y, x = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    board = ((x + y) % 2 * 2.0 - 1).expand(4, 3, 16, 16)
    assert vitals.finest(board) == pytest.approx(1)
    assert vitals.finest((x % 2 * 2.0 - 1).expand(4, 1, 16, 16)) == pytest.approx(1)
    assert vitals.finest((x / 8.0 - 1).expand(4, 1, 16, 16)) < 0.02
    # What differs from picture to picture is detail, not a grid.
    assert vitals.finest(torch.randn(512, 1, 16, 16)) < 0.001


@pytest.mark.parametrize("name", ["fast", "dcgan-32", "dcgan-keras"])
def test_an_update_is_what_the_weights_moved_by(name: str) -> None:
    players = Players.create(recipe(name).with_(generator_filters=4), pictures(1, 28, 28), CPU)
    weights = list(players.generator.parameters())
    for _ in range(3):
        before = [w.detach().clone() for w in weights]
        for w in weights:
            w.grad = torch.randn_like(w)
        players.g_optimizer.step()
    moved = [w.detach() - b for w, b in zip(weights, before, strict=True)]
    expected = math.sqrt(sum(m.square().sum().item() for m in moved))
    assert vitals.adam_update(players.g_optimizer) == pytest.approx(expected, rel=1e-3)
    gradients = [w.grad for w in weights if w.grad is not None]
    expected = torch.cat([g.flatten() for g in gradients]).norm().item()
    assert vitals.length(gradients) == pytest.approx(expected, rel=1e-5)


NETWORKS = {
    "fast": (
        recipe("fast").with_(generator_filters=4, discriminator_filters=4),
        pictures(1, 28, 28),
    ),
    "dcgan": (config(), pictures(3, 16, 16)),
    "dcgan-keras": (recipe("dcgan-keras"), pictures(1, 28, 28)),
    "points": (points_config(), points()),
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_discriminators_features_are_what_its_logit_is_made_of(name: str) -> None:
    a_config, spec = NETWORKS[name]
    discriminator = build_networks(a_config, spec).discriminator.eval()
    with vitals.features_of(discriminator) as seen:
        logits = discriminator(torch.randn(6, *spec.shape))
    assert [len(features) for features in seen] == [6]
    last = [m for m in discriminator.modules() if isinstance(m, (nn.Conv2d, nn.Linear))][-1]
    torch.testing.assert_close(last(seen[0]).flatten(), logits)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_probe_finds_finite_figures_and_changes_nothing(name: str) -> None:
    a_config, spec = NETWORKS[name]
    a_config = a_config.with_(device="cpu", precision="fp32")
    if spec.kind == "points":
        data = prepare(open_source("ring"), height=None, width=None)
        spec = describe(data, a_config)
    else:
        data = dataset(700, *spec.shape)
    players = Players.create(a_config, spec, CPU)
    stream = Stream(data, a_config, spec, World(), CPU)
    before = {
        f"{file}.{key}": tensor.clone()
        for file, tensors in players.tensors().items()
        for key, tensor in tensors.items()
    }
    found = vitals.Probe(a_config, spec, stream, players).take(3)
    of_pictures = {"saturated", "checkerboard", "drift", "real_peak", "real_constant"}
    pictures_alone = of_pictures if spec.kind == "points" else set()
    unlabelled = {"real_classes"} if spec.classes is None else set()
    assert set(found) == set(vitals.NAMES) - pictures_alone - unlabelled
    assert all(math.isfinite(value) for value in found.values())
    for file, tensors in players.tensors().items():
        for key, tensor in tensors.items():
            assert torch.equal(tensor, before[f"{file}.{key}"]), key
    assert players.discriminator.training
    assert players.generator.training


def test_a_single_picture_has_figures_too() -> None:
    a_config, spec = config(), pictures(3, 16, 16)
    stream = Stream(dataset(1, 3, 16, 16), a_config, spec, World(), CPU)
    found = vitals.Probe(a_config, spec, stream, Players.create(a_config, spec, CPU)).take(2)
    assert set(found) == set(vitals.NAMES) - {"held_gap", "real_classes"}
    assert all(math.isfinite(value) for value in found.values())


@pytest.mark.parametrize("name", ["fast", "dcgan", "dcgan-32", "dcgan-keras", "few-images"])
def test_probes_take_less_than_their_share_of_the_work(name: str) -> None:
    a_config = recipes.recipe(name).with_(device="cpu", precision="fp32")
    side = a_config.height or 28
    spec = pictures(1, side, side)
    stream = Stream(dataset(700, 1, side, side), a_config, spec, World(), CPU)
    players = Players.create(a_config, spec, CPU)
    probe = vitals.Probe(a_config, spec, stream, players)
    batch = stream.batch(0)
    with FlopCounterMode(display=False) as step:
        fake = players.generator(stream.latent(0), batch.labels)
        d = discriminator_losses(players.discriminator, *batch, fake, a_config, 0, False)
        torch.autograd.grad(d["total"], list(players.discriminator.parameters()))
        g = generator_losses(players.discriminator, *batch, fake, a_config, 0)
        torch.autograd.grad(g["total"], list(players.generator.parameters()))
    with FlopCounterMode(display=False) as taken:
        probe.take(1)
    share = taken.get_total_flops() / step.get_total_flops() / probe.interval
    assert vitals.MOST_WORK / 2 < share < 1.2 * vitals.MOST_WORK


def test_the_interval_is_a_function_of_the_configuration_alone() -> None:
    a_config: Config = recipe("fast")
    assert vitals.probe_interval(a_config, pictures(1, 28, 28)) == vitals.probe_interval(
        a_config.with_(seed=5), pictures(1, 28, 28)
    )

from __future__ import annotations

import pytest
import torch
from torch import nn

from gansmith.ema import EMA


def constant(value: float) -> nn.Sequential:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for tensor in network.state_dict().values():
        tensor.fill_(value)
    return network


def test_the_average_of_a_step_function_decays_by_halves() -> None:
    # kimg 1 at batch 32: half of the old value is left after 1000 images.
    ema = EMA(constant(0.0), kimg=1, batch_size=50)
    half_life = 1000 * 50 / 32
    network = constant(1.0)
    for _ in range(25):
        ema.update(network, images_seen=10**9)
    expected = 1 - 0.5 ** (25 * 50 / half_life)
    for tensor in ema.network.state_dict().values():
        if tensor.is_floating_point():
            torch.testing.assert_close(tensor, torch.full_like(tensor, expected))


def test_early_the_half_life_is_a_twentieth_of_the_images_seen() -> None:
    ema = EMA(constant(0.0), kimg=10, batch_size=32)
    assert ema.decay(2000) == pytest.approx(0.5 ** (32 / 100))
    assert ema.decay(200_000) == ema.decay(10**12) == pytest.approx(0.5 ** (32 / 10_000))
    assert ema.decay(0) == 0
    decays = [ema.decay(n) for n in range(0, 400_000, 1000)]
    assert decays == sorted(decays)


def test_without_a_half_life_the_average_is_the_network() -> None:
    ema = EMA(constant(0.0), kimg=0, batch_size=32)
    network = constant(0.3)
    ema.update(network, images_seen=10**6)
    assert all(
        torch.equal(a, b)
        for a, b in zip(ema.network.parameters(), network.parameters(), strict=True)
    )


def test_running_statistics_are_averaged_and_counters_are_not() -> None:
    ema = EMA(constant(0.0), kimg=1, batch_size=32)
    ema.update(constant(4.0), images_seen=640)  # half-life 32 images: a half each time
    norm = ema.network[1]
    assert norm.running_mean.tolist() == pytest.approx([2, 2])
    assert norm.running_var.tolist() == pytest.approx([2, 2])
    assert norm.num_batches_tracked == 0


def test_the_average_is_a_copy_that_is_never_trained() -> None:
    network = constant(1.0)
    ema = EMA(network, kimg=1, batch_size=32)
    with torch.no_grad():
        network[0].weight.fill_(9.0)
    assert (ema.network[0].weight == 1).all()
    assert not ema.network.training
    assert not any(p.requires_grad for p in ema.network.parameters())
    ema.update(network, images_seen=0)
    assert network.training
    assert network[0].weight.requires_grad

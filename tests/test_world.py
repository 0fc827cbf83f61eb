"""This process among its peers: its rows, and what is drawn for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gansmith.augment import KINDS, augment
from gansmith.config import Config
from gansmith.distort import distort
from gansmith.errors import GansmithError
from gansmith.losses import soft_targets
from gansmith.objectives import disguise
from gansmith.runtime import seed_step
from gansmith.world import Dropout, World, acting, here, restarted


@given(st.integers(1, 8), st.integers(1, 50))
def test_the_shares_of_all_processes_partition_the_batch(size: int, part: int) -> None:
    batch = list(range(size * part))
    shares = [batch[World(rank, size).share(len(batch))] for rank in range(size)]
    assert [example for share in shares for example in share] == batch
    assert {len(share) for share in shares} == {part}


def test_a_batch_that_can_not_be_shared_evenly_is_refused() -> None:
    with pytest.raises(GansmithError, match="multiple of the 3 processes, found 64"):
        World(0, 3).share(64)


def test_only_rank_zero_writes() -> None:
    assert [World(rank, 3).is_main for rank in range(3)] == [True, False, False]
    assert World().share(7) == slice(0, 7)


def in_parts(play: Callable[[slice], Tensor], size: int) -> Tensor:
    """What each of `size` processes makes of its rows of twelve, put together."""
    parts = []
    for rank in range(size):
        with acting(World(rank, size)) as world:
            seed_step(0, 3)
            parts.append(play(world.share(12)))
    return torch.cat(parts)


PICTURES = torch.randn(12, 3, 8, 8, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)
WORDS = torch.rand(12, 1, 32, 64, generator=torch.Generator().manual_seed(2))
WIDTHS = torch.full((12,), 64)
DRAWN: dict[str, Callable[[slice], Tensor]] = {
    "augment": lambda own: augment(PICTURES[own], KINDS, 0.7),
    "distort": lambda own: distort(WORDS[own], WIDTHS[own]),
    "noise": lambda own: disguise(PICTURES[own], Config(instance_noise=0.5), 0),
    "targets": lambda own: soft_targets(PICTURES[own, 0, 0, 0], PICTURES[own, 0, 0, 1], 0.1, 0.4)[
        0
    ],
    "dropout": lambda own: Dropout(0.5)(PICTURES[own]),
    "maps": lambda own: Dropout(0.5, maps=True)(PICTURES[own]),
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("size", [2, 3, 4])
def test_what_is_drawn_is_the_same_for_any_number_of_processes(name: str, size: int) -> None:
    alone = in_parts(DRAWN[name], 1)
    torch.testing.assert_close(in_parts(DRAWN[name], size), alone, rtol=1e-5, atol=1e-6)
    seed_step(0, 4)
    assert not torch.allclose(DRAWN[name](slice(12)), alone)


@pytest.mark.parametrize("maps", [False, True])
def test_dropout_zeroes_a_share_while_it_trains_and_keeps_the_mean(maps: bool) -> None:
    torch.manual_seed(0)
    layer, x = Dropout(0.25, maps), torch.ones(40, 50, 3, 3)
    found = layer(x)
    assert sorted(set(found.flatten().tolist())) == [0, pytest.approx(1 / 0.75)]
    assert found.mean().item() == pytest.approx(1, abs=0.05)
    assert maps == bool((found == found[..., :1, :1]).all())
    assert layer.eval()(x) is x


def test_alone_there_is_nothing_to_agree_on() -> None:
    world, x = World(), torch.randn(4, requires_grad=True)
    assert world.whole(x) is x
    assert world.sum(x) is x
    assert torch.equal(world.mean(x), x.detach())
    assert (world.most(7), world.tell(b"so"), world.tell_numbers([1, 2])) == (7, b"so", [1.0, 2.0])


def test_another_place_is_taken_for_a_while() -> None:
    with acting(World(1, 2)) as world:
        assert here() == world
        with pytest.raises(GansmithError), acting(World(0, 3)):
            here().share(4)
        assert here() == world
    assert here() == World()


def test_what_torchrun_starts_anew_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not restarted()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert restarted()

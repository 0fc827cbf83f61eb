"""Batch norm among several processes: whose statistics it has."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist

from gansmith.models import Networks, build_networks, example_inputs
from gansmith.world import World, acting
from tests.builders import config, pictures, words, words_config

BATCH = 4


class Sent(Exception):
    """A sum over all processes."""


@pytest.fixture
def noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_reduce(_: object, operation: object = dist.ReduceOp.SUM) -> None:
        if operation == dist.ReduceOp.SUM:  # else it is how wide the widest word is
            raise Sent

    monkeypatch.setattr(dist, "all_reduce", all_reduce)


def networks(kind: str, statistics: str) -> tuple[Networks, list[torch.Tensor]]:
    """Both players, and what they are given: latents, examples, labels."""
    torch.manual_seed(0)
    make, a_spec = (words_config, words()) if kind == "words" else (config, pictures(3, 16, 16))
    a_config = make(bn_statistics=statistics)
    given = [
        x.repeat(BATCH, *[1] * (x.dim() - 1))
        for x in example_inputs(a_config, a_spec)
        if x is not None
    ]
    given[0] = torch.randn_like(given[0])
    return build_networks(a_config, a_spec), given


def made(kind: str, statistics: str) -> torch.Tensor:
    players, (latent, _, *labels) = networks(kind, statistics)
    found: torch.Tensor = players.generator(latent, *labels)
    return found


@pytest.mark.parametrize("kind", ["pictures", "words"])
def test_own_statistics_are_those_of_a_process_alone_and_send_nothing(
    kind: str, noticed: None
) -> None:
    alone = made(kind, "all")
    with acting(World(0, 2)):
        assert torch.equal(made(kind, "own"), alone)
        with pytest.raises(Sent):
            made(kind, "all")

from __future__ import annotations

import pytest
import torch
from torch import nn

from gansmith.config import Config, DataSpec
from gansmith.errors import GansmithError
from gansmith.models import build_networks, build_recogniser
from gansmith.players import Players
from gansmith.recipes import recipe
from gansmith.runtime import pick_precision
from gansmith.stream import Stream, describe
from gansmith.summary import explain_memory, guard_bf16, memory_free, readable, summarise
from gansmith.world import World
from tests.builders import CPU, config, dataset, pictures, points, points_config, words

CASES = {
    "dcgan": (recipe("dcgan"), pictures(3, 64, 64)),
    "dcgan-32, labelled": (recipe("dcgan-32"), pictures(1, 32, 32, classes=("a", "b"))),
    "dcgan-mxnet": (recipe("dcgan-mxnet"), pictures(3, 64, 64)),
    "dcgan-keras": (recipe("dcgan-keras"), pictures(1, 28, 28)),
    "fast": (recipe("fast"), pictures(1, 28, 28)),
    "fast, labelled": (recipe("fast"), pictures(3, 32, 32, classes=("a", "b"))),
    "gan-1d": (recipe("gan-1d"), points()),
    "words": (recipe("words"), words()),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_parameters_are_those_of_the_real_networks(case: str) -> None:
    a_config, spec = CASES[case]
    networks = build_networks(a_config, spec)
    players: list[nn.Module] = [networks.generator, networks.discriminator]
    if spec.script:
        players.append(build_recogniser(a_config, spec))
    counted = tuple(sum(p.numel() for p in network.parameters()) for network in players)
    assert summarise(a_config, spec).parameters == counted


def test_layers_are_listed_in_the_order_they_run_with_their_shapes() -> None:
    summary = summarise(recipe("dcgan"), pictures(3, 64, 64))
    first = summary.generator[0]
    assert (first.kind, first.shape, first.parameters) == (
        "ConvTranspose2d",
        (512, 4, 4),
        100 * 512 * 16,
    )
    assert (summary.generator[-1].kind, summary.generator[-1].shape) == ("Tanh", (3, 64, 64))
    assert summary.discriminator[0].shape == (64, 32, 32)
    assert summary.discriminator[-1].shape == (1, 1, 1)


def test_a_summary_of_a_huge_network_costs_neither_memory_nor_random_draws() -> None:
    huge = Config(generator_filters=200_000, discriminator_filters=200_000)
    state = torch.get_rng_state()
    summary = summarise(huge, pictures(3, 64, 64))
    assert sum(summary.parameters) > 10**13
    assert summary.memory > 10**14
    assert torch.equal(torch.get_rng_state(), state)


def test_the_memory_of_a_perceptron_is_its_formula() -> None:
    a_config, spec = points_config(generator_filters=8, discriminator_filters=4), points()
    g = (6 * 8 + 8) + (8 * 8 + 8) + (8 * 2 + 2)
    d = (2 * 4 + 4) + (4 * 4 + 4) + (4 + 1)
    outputs_g, outputs_d = 6 * 8 + 2, 6 * 4 + 1
    floats = 5 * g + 4 * d + 2 * a_config.batch_size * (outputs_g + 2 * outputs_d)
    assert summarise(a_config, spec).memory == 4 * floats


def test_memory_grows_in_a_straight_line_with_the_batch() -> None:
    at = [summarise(config(batch_size=n), pictures()).memory for n in (64, 128, 192)]
    assert at[2] - at[1] == at[1] - at[0] > 0


def test_the_estimate_is_of_the_size_of_what_a_step_keeps() -> None:
    # What autograd really saves for one pass of the discriminator, counted by its own hooks.
    a_config, spec = config(discriminator_filters=16, batch_size=32), pictures(3, 32, 32)
    discriminator = build_networks(a_config, spec).discriminator
    saved: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        discriminator(torch.rand(32, 3, 32, 32))
    memory = summarise(a_config, spec).memory
    assert 2 * sum(saved.values()) < memory < 20 * sum(saved.values())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 7 bytes"),
    ],
)
def test_running_out_of_memory_is_told_with_the_batch_the_need_and_a_smaller_one(
    error: Exception,
) -> None:
    a_config = config(batch_size=64)
    needed = readable(summarise(a_config, pictures()).memory)
    with (
        pytest.raises(GansmithError, match=rf"batch_size 64 .*{needed}.*batch_size=32"),
        explain_memory(a_config, pictures()),
    ):
        raise error


def test_torch_out_of_memory_is_recognised_in_truth() -> None:
    with pytest.raises(GansmithError, match="out of memory"), explain_memory(config(), pictures()):
        torch.empty(2**60)


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"), explain_memory(config(), pictures()):
        raise RuntimeError("size mismatch")
    with pytest.raises(KeyError), explain_memory(config(), pictures()):
        raise KeyError


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (5 * 2**20, "5.0 MiB"),
        (1.5 * 2**30, "1.5 GiB"),
        (3 * 2**40, "3.0 TiB"),
        (2**60, "1048576.0 TiB"),
    ],
)
def test_bytes_are_readable(count: float, text: str) -> None:
    assert readable(count) == text


def test_some_memory_is_free() -> None:
    assert 2**20 < memory_free(CPU) < 2**60


class Spoilt(nn.Conv2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x)
        return y * torch.nan if torch.is_autocast_enabled("cpu") else y


@pytest.mark.parametrize("classes", [0, 3])
def test_the_guard_names_the_layer_that_bf16_gets_wrong_and_training_goes_on(classes: int) -> None:
    a_config = config(conditional="auto")
    data = dataset(10, classes=classes)
    spec: DataSpec = describe(data, a_config)
    players = Players.create(a_config, spec, CPU)
    stream = Stream(data, a_config, spec, World(), CPU)
    players.discriminator.logit.__class__ = Spoilt
    assert guard_bf16(players, stream, pick_precision("fp32", CPU)) == []
    assert "logit" in guard_bf16(players, stream, pick_precision("bf16", CPU))
    assert players.generator.training
    assert players.discriminator.training
    batch = stream.batch(0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert players.discriminator(*batch).isfinite().all()

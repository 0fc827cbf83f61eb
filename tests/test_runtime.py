from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gansmith.errors import GansmithError
from gansmith.runtime import derive_seed, machine, pick_device, pick_precision, seed_step

counters = st.lists(st.integers(0, 2**32 - 1), max_size=3).map(tuple)


def draws() -> list[float]:
    """Of every kind a step makes: noise, uniform numbers, whole numbers, dropout."""
    return [
        *torch.randn(2).tolist(),
        *torch.rand(2).tolist(),
        *torch.randint(1000, (2,)).tolist(),
        *torch.nn.functional.dropout(torch.ones(8)).tolist(),
    ]


def test_the_draws_of_a_step_are_a_function_of_seed_and_step() -> None:
    seen = {}
    for place in [(0, 0), (1, 0), (0, 1), (1, 1), (2**62, 10**9)]:
        seed_step(*place)
        seen[place] = draws()
    torch.randn(1000)
    for place, before in seen.items():
        seed_step(*place)
        assert draws() == before
    assert len({str(d) for d in seen.values()}) == len(seen)


def test_neighbouring_steps_do_not_share_their_noise() -> None:
    rows = []
    for step in range(200):
        seed_step(0, step)
        rows.append(torch.randn(256))
    correlations = torch.corrcoef(torch.stack(rows)).fill_diagonal_(0)
    assert correlations.abs().max() < 0.4  # 6.4 standard deviations of independent rows


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**63 - 1), counters)
def test_a_derived_seed_is_pure_and_has_63_bits(seed: int, path: tuple[int, ...]) -> None:
    derived = derive_seed(seed, *path)
    assert derived == derive_seed(seed, *path)
    assert 0 <= derived < 2**63


def test_derived_seeds_differ_over_seeds_and_paths_and_fill_their_63_bits() -> None:
    paths = [(), *((a,) for a in range(40)), *((a, b) for a in range(40) for b in range(10))]
    seeds = [derive_seed(seed, *path) for seed in range(20) for path in paths]
    assert len(set(seeds)) == len(seeds)
    union, intersection = 0, 2**63 - 1
    for seed in seeds:
        union, intersection = union | seed, intersection & seed
    assert (union, intersection) == (2**63 - 1, 0)


def test_an_absent_device_is_refused_and_those_present_are_named() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    for name, present in (
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
    ):
        if not present:
            with pytest.raises(GansmithError, match=f"{name} was asked for.*cpu"):
                pick_device(name)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:0", "CPU"])
def test_a_device_of_another_name_is_refused(name: str) -> None:
    with pytest.raises(GansmithError, match="device"):
        pick_device(name)


def test_bf16_computes_products_in_bf16_and_leaves_weights_in_fp32() -> None:
    layer = torch.nn.Linear(3, 3)
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        precision = pick_precision(name, torch.device("cpu"))
        assert precision.name == name
        with precision.autocast():
            assert layer(torch.ones(1, 3)).dtype == dtype
    assert layer.weight.dtype == torch.float32


def test_auto_precision_is_one_of_the_two() -> None:
    assert pick_precision("auto", torch.device("cpu")).name in ("fp32", "bf16")


def test_the_machine_is_named_for_records() -> None:
    found = machine()
    assert found["torch"] == torch.__version__
    assert int(found["cores"]) >= 1
    assert found["processor"]

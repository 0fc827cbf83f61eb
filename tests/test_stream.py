from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from gansmith.data import Dataset, order
from gansmith.errors import GansmithError
from gansmith.imaging import to_uint8
from gansmith.stream import Batch, Stream, describe, split, to_network
from gansmith.world import World
from tests.builders import CPU, config, dataset, pictures, points, points_config


def stream(source: Dataset, world: World | None = None, **changes: object) -> Stream:
    a_config = config(**changes)
    return Stream(source, a_config, describe(source, a_config), world or World(), CPU)


def dots() -> Dataset:
    values = torch.randn(5000, 2) * torch.tensor([2.0, 0.5]) + torch.tensor([3.0, -1.0])
    return dataclasses.replace(dataset(), kind="points", values=values)


def test_all_eight_bit_values_go_to_the_network_and_back_unchanged() -> None:
    values = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    there = to_network(values, pictures())
    assert there.dtype == torch.float32
    assert (there.min(), there.max()) == (-1, 1)
    assert np.array_equal(to_uint8(there)[0, :, :, 0], values[0, 0].numpy())
    assert values.dtype == torch.uint8


def test_a_batch_is_a_function_of_its_number_alone() -> None:
    data = dataset(10, classes=3)
    one, other = stream(data, conditional="yes"), stream(data, conditional="yes")
    ahead = one.batch(7)
    for i in range(7):
        other.batch(i)
    torch.manual_seed(5)
    assert torch.equal(other.batch(7).real, ahead.real)
    assert torch.equal(other.batch(7).labels, ahead.labels)


def test_batches_follow_the_order_of_the_data_and_keep_pictures_and_labels_together() -> None:
    data = dataset(10, classes=3)
    a_stream = stream(data, conditional="yes", seed=4)
    seen = []
    for i in range(5):
        batch = a_stream.batch(i)
        chosen = order(10, 4, i * 4, 4)
        assert torch.equal(batch.real, data.values[chosen].float() / 127.5 - 1)
        assert torch.equal(batch.labels, data.labels[chosen])
        seen += chosen.tolist()
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))


def test_the_processes_share_out_exactly_one_processs_batch() -> None:
    data = dataset(30, classes=2)
    whole = stream(data, batch_size=12, conditional="auto").batch(3)
    parts = [
        stream(data, World(rank, 3), batch_size=12, conditional="auto").batch(3)
        for rank in range(3)
    ]
    assert torch.equal(torch.cat([part.real for part in parts]), whole.real)
    assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)


def test_the_processes_latents_are_rows_of_one_batch() -> None:
    rows = []
    for rank in range(3):
        rows.append(stream(dataset(30), World(rank, 3), batch_size=12).latent(5))
    whole = stream(dataset(30), batch_size=12)
    assert torch.equal(torch.cat(rows), whole.latent(5))
    assert not torch.equal(whole.latent(5), whole.latent(6))
    assert rows[0].shape == (4, 6)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_latents_are_trained_on_with_the_spread_asked_for(kind: str) -> None:
    size = {"latent": kind, "latent_size": 50, "batch_size": 400}
    wide = stream(dataset(10), **size).latent(3)
    narrow = stream(dataset(10), **size, latent_spread=0.9).latent(3)
    torch.testing.assert_close(narrow, 0.9 * wide)
    assert narrow.std() == pytest.approx(0.9 * (1 if kind == "normal" else 3**-0.5), rel=0.02)


def test_a_batch_may_be_larger_than_the_data() -> None:
    batch = stream(dataset(3), batch_size=8).batch(0)
    assert batch.real.shape == (8, 1, 16, 16)
    assert batch.labels is None


def test_the_reference_is_always_the_same_and_of_any_size() -> None:
    a_stream = stream(dataset(10))
    first = a_stream.reference(16).real
    a_stream.batch(3)
    torch.randn(5)
    assert torch.equal(a_stream.reference(16).real, first)
    assert len(a_stream.reference(1).real) == 1
    assert not torch.equal(first, stream(dataset(10), seed=1).reference(16).real)


def test_leaking_augmentation_changes_training_batches_only_and_only_on_request() -> None:
    data = dataset(64)
    plain, flipping = stream(data, batch_size=64), stream(data, batch_size=64, data={"flip": True})
    real, flipped = plain.batch(0).real, flipping.batch(0).real
    mirrored = (flipped == real.flip(3)).flatten(1).all(1)
    assert ((flipped == real).flatten(1).all(1) ^ mirrored).all()
    assert 16 < mirrored.sum() < 48
    assert torch.equal(plain.reference(64).real, flipping.reference(64).real)
    moved = stream(data, batch_size=64, data={"affine": True}).batch(0).real
    assert not torch.allclose(moved, real)


def test_batches_do_not_change_the_data() -> None:
    for data in (dataset(10), dots()):
        before = data.values.clone()
        a_config = points_config() if data.kind == "points" else config(data={"affine": True})
        a_stream = Stream(data, a_config, describe(data, a_config), World(), CPU)
        a_stream.batch(0).real.zero_()
        a_stream.reference(4).real.zero_()
        assert torch.equal(data.values, before)


def test_points_are_standardised_and_the_spec_says_how() -> None:
    data = dots()
    a_config = points_config(batch_size=5000, held_out=0)
    spec = describe(data, a_config)
    assert spec.kind == "points"
    assert spec.shape == (2,)
    assert spec.mean == pytest.approx(data.values.double().mean(0).tolist())
    assert spec.std == pytest.approx(data.values.double().std(0, correction=0).tolist())
    real = Stream(data, a_config, spec, World(), CPU).batch(0).real
    assert real.dtype == torch.float32
    torch.testing.assert_close(real.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(real.std(0, correction=0), torch.ones(2), atol=1e-4, rtol=0)


def test_a_direction_in_which_points_do_not_differ_is_left_unscaled() -> None:
    data = dots()
    data.values[:, 1] = 7.0
    spec = describe(data, points_config())
    assert spec.std[1] == 1
    assert to_network(data.values, spec)[:, 1].abs().max() == 0


@pytest.mark.parametrize(
    ("conditional", "classes", "expected"),
    [
        ("no", 3, None),
        ("auto", 3, ("class 0", "class 1", "class 2")),
        ("yes", 3, ("class 0", "class 1", "class 2")),
        ("auto", 0, None),
        ("no", 0, None),
    ],
)
def test_labels_are_used_as_asked(
    conditional: str, classes: int, expected: tuple[str, ...] | None
) -> None:
    data = dataset(10, 3, 16, 24, classes=classes)
    a_config = config(conditional=conditional)
    spec = describe(data, a_config)
    assert spec.classes == expected
    assert spec.shape == (3, 16, 24)
    batch = Stream(data, a_config, spec, World(), CPU).batch(0)
    assert (batch.labels is None) == (expected is None)


def test_labels_asked_for_where_there_are_none_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(GansmithError, match=r"random has none; use conditional=no"):
        describe(dataset(10), config(conditional="yes"))


def test_the_spec_of_points_is_the_one_that_models_are_stored_with() -> None:
    assert points().mean == (3.0, -1.0)
    assert to_network(torch.tensor([[5.0, -0.5]]), points()).tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("count", "share", "held"),
    [(620, 0.05, 0), (640, 0.05, 32), (1000, 0.05, 50), (100_000, 0.05, 1000), (1000, 0.0, 0)],
)
def test_some_examples_are_kept_from_training(count: int, share: float, held: int) -> None:
    trained, kept = split(count, config(held_out=share))
    assert len(kept) == held
    assert sorted([*trained.tolist(), *kept.tolist()]) == list(range(count))


def test_what_is_kept_is_never_shown_and_everything_else_is() -> None:
    data = dataset(400, 1, 2, 2, classes=2)
    data.values[:] = torch.arange(400).view(-1, 1, 1, 1) // 2  # told apart by value and label
    a_config = config(batch_size=46, conditional="auto", held_out=0.08)
    spec = describe(data, a_config)
    stream = Stream(data, a_config, spec, World(), CPU)

    def keys(batch: Batch) -> set[tuple[float, int]]:
        return {*zip(batch.real[:, 0, 0, 0].tolist(), batch.labels.tolist(), strict=True)}

    assert stream.size == 368
    shown = set().union(*(keys(stream.batch(n)) for n in range(8)))
    held = stream.held(1000)
    assert len(held.real) == 32
    assert not shown & keys(held)
    assert keys(stream.reference(368)) == shown
    assert stream.labels is not None
    assert len(stream.labels) == 368


def test_the_recent_examples_are_those_of_the_last_batches() -> None:
    data = dataset(400, 1, 2, 2)
    a_config = config(batch_size=8, d_steps=2)
    stream = Stream(data, a_config, describe(data, a_config), World(), CPU)
    last = torch.cat([stream.batch(n).real for n in (8, 9)])
    assert torch.equal(stream.recent(5, 16).real, last)
    assert len(stream.recent(0, 16).real) == 16

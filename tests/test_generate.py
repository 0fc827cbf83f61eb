from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gansmith
from gansmith import checkpoint
from gansmith.checkpoint import Checkpoint
from gansmith.errors import GansmithError
from gansmith.generate import BLOCK, Model, Samples, load, to_values
from gansmith.run import RunFolder
from gansmith.runtime import Draw, derive_seed
from tests.builders import (
    a_checkpoint,
    config,
    model,
    pictures,
    points,
    points_config,
    weights,
    write_model,
)

NAMES = ("cat", "dog", "eel")


@pytest.fixture(scope="module")
def labelled() -> Model:
    torch.manual_seed(1)
    return model(config(), pictures(3, 16, 24, classes=NAMES))


@pytest.fixture(scope="module")
def plain() -> Model:
    torch.manual_seed(1)
    return model()


@settings(max_examples=25, deadline=None)
@given(n=st.integers(0, 70), more=st.integers(0, 40), seed=st.integers(0, 2**63 - 1))
def test_image_i_of_a_seed_is_the_same_however_many_are_made(
    labelled: Model, n: int, more: int, seed: int
) -> None:
    few, many = labelled.generate(n, seed=seed), labelled.generate(n + more, seed=seed)
    assert np.array_equal(few.images, many.images[:n])
    assert few.labels is None or np.array_equal(few.labels, many.labels[:n])


def test_what_is_made_does_not_depend_on_what_was_made_or_drawn_before(plain: Model) -> None:
    first = plain.generate(40, seed=3)
    plain.generate(7, seed=9)
    torch.manual_seed(123)
    torch.randn(17)
    state = torch.get_rng_state()
    assert np.array_equal(plain.generate(40, seed=3).images, first.images)
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_and_other_work_do_not_change_a_picture(plain: Model) -> None:
    one = plain.generate(20, seed=5).images
    try:
        torch.set_num_threads(2)
        assert np.array_equal(plain.generate(20, seed=5).images, one)
    finally:
        torch.set_num_threads(1)


def test_seeds_and_places_give_different_pictures(plain: Model) -> None:
    made = np.concatenate([plain.generate(3 * BLOCK, seed=seed).images for seed in range(3)])
    assert len(np.unique(made.reshape(len(made), -1), axis=0)) == len(made)


def test_a_picture_is_what_the_network_makes_of_the_latent_in_eight_bits(plain: Model) -> None:
    made = plain.generate(BLOCK, seed=4).images
    generator = torch.Generator().manual_seed(derive_seed(4, Draw.GENERATE, 0))
    latent = torch.randn(BLOCK, 6, generator=generator)
    expected = ((plain.network(latent).double() + 1) * 127.5).round()
    assert np.array_equal(made, expected.permute(0, 2, 3, 1).numpy().astype(np.uint8))
    assert made.dtype == np.uint8
    assert made.shape == (BLOCK, 16, 16, 1)
    assert made.std() > 10


def test_labels_repeat_in_turn_across_blocks_by_name_or_number(labelled: Model) -> None:
    asked: list[list[Any]] = [["eel", "cat"], [2, 0], ["2", 0], [np.int64(2), "cat"]]
    first = labelled.generate(40, seed=1, labels=asked[0])
    assert first.labels.tolist() == [2, 0] * 20
    assert first.labels.dtype == np.int64
    assert first.classes == NAMES
    for labels in asked[1:]:
        again = labelled.generate(40, seed=1, labels=labels)
        assert np.array_equal(again.images, first.images)
        assert np.array_equal(again.labels, first.labels)
    seven = labelled.generate(40, seed=1, labels=["dog", "dog", "cat", "eel", "cat", "cat", "dog"])
    assert seven.labels.tolist() == ([1, 1, 0, 2, 0, 0, 1] * 6)[:40]
    assert np.array_equal(labelled.generate(5, labels=np.array([1, 2])).labels, [1, 2, 1, 2, 1])


def test_a_label_changes_the_class_and_not_the_noise(labelled: Model) -> None:
    cats, dogs = (labelled.generate(20, seed=1, labels=[name]) for name in ("cat", "dog"))
    assert not np.array_equal(cats.images, dogs.images)
    random = labelled.generate(20, seed=1)
    for i, label in enumerate(random.labels):
        same = labelled.generate(20, seed=1, labels=[int(label)]).images[i]
        assert np.array_equal(random.images[i], same)


def test_without_labels_asked_for_all_classes_come_up(labelled: Model) -> None:
    drawn = labelled.generate(300, seed=2).labels
    assert np.bincount(drawn, minlength=3).min() > 60
    assert np.array_equal(labelled.generate(300, seed=2, labels=[]).labels, drawn)


def test_a_classes_name_that_is_a_number_is_meant_as_its_name() -> None:
    odd = model(config(), pictures(classes=("7", "3", "0")))
    assert odd.generate(3, labels=["3", "0", "7"]).labels.tolist() == [1, 2, 0]
    assert odd.generate(3, labels=["1"]).labels.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "labels", [["cow"], [3], [-1], ["cat", ""], ["cat", 1.5], [None], ["9" * 5000], ["²"], "cow"]
)
def test_labels_that_are_none_of_the_classes_are_refused_with_those_that_are(
    labelled: Model, labels: Any
) -> None:
    with pytest.raises(GansmithError, match="expected cat, dog, eel, found"):
        labelled.generate(3, labels=labels)


def test_labels_are_refused_by_a_generator_without_any(plain: Model) -> None:
    with pytest.raises(GansmithError, match="trained without labels"):
        plain.generate(3, labels=["cat"])
    assert plain.generate(3, labels=[]).labels is None


@pytest.mark.parametrize(("n", "seed", "word"), [(-1, 0, "n:"), (3, -1, "seed:")])
def test_numbers_below_zero_are_refused(plain: Model, n: int, seed: int, word: str) -> None:
    with pytest.raises(GansmithError, match=word):
        plain.generate(n, seed=seed)


def test_a_stream_comes_in_small_blocks_that_join_to_the_whole(labelled: Model) -> None:
    blocks = list(labelled.stream(3 * BLOCK + 5, seed=6))
    assert [len(block) for block in blocks] == [BLOCK] * 3 + [5]
    whole = labelled.generate(3 * BLOCK + 5, seed=6)
    assert np.array_equal(np.concatenate([b.images for b in blocks]), whole.images)
    assert np.array_equal(np.concatenate([b.labels for b in blocks]), whole.labels)


@pytest.mark.parametrize(("start", "n"), [(0, 40), (BLOCK, 3), (5, 2), (BLOCK + 3, 30), (7, 0)])
def test_a_stream_begins_anywhere_without_what_comes_before(
    labelled: Model, start: int, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = labelled.generate(start + n, seed=6, labels=[2, 0, 1])
    made: list[int] = []
    draw = labelled.draw
    monkeypatch.setattr(labelled, "draw", lambda s, i, w: made.append(i) or draw(s, i, w))
    blocks = list(labelled.stream(n, seed=6, labels=[2, 0, 1], start=start))
    assert sum(len(block) for block in blocks) == n
    if n:
        assert np.array_equal(np.concatenate([b.images for b in blocks]), whole.images[start:])
        assert np.array_equal(np.concatenate([b.labels for b in blocks]), whole.labels[start:])
    assert made == sorted({number // BLOCK for number in range(start, start + n)})
    with pytest.raises(GansmithError, match="start: expected a number of 0 or more"):
        next(labelled.stream(1, start=-1))


def test_weights_lie_in_memory_as_in_files_whoever_gives_them() -> None:
    """Of 6,102 pictures nineteen had another last bit where a convolution's weights lay otherwise."""
    a_config, spec = config(), pictures(3, 16, 24)
    state = weights(a_config, spec)
    assert not all(tensor.is_contiguous() for tensor in state.values())
    made = Model(a_config, spec, state, 5, "cpu").network.state_dict()
    assert all(tensor.is_contiguous() for tensor in made.values())
    assert all(torch.equal(made[key], state[key]) for key in state)


def test_a_stream_of_any_length_takes_flat_memory(plain: Model) -> None:
    tracemalloc.start()
    try:
        peaks = []
        for n in (20 * BLOCK, 100 * BLOCK):
            tracemalloc.reset_peak()
            assert sum(len(block) for block in plain.stream(n)) == n
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 50_000  # eighty blocks more are 330 kB of pictures
    assert len(next(plain.stream(10**15))) == BLOCK


def test_none_at_all_is_an_empty_array_of_the_right_shape(labelled: Model) -> None:
    none = labelled.generate(0)
    assert none.images.shape == (0, 16, 24, 3)
    assert none.images.dtype == np.uint8
    assert len(none) == 0
    assert list(labelled.stream(0)) == []


def test_points_come_back_in_the_datas_own_terms() -> None:
    maker = model(points_config(), points())
    made = maker.generate(BLOCK, seed=1).images
    generator = torch.Generator().manual_seed(derive_seed(1, Draw.GENERATE, 0))
    raw = maker.network(torch.randn(BLOCK, 6, generator=generator))
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, raw.numpy() * [2.0, 0.5] + [3.0, -1.0], rtol=1e-6)
    assert np.array_equal(made, to_values(raw, points()))


def test_a_model_folder_comes_back_as_it_was(tmp_path: Path) -> None:
    a_config, spec = config(latent="uniform"), pictures(3, 16, 16, classes=("a", "b"))
    before = model(a_config, spec, step=77)
    RunFolder(tmp_path).write_model(a_config, spec, before.network.state_dict(), 77)
    for path in (tmp_path, tmp_path / "model", str(tmp_path)):
        back = load(path, "cpu")
        assert (back.config, back.spec, back.step) == (a_config, spec, 77)
        assert np.array_equal(back.generate(20, seed=2).images, before.generate(20, seed=2).images)
        assert not any(p.requires_grad for p in back.network.parameters())
        assert not back.network.training
    assert gansmith.load is load


def save_steps(run: Path, *steps: int) -> None:
    for step in steps:
        checkpoint.save(run / "checkpoints", a_checkpoint(step))


def damage(run: Path, step: int) -> None:
    (run / "checkpoints" / f"step-{step:09d}" / "model.safetensors").write_bytes(b"")


@pytest.mark.parametrize(
    ("checkpoints", "model_step", "damaged", "expected"),
    [
        ([3, 9], 9, [], 9),
        ([3, 12], 9, [], 12),
        ([3, 12], None, [], 12),
        ([3, 12], None, [12], 3),
        ([], 9, [], 9),
        ([3, 12], 9, [12], 9),
        ([12], 9, [12], 9),
        ([3, 9], 9, [9], 9),
    ],
)
def test_a_run_gives_its_newest_whole_generator(
    tmp_path: Path,
    checkpoints: list[int],
    model_step: int | None,
    damaged: list[int],
    expected: int,
) -> None:
    save_steps(tmp_path, *checkpoints)
    if model_step is not None:
        write_model(tmp_path, step=model_step)
    for step in damaged:
        damage(tmp_path, step)
    assert load(tmp_path, "cpu").step == expected


def test_a_run_that_was_killed_before_its_model_was_written_gives_the_averaged_generator(
    tmp_path: Path,
) -> None:
    saved = a_checkpoint(4)
    checkpoint.save(tmp_path / "checkpoints", saved)
    loaded = load(tmp_path, "cpu")
    averaged = {
        key.removeprefix("ema."): t
        for key, t in saved.tensors["model"].items()
        if key.startswith("ema.")
    }
    state = loaded.network.state_dict()
    assert set(state) == set(averaged)
    assert all(torch.equal(t, averaged[key]) for key, t in state.items())
    assert len(loaded.generate(3)) == 3


def test_where_there_is_nothing_the_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match="found nothing there"):
        load(tmp_path / "nowhere")
    with pytest.raises(GansmithError, match="found neither"):
        load(tmp_path)
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(GansmithError, match=str(file)):
        load(file)


def test_any_checkpoint_can_be_asked_for(tmp_path: Path) -> None:
    """The one with the best score is kept and named in the report: it must be of use."""
    path = checkpoint.save(tmp_path / "checkpoints", a_checkpoint(2))
    checkpoint.save(tmp_path / "checkpoints", a_checkpoint(4))
    assert (load(path).step, load(tmp_path).step) == (2, 4)
    (path / "model.safetensors").write_bytes(b"")
    with pytest.raises(GansmithError, match="has not the length its manifest gives"):
        load(path)


def test_a_damaged_model_is_refused_and_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(GansmithError, match=r"model\.safetensors differs from the SHA-256"):
        load(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"generator_filters": 8}, {"latent_size": 7}, {"norm": "none"}, {"model": "mlp"}],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, changes: dict) -> None:
    RunFolder(tmp_path).write_model(config(**changes), pictures(), weights(config(), pictures()), 1)
    with pytest.raises(GansmithError, match=str(tmp_path)):
        load(tmp_path)


def test_a_description_that_claims_a_giant_costs_nothing(tmp_path: Path) -> None:
    giant = config(generator_filters=10**6, latent_size=10**6)
    RunFolder(tmp_path).write_model(giant, pictures(), weights(config(), pictures()), 1)
    with pytest.raises(GansmithError, match="do not fit"):
        load(tmp_path)


def test_a_checkpoint_without_a_generator_is_refused(tmp_path: Path) -> None:
    saved = a_checkpoint(2)
    checkpoint.save(tmp_path / "checkpoints", Checkpoint(2, {}, saved.state))
    with pytest.raises(GansmithError, match="do not fit"):
        load(tmp_path)


def test_an_absent_device_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path)
    with pytest.raises(GansmithError, match="device"):
        load(tmp_path, "tpu")


def test_samples_know_how_many_they_are() -> None:
    assert len(Samples(np.zeros((4, 2, 2, 1), np.uint8), None)) == 4

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gansmith.data import Dataset, open_source, prepare
from gansmith.errors import GansmithError
from gansmith.metrics import classifier
from gansmith.metrics.classifier import batches_of, classifier_space, fit
from gansmith.metrics.convnet import new_network
from gansmith.metrics.features import weights_hash


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "MOST_EPOCHS", 3)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return prepare(open_source("digits"), height=None, width=None)


def labels_of(dataset: Dataset) -> Tensor:
    assert dataset.labels is not None
    return dataset.labels


def pictures(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, shape, generator=generator).to(torch.uint8)


def test_it_learns_the_digits(digits: Dataset) -> None:
    labels = labels_of(digits)
    learned = fit(digits.values[:1400], labels[:1400], 10, steps=60, batch_size=64)
    assert learned.accuracy(digits.values[1400:], labels[1400:]) > 0.9
    assert learned.predict(digits.values[:7], batch_size=3).shape == (7,)


@pytest.mark.parametrize("augment", [(), ("flip", "affine")])
def test_the_same_arguments_give_the_same_weights(augment: tuple[str, ...]) -> None:
    x, y = pictures(20, 3, 8, 8), torch.arange(20) % 4

    def weights(seed: int) -> str:
        trained = fit(x, y, 4, steps=4, batch_size=8, seed=seed, augment=augment)
        return weights_hash(trained.network.state_dict())

    first = weights(0)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    with torch.no_grad():  # whatever the caller is at
        assert weights(0) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert weights(1) != first


@pytest.mark.parametrize("threads", [1, 3])
def test_it_works_with_any_number_of_threads(threads: int) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        fit(pictures(9, 1, 8, 8), torch.arange(9) % 2, 2, steps=2, batch_size=5)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("shape", "classes"),
    [((1, 8, 8), 2), ((3, 9, 13), 1000), ((4, 32, 32), 5), ((1, 256, 200), 3), ((3, 64, 64), 10)],
)
def test_any_size_any_channels_any_number_of_classes(shape: tuple[int, ...], classes: int) -> None:
    x, y = pictures(6, *shape), torch.arange(6) % classes
    trained = fit(x, y, classes, steps=2, batch_size=4)
    features, logits = trained.network(x)
    assert features.shape == (6, 128)
    assert logits.shape == (6, classes)


def test_features_are_of_unit_size_whatever_the_pictures_contrast() -> None:
    """KID's kernel (x·y/D + 1)³ is meant for that: batch norm, then what is above nought."""
    for scale in (1, 8):
        x = pictures(200, 1, 8, 8) // scale
        space = fit(x, torch.arange(200) % 2, 2, steps=60, batch_size=50).network
        with torch.no_grad():
            features = space(x)[0]
        assert 0.1 < float((features**2).mean()) < 1.5


def test_batches_go_through_the_data_epoch_after_epoch() -> None:
    x, y = torch.arange(10)[:, None, None, None], torch.arange(10)
    batch = batches_of(x, y, 5, 0)
    for epoch in range(3):
        seen = torch.cat([batch(2 * epoch + half)[1] for half in range(2)])
        assert sorted(seen.tolist()) == list(range(10))
    assert torch.equal(batch(4)[0].flatten(), batch(4)[1])
    some = batches_of(x, y, 3, 0, torch.tensor([2, 7, 9]))
    assert sorted(some(5)[1].tolist()) == [2, 7, 9]


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    shares = [classifier._share(step, 99) for step in range(99)]
    assert shares[19] == pytest.approx(1)
    assert shares.index(max(shares)) == 19
    assert shares[0] == pytest.approx(0.05)
    assert shares[-1] == pytest.approx(0.0125)


@pytest.mark.parametrize(
    ("x", "y", "classes", "match"),
    [
        (torch.zeros(2, 1, 8, 8), torch.zeros(2).long(), 2, r"float32 \(2, 1, 8, 8\)"),
        (pictures(3, 1, 8, 8), torch.zeros(2).long(), 2, "2 labels"),
        (pictures(2, 1, 8, 8), torch.tensor([0, 2]), 2, "from 0 to 1, but found 0 to 2"),
        (pictures(2, 1, 8, 8), torch.tensor([-1, 1]), 2, "found -1 to 1"),
        (pictures(2, 1, 8, 8), torch.tensor([0, 0]), 1, "at least 2 classes"),
        (pictures(0, 1, 8, 8), torch.zeros(0).long(), 2, "found none"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    x: Tensor, y: Tensor, classes: int, match: str
) -> None:
    with pytest.raises(GansmithError, match=match):
        fit(x, y, classes, steps=1)


def test_the_space_is_kept_and_found_again(digits: Dataset, tmp_path: Path) -> None:
    said: list[str] = []
    first = classifier_space(digits, cache_dir=tmp_path, say=said.append)
    assert (first.name, first.held_out) == ("classifier", 100)
    assert first.resize == "area to 32 px where larger"
    assert 0.5 < first.held_out_accuracy <= 1  # three epochs of 1,697; guessing gives 0.1
    assert sum("training the classifier" in line for line in said) == 10
    state = torch.get_rng_state()
    again = classifier_space(digits, cache_dir=tmp_path, say=said.append)
    assert torch.equal(torch.get_rng_state(), state)
    assert sum("training the classifier" in line for line in said) == 10
    assert f"{first.held_out_accuracy:.1%} of 100 pictures" in said[-1]
    assert (again.weights, again.held_out_accuracy) == (first.weights, first.held_out_accuracy)
    a, b = first.embed(digits.values[:50]), again.embed(digits.values[:50])
    assert torch.equal(a.features, b.features)
    assert a.features.shape == (50, 128)
    assert a.probabilities is not None
    assert b.probabilities is not None
    assert torch.equal(a.probabilities, b.probabilities)
    assert a.probabilities.shape == (50, 10)


@pytest.fixture
def small(digits: Dataset) -> Dataset:
    return replace(digits, values=digits.values[:60], labels=labels_of(digits)[:60])


@pytest.mark.parametrize("damage", ["cut", "altered", "removed", "another network", "no number"])
def test_a_damaged_entry_is_trained_again(small: Dataset, tmp_path: Path, damage: str) -> None:
    first = classifier_space(small, cache_dir=tmp_path)
    (entry,) = (tmp_path / "classifiers").iterdir()
    weights = entry / "weights.safetensors"
    content = weights.read_bytes()
    if damage == "cut":
        weights.write_bytes(content[:-5])
    elif damage == "altered":
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "removed":
        weights.unlink()
    elif damage == "another network":
        state = new_network(1, 7).state_dict()
        _rewrite(entry, "weights.safetensors", classifier.encode(state))
    else:
        record = json.loads((entry / "classifier.json").read_text())
        _rewrite(entry, "classifier.json", json.dumps(record | {"held_out": None}).encode())
    assert classifier_space(small, cache_dir=tmp_path).weights == first.weights
    assert weights.read_bytes() == content


def _rewrite(entry: Path, name: str, content: bytes) -> None:
    """With a manifest that agrees."""
    classifier.write_folder(entry, classifier.read_folder(entry) | {name: content})


def test_other_data_labels_or_seeds_have_entries_of_their_own(
    small: Dataset, tmp_path: Path
) -> None:
    labels = labels_of(small)
    for number, (dataset, seed) in enumerate(
        [
            (small, 0),
            (small, 1),
            (replace(small, digest="1" * 64), 0),
            (replace(small, values=small.values[:50], labels=labels[:50]), 0),
            (replace(small, labels=labels.flip(0)), 0),
        ],
        start=1,
    ):
        classifier_space(dataset, seed=seed, cache_dir=tmp_path)
        assert len(list((tmp_path / "classifiers").iterdir())) == number


def test_a_cache_that_cannot_be_written_costs_only_the_next_time(
    small: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    said: list[str] = []
    space = classifier_space(small, cache_dir=tmp_path / "file", say=said.append)
    assert space.held_out == 12
    assert any("can't keep the classifier" in line for line in said)


def test_data_without_labels_are_refused(small: Dataset, tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match="digits has no labels"):
        classifier_space(replace(small, labels=None, classes=None), cache_dir=tmp_path)
    ring = prepare(open_source("ring"), height=None, width=None)
    with pytest.raises(GansmithError, match="ring has points"):
        classifier_space(ring, cache_dir=tmp_path)


@pytest.mark.slow
def test_training_on_few_pictures_for_long_stays_on_course(digits: Dataset) -> None:
    said: list[str] = []
    x = digits.values[:100].repeat_interleave(3, 2).repeat_interleave(3, 3)
    fit(
        x,
        labels_of(digits)[:100],
        10,
        steps=400,
        batch_size=64,
        augment=("affine",),
        say=said.append,
    )
    assert all(float(line.split()[-1]) < 0.5 for line in said[2:])


@pytest.mark.slow
def test_on_all_the_digits_it_is_nearly_always_right(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "MOST_EPOCHS", 60)
    assert classifier_space(digits, cache_dir=tmp_path).held_out_accuracy >= 0.97

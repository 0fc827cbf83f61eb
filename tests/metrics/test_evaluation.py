"""A whole evaluation: floors, protocol and classes, on data whose answers are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gansmith.config import DataSpec
from gansmith.data import Dataset, open_source, prepare
from gansmith.errors import GansmithError
from gansmith.generate import Samples
from gansmith.metrics import evaluation
from gansmith.metrics.evaluation import Points, evaluate, measure, memorised, split
from gansmith.metrics.features import FeatureSpace, module_space, random_space
from gansmith.metrics.memorisation import audit
from gansmith.metrics.protocol import FIGURES, Evaluation, read_evaluation
from tests import builders

NAMES = tuple("0123456789")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """Shuffled: they come in the order of their writers."""
    found = prepare(open_source("digits"), height=8, width=8)
    assert found.labels is not None
    rows = torch.randperm(len(found), generator=torch.Generator().manual_seed(1))
    changes = {"values": found.values[rows], "labels": found.labels[rows]}
    return Dataset(**{**vars(found), **changes})


class Maker:
    """Stands in for a generator: gives `pictures` in turn, of the class that was asked for."""

    step = 5

    def __init__(self, values: Tensor, labels: Tensor | None = None, classes: Any = None):
        self.values, self.labels = values, labels
        self.spec = DataSpec(kind="pictures", shape=tuple(values.shape[1:]), classes=classes)
        self.asked: list[str] | None = None

    def generate(self, n: int, *, seed: int = 0, labels: list[str] | None = None) -> Samples:
        self.asked = labels
        if labels is None or self.labels is None:
            rows = torch.arange(n) % len(self.values)
            wanted = None
        else:
            wanted = np.array([self.spec.classes.index(name) for name in labels])  # type: ignore[union-attr]
            pools = {k: self._of(k) for k in set(wanted.tolist())}
            rows = torch.tensor([next(pools[k]) for k in wanted.tolist()])
        return Samples(self.values[rows].permute(0, 2, 3, 1).numpy(), wanted, self.spec.classes)

    def _of(self, label: int) -> Iterator[int]:
        rows = (self.labels == label).nonzero().flatten().tolist()  # type: ignore[union-attr]
        while True:
            yield from rows


def look(model: Any, real: Dataset, space: Any = None, **options: Any) -> Evaluation:
    return evaluate(model, real, space or random_space(1), run="it", **options)


def part(data: Dataset, start: int, stop: int) -> Dataset:
    labels = None if data.labels is None else data.labels[start:stop]
    return Dataset(**{**vars(data), "values": data.values[start:stop], "labels": labels})


class Reader(nn.Module):
    """Knows the class of each of `data`'s pictures by heart; the rest it takes for the last."""

    def __init__(self, data: Dataset, classes: int):
        super().__init__()
        assert data.labels is not None
        pairs = zip(data.values, data.labels.tolist(), strict=True)
        self.known = {picture.numpy().tobytes(): label for picture, label in pairs}
        self.classes = classes

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        labels = [self.known.get(p.numpy().tobytes(), self.classes - 1) for p in pictures]
        sure = 20.0 * nn.functional.one_hot(torch.tensor(labels), self.classes)
        return pictures.flatten(1).float() / 255, sure


def reader(data: Dataset, classes: int = 10) -> FeatureSpace:
    return module_space(Reader(data, classes), "reader")


def test_real_pictures_come_out_at_the_floor(digits: Dataset) -> None:
    real, others = part(digits, 0, 1200), part(digits, 1200, 1797)
    found = look(Maker(others.values), real, n=597)
    for name, figure in found.figures.items():
        assert figure.floor is not None
        assert figure.value == pytest.approx(figure.floor, rel=0.35, abs=0.003), name
    assert found["precision"] > 0.8 < found["recall"]


def test_noise_is_far_above_the_floor(digits: Dataset) -> None:
    noise = torch.randint(0, 256, (600, 1, 8, 8), dtype=torch.uint8)
    found = look(Maker(noise), part(digits, 0, 800), n=300, infinity=True)
    for name, figure in found.figures.items():
        assert figure.floor is not None
        if FIGURES[name][1] < 0:
            assert figure.value > 10 * abs(figure.floor), name
    assert found["precision"] == found["recall"] == found["coverage"] == 0


def test_everything_is_measured_in_the_order_of_its_names(digits: Dataset) -> None:
    found = look(Maker(digits.values), digits, n=200, infinity=True)
    of_classes, of_words = (
        {"inception_score", "agreement"},
        {"cer", "wer", "cer_same", "hands", "borders"},
    )
    assert set(found.figures) == set(FIGURES) - of_classes - of_words
    assert [row[0] for row in found.rows()] == [
        label for name, (label, _) in FIGURES.items() if name in found.figures
    ]


@pytest.mark.parametrize("n", [50, 150, 10_000])
def test_generated_examples_and_those_of_the_floor_are_as_many(
    digits: Dataset, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []

    def note(examples: Any, reference: Any, *, infinity: bool) -> Any:
        counts.append((len(examples), len(reference)))
        return measure(examples, reference, infinity=infinity)

    monkeypatch.setattr(evaluation, "measure", note)
    found = look(Maker(digits.values), part(digits, 0, 300), n=n)
    made = min(n, 150)
    assert counts == [(made, 300 - made)] * 2
    assert (found.protocol.made, found.protocol.real) == counts[0]


def test_the_two_sides_share_no_example_and_leave_none_out() -> None:
    sides = split(100, 30, seed=4)
    assert sorted(torch.cat([sides.held, sides.reference]).tolist()) == list(range(100))
    assert len(sides.held) == 30
    assert torch.equal(split(100, 30, seed=4).held, sides.held)
    assert not torch.equal(split(100, 30, seed=5).held, sides.held)


def test_the_floor_is_that_of_the_held_examples(digits: Dataset) -> None:
    found = look(Maker(digits.values), digits, n=300, seed=2)
    sides, space = split(1797, 300, 2), random_space(1)
    held, rest = (space.embed(digits.values[rows]) for rows in (sides.held, sides.reference))
    assert found.figures["fid"].floor == measure(held, rest)["fid"].value


def test_forty_pictures_are_enough() -> None:
    found = look(builders.model(), builders.dataset(40), infinity=True)
    assert (found.protocol.made, found.protocol.real) == (20, 20)
    assert found.step == 5
    assert found["fid"] > 0


@pytest.mark.parametrize(("count", "n"), [(31, 10_000), (1, 10), (1000, 15), (0, 20)])
def test_too_few_to_measure_is_a_sentence(count: int, n: int) -> None:
    with pytest.raises(GansmithError, match="expected at least 16 generated and 32 real examples"):
        look(builders.model(), builders.dataset(count), n=n)


def test_the_same_seed_gives_the_same_figures() -> None:
    model = builders.model()
    first, again, other = (look(model, builders.dataset(60), seed=s) for s in (0, 0, 1))
    assert first == again
    assert other.figures != first.figures


def test_labels_are_asked_for_in_their_real_shares(digits: Dataset) -> None:
    assert digits.labels is not None
    model = Maker(digits.values, digits.labels, NAMES)
    found = look(model, digits, reader(digits), n=500)
    held = split(1797, 500, 0).held
    assert model.asked == [NAMES[k] for k in digits.labels[held].tolist()]
    assert found["agreement"] == 1
    assert found.figures["agreement"].floor == 1
    assert found.balance is not None
    assert found.balance.distance < 0.1
    assert found.balance.classes == NAMES
    assert all(f is not None and f >= 0 for f in found.balance.fid)
    assert found.figures["inception_score"].value > 8


def test_names_that_look_like_other_classes_numbers_are_not_mixed_up(digits: Dataset) -> None:
    """Class 0 is called "1", class 1 is called "0"."""
    names = ("1", "0", *NAMES[2:])
    real = Dataset(**{**vars(digits), "classes": list(names)})
    a_config, spec = (
        builders.config(size="8", model="compact"),
        builders.pictures(1, 8, 8, classes=names),
    )
    model = builders.model(a_config, spec)
    assert digits.labels is not None
    held = split(1797, 100, 0).held
    asked: list[np.ndarray] = []
    generate = model.generate

    def note(n: int, **options: Any) -> Samples:
        made = generate(n, **options)
        assert made.labels is not None
        asked.append(made.labels)
        return made

    model.generate = note  # type: ignore[method-assign]
    look(model, real, n=100)
    assert asked[0].tolist() == digits.labels[held].tolist()


def test_a_generator_that_makes_the_wrong_class(digits: Dataset) -> None:
    assert digits.labels is not None
    wrong = (digits.labels + 1) % 10
    found = look(Maker(digits.values, wrong, NAMES), digits, reader(digits), n=400)
    assert found["agreement"] == 0
    assert found.figures["agreement"].floor == 1


def test_a_class_that_is_never_made(digits: Dataset) -> None:
    assert digits.labels is not None
    some = digits.values[digits.labels < 8]
    found = look(Maker(some), digits, reader(digits), n=500)
    assert found.balance is not None
    assert found.balance.missing == ["8", "9"]
    assert found.balance.fid[9] is None
    assert found.balance.fid_floor[9] is not None
    assert found.balance.fid[0] == pytest.approx(found.balance.fid_floor[0], rel=0.5)
    assert "Never made: 8, 9." in found.remarks()[0]
    assert "agreement" not in found.figures


def test_without_labels_nothing_is_said_of_classes(digits: Dataset) -> None:
    bare = Dataset(**{**vars(digits), "labels": None, "classes": None})
    found = look(Maker(digits.values), bare, n=200)
    assert found.balance is None
    assert "agreement" not in found.figures
    assert found.remarks() == []


def test_a_conditional_generator_beside_data_without_labels(digits: Dataset) -> None:
    bare = Dataset(**{**vars(digits), "labels": None, "classes": None})
    model = Maker(digits.values, digits.labels, NAMES)
    found = look(model, bare, reader(digits), n=200, classes=NAMES)
    assert model.asked == [NAMES[i % 10] for i in range(200)]
    assert found["agreement"] == 1
    assert found.figures["agreement"].floor is None
    assert found.balance is None


def test_a_conditional_generator_beside_other_classes(digits: Dataset) -> None:
    other = Dataset(**{**vars(digits), "classes": [f"thing {k}" for k in range(10)]})
    model = Maker(digits.values, digits.labels, NAMES)
    found = look(model, other, reader(digits), n=200, classes=NAMES)
    assert found["agreement"] == 1
    assert found.figures["agreement"].floor is None
    assert found.balance is None


def test_classes_that_the_space_does_not_know_are_left_out(digits: Dataset) -> None:
    """As of the standard network, whose thousand classes are none of these."""
    model = Maker(digits.values, digits.labels, NAMES)
    found = look(model, digits, reader(digits, classes=1008), n=200)
    assert found.balance is None
    assert "agreement" not in found.figures
    assert "inception_score" in found.figures


def test_points_are_measured_as_they_are() -> None:
    a_config, spec = builders.points_config(), builders.points()
    model = builders.model(a_config, spec)
    values = torch.randn(300, 2) * torch.tensor(spec.std) + torch.tensor(spec.mean)
    real = Dataset("cloud", "points", values, None, None, [], "0" * 64)
    found = look(model, real, Points(), n=100)
    assert found.protocol.space == "values"
    a, b = torch.from_numpy(model.generate(100).images), values[split(300, 100, 0).reference]
    assert found["fid"] == measure(Points().embed(a), Points().embed(b))["fid"].value


@pytest.mark.parametrize(
    ("count", "said"),
    [(20, "it: the generator makes numbers"), (40, "space: wild makes numbers .* of random; use")],
)
def test_a_generator_or_a_space_gone_wild_is_a_sentence(count: int, said: str) -> None:
    class Wild:
        name, weights, resize = "wild", "none", "none"

        def embed(self, pictures: Tensor) -> Any:
            features = torch.rand(len(pictures), 4)
            features[0, 0] = float("inf") if len(pictures) == count else 0.0
            return evaluation.Embedding(features, None)

    with pytest.raises(GansmithError, match=said):
        look(builders.model(), builders.dataset(40), Wild())


def test_copies_are_found_and_their_record_can_be_kept(digits: Dataset, tmp_path: Any) -> None:
    train, unseen = part(digits, 0, 1000), digits.values[1000:]
    found, pictures = memorised(Maker(train.values), train, unseen, random_space(1), n=300)  # type: ignore[arg-type]
    assert found.has_near_duplicates
    assert torch.equal(pictures, train.values[:300])
    record = evaluation.memorisation_record(found)
    assert record["verdict"].startswith("Copies: ")
    kept = look(Maker(train.values), train, n=300).model_copy(update={"memorisation": record})
    (tmp_path / "evaluation.json").write_text(kept.to_json())
    assert read_evaluation(tmp_path / "evaluation.json") == kept


def test_a_rare_class_is_asked_for_as_rarely_as_it_is_found(digits: Dataset) -> None:
    """Asked for equally often, examples of a class that lies close together look like copies."""
    assert digits.labels is not None
    ones, others = (digits.labels == 1).nonzero()[:, 0], (digits.labels == 8).nonzero()[:, 0]
    rows = torch.cat([ones[:10], others[:150]])
    changes = {"values": digits.values[rows], "labels": digits.labels[rows]}
    train = Dataset(**{**vars(digits), **changes})
    maker = Maker(train.values, train.labels, NAMES)
    memorised(maker, train, None, random_space(1), n=400)  # type: ignore[arg-type]
    assert maker.asked is not None
    assert 10 <= maker.asked.count("1") <= 45  # 25 of 400 are expected
    assert maker.asked.count("8") == 400 - maker.asked.count("1")


def test_a_record_of_infinite_ratios_can_be_kept(tmp_path: Any) -> None:
    """Where all held-out examples lie on training examples, any distance is infinitely larger."""
    train = torch.zeros(50, 3)
    found = audit(train, train, torch.ones(20, 3))
    record = evaluation.memorisation_record(found)
    assert record["ratio"] is None
    assert record["closest"][0]["relative"] is None
    kept = look(builders.model(), builders.dataset(40)).model_copy(update={"memorisation": record})
    (tmp_path / "evaluation.json").write_text(kept.to_json())
    assert read_evaluation(tmp_path / "evaluation.json") == kept

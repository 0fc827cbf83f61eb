from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor

from gansmith.data import open_source, prepare
from gansmith.errors import GansmithError
from gansmith.metrics.gain import Arm, Verdict, Worth, interval, summary, t_quantile
from gansmith.metrics.usefulness import (
    AUGMENTED,
    REAL,
    WITH,
    WITH_AUGMENTED,
    balanced_order,
    cas,
    worth,
)

Labelled = tuple[Tensor, Tensor]


@pytest.fixture(scope="module")
def digits() -> list[Labelled]:
    """100 to learn from, 797 others, and 900 to test with."""
    data = prepare(open_source("digits"), height=None, width=None)
    assert data.labels is not None
    places = balanced_order(data.labels, 0)
    return [(data.values[p], data.labels[p]) for p in places.split([100, 797, 900])]


def noise() -> Labelled:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (300, 1, 8, 8), generator=generator).to(torch.uint8)
    return pictures, torch.randint(0, 10, (300,), generator=generator)


def tried(digits: list[Labelled], synthetic: Labelled, size: int, seeds: int, steps: int) -> Worth:
    real, _, (test, labels) = digits
    few = (test[:300], labels[:300])
    return worth(real, few, synthetic, 10, sizes=(size,), seeds=seeds, steps=steps, batch_size=32)


def test_more_real_pictures_are_a_gain(digits: list[Labelled]) -> None:
    found = tried(digits, digits[1], size=30, seeds=4, steps=40)
    (verdict,) = found.verdicts
    assert verdict.effect == "helps"
    assert 0 < verdict.low < verdict.gain < verdict.high
    assert verdict.better in (WITH, WITH_AUGMENTED)
    assert verdict.over in (REAL, AUGMENTED)
    expected = found.arm(verdict.better, 30).mean - found.arm(verdict.over, 30).mean
    assert verdict.gain == pytest.approx(expected)
    assert found.summary == "The synthetic data help with 30 real examples."
    assert found.cas.mean > found.arm(REAL, 100).mean > found.arm(REAL, 30).mean


def test_noise_is_no_gain(digits: list[Labelled]) -> None:
    found = tried(digits, noise(), size=30, seeds=2, steps=20)
    assert found.verdicts[0].effect != "helps"
    assert found.cas.mean < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("synthetic", ["others", "noise", "copies"])
def test_with_a_hundred_pictures_learned_well(digits: list[Labelled], synthetic: str) -> None:
    made = {"others": digits[1], "noise": noise(), "copies": digits[0]}[synthetic]
    found = tried(digits, made, size=100, seeds=4, steps=150)
    effect = found.verdicts[0].effect
    if synthetic == "others":
        assert effect == "helps"
    elif synthetic == "noise":
        assert effect != "helps"
    else:
        assert effect == "no detectable gain"
        assert found.summary == "There is no detectable gain from the synthetic data."


def test_the_same_arguments_give_the_same_result(digits: list[Labelled]) -> None:
    real, other, test = digits

    def found(seed: int) -> Worth:
        few = (test[0][:50], test[1][:50])
        return worth(
            real, few, other, 10, sizes=(20, 50), seeds=2, steps=3, batch_size=8, seed=seed
        )

    first = found(0)
    assert found(0) == first
    assert found(1) != first
    # four arms at each of two sizes, all real, and synthetic alone
    assert [arm.size for arm in first.arms] == [20] * 4 + [50] * 4 + [100, 0]
    assert all(len(arm.accuracies) == 2 for arm in first.arms)
    lines = first.lines()
    assert lines[0].split("  ")[0].strip() == "real examples"
    assert lines[1].split()[0] == "20"
    assert any("all 100 real" in line for line in lines)
    assert first.summary in lines
    record = json.loads(first.to_json())
    assert record["arms"][0]["mean"] == pytest.approx(first.arms[0].mean)
    assert record["verdicts"][1]["size"] == 50
    assert record["summary"] == first.summary


def test_a_gain_with_fewer_than_the_generator_saw_is_said_to_be_partly_theirs(
    digits: list[Labelled],
) -> None:
    real, other, test = ((x[:20], y[:20]) for x, y in digits)

    def cautions(*sizes: int) -> list[str]:
        found = worth(real, test, other, 10, sizes=sizes, seeds=2, steps=1)
        return [line for line in found.lines() if line.startswith("A gain at fewer than all 20 ")]

    assert len(cautions(10, 20)) == len(cautions(10)) == 1
    assert cautions(20) == []


def test_too_few_steps_to_see_all_real_ones_are_said(digits: list[Labelled]) -> None:
    real, other, test = ((x[:20], y[:20]) for x, y in digits)

    def found(steps: int) -> str:
        options = {"sizes": (10, 20), "seeds": 2, "steps": steps, "batch_size": 8}
        return "\n".join(worth(real, test, other, 10, **options).lines())  # type: ignore[arg-type]

    assert "saw 16 examples, so not all of 20 real ones" in found(2)
    assert "--steps 6 or more" in found(2)
    assert "so not all of" not in found(3)


def test_each_result_is_said(digits: list[Labelled]) -> None:
    said: list[str] = []
    few = [(x[:20], y[:20]) for x, y in digits]
    worth(few[0], few[2], few[1], 10, sizes=(10, 30), seeds=2, steps=1, say=said.append)
    assert len(said) == 6  # size 30 is left out: there are only 20
    assert said[0].startswith("real only, 10 real: ")
    assert said[-1].startswith("synthetic only: ")


def test_cas_is_learned_from_synthetic_pictures_alone(digits: list[Labelled]) -> None:
    _, other, test = digits
    assert cas(*other, *test, 10, steps=40, batch_size=32) > 0.8


def test_the_first_places_hold_every_class_equally_often() -> None:
    labels = torch.tensor([0] * 50 + [1] * 3 + [2] * 20)
    places = balanced_order(labels, 0)
    assert sorted(places.tolist()) == list(range(73))
    for n in (3, 9):
        assert labels[places[:n]].bincount().tolist() == [n // 3] * 3
    assert labels[places[:13]].bincount().tolist() == [5, 3, 5]
    assert not torch.equal(places, balanced_order(labels, 1))


def test_balance_is_kept_where_a_class_is_missing() -> None:
    labels = torch.tensor([3, 1, 1, 3])
    assert sorted(labels[balanced_order(labels, 0)[:2]].tolist()) == [1, 3]


@pytest.mark.parametrize(
    ("freedom", "expected"),  # the usual table
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706), (9, 2.2622), (29, 2.0452)],
)
def test_students_quantiles(freedom: int, expected: float) -> None:
    assert t_quantile(freedom) == pytest.approx(expected, abs=5e-5)


def test_other_levels_and_closed_forms() -> None:
    # ν = 1 is Cauchy's, tan(π/2 · level); ν = 2 gives t = √2 p / √(1 - p²)
    assert t_quantile(1, 0.5) == pytest.approx(1)
    assert t_quantile(2, 0.8) == pytest.approx(math.sqrt(2) * 0.8 / 0.6)
    assert t_quantile(10_000) == pytest.approx(1.9602, abs=1e-4)


def test_the_interval_by_hand() -> None:
    with_ = torch.tensor([[1.0, 1, 1, 0], [1, 1, 0, 0]])
    without = torch.tensor([[0.0, 1, 0, 0], [1, 0, 0, 0]])
    # differences 1 0 1 0 and 0 1 0 0: seeds' means .5 and .25, pictures' means .5 .5 .5 0
    over_seeds = 0.25 / math.sqrt(2) / math.sqrt(2)
    over_pictures = math.sqrt(0.046875) / 2
    half = math.sqrt((12.70620 * over_seeds) ** 2 + (1.959964 * over_pictures) ** 2)
    gain, low, high = interval(with_, without)
    assert gain == pytest.approx(0.375)
    assert high - gain == pytest.approx(half, rel=1e-5)
    assert gain - low == pytest.approx(half, rel=1e-5)


def test_seeds_that_agree_about_one_test_picture_prove_nothing() -> None:
    without = torch.zeros(5, 100)
    with_ = without.clone()
    with_[:, 3] = 1
    assert interval(with_, without)[1] < 0 < interval(with_, without)[2]
    with_[:, :40] = 1
    assert interval(with_, without)[1] > 0.25


def test_chance_is_called_a_gain_as_rarely_as_promised() -> None:
    generator = torch.Generator().manual_seed(0)

    def claims() -> bool:
        difficulty = torch.rand(300, generator=generator)
        with_, without = (
            (torch.rand(3, 300, generator=generator) > difficulty).double() for _ in range(2)
        )
        return interval(with_, without)[1] > 0

    # 2.5 % at most, and less: the interval adds two errors that overlap
    assert sum(claims() for _ in range(400)) <= 16


def test_mean_and_deviation() -> None:
    arm = Arm("real only", 100, (0.5, 0.6, 0.7))
    assert arm.mean == pytest.approx(0.6)
    assert arm.sd == pytest.approx(0.1)
    assert str(arm) == "60.0 ± 10.0 %"


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([], "There is no detectable gain from the synthetic data."),
        (["helps"], "The synthetic data help with 10 real examples."),
        (["helps"] * 3, "The synthetic data help with 10, 20 and 30 real examples."),
        (["hurts"], "The synthetic data hurt with 10 real examples, and help nowhere."),
        (
            ["helps", "no detectable gain", "hurts"],
            "The synthetic data help with 10 real examples, and hurt with 30 real examples.",
        ),
    ],
)
def test_the_summary_names_the_sizes(effects: list[str], expected: str) -> None:
    verdicts = [
        Verdict(10 * n, WITH, REAL, 0.0, 0.0, 0.0, effect)  # type: ignore[arg-type]
        for n, effect in enumerate(effects, start=1)
    ]
    assert summary(tuple(verdicts)) == expected


def test_bad_arguments_are_refused(digits: list[Labelled]) -> None:
    real, other, test = digits
    larger = torch.zeros(4, 1, 9, 9, dtype=torch.uint8)
    with pytest.raises(GansmithError, match=r"one shape.*\(1, 9, 9\)"):
        worth(real, test, (larger, torch.arange(4)), 10)
    with pytest.raises(GansmithError, match="seeds: expected at least 2"):
        worth(real, test, other, 10, seeds=1)
    with pytest.raises(GansmithError, match=r"sizes: expected numbers from 1 to 100.*found 200"):
        worth(real, test, other, 10, sizes=(200,))
    with pytest.raises(GansmithError, match="from 0 to 4"):
        worth(real, test, other, 5)

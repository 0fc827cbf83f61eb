"""The score of a run while it trains: what it measures, how often, and that it never varies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gansmith import recipes
from gansmith.config import Config, DataSpec, merge
from gansmith.data import Dataset, open_source, prepare
from gansmith.errors import GansmithError
from gansmith.judge import MOST_WORK, Judge, choose_space, evaluation_interval, shares, work
from gansmith.loop import Session
from gansmith.metrics.distances import fid, sliced_wasserstein
from gansmith.metrics.features import module_space, random_space
from gansmith.models import build_generator
from gansmith.run import RunFolder
from gansmith.stream import Stream, describe
from gansmith.watch import Silent
from gansmith.world import World
from tests.builders import CPU, config, dataset, pictures, points, points_config

TINY = {
    "generator_filters": 4,
    "discriminator_filters": 4,
    "latent_size": 8,
    "batch_size": 8,
    "size": "16",
    "images": 8 * 12,
    "log_every": 5,
    "sample_every": 100,
    "checkpoint_every": 2,
    "evaluate_n": 16,
    "precision": "fp32",
    "source": "digits",
}


def judge(data: Dataset, a_config: Config) -> Judge:
    spec = describe(data, a_config)
    stream = Stream(data, a_config, spec, World(), CPU)
    return Judge(a_config, spec, stream, choose_space(data, a_config, spec, print))


def of_data(count: int, seed: int = 3) -> Dataset:
    """Points in the plane."""
    values = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
    return Dataset("cloud", "points", values, None, None, [], "0" * 64)


def test_the_protocol_is_said_in_words() -> None:
    found = judge(dataset(100), config(evaluate_n=30, seed=7)).protocol
    weights = random_space(1).weights
    assert found == (
        f"FID, 30 generated against 60 real of 1×16×16, random features ({weights}, "
        "resize: area to 32 px where larger), seed 7"
    )
    points = judge(of_data(50), points_config(evaluate_n=40))
    assert points.protocol == "sliced Wasserstein, 40 generated against 40 real of 2, seed 0"
    few = judge(dataset(20), config())
    assert few.protocol.startswith("FID, 20 generated against 20 real of ")


def test_pictures_are_scored_by_fid_in_the_space() -> None:
    data = dataset(40)
    found = judge(data, config(evaluate_n=20))
    made = torch.rand(20, 1, 16, 16) * 2 - 1
    given = iter(made.split(found.batch))
    score = found.score(lambda latents, labels: next(given))
    space = random_space(1)
    seen = ((made + 1) * 127.5).round().to(torch.uint8)
    assert score == pytest.approx(
        fid(space.embed(seen).features, space.embed(data.values).features), rel=1e-6
    )


def test_points_are_scored_by_sliced_wasserstein() -> None:
    data = of_data(40)
    a_config = points_config(evaluate_n=30)
    found = judge(data, a_config)
    made = torch.randn(30, 2)
    given = iter(made.split(found.batch))
    score = found.score(lambda latents, labels: next(given))
    real = Stream(data, a_config, describe(data, a_config), World(), CPU).reference(30).real
    assert score == pytest.approx(sliced_wasserstein(made, real), rel=1e-6)
    assert found.interval == a_config.checkpoint_every


def test_real_pictures_score_best() -> None:
    data = prepare(open_source("digits"), height=16, width=16)
    found = judge(data, config(evaluate_n=200))
    others = iter((data.values[1000:1200].float() / 127.5 - 1).split(found.batch))
    noise = iter((torch.rand(200, 1, 16, 16) * 2 - 1).split(found.batch))
    as_good = found.score(lambda latents, labels: next(others))
    assert 20 * as_good < found.score(lambda latents, labels: next(noise))


def test_the_labels_asked_for_have_the_real_shares() -> None:
    data = dataset(64, classes=3)
    data = Dataset(**{**vars(data), "labels": torch.tensor([0] * 48 + [1] * 12 + [2] * 4)})
    asked: list[Tensor] = []

    def make(latents: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is not None
        asked.append(labels)
        return torch.zeros(len(latents), 1, 16, 16)

    judge(data, config(conditional="yes", evaluate_n=64)).score(make)
    assert torch.cat(asked).bincount().tolist() == [48, 12, 4]


def test_a_score_is_always_the_same_and_leaves_the_random_numbers_alone() -> None:
    data, a_config = dataset(50, classes=2), config(conditional="yes", evaluate_n=40)
    network = build_generator(a_config, describe(data, a_config)).eval()
    with torch.no_grad():
        first = judge(data, a_config)
        before = torch.get_rng_state()
        scores = {first.score(network) for _ in range(2)}
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(99)
        scores.add(judge(data, a_config).score(network))
        assert len(scores) == 1
        assert judge(data, a_config.with_(seed=1)).score(network) not in scores


@pytest.mark.parametrize("count", [1, 2, 5])
def test_hardly_any_data_still_give_a_score(count: int) -> None:
    for data, a_config in ((dataset(count), config()), (of_data(count), points_config())):
        found = judge(data, a_config)
        spec = describe(data, a_config)
        with torch.no_grad():
            assert found.score(build_generator(a_config, spec).eval()) >= 0


RECIPES = {
    "tiny": (config(), pictures(1, 16, 16)),
    "dcgan-32": (recipes.recipe("dcgan-32"), pictures(1, 32, 32, classes=("a", "b"))),
    "dcgan": (recipes.recipe("dcgan"), pictures(3, 64, 64)),
    "compact": (config(model="compact", size="28"), pictures(1, 28, 28)),
}


@pytest.mark.parametrize("name", sorted(RECIPES))
@pytest.mark.parametrize("count", [16, 1000, 50_000])
@pytest.mark.parametrize("every", [1, 30])
def test_scores_never_take_more_than_their_share_of_the_work(
    name: str, count: int, every: int
) -> None:
    base, spec = RECIPES[name]
    a_config = base.with_(evaluate_n=count, checkpoint_every=every)
    space = random_space(spec.shape[0])
    interval = evaluation_interval(a_config, spec, space)
    step, score = work(a_config, spec, space)
    assert interval % every == 0
    assert score <= 1.01 * MOST_WORK * step * interval
    # … and are no rarer than that asks for.
    assert interval == every or score > 0.99 * MOST_WORK * step * (interval - every)


def test_the_interval_grows_with_the_examples_and_for_smaller_networks() -> None:
    spec, space = pictures(1, 16, 16), random_space(1)

    def interval(**changes: object) -> int:
        return evaluation_interval(config(checkpoint_every=10, **changes), spec, space)

    assert interval(evaluate_n=100) < interval(evaluate_n=1000) < interval(evaluate_n=10_000)
    larger = {"generator_filters": 32, "discriminator_filters": 32}
    assert interval(**larger) < interval()
    assert interval(batch_size=64) < interval()
    assert interval(d_steps=4) < interval()


def test_no_oftener_than_was_asked_for() -> None:
    base, spec = RECIPES["dcgan"]
    space = random_space(3)
    for every, expected in ((1, 500), (500, 500), (501, 1000), (700, 1000), (5000, 5000)):
        asked = base.with_(evaluate_every=every, evaluate_n=16)
        assert evaluation_interval(asked, spec, space) == expected
        assert evaluation_interval(points_config(evaluate_every=every), points(), None) == expected


def test_the_work_of_a_step_is_counted_as_it_is() -> None:
    """Closed form: a network of one matrix has two operations a weight and pass."""
    a_config = points_config(generator_filters=7, discriminator_filters=5, latent_size=3)
    g, d = 3 * 7 + 7 * 7 + 7 * 2, 2 * 5 + 5 * 5 + 5
    for steps in (1, 3):
        shape = DataSpec(kind="points", shape=(2,), mean=(0.0, 0.0), std=(1.0, 1.0))
        found, _ = work(a_config.with_(d_steps=steps), shape, _Flat())  # type: ignore[arg-type]
        passes = 2 * (g * (steps + 2) + d * (6 * steps + 2))
        assert found == a_config.batch_size * passes


class _Flat:
    """A space without a network."""

    def embed(self, x: Tensor) -> _Flat:
        self.features = x.flatten(1)
        return self


def tiny(**changes: object) -> Config:
    return merge(recipes.recipe("dcgan-32"), {**TINY, **changes})


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return prepare(open_source("digits"), height=16, width=16)


def train(data: Dataset, path: Path, **changes: object) -> list[dict[str, object]]:
    Session(data, tiny(**changes), RunFolder(path)).train()
    return RunFolder(path).records()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score at every checkpoint, whatever it takes."""
    monkeypatch.setattr("gansmith.judge.MOST_WORK", 1e9)


@pytest.mark.usefixtures("often")
def test_a_resumed_run_has_the_same_scores_at_the_same_steps(
    digits: Dataset, tmp_path: Path
) -> None:
    class Leave(Silent):
        def tick(self, progress):
            if progress.step == 7:
                raise KeyboardInterrupt

    whole = train(digits, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        Session(digits, tiny(), RunFolder(tmp_path / "broken"), Leave()).train()
    broken = train(digits, tmp_path / "broken")
    scores = [{r["step"]: r["score"] for r in run if "score" in r} for run in (whole, broken)]
    assert scores[0] == scores[1]
    assert list(scores[0]) == [2, 4, 6, 8, 10, 12]
    assert len({r["protocol"] for r in whole + broken if "score" in r}) == 1
    assert all(r["evaluation_seconds"] > 0 for r in whole if "score" in r)


@pytest.mark.usefixtures("often")
def test_the_best_checkpoint_is_the_one_with_the_best_score(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = iter([5.0, 2.0, 3.0, 4.0, 3.5, 2.5])
    monkeypatch.setattr(Judge, "score", lambda self, make: next(given))
    train(digits, tmp_path / "run", keep=1)
    kept = sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir())
    assert kept == ["step-000000004", "step-000000012"]


def test_a_checkpoint_between_scores_has_none(digits: Dataset, tmp_path: Path) -> None:
    """Neither a score of an earlier step, nor weights that nobody looked at."""
    quiet = {"evaluate_every": 4, "evaluate_n": 16, "log_every": 1000, "keep": 99}
    config_of = tiny(**quiet)
    session = Session(digits, config_of, RunFolder(tmp_path / "run"))
    session.judge.interval = 4
    checked: list[int] = []
    look = session.observer.not_finite
    session.observer.not_finite = lambda: (checked.append(session.step), look())[1]
    session.train()
    states = {
        int(p.parent.name[5:]): json.loads(p.read_text())["score"]
        for p in (tmp_path / "run" / "checkpoints").glob("*/state.json")
    }
    assert {step: score is not None for step, score in states.items()} == {
        **{2: False, 4: True, 6: False, 8: True, 10: False, 12: True}
    }
    assert checked == sorted(states)


def test_a_classifier_needs_labels() -> None:
    data, a_config = dataset(20), config(evaluate_space="classifier")
    with pytest.raises(GansmithError, match="label"):
        choose_space(data, a_config, describe(data, a_config), print)


class Bright(torch.nn.Module):
    """Tells two classes by brightness."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = x.float().mean((1, 2, 3))
        return torch.stack([mean, mean**2, mean.sin()], 1), torch.stack([127 - mean, mean - 127], 1)


def test_classes_are_counted_where_the_space_tells_any() -> None:
    data = dataset(40)
    data.values[:20], data.values[20:] = 10, 250  # half of them dark
    found = Judge(
        *(config(evaluate_n=16), describe(data, config())),
        Stream(data, config(), describe(data, config()), World(), CPU),
        module_space(Bright()),
    )
    assert found.rarest is None
    for bright in (4, 0):
        made = torch.full((16, 1, 16, 16), -0.9)
        made[:bright] = 0.9
        given = iter(made.split(found.batch))
        found.score(lambda latents, labels, given=given: next(given))  # type: ignore[misc]
        assert found.shares is not None
        assert found.shares.tolist() == [1 - bright / 16, bright / 16]
        real = shares(found._real.probabilities)  # type: ignore[arg-type]
        assert found.rarest == pytest.approx(bright / 16 / real[1].item())


def test_without_classes_none_are_counted() -> None:
    found = judge(dataset(20), config(evaluate_n=16))
    found.score(lambda latents, labels: torch.zeros(len(latents), 1, 16, 16))
    assert (found.shares, found.rarest) == (None, None)

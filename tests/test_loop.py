"""The loop: that a run ends, resumes, stops and fails the way it says it does."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import pytest
import torch
from benchmarks.kill import differences

from gansmith import checkpoint, judge, recipes, vitals
from gansmith.config import Config, merge
from gansmith.data import Dataset, open_source, prepare
from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.loop import Session, TrainResult
from gansmith.losses import GAMES
from gansmith.observe import FIGURES
from gansmith.run import TIMES, RunFolder
from gansmith.watch import Silent

TINY = {
    "generator_filters": 4,
    "discriminator_filters": 4,
    "latent_size": 8,
    "batch_size": 8,
    "images": 8 * 12,
    "log_every": 3,
    "sample_every": 4,
    "checkpoint_every": 5,
    "samples": 16,
    "precision": "fp32",
}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return prepare(open_source("digits"), height=16, width=16)


@pytest.fixture(scope="module")
def points() -> Dataset:
    return prepare(open_source("ring"), height=None, width=None)


def tiny(**changes: object) -> Config:
    return merge(recipes.recipe("dcgan-32"), {**TINY, "source": "digits", **changes})


def train(dataset: Dataset, path: Path, **changes: object) -> TrainResult:
    return Session(dataset, tiny(**changes), RunFolder(path)).train()


class At(Silent):
    """Does something after a step, as a person at the keyboard or a cosmic ray would."""

    def __init__(self, step: int, action: object):
        self.step, self.action, self.session = step, action, None

    def tick(self, progress):
        if progress.step == self.step:
            self.action(self.session)


def test_a_run_leaves_everything_it_promises(digits: Dataset, tmp_path: Path) -> None:
    result = train(digits, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    assert (result.step, result.images) == (12, 96)
    assert [p.name for p in sorted(run.samples.iterdir())] == [
        "real.png",
        *(f"step-{step:09d}.png" for step in (0, 4, 8, 12)),
    ]
    assert [r["step"] for r in run.records()] == [3, 6, 9, 12]
    assert run.read_config().images == 96
    assert sorted(p.name for p in run.checkpoints.iterdir())[-1] == "step-000000012"
    assert list(run.tensorboard.glob("events.out.tfevents.*"))
    assert load(result.run).step == 12
    assert not list(run.path.rglob(".tmp-*"))
    assert not (run.path / ".holder").exists()


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    digits: Dataset, tmp_path: Path
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(digits, tmp_path / name, seed=seed)
    assert differences(tmp_path / "a", tmp_path / "b") == []
    assert "model/model.safetensors" in differences(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dropout": 0.3, "noisy_labels": 0.1, "instance_noise": 0.1, "d_steps": 2},
        {"augment": ("flip", "affine", "cutout"), "data": {"flip": True}, "conditional": "no"},
        {"augment": ("shift",), "augment_target": 0.1, "augment_kimg": 0.1},
    ],
)
def test_a_run_broken_off_anywhere_resumes_to_the_very_same_bytes(
    digits: Dataset, tmp_path: Path, changes: dict[str, object]
) -> None:
    train(digits, tmp_path / "whole", **changes)
    for broken_at in (1, 5, 7, 11):

        def leave(session: Session) -> None:
            raise KeyboardInterrupt

        watcher = At(broken_at, leave)
        with pytest.raises(KeyboardInterrupt):
            Session(digits, tiny(**changes), RunFolder(tmp_path / "broken"), watcher).train()
    train(digits, tmp_path / "broken", **changes)
    assert differences(tmp_path / "whole", tmp_path / "broken") == []


def test_constant_odds_of_augmentation_may_change_on_the_way(
    digits: Dataset, tmp_path: Path
) -> None:
    changes = {"augment": ("shift",), "augment_p": 0.8}
    train(digits, tmp_path / "run", **changes)
    config = tiny(**changes | {"augment_p": 0.4, "images": 8 * 15})
    session = Session(digits, config, RunFolder(tmp_path / "run"))
    session.train()
    assert session.resumed_step == 12
    assert session.players.odds.p.item() == pytest.approx(0.4)


def test_a_damaged_newest_checkpoint_is_said_and_passed_over(
    digits: Dataset, tmp_path: Path
) -> None:
    train(digits, tmp_path / "whole")
    train(digits, tmp_path / "run")
    newest = tmp_path / "run" / "checkpoints" / "step-000000012" / "model.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    said: list[str] = []
    watcher = Silent()
    watcher.say = said.append  # type: ignore[method-assign]
    Session(digits, tiny(), RunFolder(tmp_path / "run"), watcher).train()
    assert any("step-000000012" in line and "damaged" in line for line in said)
    assert any("resuming from step 10" in line for line in said)
    assert differences(tmp_path / "whole", tmp_path / "run") == []


def test_damaged_checkpoints_do_not_crowd_out_whole_ones(digits: Dataset, tmp_path: Path) -> None:
    result = train(digits, tmp_path / "run", keep=2)
    for path in (result.run / "checkpoints").glob("step-000000012/*.safetensors"):
        path.write_bytes(b"")
    train(digits, tmp_path / "run", keep=1, checkpoint_every=3, images=8 * 11)
    assert checkpoint.newest(result.run / "checkpoints").step == 11


def test_a_run_whose_checkpoints_are_all_damaged_is_left_as_it_is(
    digits: Dataset, tmp_path: Path
) -> None:
    result = train(digits, tmp_path / "run")
    for path in (result.run / "checkpoints").glob("*/model.safetensors"):
        path.write_bytes(b"")
    before = RunFolder(result.run).records()
    with pytest.raises(GansmithError, match=r"every checkpoint in .* is damaged"):
        train(digits, tmp_path / "run")
    assert RunFolder(result.run).records() == before


def test_a_finished_run_that_is_resumed_still_has_its_score(
    digits: Dataset, tmp_path: Path
) -> None:
    first = train(digits, tmp_path / "run")
    assert train(digits, tmp_path / "run").score == first.score


def test_a_run_can_be_taken_further(digits: Dataset, tmp_path: Path) -> None:
    train(digits, tmp_path / "long", images=8 * 15)
    train(digits, tmp_path / "run", images=8 * 10)
    train(digits, tmp_path / "run", images=8 * 15)
    long, run = (load(tmp_path / name).generate(5) for name in ("long", "run"))
    assert (long.images == run.images).all()


def test_other_data_are_refused_when_resuming(
    digits: Dataset, points: Dataset, tmp_path: Path
) -> None:
    train(digits, tmp_path / "run")
    other = prepare(open_source("digits"), height=16, width=16, background="black", fit="pad")
    other = Dataset(**{**vars(other), "digest": "0" * 64})
    with pytest.raises(GansmithError, match="other data"):
        train(other, tmp_path / "run", images=200)


def test_not_a_number_stops_before_it_is_saved(digits: Dataset, tmp_path: Path) -> None:
    def poison(session: Session) -> None:
        with torch.no_grad():
            next(session.players.generator.parameters()).fill_(math.nan)

    watcher = At(6, poison)
    session = Session(digits, tiny(on_failure="stop"), RunFolder(tmp_path / "run"), watcher)
    watcher.session = session
    with pytest.raises(GansmithError, match=r"step 8: .*not a number.*step-000000005"):
        session.train()
    names = [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()]
    assert names == ["step-000000005"]
    assert load(tmp_path / "run").step == 5


def test_a_loss_that_was_not_a_number_once_is_not_forgotten(
    digits: Dataset, tmp_path: Path
) -> None:
    def poison(session: Session) -> None:
        session.observer.meter.add(dict.fromkeys(FIGURES, NAN))

    watcher = At(1, poison)
    session = Session(digits, tiny(on_failure="warn"), RunFolder(tmp_path / "run"), watcher)
    watcher.session = session
    with pytest.raises(GansmithError, match=r"step 3: not a number.*loss_d.*none was saved"):
        session.train()


NAN = torch.tensor(math.nan)
VERDICT = {"verdict", "severity", "since", "evidence"}  # only where it is another than before


def test_means_are_over_the_steps_since_the_last_record(digits: Dataset, tmp_path: Path) -> None:
    train(digits, tmp_path / "fine", log_every=1)
    train(digits, tmp_path / "coarse", log_every=4)
    fine = RunFolder(tmp_path / "fine").records()
    coarse = RunFolder(tmp_path / "coarse").records()
    expected = sum(r["loss_d"] for r in fine if 5 <= r["step"] <= 8) / 4
    assert next(r for r in coarse if r["step"] == 8)["loss_d"] == pytest.approx(expected, rel=1e-5)


def test_metrics_hold_every_figure_and_only_times_differ_between_equal_runs(
    digits: Dataset, tmp_path: Path
) -> None:
    train(digits, tmp_path / "run")
    records = RunFolder(tmp_path / "run").records()
    last = {key: value for key, value in records[-1].items() if key not in VERDICT}
    assert set(last) == {
        *("step", "images", "loss_d_sd", "loss_g_sd", "score", "protocol"),
        *(set(FIGURES) - {"clipped"}),
        *vitals.NAMES,
        *TIMES,
    }
    assert 0 < last["d_real"] < 1
    assert last["score"] > 0
    assert last["protocol"].startswith("FID, ")


def test_a_losss_deviation_is_that_of_its_steps(digits: Dataset, tmp_path: Path) -> None:
    train(digits, tmp_path / "fine", log_every=1)
    train(digits, tmp_path / "coarse", log_every=4)
    fine = [r["loss_d"] for r in RunFolder(tmp_path / "fine").records() if 5 <= r["step"] <= 8]
    coarse = RunFolder(tmp_path / "coarse").records()
    found = next(r for r in coarse if r["step"] == 8)["loss_d_sd"]
    assert found == pytest.approx(statistics.pstdev(fine), rel=1e-3)


@pytest.mark.parametrize("loss", sorted(GAMES))
@pytest.mark.parametrize("model", ["compact", "dcgan", "dcgan-keras", "mlp"])
def test_every_loss_trains_every_network(
    digits: Dataset, points: Dataset, tmp_path: Path, loss: str, model: str
) -> None:
    changes: dict[str, object] = {"loss": loss, "model": model, "r1": 0.1, "r2": 0.1}
    if loss == "wasserstein":
        changes |= {"d_norm": "none", "gradient_penalty": 10.0}
    dataset = points if model == "mlp" else digits
    result = train(dataset, tmp_path / "run", images=8 * 3, **changes)
    records = RunFolder(result.run).records()
    figures = [v for record in records for v in record.values() if isinstance(v, (int, float))]
    assert all(map(math.isfinite, figures))


@pytest.mark.parametrize(
    "changes",
    [
        {"latent": "uniform"},
        {"label_smoothing": 0.1},
        {"noisy_labels": 0.1},
        {"batches": "mixed"},
        {"instance_noise": 0.2, "instance_noise_kimg": 0.05},
        {"dropout": 0.4},
        {"init": "torch"},
        {"d_lr": 1e-3},
        {"d_steps": 3},
        {"norm": "none"},
        {"bn_scale": "fixed"},
        {"ema_kimg": 0.0},
        {"precision": "bf16"},
        {"conditional": "no"},
        {"data": {"flip": True, "affine": True}},
        {"augment": ("brightness", "shift")},
    ],
    ids=str,
)
def test_every_switch_changes_the_training(
    digits: Dataset, tmp_path: Path, changes: dict[str, object]
) -> None:
    train(digits, tmp_path / "plain", images=8 * 4)
    train(digits, tmp_path / "switched", images=8 * 4, **changes)
    assert "model/model.safetensors" in differences(tmp_path / "plain", tmp_path / "switched")


def test_minutes_end_a_run(points: Dataset, tmp_path: Path) -> None:
    result = train(points, tmp_path / "run", model="mlp", images=None, minutes=0.02)
    assert result.seconds >= 1.2
    state = json.loads(
        (tmp_path / "run" / "checkpoints" / f"step-{result.step:09d}" / "state.json").read_text()
    )
    assert state["seconds"] >= 1.2


def test_a_network_for_pictures_refuses_points(points: Dataset, tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match="can't make points; use gan-1d"):
        train(points, tmp_path / "run")


def test_the_best_checkpoint_stays_beside_the_last(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "MOST_WORK", 1e6)
    train(digits, tmp_path / "run", checkpoint_every=1, keep=2, evaluate_n=16)
    records = RunFolder(tmp_path / "run").records()
    scores = {r["step"]: r["score"] for r in records if "score" in r}
    assert len(scores) > 2
    best = min(scores, key=scores.__getitem__)
    kept = {int(p.name[5:]) for p in (tmp_path / "run" / "checkpoints").iterdir()}
    assert kept == {11, 12, best}


def test_learning_rates_fall_to_nothing_at_the_end_of_the_run(
    digits: Dataset, tmp_path: Path
) -> None:
    rates: list[tuple[float, float]] = []

    class Note(Silent):
        def tick(self, progress: object) -> None:
            players = session.players
            optimizers = (players.g_optimizer, players.d_optimizer)
            rates.append(tuple(o.param_groups[0]["lr"] for o in optimizers))

    config = tiny(lr=0.1, d_lr=0.2, lr_decay=0.5, on_failure="warn")  # it explodes
    session = Session(digits, config, RunFolder(tmp_path / "run"), Note())
    session.train()
    left = [min(1, 2 * (1 - step / 12)) for step in range(12)]
    assert [g for g, _ in rates] == pytest.approx([0.1 * x for x in left])
    assert [d for _, d in rates] == pytest.approx([0.2 * x for x in left])

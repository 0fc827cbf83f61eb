"""Repairs: what is decided, and that a run that was repaired goes on as it should."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.kill import differences

from gansmith import checkpoint, health
from gansmith.config import Config, merge
from gansmith.data import Dataset, open_source, prepare
from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.health import Severity, Verdict
from gansmith.loop import Session
from gansmith.objectives import noise_level
from gansmith.recipes import recipe
from gansmith.repair import Repairs
from gansmith.run import RunFolder
from gansmith.signals import Stopped
from gansmith.watch import Progress, Silent
from tests.builders import config

SMALL = {
    **{"generator_filters": 4, "discriminator_filters": 4, "latent_size": 8, "batch_size": 8},
    **{"log_every": 2, "sample_every": 20, "checkpoint_every": 10, "samples": 16},
    **{"evaluate_n": 64, "evaluate_every": 10, "size": "16", "precision": "fp32"},
    **{"device": "cpu", "source": "digits", "minutes": None, "images": 8 * 60},
}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return prepare(open_source("digits"), height=16, width=16)


def small(**changes: Any) -> Config:
    return merge(recipe("dcgan-32"), {**SMALL, **changes})


class Breaks(Silent):
    """Spoils a weight after some of the steps, and does what comes besides."""

    def __init__(
        self,
        *steps: int,
        value: float = torch.nan,
        besides: Callable[[Session], object] = lambda _: None,
    ):
        self.steps, self.value, self.besides = steps, value, besides
        self.said = list[str]()
        self.session: Session | None = None

    def say(self, line: str) -> None:
        self.said.append(line)

    def tick(self, progress: Progress) -> None:
        if progress.step in self.steps:
            assert self.session is not None
            with torch.no_grad():
                next(self.session.players.generator.parameters()).fill_(self.value)
            self.besides(self.session)


def session(digits: Dataset, path: Path, watcher: Breaks | None = None, **changes: Any) -> Session:
    watcher = watcher or Breaks()
    path.mkdir(parents=True, exist_ok=True)
    made = Session(digits, small(**changes), RunFolder(path), watcher)
    made.players.ema.half_life = 100.0  # so that a few steps are seen in what it makes
    watcher.session = made
    return made


@pytest.fixture(autouse=True)
def easily_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """These little games are too short to get far."""
    monkeypatch.setattr(health, "VARIED", 0.0)


def failed(step: int = 100, since: int = 90, condition: str = "not a number") -> Verdict:
    return Verdict(condition, Severity.FAILED, step, since)


def test_the_newest_healthy_checkpoint_from_before_the_trouble_is_gone_back_to() -> None:
    repairs = Repairs(config())
    first = repairs.next(failed(100, since=90), {}, [(95, 95), (80, 80), (60, 60)])
    assert first is not None
    assert (first.back_to, first.lost) == (80, 20)
    repairs.done.append(first)
    assert repairs.lost == 20
    # What was thrown away or failed again is not trusted; steps lost before stay lost.
    second = repairs.next(failed(125, since=120), {}, [(115, 95), (95, 95), (80, 80), (60, 60)])
    assert second is not None
    assert (second.back_to, second.lost) == (115, 30)
    repairs.done.append(second)
    third = repairs.next(failed(130, since=129), {}, [(115, 95), (95, 95), (80, 80)])
    assert third is not None
    assert (third.back_to, third.lost) == (None, 130)
    assert "afresh" in third.words


def test_no_state_of_a_game_that_was_lost_from_the_start_is_gone_back_to() -> None:
    lost = Verdict("discriminator overpowering", Severity.FAILED, 900, 800, afresh=True)
    found = Repairs(Config()).next(lost, {}, [(700, 700), (600, 600)])
    assert found is not None
    assert (found.back_to, found.lost) == (None, 900)


def test_remedies_add_up_and_are_as_many_as_allowed() -> None:
    repairs = Repairs(config(lr=0.01, repairs=2))
    for _ in range(2):
        treatment = repairs.next(failed(condition="oscillating"), {}, [])
        assert treatment is not None
        repairs.done.append(treatment)
    assert repairs.treated.lr == pytest.approx(0.01 / 9, rel=0.01)
    assert repairs.treated.r1 == 3
    assert repairs.next(failed(condition="oscillating"), {}, []) is None
    assert Repairs(config()).next(failed(condition="data problem"), {}, []) is None


def test_what_shows_late_is_gone_back_from_to_before_it_was_last_not_seen() -> None:
    """Between two probes nobody looked: a checkpoint of that time may hold the damage."""
    late = Verdict("weights lost", Severity.FAILED, 540, 540, clear=480)
    found = Repairs(config()).next(late, {}, [(500, 500), (450, 450)])
    assert found is not None
    assert found.back_to == 450


def test_noise_that_fades_starts_anew_where_a_later_repair_goes_further_back() -> None:
    beaten = "discriminator overpowering"
    repairs = Repairs(Config(batch_size=32))
    for step in (100_000, 100_100):
        treatment = repairs.next(failed(step, step, beaten), {}, [(step - 50, step - 50)])
        assert treatment is not None
        repairs.done.append(treatment)
    assert noise_level(repairs.treated, 32 * 100_050) == pytest.approx(0.2)
    afresh = repairs.next(failed(100_200, 100_150), {}, [])
    assert afresh is not None
    assert noise_level(repairs.with_(afresh), 0) == pytest.approx(0.2)
    assert noise_level(repairs.with_(afresh), 5_000) == 0


def test_what_the_person_sets_after_a_repair_is_the_persons() -> None:
    before = config(lr=0.01)
    repairs = Repairs(before)
    treatment = repairs.next(failed(condition="oscillating"), {}, [])
    assert treatment is not None
    repairs.done.append(treatment)
    again = Repairs(before.with_(lr=0.005))
    again.restore(repairs.state(), before.model_dump(mode="json"))
    assert again.treated.lr == 0.005
    assert again.treated.d_lr == repairs.treated.d_lr
    same = Repairs(before)
    same.restore(repairs.state(), before.model_dump(mode="json"))
    assert same.treated == repairs.treated
    assert same.state() == repairs.state()


def test_a_run_that_breaks_is_repaired_and_trains_all_that_was_asked_for(
    digits: Dataset, tmp_path: Path
) -> None:
    watcher = Breaks(33)
    made = session(digits, tmp_path / "run", watcher)
    result = made.train()
    treatment = made.keeper.repairs.done[0]
    lost = made.keeper.repairs.lost
    assert treatment.condition == "not a number"
    assert treatment.step == 34
    assert lost > 0
    assert result.step == 60 + lost
    records = RunFolder(tmp_path / "run").records()
    steps = [r["step"] for r in records]
    assert steps == sorted(steps)
    assert [r["treatment"] for r in records if "treatment" in r] == [treatment.words]
    assert any("repair 1" in line for line in watcher.said)
    assert load(tmp_path / "run").step == result.step
    assert made.players.all_finite()


@pytest.mark.parametrize("stop_at", [20, 40, 50])
def test_a_repaired_run_that_is_interrupted_ends_as_if_it_had_not_been(
    digits: Dataset, tmp_path: Path, stop_at: int
) -> None:
    whole = session(digits, tmp_path / "whole", Breaks(33, 47))
    whole.train()
    assert len(whole.keeper.repairs.done) == 2
    first = session(digits, tmp_path / "cut", Breaks(33, 47))
    first._begin()
    for _ in first.steps():
        if first.step == stop_at:
            break
    first.observer.close()
    again = session(digits, tmp_path / "cut", Breaks(33, 47))
    again.train()
    assert again.keeper.repairs.state() == whole.keeper.repairs.state()
    assert differences(tmp_path / "whole", tmp_path / "cut") == []


def test_a_run_told_to_stop_as_it_breaks_is_repaired_when_it_is_resumed(
    digits: Dataset, tmp_path: Path
) -> None:
    session(digits, tmp_path / "whole", Breaks(33)).train()
    told = Breaks(33, besides=lambda _: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped) as stopped:
        session(digits, tmp_path / "cut", told).train()
    assert stopped.value.code == 143
    assert any("stopped at step 33 and not saved" in line for line in told.said)
    session(digits, tmp_path / "cut", Breaks(33)).train()
    assert differences(tmp_path / "whole", tmp_path / "cut") == []


def test_what_breaks_again_and_again_is_stopped_with_the_best_kept(
    digits: Dataset, tmp_path: Path
) -> None:
    watcher = Breaks(*range(41, 300))
    made = session(digits, tmp_path / "run", watcher, repairs=3)
    with pytest.raises(GansmithError, match=r"3 repairs did not last.*best checkpoint.*model") as e:
        made.train()
    assert "Traceback" not in str(e.value)
    folder = tmp_path / "run" / "checkpoints"
    best = checkpoint.best(folder) or checkpoint.paths(folder)[-1]
    assert load(tmp_path / "run" / "model").step == checkpoint.step_of(best)


@pytest.mark.parametrize("on_failure", ["stop", "repair"])
def test_bad_data_are_not_trained_on(
    digits: Dataset, tmp_path: Path, on_failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = session(digits, tmp_path / "run", on_failure=on_failure)
    rows = made.stream._rows

    def unscaled(chosen: torch.Tensor) -> Any:
        batch = rows(chosen)
        return batch._replace(real=(batch.real + 1) * 127.5)

    monkeypatch.setattr(made.stream, "_rows", unscaled)
    with pytest.raises(GansmithError, match=r"data problem.*a real picture holds 255"):
        made.train()


def test_a_failure_when_time_is_up_is_not_repaired_into_nothing(
    digits: Dataset, tmp_path: Path
) -> None:
    def end(session: Session) -> None:
        session.limit.seconds = 1e-9  # the next step is the last

    watcher = Breaks(30, besides=end)
    made = session(digits, tmp_path / "run", watcher, images=None, minutes=60.0)
    with pytest.raises(GansmithError, match=r"not a number.*no time.*best checkpoint.*model") as e:
        made.train()
    assert "regardless" not in str(e.value)  # nothing goes on with NaN
    assert load(tmp_path / "run" / "model").step <= 30


def test_a_repaired_run_that_did_not_get_there_again_ends_with_its_best(
    digits: Dataset, tmp_path: Path
) -> None:
    made = session(digits, tmp_path / "run", Breaks(33))
    end = made.train().step
    best = checkpoint.best(tmp_path / "run" / "checkpoints")
    assert best is not None
    made.observer.score = 1e9
    step, score = made.keeper.outcome(end)[1:]
    assert (step, score) == (checkpoint.step_of(best), checkpoint.load(best).state["score"])
    made.observer.score = score
    assert made.keeper.outcome(end)[1:] == (end, score)


def test_a_person_who_only_wants_to_be_warned_is(digits: Dataset, tmp_path: Path) -> None:
    watcher = Breaks(25, value=0.0)
    made = session(digits, tmp_path / "run", watcher, on_failure="warn")
    result = made.train()
    assert result.step == 60
    assert any("failed: weights lost" in line for line in watcher.said)
    assert made.keeper.repairs.done == []


def test_a_damaged_checkpoint_is_passed_over(digits: Dataset, tmp_path: Path) -> None:
    made = session(digits, tmp_path / "run", Breaks(47))
    made._begin()
    steps = made.steps()
    while made.step < 45:
        next(steps)
    folder = tmp_path / "run" / "checkpoints"
    sound = list(checkpoint.sound(folder))
    newest = checkpoint.path_of(folder, sound[0][0])
    (newest / "model.safetensors").write_bytes(b"broken")
    while made.step < 50:
        next(steps)
    made.observer.close()
    taken = made.keeper.repairs.done[0].back_to
    assert taken == sound[1][0]


def test_a_repair_with_augmentation_survives_a_stop(digits: Dataset, tmp_path: Path) -> None:
    made = session(digits, tmp_path / "run", Breaks())
    made._begin()
    steps = made.steps()
    while made.step < 11:
        next(steps)
    verdict = Verdict("discriminator memorising", Severity.FAILED, 11, 5)
    assert made.keeper.treat(verdict, made.moment)
    made.keeper.settle()
    assert made.players.odds.adaptive
    while made.step < 20:
        next(steps)
    made.observer.close()
    odds = made.players.odds.p.item()
    again = session(digits, tmp_path / "run")
    again._begin()
    assert again.step == 20
    assert again.players.odds.adaptive
    assert again.players.odds.p.item() == odds
    assert again.keeper.game.augment_target == 0.6
    again.observer.close()


def test_gradients_are_clipped_and_counted(digits: Dataset, tmp_path: Path) -> None:
    made = session(digits, tmp_path / "run", clip=1e-3)
    made.train()
    records = RunFolder(tmp_path / "run").records()
    assert next(r["clipped"] for r in records if "clipped" in r) == 1
    shutil.rmtree(tmp_path / "run")
    session(digits, tmp_path / "run").train()
    assert not any("clipped" in r for r in RunFolder(tmp_path / "run").records())


@pytest.mark.parametrize("kind", ["rate", "r1"])
def test_the_balance_is_kept_and_survives_a_stop(
    digits: Dataset, tmp_path: Path, kind: str
) -> None:
    changes = {"balance": kind, "balance_target": 0.0}
    whole = session(digits, tmp_path / "whole", **changes)
    whole.train()
    assert whole.keeper.balance.strength > 1
    first = session(digits, tmp_path / "cut", **changes)
    first._begin()
    for _ in first.steps():
        if first.step == 33:
            break
    first.observer.close()
    session(digits, tmp_path / "cut", **changes).train()
    assert differences(tmp_path / "whole", tmp_path / "cut") == []

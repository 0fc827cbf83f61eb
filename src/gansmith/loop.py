"""The training loop: what the first process of a run does, which is alone in most of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gansmith.config import Config
from gansmith.data import Dataset
from gansmith.health import NAN, Severity, Verdict
from gansmith.judge import Judge, choose_space
from gansmith.keeper import Keeper, Moment
from gansmith.observe import Observer
from gansmith.run import RunFolder, clear_errors
from gansmith.signals import Stop, Stopped
from gansmith.team import Leader, explain_loss
from gansmith.threads import Threads
from gansmith.turns import Turns
from gansmith.watch import Progress, Silent, Watcher
from gansmith.world import World, acting, here

APART = 1_000_000  # batches from those of the game to those that the recogniser has besides


@dataclass(frozen=True)
class TrainResult:
    """A finished run: its folder, how much it trained, and its last score."""

    run: Path
    step: int
    images: int
    seconds: float
    score: float | None

    @property
    def samples(self) -> Path:
        """The newest sheet of samples (for points, their plot)."""
        sheets = sorted((self.run / "samples").glob("step-*.png"))
        return sheets[-1] if sheets else self.run / "real-and-generated.png"

    @property
    def model(self) -> Path:
        return self.run / "model"

    @property
    def report(self) -> Path:
        return self.run / "report.html"


class Limit:
    """When a run is over: after so many steps, or so many minutes of training."""

    def __init__(self, config: Config, examples: int):
        images = config.images
        if config.epochs is not None:
            images = max(1, round(config.epochs * examples))
        self.steps = None if images is None else -(-images // config.batch_size)
        self.seconds = 60 * (config.minutes or 5.0)

    def share(self, step: int, seconds: float) -> float:
        """How much is done, 0 to 1."""
        done = seconds / self.seconds if self.steps is None else step / self.steps
        return min(1.0, done)


class Session:
    """A run, as the first of its processes leads it."""

    def __init__(
        self,
        dataset: Dataset,
        config: Config,
        run: RunFolder,
        watcher: Watcher | None = None,
        world: World | None = None,
    ):
        self.config, self.run, self.dataset = config, run, dataset
        self.watcher, self.world = watcher or Silent(), world or here()
        self.turns = Turns.open(dataset, config, self.world)
        self.spec, self.device = self.turns.spec, self.turns.device
        self.stream, self.players = self.turns.stream, self.turns.players
        self.leader = Leader(self.world, self.players)
        self.limit = Limit(config, dataset.epoch)
        timed = self.limit.steps is None and self.world.size == 1
        self.threads = Threads(self.device.type == "cpu" and timed, self._say)
        space = choose_space(dataset, config, self.spec, self.watcher.say)
        with acting(World()):  # they count what the generator's work is, by having it work
            self.judge = Judge(config, self.spec, self.stream, space)
            self.observer = Observer(
                config, self.spec, run, self.stream, self.players, self.judge, self.device
            )
        self.keeper = Keeper(
            config,
            self.spec,
            run,
            dataset,
            self.players,
            self.observer,
            guard=self.turns.guard,
            say=self._say,
        )
        self.step, self.seconds_before, self.started = 0, 0.0, time.perf_counter()
        self.resumed_step = 0
        self.share, self.together = 0.0, False

    @property
    def images(self) -> int:
        return self.step * self.config.batch_size

    @property
    def moment(self) -> Moment:
        return Moment(self.step, self.images, round(self.seconds, 3))

    @property
    def learnt(self) -> int:
        """Steps whose training is in the weights: all but those that repairs threw away."""
        return self.step - self.keeper.repairs.lost

    @property
    def finished(self) -> bool:
        return self.share >= 1

    @property
    def seconds(self) -> float:
        """Training time, that before an interruption included."""
        return self.seconds_before + time.perf_counter() - self.started

    def train(self) -> TrainResult:
        """Train to the end, from the newest checkpoint if there is one.

        Raises GansmithError for what the person can mend, and `Stopped`, after saving, where the
        process is told to end.
        """
        with (
            Stop(patient=self.world.size > 1) as stop,
            self._leading(),
            self.run.locked(),
            clear_errors(self.run.path),
        ):
            self._begin()
            stop.guarded = True
            try:
                for _ in self.steps():
                    if stop.number is not None and not self.finished:
                        self._leave(stop.number)
            finally:
                self.observer.close()
                self.threads.restore()
            weights, step, score = self.keeper.outcome(self.step)
            self.run.write_model(self.config, self.spec, weights, step, self.dataset.digest)
        return TrainResult(self.run.path, self.step, self.images, self.seconds, score)

    def steps(self) -> Iterator[None]:
        """The loop itself; yields after every step."""
        self.started = time.perf_counter()
        while not self.finished:
            with self.threads.step():
                figures = self._play()
            self.step += 1
            self.share = self.limit.share(self.learnt, self.seconds)
            self._note(figures)
            yield
            self._lead()

    def _note(self, figures: dict[str, Tensor]) -> None:
        """After a step: measure and save what is due."""
        self.observer.meter.add(figures)
        if self.observer.due(self.step, last=self.finished):
            self._look()
        if self.step % self.config.checkpoint_every == 0 or self.finished:
            self.keeper.save(self.moment)
        self.watcher.tick(self._progress())

    @contextmanager
    def _leading(self) -> Iterator[None]:
        """While this process measures and writes, the others wait; if it can't go on, they end."""
        try:
            with acting(World()), explain_loss(self.world):
                yield
        except BaseException:
            if not self.together:
                self.leader.dismiss()
            raise

    @contextmanager
    def _together(self) -> Iterator[None]:
        """What all processes do at once: one that fails alone leaves the others in the middle."""
        self.together = True
        with acting(self.world):
            yield
        self.together = False

    def _lead(self) -> None:
        with self._together():
            self.leader.lead(self.keeper.game, self.step, self.keeper.repairs.lost, self.share)

    def _play(self) -> dict[str, Tensor]:
        with self._together():
            return self.turns.play(self.keeper.game, self.step, self.learnt, self.share)

    def _look(self) -> None:
        """Measure what is due, and heed what it says of the run's health."""
        before = self.observer.health.verdict
        if wrong := self.observer.not_finite():
            verdict = self._not_finite(wrong)
        else:
            self.observer.write(self.step, self.images, self.seconds, last=self.finished)
            verdict = self.observer.health.verdict
            if self.step % self.config.log_every == 0:
                self.keeper.balance.update(self.observer.latest["told"], self.config)
                self.keeper.settle()
        if verdict.severity and not verdict.like(before):
            self._say(f"step {self.step:,}: {verdict.severity.name.lower()}: {verdict.words()}")
        if verdict.severity is Severity.FAILED:
            self._heed(verdict)

    def _not_finite(self, wrong: list[str]) -> Verdict:
        self.observer.note_not_finite(self.step, self.images, self.seconds, wrong)
        return self.observer.health.verdict

    def _heed(self, verdict: Verdict) -> None:
        """Repair a failed run, stop it, or let it go on: as the person chose."""
        chosen = self.config.on_failure
        if chosen == "warn" and verdict.condition != NAN:
            return
        too_late = chosen == "repair" and self.limit.steps is None and self.finished
        if chosen != "repair" or too_late or not self.keeper.treat(verdict, self.moment):
            raise self.keeper.give_up(verdict, too_late)
        self.keeper.settle()
        self.share = self.limit.share(self.learnt, self.seconds)

    def _begin(self) -> None:
        if (moment := self.keeper.resume()) is not None:
            self.step = self.resumed_step = moment.step
            self.seconds_before = moment.seconds
            self.share = self.limit.share(self.learnt, self.seconds_before)
        self.run.write_config(self.config)
        self._say_how()
        self.observer.open(self.step)
        self.keeper.settle()
        self._lead()

    def _leave(self, number: int) -> None:
        wrong = self.observer.not_finite()
        if wrong and self.config.on_failure != "repair":
            raise self.keeper.give_up(self._not_finite(wrong))
        how = "and saved"
        if wrong:  # resumed, it comes here again, and has the time to be repaired
            how = f"and not saved, for {wrong[0]} is not a number"
        else:
            self.observer.score = None  # of an earlier step
            self.keeper.save(self.moment)
        self._say(
            f"stopped at step {self.step:,} {how}; "
            f"go on with: gansmith train --resume --out {self.run.path}"
        )
        raise Stopped(number)

    def _progress(self) -> Progress:
        seconds, share = self.seconds, self.share
        trained = max(1e-9, seconds - self.seconds_before)
        left = seconds * (1 - share) / share if share else None
        rate = (self.step - self.resumed_step) * self.config.batch_size / trained
        health = self.observer.health.verdict
        return Progress(
            *(self.step, self.images, seconds, share, rate, left, self.observer.latest),
            health=health.condition,
            severity=int(health.severity),
        )

    def _say(self, line: str) -> None:
        self.watcher.say(line)
        self.run.say(line)

    def _say_how(self) -> None:
        wrong, precision = self.turns.guard(), self.turns.precision
        threads = f", {torch.get_num_threads()} threads" if self.device.type == "cpu" else ""
        if self.world.size > 1:
            threads += f" in each of {self.world.size} processes"
        self._say(
            f"device {self.device.type}{threads}, precision {precision.name} ({precision.reason})"
        )
        self._say(
            f"score: {self.judge.protocol}, every {self.judge.interval:,} steps; lower is nearer"
        )
        for remark in self.stream.remarks:
            self._say(remark)
        if wrong:
            self._say(f"bf16 is wrong on this machine in {', '.join(wrong)}: kept in fp32")

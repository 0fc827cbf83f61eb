"""Keeps a run's states, and goes back to them: after an interruption, and to repair a failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gansmith import checkpoint
from gansmith.balance import Balance
from gansmith.checkpoint import Checkpoint, DamagedError
from gansmith.config import Config, DataSpec
from gansmith.data import Dataset
from gansmith.errors import GansmithError
from gansmith.health import NAN, Verdict
from gansmith.observe import Observer
from gansmith.players import Players, Tensors
from gansmith.repair import Repairs, Treatment
from gansmith.run import RunFolder

SETBACK = 1.2  # times the best score: more than scores differ by chance


@dataclass(frozen=True)
class Moment:
    """Where a run is: steps, images seen, seconds of training."""

    step: int
    images: int
    seconds: float


class Keeper:
    """Writes checkpoints, takes them over, and decides with which settings the game goes on."""

    def __init__(
        self,
        config: Config,
        spec: DataSpec,
        run: RunFolder,
        dataset: Dataset,
        players: Players,
        observer: Observer,
        guard: Callable[[], object],
        say: Callable[[str], None],
    ):
        self.config, self.spec, self.run, self.digest = config, spec, run, dataset.digest
        self.unlabelled = dataset.unlabelled.digest if dataset.unlabelled else None
        self.lexicon = dataset.lexicon.digest if dataset.lexicon else None
        self.players, self.observer, self.guard, self.say = players, observer, guard, say
        self.repairs, self.balance, self.game = Repairs(config), Balance(), config
        self.saved_step = 0

    def resume(self) -> Moment | None:
        """Take over the newest checkpoint that is whole, and forget what came after it."""
        saved = checkpoint.newest(self.run.checkpoints, self.say)
        if saved is None and any(checkpoint.paths(self.run.checkpoints)):
            raise GansmithError(
                f"every checkpoint in {self.run.checkpoints} is damaged; restore one from a copy, "
                "or start a new run with another --out"
            )
        if saved is None:
            self.run.rewind(0)
            return None
        self._require_same_data(saved)
        moment = self._restore(saved)
        self.saved_step = saved.step
        self.say(f"resuming from step {saved.step:,} ({saved.path})")
        self.run.rewind(saved.step)
        return moment

    def save(self, moment: Moment) -> None:
        """Write a checkpoint, unless this step has one."""
        if moment.step == self.saved_step:
            return
        tensors = self.players.tensors()
        tensors["train_state"] |= self.observer.tensors()
        state = {
            "step": moment.step,
            "images": moment.images,
            "seconds": round(moment.seconds, 3),
            "score": self.observer.score,
            "verdict": self.observer.health.verdict.condition,
            "sound": self.observer.health.sound,
            "lost": self.repairs.lost,
            "repairs": self.repairs.state(),
            "balance": self.balance.strength,
            "digest": self.digest,
            "unlabelled": self.unlabelled,
            "lexicon": self.lexicon,
            "config": self.config.model_dump(mode="json"),
            "spec": self.spec.model_dump(mode="json"),
        }
        checkpoint.save(self.run.checkpoints, Checkpoint(moment.step, tensors, state))
        self.saved_step = moment.step
        checkpoint.prune(self.run.checkpoints, self.config.keep)

    def settle(self) -> None:
        """Let the game be played with what remedies and balance say by now."""
        self.game = self.balance.applied(self.repairs.treated)

    def treat(self, verdict: Verdict, moment: Moment) -> bool:
        """Go back to sound weights with a remedy; False where none is left."""
        sound = list(checkpoint.sound(self.run.checkpoints))
        while treatment := self.repairs.next(verdict, self.observer.health.figures, sound):
            try:
                self._go_back(treatment)
            except DamagedError as error:
                self.say(f"passing over a damaged checkpoint: {error}")
                sound = [found for found in sound if found[0] != treatment.back_to]
                continue
            self.repairs.done.append(treatment)
            self.observer.restart(moment.step, vars(moment) | treatment.to_record())
            number = len(self.repairs.done)
            self.say(f"step {moment.step:,}: repair {number}: {treatment.words}")
            return True
        return False

    def outcome(self, step: int) -> tuple[Tensors, int, float | None]:
        """The generator that a run ends with, of which step, and its score: that of the best
        checkpoint where a repair left too little time to get there again, else the last."""
        last = self.observer.score
        best = self._best() if self.repairs.done and last is not None else None
        score: float | None = best.state["score"] if best else None
        if best is None or last is None or score is None or score * SETBACK >= last:
            return self.players.ema.network.state_dict(), step, last
        self.say(
            f"the last score, {last:.3g}, is behind the {score:.3g} of step {best.step:,}, before "
            f"a repair: {self.run.model} holds the generator of that step"
        )
        return Players.average_of(best.tensors), best.step, score

    def give_up(self, verdict: Verdict, too_late: bool = False) -> GansmithError:
        """Write the best generator there is to the run's model/; the error says why it stops."""
        many = len(self.repairs.done)
        tried = f"; {many} repair{'s' * (many != 1)} did not last" if many else ""
        if too_late:
            tried += "; no time was left to repair it (--minutes)"
        where = "none was saved yet"
        nan = verdict.condition == NAN  # which no run can go on with
        regardless = "" if nan else " To go on regardless: --resume --on-failure warn"
        if (best := self._best()) is not None:
            self.run.write_model(
                self.config, self.spec, Players.average_of(best.tensors), best.step, self.digest
            )
            where = f"the best checkpoint is {best.path}, and its generator is in {self.run.model}"
        return GansmithError(
            f"step {verdict.step:,}: {verdict.words()}{tried}; stopped before saving it; {where}. "
            f"{verdict.advice}{regardless}"
        )

    def _best(self) -> Checkpoint | None:
        """That with the best score; without scores the last sound one, or the last."""
        folder = self.run.checkpoints
        sound = [checkpoint.path_of(folder, step) for step, _ in checkpoint.sound(folder)]
        for path in filter(None, (checkpoint.best(folder), *sound)):
            try:
                return checkpoint.load(path)
            except DamagedError:
                continue
        return checkpoint.newest(folder)

    def _go_back(self, treatment: Treatment) -> None:
        """Renew the players, and give them the weights of a checkpoint if there is one."""
        saved = None
        if treatment.back_to is not None:
            saved = checkpoint.load(checkpoint.path_of(self.run.checkpoints, treatment.back_to))
        config = self.repairs.with_(treatment)
        self.players.renew(config, self.spec, attempt=1 + len(self.repairs.done))
        self.guard()
        if saved is not None:
            self.players.restore(saved.tensors)
        self.balance.strength = float(saved.state.get("balance", 1.0)) if saved else 1.0

    def _restore(self, saved: Checkpoint) -> Moment:
        state = saved.state
        try:
            self.repairs.restore(state.get("repairs", ()), state["config"])
            self.balance.strength = float(state.get("balance", 1.0))
            if self.repairs.done:  # the odds of augmentation are of another kind by now
                self.players.renew(self.repairs.treated, self.spec, attempt=0)
                self.guard()
            moment = Moment(saved.step, int(state["images"]), float(state["seconds"]))
            self.players.restore(saved.tensors)
            self.observer.restore(saved.tensors["train_state"], moment.images, moment.seconds)
            self.observer.score = state.get("score")
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise GansmithError(
                f"{saved.path} does not fit this run's configuration: {error}"
            ) from None
        return moment

    def _require_same_data(self, saved: Checkpoint) -> None:
        for key, now, what in (
            ("digest", self.digest, "data"),
            ("unlabelled", self.unlabelled, "unlabelled data"),
            ("lexicon", self.lexicon, "texts"),
        ):
            if saved.state.get(key) != now:
                raise GansmithError(
                    f"{self.run.path} was trained on other {what} than these (their content "
                    "differs); resume with the same data, or start a new run with another --out"
                )

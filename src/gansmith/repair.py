"""Treatments: back to the last healthy weights, with a remedy, a set number of times.

Weights go back, time does not: steps, data and noise go on, so a second try sees other batches than
the first, every record keeps its place, and nothing that was observed is lost. What a treatment
threw away is trained again (`lost`), unless the run is limited by minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gansmith.config import Config
from gansmith.health import Verdict
from gansmith.remedies import blur, remedy


@dataclass(frozen=True)
class Treatment:
    """One of a run's; all of it is in state.json and in metrics.jsonl."""

    step: int
    condition: str
    remedy: str
    changes: Mapping[str, Any]
    back_to: int | None  # the step of the checkpoint; None: afresh
    lost: int  # steps, by this and all before

    @property
    def words(self) -> str:
        start = "afresh" if self.back_to is None else f"back to step {self.back_to:,}"
        return f"{start}, with {self.remedy}"

    def to_record(self) -> dict[str, Any]:
        return {"treatment": self.words, "back_to": self.back_to, "changes": dict(self.changes)}


@dataclass
class Repairs:
    """A run's treatments so far, and the next."""

    config: Config
    done: list[Treatment] = field(default_factory=list)

    @property
    def treated(self) -> Config:
        """The configuration with all that remedies changed."""
        return self._changed(self.done)

    def with_(self, treatment: Treatment) -> Config:
        """The same, with one more."""
        return self._changed([*self.done, treatment])

    def _changed(self, treatments: Iterable[Treatment]) -> Config:
        changes: dict[str, Any] = {}
        for treatment in treatments:
            changes |= treatment.changes
        return self.config.with_(**changes) if changes else self.config

    def _gave_up(self, step: int) -> bool:
        """Whether a treatment went back to the state of `step`, or further."""
        return any((t.back_to or 0) <= step < t.step for t in self.done)

    @property
    def lost(self) -> int:
        """Steps whose training is gone."""
        return self.done[-1].lost if self.done else 0

    def state(self) -> list[dict[str, Any]]:
        return [asdict(treatment) for treatment in self.done]

    def restore(self, state: Iterable[Mapping[str, Any]], before: Mapping[str, Any]) -> None:
        """Take over a checkpoint's; a setting that the person changed since (it was as in `before`)
        is the person's again."""
        now = self.config.model_dump(mode="json")
        own = {key for key in now if now[key] != before.get(key, now[key])}
        for entry in state:
            changes = {k: v for k, v in entry["changes"].items() if k not in own}
            self.done.append(Treatment(**{**entry, "changes": changes}))

    def next(
        self,
        verdict: Verdict,
        figures: Mapping[str, float],
        sound: Iterable[tuple[int, int]],
    ) -> Treatment | None:
        """What to do about a failure; None where no remedy is left.

        `sound` are the checkpoints that could be gone back to, newest first: the step of each,
        and how many steps of training its weights have. One from before the trouble is taken, that
        no earlier treatment threw away or went back to in vain; none where all went wrong.
        """
        if len(self.done) >= self.config.repairs:
            return None
        until = verdict.sound_until
        fit = (c for c in sound if c[0] <= until and not self._gave_up(c[0]))
        back_to, kept = next(fit, (None, 0))
        attempt = sum(t.condition == verdict.condition for t in self.done)
        images = kept * self.config.batch_size
        found = remedy(verdict.condition, attempt, self.treated, figures, images)
        if found is None:
            return None
        if any("instance_noise" in t.changes for t in self.done):  # it fades from where weights are
            found = found._replace(
                changes=blur(self.treated, figures, images).changes | found.changes
            )
        return Treatment(verdict.step, verdict.condition, *found, back_to, verdict.step - kept)

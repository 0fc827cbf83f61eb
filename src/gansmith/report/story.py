"""What a run folder tells, read once and tolerantly: what is damaged is left out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gansmith import checkpoint
from gansmith.config import Config, DataSpec
from gansmith.errors import GansmithError
from gansmith.health import Verdict, course
from gansmith.metrics.protocol import Evaluation, read_evaluation
from gansmith.run import RunFolder

CURVES = (
    *("loss_r", "loss_read"),
    *("loss_d", "loss_g", "d_real", "d_fake", "spread", "feature_spread", "held_gap"),
    *("augment_p", "score", "images_per_second"),
)
SAMPLE = re.compile(r"step-(\d{1,15})")
LARGEST = 1e15  # beyond this a figure is no more use than infinity, and sums of it overflow
LOG_CHARACTERS = 60_000
PROTOCOL_CHARACTERS = 600


class Curve(NamedTuple):
    """Images seen and a figure's value, both (N,), in order; only finite values."""

    x: np.ndarray
    y: np.ndarray

    @property
    def tail(self) -> float:
        """The mean over the last fifth of the images."""
        return float(self.y[self.x >= 0.8 * self.x[-1]].mean())


class Spell(NamedTuple):
    """From `start` to `end` (images seen) the verdict was this; `treatment` is what ended it."""

    start: float
    end: float
    verdict: Verdict
    treatment: str


class Sample(NamedTuple):
    """Samples of the fixed noise, after so many images."""

    images: int
    path: Path


@dataclass(frozen=True)
class Story:
    """A run as its report needs it. `curves` holds only figures that have at least one value.

    Its scores are those of the last one's `protocol`: "" where the run is too old to have noted
    any. `evaluation` is None where none is kept, or where it is `damaged`.
    """

    path: Path
    config: Config
    spec: DataSpec | None
    finished: bool
    step: int
    images: int
    seconds: float
    curves: Mapping[str, Curve]
    samples: tuple[Sample, ...]
    spells: tuple[Spell, ...]
    verdict: Verdict
    real: Path | None
    log: str
    protocol: str
    other_scores: bool  # of earlier protocols, left out
    evaluation_seconds: float
    evaluation: Evaluation | None
    damaged: bool

    @property
    def points(self) -> bool:
        return self.spec.kind == "points" if self.spec else self.config.model == "mlp"

    @property
    def noun(self) -> str:
        """What training has seen: the figures count points as images."""
        return "points" if self.points else "images"

    @property
    def images_per_second(self) -> float | None:
        """Over the whole run."""
        return self.images / self.seconds if self.images and self.seconds > 0 else None

    @property
    def best(self) -> int:
        """The place of the lowest score in its curve, the first of equal ones."""
        return int(self.curves["score"].y.argmin())

    @property
    def best_checkpoint(self) -> str | None:
        """Where the run keeps the best generator, as a path within its folder."""
        step = round(self.curves["score"].x[self.best] / self.config.batch_size)
        name = f"checkpoints/step-{step:09d}"
        return name if (self.path / name).is_dir() else None


def read_story(path: Path) -> Story:
    """Raises GansmithError where there is no usable config.json."""
    run = RunFolder(path)
    config = run.read_config()
    records = _records(run)
    state, model = _newest_state(run.checkpoints), _read_json(run.model / "model.json")
    spec = _spec(model) or _spec(state)
    last = records[-1] if records else {}
    step = max(_number(x.get("step")) for x in (last, state, {"step": 0}) if "step" in x)
    samples = _samples(run.samples, config.batch_size)
    verdict, changes = course(records)
    protocol, others = _protocols(records)
    scored = [r for r in records if "score" not in r or _protocol(r) == protocol]
    evaluation, damaged = _evaluation(path / "evaluation.json")
    return Story(
        path=path,
        config=config,
        spec=spec,
        finished=bool(model) and _number(model.get("step")) >= step,
        step=int(step),
        images=int(max(_number(x.get("images")) for x in (last, state))),
        seconds=max(_number(x.get("seconds")) for x in (last, state)),
        curves=_curves(records) | _curves(scored),
        samples=samples,
        spells=_spells(records, changes, config.batch_size),
        verdict=verdict,
        real=_real(run.samples, samples),
        log=_log(run.log_file),
        protocol=protocol,
        other_scores=others,
        evaluation_seconds=sum(max(0.0, _number(r.get("evaluation_seconds"))) for r in records),
        evaluation=evaluation,
        damaged=damaged,
    )


def _records(run: RunFolder) -> list[dict[str, Any]]:
    try:
        records = run.records()
    except (OSError, RecursionError):
        return []
    usable = [r for r in records if math.isfinite(_number(r.get("images"), math.nan))]
    return sorted(usable, key=lambda record: _number(record["images"]))


def _curves(records: Iterable[Mapping[str, Any]]) -> dict[str, Curve]:
    curves = {}
    for name in CURVES:
        pairs = [(_number(r["images"]), _number(r.get(name), math.nan)) for r in records]
        finite = np.array([pair for pair in pairs if math.isfinite(pair[1])])
        if len(finite):
            curves[name] = Curve(finite[:, 0], finite[:, 1])
    return curves


def _spells(
    records: list[dict[str, Any]], verdicts: list[Verdict], batch_size: int
) -> tuple[Spell, ...]:
    treated = {r["step"]: r["treatment"] for r in records if isinstance(r.get("treatment"), str)}
    starts = [min(verdict.since, verdict.step) for verdict in verdicts]
    ends = [*starts[1:], max((record["step"] for record in records), default=0)]
    spells = []
    for verdict, start, end in zip(verdicts, starts, ends, strict=False):
        treatment = treated.get(verdict.step, "") if verdict.severity else ""
        images = (start * batch_size, max(start, end) * batch_size)
        spells.append(Spell(*images, verdict, _printable(treatment)))
    return tuple(spells)


def _protocol(record: Mapping[str, Any]) -> str:
    value = record.get("protocol")
    return _printable(value[:PROTOCOL_CHARACTERS]) if isinstance(value, str) else ""


def _protocols(records: Iterable[Mapping[str, Any]]) -> tuple[str, bool]:
    """The last score's protocol, and whether there are scores of others."""
    known = [_protocol(r) for r in records if math.isfinite(_number(r.get("score"), math.nan))]
    return (known[-1], len(set(known)) > 1) if known else ("", False)


def _evaluation(path: Path) -> tuple[Evaluation | None, bool]:
    """What is kept, and whether it is damaged."""
    if not path.exists():
        return None, False
    try:
        return read_evaluation(path), False
    except GansmithError:
        return None, True


def _number(value: Any, otherwise: float = 0.0) -> float:
    """A finite number of sensible size, or `otherwise`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return otherwise
    return float(value) if -LARGEST < value < LARGEST else otherwise


def _samples(folder: Path, batch_size: int) -> tuple[Sample, ...]:
    """Sheets of pictures if there are any, else points; in order of steps."""
    for suffix in (".png", ".npy"):
        found = {path: SAMPLE.fullmatch(path.stem) for path in folder.glob(f"step-*{suffix}")}
        steps = sorted((int(match[1]), path) for path, match in found.items() if match)
        if steps:
            return tuple(Sample(step * batch_size, path) for step, path in steps)
    return ()


def _real(folder: Path, samples: tuple[Sample, ...]) -> Path | None:
    suffixes = [samples[0].path.suffix] if samples else [".png", ".npy"]
    present = [folder / f"real{suffix}" for suffix in suffixes]
    return next((path for path in present if path.is_file()), None)


def _newest_state(folder: Path) -> dict[str, Any]:
    states = (_read_json(path / "state.json") for path in reversed(list(checkpoint.paths(folder))))
    return next((state for state in states if state), {})


def _spec(description: Mapping[str, Any]) -> DataSpec | None:
    try:
        return DataSpec.model_validate(description["spec"])
    except (KeyError, ValueError):
        return None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _log(path: Path) -> str:
    """The end of the run's log, without control characters."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return _printable(text[-LOG_CHARACTERS:])


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable() or c == "\n").strip()

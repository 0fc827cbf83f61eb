"""From a source's name to a trained run: what `gansmith.train` and `gansmith train` both do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gansmith import recipes
from gansmith.config import Config, DataSpec, merge
from gansmith.data import Dataset, open_source, prepare, survey
from gansmith.errors import GansmithError
from gansmith.loop import Session, TrainResult
from gansmith.report import write_report
from gansmith.run import RunFolder, free_folder
from gansmith.stream import describe
from gansmith.watch import Silent, Watcher

Counting = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """A run that is decided but not begun."""

    config: Config
    dataset: Dataset
    spec: DataSpec
    run: RunFolder


def train(
    source: str | Path,
    *,
    recipe: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    watcher: Watcher | None = None,
    counting: Counting | None = None,
    **settings: Any,
) -> TrainResult:
    """Train a generator on `source` and write everything about it into a run folder.

    `source` is what `gansmith train` takes: ``"digits"``, ``"mnist"``, a folder, an archive, a
    Parquet file, ``"hf:owner/name"``, … Without `recipe` one is chosen from the data. `settings` are
    fields of `gansmith.Config` (``minutes=2``, ``lr=1e-4``, ``data={"fit": "pad"}``).

    Raises GansmithError where something is wrong with the data, the settings or the machine.
    """
    planned = plan(
        source,
        recipe=recipe,
        out=out,
        resume=resume,
        settings=settings,
        watcher=watcher,
        counting=counting,
    )
    return execute(planned, watcher)


def plan(
    source: str | Path | None,
    *,
    recipe: str | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
    counting: Counting | None = None,
) -> Plan:
    """Open the data and settle the configuration; nothing is written to the run folder yet."""
    watcher, settings = watcher or Silent(), settings or {}
    run = RunFolder(Path(out)) if out else None
    _refuse_overwriting(run, resume)
    if run and run.exists:
        config = _resumed_config(run, source, recipe, settings)
    elif source is None and run and resume:
        raise GansmithError(f"--out {run.path}: found no run to go on with; check the path")
    elif source is None:
        raise GansmithError("expected a SOURCE to train on (try: gansmith train digits)")
    else:
        config = _new_config(str(source), recipe, settings, watcher)
    dataset = _prepare(config, counting)
    if dataset.skipped:
        watcher.say(
            f"skipped {len(dataset.skipped)} that can't be read, such as "
            f"{dataset.skipped[0].name}: {dataset.skipped[0].reason}"
        )
    spec = describe(dataset, config)
    recipes.check_fit(config, spec)
    run = run or free_folder(Path("runs"), f"{_stem(config.source)}-{config.recipe}")
    return Plan(config, dataset, spec, run)


def execute(plan: Plan, watcher: Watcher | None = None) -> TrainResult:
    """Carry out a plan, and write the report however it ends."""
    try:
        return Session(plan.dataset, plan.config, plan.run, watcher).train()
    finally:
        _report(plan.run, watcher or Silent())


def _report(run: RunFolder, watcher: Watcher) -> None:
    """The report is made from files at any time: that it fails must not hide why a run ended."""
    if run.metrics_file.exists():
        try:
            write_report(run.path)
        except GansmithError as error:
            watcher.say(f"no report: {error}")


def _refuse_overwriting(run: RunFolder | None, resume: bool) -> None:
    if run and run.path.exists() and not run.path.is_dir():
        raise GansmithError(f"--out {run.path}: expected a folder, found a file")
    if run and run.exists and not resume:
        raise GansmithError(
            f"{run.path} already holds a run; add --resume to go on with it, "
            "or choose another --out"
        )
    if resume and run is None:
        raise GansmithError("--resume needs --out: the run to go on with")


def _resumed_config(
    run: RunFolder, source: str | Path | None, recipe: str | None, settings: Mapping[str, Any]
) -> Config:
    """The run's own configuration; only how long to train, and where, may change."""
    config = run.read_config()
    if recipe and recipe != config.recipe:
        raise GansmithError(f"{run.path} is a {config.recipe} run; it can't go on as {recipe}")
    if source is not None and config.source != str(source):
        settings = {**settings, "source": str(source)}
    return merge(config, settings)


def _new_config(
    source: str, recipe: str | None, settings: Mapping[str, Any], watcher: Watcher
) -> Config:
    data_dir = settings.get("data_dir")
    look = survey(open_source(source, data_dir=Path(data_dir) if data_dir else None))
    if recipe is None:
        recipe, reason = recipes.choose(look.kind, look.count, look.height, look.width)
        watcher.say(f"recipe {recipe}, because {reason}")
    config = merge(recipes.recipe(recipe), {**settings, "source": source})
    return config.with_(size=recipes.default_size(config, look.height, look.width))


def _prepare(config: Config, counting: Counting | None) -> Dataset:
    source = open_source(config.source, data_dir=Path(config.data_dir) if config.data_dir else None)
    return prepare(
        source,
        height=config.height,
        width=config.width,
        fit=config.data.fit,
        channels=config.data.channels,
        background=config.data.background,
        max_skipped=config.data.max_skipped,
        memory_gb=config.data.memory_gb,
        progress=counting,
    )


def _stem(source: str) -> str:
    """A short name for the run folder: ``…/faces/`` → ``faces``, ``hf:a/b`` → ``b``."""
    name = Path(source.rstrip("/")).name.partition(":")[0] or "run"
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name.partition(".")[0]) or "run"

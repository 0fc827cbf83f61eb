"""From a source's name to a trained run: what `gansmith.train` and `gansmith train` both do."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gansmith import recipes
from gansmith.config import Config, DataSpec, build, merge
from gansmith.data import (
    Dataset,
    Source,
    find_written,
    open_source,
    open_unlabelled,
    place,
    prepare,
    survey,
)
from gansmith.data.words.lexicon import Lexicon, read_lexicon
from gansmith.errors import GansmithError
from gansmith.loop import Session, TrainResult
from gansmith.report import write_report
from gansmith.run import RunFolder, free_folder
from gansmith.stream import describe
from gansmith.summary import explain_memory
from gansmith.team import Follower, explain_loss
from gansmith.watch import Silent, Watcher
from gansmith.world import here, join, restarted

Counting = Callable[[int, int], None]

# What a run can't change on its way: its networks' shapes and the order of its data.
FIXED = (
    *(
        "seed",
        "model",
        "size",
        "latent_size",
        "latent",
        "conditional",
        "conditional_norm",
        "norm",
        "d_norm",
        "bn_scale",
    ),
    *("generator_filters", "discriminator_filters", "init", "batch_size", "d_steps", "data"),
    *("evaluate_n", "evaluate_space", "recogniser_filters", "recombined"),
)


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
    fields of `gansmith.Config` (``minutes=2``, ``lr=1e-4``, ``data={"fit": "pad"}``; of words
    ``unlabelled="more/"``, pictures whose texts nobody knows).

    Started by torchrun, each process calls it and plays its part; the first one's result has the score.

    Raises GansmithError where something is wrong with the data, the settings or the machine.
    """
    if not (world := join()).is_main:
        return follow()
    with world.sending_home():
        planned = plan(
            source,
            recipe=recipe,
            out=out,
            resume=resume or restarted(),
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
    watcher, settings = watcher or Silent(), dict(settings or {})
    if settings.get("unlabelled") is not None:
        settings["unlabelled"] = place(str(settings["unlabelled"]))
    if settings.get("lexicon") is not None:
        settings["lexicon"] = str(Path(settings["lexicon"]).absolute())
    run = RunFolder(Path(out)) if out else None
    _refuse_overwriting(run, resume)
    _refuse_relabelling(settings)
    if run and run.exists:
        config = _resumed_config(run, source, recipe, settings, watcher)
        opened = _open_again(config, run)
    elif source is None:
        raise GansmithError(_nothing_to_train_on(run))
    else:
        config, opened = _new_config(str(source), recipe, settings, watcher)
    dataset = _dataset(opened, config, counting)
    for part in filter(None, (dataset, dataset.unlabelled)):
        if part.skipped:
            watcher.say(
                f"skipped {len(part.skipped)} that can't be read, such as "
                f"{part.skipped[0].name}: {part.skipped[0].reason}"
            )
    spec = describe(dataset, config)
    recipes.check_fit(config, spec)
    if dataset.lexicon and spec.script:
        with _naming("lexicon"):
            dataset.lexicon.writable(spec.script.alphabet)
    run = run or free_folder(Path("runs"), f"{_stem(config.source)}-{config.recipe}")
    return Plan(config, dataset, spec, run)


def _dataset(opened: Source, config: Config, counting: Counting | None = None) -> Dataset:
    """All that a run of this config is trained on."""
    others, lexicon = _open_unlabelled(config), _read_lexicon(config)
    dataset = replace(prepare_for(opened, config, counting), lexicon=lexicon)
    return dataset if others is None else _with_unlabelled(dataset, others, config, counting)


def follow() -> TrainResult:
    """Play this process's part in the run that the first process plans and carries out.

    Raises a GansmithError where that can't begin it; its own result has the score.
    """
    world = here()
    with explain_loss(world):
        told = world.tell()
    if not told:
        raise SystemExit(0)  # the first has said why
    plan = json.loads(told)
    config = build(plan["config"])
    dataset = _dataset(_open(config, words=config.model == "words"), config)
    begun, follower = time.perf_counter(), Follower(dataset, config, world)
    follower.train()
    images, seconds = follower.step * config.batch_size, time.perf_counter() - begun
    return TrainResult(Path(plan["run"]), follower.step, images, seconds, None)


def execute(plan: Plan, watcher: Watcher | None = None) -> TrainResult:
    """Carry out a plan, and write the report however it ends."""
    told = {"config": plan.config.model_dump(mode="json"), "run": str(plan.run.path)}
    here().tell(json.dumps(told).encode())
    try:
        with explain_memory(plan.config, plan.spec):
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


def _refuse_relabelling(settings: Mapping[str, Any]) -> None:
    for key in ("source", "recipe"):
        if key in settings:
            raise GansmithError(
                f"{key} is no setting: give it as gansmith train SOURCE --recipe NAME"
            )


def _nothing_to_train_on(run: RunFolder | None) -> str:
    if run:
        return f"--out {run.path}: found no run to go on with; check the path, or give a SOURCE"
    return "expected a SOURCE to train on (try: gansmith train digits)"


def _resumed_config(
    run: RunFolder,
    source: str | Path | None,
    recipe: str | None,
    settings: Mapping[str, Any],
    watcher: Watcher,
) -> Config:
    """The run's own configuration; what its networks and its data order rest on must stay."""
    before = run.read_config()
    if recipe and recipe != before.recipe:
        raise GansmithError(f"{run.path} is a {before.recipe} run; it can't go on as {recipe}")
    moved = {} if source is None else {"source": place(str(source))}
    config = merge(before, {**settings, **moved})
    changed = [k for k in Config.model_fields if getattr(before, k) != getattr(config, k)]
    for key in changed:
        line = f"{key} was {getattr(before, key)}"
        if key in FIXED:
            raise GansmithError(
                f"{run.path}: {line}; it can't go on with {getattr(config, key)}. "
                "Start a new run with another --out"
            )
        watcher.say(f"{line}, and is {getattr(config, key)} from here on")
    return config


def _open_again(config: Config, run: RunFolder) -> Source:
    try:
        return _open(config, words=config.model == "words")
    except GansmithError as error:
        raise GansmithError(
            f"{error}\nIf the data moved, name their place: gansmith train SOURCE --resume "
            f"--out {run.path}"
        ) from None


def _new_config(
    source: str, recipe: str | None, settings: Mapping[str, Any], watcher: Watcher
) -> tuple[Config, Source]:
    settings = {**settings, "source": place(source)}
    config = merge(recipes.recipe(recipe), settings) if recipe else recipes.first_taking(settings)
    opened = _open(config, words=recipe is not None and config.model == "words")
    if recipe is None and (written := find_written(config.source)) is not None:
        opened = written
    look = survey(opened)
    if recipe is None:
        recipe, reason = recipes.choose(look.kind, look.count, look.height, look.width)
        watcher.say(f"recipe {recipe}, because {reason}")
        config = merge(recipes.recipe(recipe), settings)
    return config.with_(size=recipes.default_size(config, look.height, look.width)), opened


def _open_unlabelled(config: Config) -> Source | None:
    if config.unlabelled is None:
        return None
    if config.model != "words":
        raise GansmithError(
            f"unlabelled: expected the recipe words, found {config.recipe}, which needs no texts: "
            "put all pictures into one SOURCE"
        )
    with _naming("unlabelled"):
        return open_unlabelled(config.unlabelled)


def _read_lexicon(config: Config) -> Lexicon | None:
    if config.lexicon is None:
        return None
    if config.model != "words":
        raise GansmithError(
            f"lexicon: expected the recipe words, found {config.recipe}, which writes nothing"
        )
    with _naming("lexicon"):
        return read_lexicon(Path(config.lexicon))


def _with_unlabelled(
    dataset: Dataset, source: Source, config: Config, counting: Counting | None
) -> Dataset:
    """`dataset`, and beside it the words of `source`; most of them must be words, not lines."""
    with _naming("unlabelled"):
        others = prepare_for(source, config, counting)
        found = replace(dataset, unlabelled=others)
        wide, widest = len(others) - len(found.beside), int(found.strip.widths.max())
        if wide > config.data.max_skipped * len(others):
            raise GansmithError(
                f"expected words no wider than the widest labelled one, {widest} pixels at a height "
                f"of {config.height}, but {wide:,} of {len(others):,} are. Cut lines into words "
                "first, or allow that they are left out with --set data.max_skipped="
                f"{math.ceil(100 * wide / len(others)) / 100:.2f}"
            )
    return found


@contextmanager
def _naming(key: str) -> Iterator[None]:
    """Say of an error which setting it is about."""
    try:
        yield
    except GansmithError as error:
        raise GansmithError(f"{key}: {error}") from None


def _open(config: Config, words: bool) -> Source:
    data_dir = Path(config.data_dir) if config.data_dir else None
    return open_source(config.source, data_dir=data_dir, words=words)


def prepare_for(source: Source, config: Config, counting: Counting | None = None) -> Dataset:
    """The source's examples as a run of this config sees them."""
    return prepare(
        source,
        height=config.height,
        width=config.width,
        fit=config.data.fit,
        channels=config.data.channels,
        background=config.data.background,
        max_skipped=config.data.max_skipped,
        memory_gb=config.data.memory_gb,
        disk_gb=config.data.disk_gb,
        progress=counting,
    )


def _stem(source: str) -> str:
    """A short name for the run folder: ``…/faces/`` → ``faces``, ``hf:a/b`` → ``b``."""
    name = Path(source.rstrip("/")).name.partition(":")[0] or "run"
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name.partition(".")[0]) or "run"

"""What a run is worth: from a run's name to figures beside real data. `gansmith.evaluate` and more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from gansmith.api import prepare_for
from gansmith.checkpoint import write_atomically
from gansmith.config import merge
from gansmith.data import DOWNLOADS, Dataset, open_source
from gansmith.errors import GansmithError
from gansmith.generate import Model, load
from gansmith.metrics import evaluation
from gansmith.metrics.classifier import classifier_space
from gansmith.metrics.evaluation import Points, Space, memorisation_record, memorised
from gansmith.metrics.features import FeatureSpace, random_space
from gansmith.metrics.inception_weights import inception_space
from gansmith.metrics.memorisation import write_pairs
from gansmith.metrics.protocol import Evaluation
from gansmith.metrics.usefulness import Worth
from gansmith.metrics.usefulness import worth as measure_worth
from gansmith.report import write_report
from gansmith.run import RunFolder, clear_errors

Say = Callable[[str], None]
CHANNELS = {1: "grey", 3: "colour", 4: "alpha"}
SPACES = ("auto", "classifier", "inception", "random")
AGAIN = "make room or permission, and run it again: the same seed gives the same figures"


def evaluate(
    run: str | Path,
    data: str | Path | None = None,
    *,
    space: str | FeatureSpace = "auto",
    held_out: str | Path | None = None,
    data_dir: str | Path | None = None,
    n: int = 10_000,
    seed: int = 0,
    infinity: bool = False,
    device: str = "auto",
    say: Say = lambda line: None,
) -> Evaluation:
    """Measure a run's generator against real data, and keep what was found in the run's folder.

    Args:
        run: a run's folder, or a model folder.
        data: the real examples to compare with; the run's own training data if None.
        space: "classifier" (trained on the run's labels), "inception" (the standard one), "random",
            "auto" (the classifier where there are labels, else random), or a `FeatureSpace` such
            as `module_space` gives for any network.
        held_out: real examples that training never saw, for the memorisation audit; the test split
            where the data set has one, else every training example is compared with the others.
        data_dir: where a named data set's files lie already.
        n: how many to generate; at most half as many as there are real examples.
        seed: of the generated examples and of the split of the real ones.
        infinity: also FID∞, extrapolated to infinitely many generated examples.
        device: where to run the generator.
        say: told what is being done.

    Returns:
        Figures with floors and protocol; `evaluation.json` and `closest-pairs.png` hold the same.

    Raises:
        GansmithError: no run, no data, too few of them, or a feature space that can't be had.
    """
    _require_known(space)
    model = load(run, device)
    trained_on, real = _both(model, data, data_dir, say)
    unseen = _held_out(model, held_out, data_dir, say)
    chosen = _space(space, model, trained_on, say)
    n = min(n, len(real) // 2)
    say(f"generating {n:,} and comparing ({chosen.name} features)")
    found = evaluation.evaluate(
        model,
        real,
        chosen,
        run=Path(run).resolve().name,
        n=n,
        seed=seed,
        infinity=infinity,
        classes=tuple(trained_on.classes or ()) if chosen.name == "classifier" else None,
    )
    # A classifier knows the examples it was fitted to from all others: no judge of who is near whom.
    fair = _untrained(model) if chosen.name == "classifier" else chosen
    say("looking for copies of training examples")
    count = min(n, evaluation.PIXELS_MOST)
    copies, pictures = memorised(model, trained_on, unseen, fair, n=count, seed=seed)
    found = found.model_copy(update={"memorisation": memorisation_record(copies)})
    folder = Path(run)
    with clear_errors(folder, AGAIN):
        write_atomically(folder / "evaluation.json", found.to_json().encode())
        if model.spec.kind == "pictures":
            write_pairs(folder / "closest-pairs.png", copies, pictures, trained_on.values)
    if RunFolder(folder).metrics_file.exists():
        write_report(folder)
    return found


def worth(
    run: str | Path,
    data: str | Path | None = None,
    *,
    test: str | Path | None = None,
    data_dir: str | Path | None = None,
    n: int | None = None,
    sizes: tuple[int | None, ...] = (100, 300, 1000, None),
    seeds: int = 3,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    say: Say = lambda line: None,
) -> Worth:
    """Is a classifier better for the synthetic data? See `metrics.usefulness.worth`.

    Args:
        run: a run's folder, or a model folder, of a conditional generator.
        data: labelled real examples to learn from; the run's own training data if None.
        test: labelled real examples to be judged by, unknown to the generator; the data set's
            test split if None.
        data_dir: where a named data set's files lie already.
        n: how many to generate; as many as there are real examples if None.
        sizes: how many real examples to learn from; None for all.
        seeds: repetitions; steps: of each training; seed: of the synthetic examples.
        device: where to run the generator; say: told what is being done.

    Raises:
        GansmithError: a generator or data without labels, or what `evaluate` raises.
    """
    model = load(run, device)
    real = _real(model, data, data_dir, say)
    if real.labels is None or not real.classes or tuple(real.classes) != model.spec.classes:
        raise GansmithError(
            f"worth: expected a generator and data of the same classes, found "
            f"{_listed(model.spec.classes)} and {_listed(real.classes)}; train with labels "
            "(--set conditional=yes) or name other --data"
        )
    source = str(model.config.source if data is None else data)
    named = test or test_split(source)
    judged_by = _real(model, named, data_dir, say) if named else None
    if judged_by is None or judged_by.labels is None:
        raise GansmithError(
            "worth: expected labelled real examples that neither the generator nor the classifiers "
            f"have seen, and {real.name} has no test split; name some with --test"
        )
    count = n or len(real)
    say(f"generating {count:,}")
    classes = list(range(len(real.classes)))
    samples = model.generate(count, seed=seed, labels=classes)
    assert samples.labels is not None
    return measure_worth(
        real.values,
        real.labels,
        judged_by.values,
        judged_by.labels,
        evaluation.as_tensor(samples),
        torch.from_numpy(samples.labels),
        len(classes),
        sizes=sizes,
        seeds=seeds,
        steps=steps,
        seed=seed,
        say=say,
    )


def _space(space: str | FeatureSpace, model: Model, trained_on: Dataset, say: Say) -> Space:
    """The feature space by name; points are compared as they are."""
    if isinstance(space, FeatureSpace):
        return space
    if model.spec.kind == "points":
        return Points()
    if space == "inception":
        return inception_space(progress=say)
    labelled = trained_on.labels is not None and len(trained_on.classes or ()) > 1
    if space == "classifier" and not labelled:
        raise GansmithError(
            f"space: a classifier needs labels, and {trained_on.name} has none; use random or inception"
        )
    if space == "random" or not labelled:
        return _untrained(model)
    return classifier_space(trained_on, say=say)


def _require_known(space: str | FeatureSpace) -> None:
    if isinstance(space, str) and space not in SPACES:
        raise GansmithError(f"space: expected one of {', '.join(SPACES)}, found {space!r}")


def _untrained(model: Model) -> Space:
    return Points() if model.spec.kind == "points" else random_space(model.spec.shape[0])


def _held_out(
    model: Model, held_out: str | Path | None, data_dir: str | Path | None, say: Say
) -> Tensor | None:
    """Real examples that training never saw: those named, or the data set's own test split."""
    if held_out is not None:
        return _real(model, held_out, data_dir, say).values
    named = test_split(model.config.source)
    try:
        return None if named is None else _real(model, named, data_dir, say).values
    except GansmithError as error:  # nobody asked for it
        say(f"going on without unseen real examples: {error}")
        return None


def _listed(classes: Sequence[str] | None) -> str:
    if not classes:
        return "none"
    return ", ".join(classes[:10]) + ", …" * (len(classes) > 10)


def test_split(source: str) -> str | None:
    """``mnist`` → ``mnist:test``; None where a source has no other split that is known."""
    known = DOWNLOADS.get(source.removesuffix(":train"))
    return f"{known.name}:test" if known and "test" in known.files else None


def _both(
    model: Model, data: str | Path | None, data_dir: str | Path | None, say: Say
) -> tuple[Dataset, Dataset]:
    """What the generator was trained on, and what it is compared with."""
    real = None if data is None else _real(model, data, data_dir, say)
    try:
        trained_on = _real(model, None, data_dir, say)
    except GansmithError as error:
        if real is None:
            raise
        say(f"taking {data} for what it was trained on, which can't be read: {error}")
        trained_on = real
    return trained_on, trained_on if real is None else real


def _real(model: Model, data: str | Path | None, data_dir: str | Path | None, say: Say) -> Dataset:
    """Real examples in the generator's own shape."""
    config, spec = model.config, model.spec
    named = str(config.source if data is None else data)
    folder = data_dir if data_dir is not None else config.data_dir
    if named.partition(":")[0] not in DOWNLOADS:
        folder = None
    try:
        source = open_source(named, data_dir=None if folder is None else Path(folder))
    except GansmithError as error:
        hint = "\nIf the data moved, name their place with --data" if data is None else ""
        raise GansmithError(f"{error}{hint}") from None
    say(f"reading {named}")
    if spec.kind == "pictures":
        channels, height, width = spec.shape
        shape = {"size": f"{width}x{height}", "data": {"channels": CHANNELS[channels]}}
        config = merge(config, shape)
    return prepare_for(source, config)

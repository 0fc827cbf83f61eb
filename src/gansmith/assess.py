"""What a run is worth: from a run's name to figures beside real data. `gansmith.evaluate` and more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from gansmith.api import prepare_for
from gansmith.checkpoint import write_atomically
from gansmith.config import merge
from gansmith.data import DOWNLOADS, Dataset, open_source
from gansmith.errors import GansmithError
from gansmith.generate import Model, load
from gansmith.metrics import evaluation
from gansmith.metrics.classifier import classifier_space
from gansmith.metrics.evaluation import Points, Space, memorisation_record, memorised
from gansmith.metrics.features import FeatureSpace, module_space, random_space
from gansmith.metrics.gain import Origin
from gansmith.metrics.inception_weights import inception_space
from gansmith.metrics.lift import Lift
from gansmith.metrics.memorisation import write_pairs
from gansmith.metrics.protocol import Evaluation
from gansmith.metrics.usefulness import SIZES, Worth
from gansmith.metrics.usefulness import worth as measure_worth
from gansmith.report import write_report
from gansmith.run import RunFolder, clear_errors
from gansmith.word_worth import POOL, STEPS, Asked, load_all, worth_of_words

Say = Callable[[str], None]
CHANNELS = {1: "grey", 3: "colour", 4: "alpha"}
SPACES = ("auto", "classifier", "inception", "random")
AGAIN = "make room or permission, and run it again: the same seed gives the same figures"


def evaluate(
    run: str | Path,
    data: str | Path | None = None,
    *,
    space: str | FeatureSpace | nn.Module = "auto",
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
        run: a run's folder, one of its checkpoints, or a model folder.
        data: the real examples to compare with; the run's own training data if None.
        space: "classifier" (trained on the run's labels), "inception" (the standard one), "random",
            "auto" (the classifier where there are labels, else random), any network (see
            `module_space`), or a `FeatureSpace`.
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
    space = _known(space)
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
    by = {"space": fair.name, "weights": fair.weights, "reference": trained_on.name}
    doubt = _doubt(model, trained_on)
    record = memorisation_record(copies, doubt) | by | {"digest": trained_on.digest}
    found = found.model_copy(update={"memorisation": record})
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
    sizes: tuple[int | None, ...] | None = None,
    seeds: int = 3,
    steps: int | None = None,
    seed: int = 0,
    lexicon: Path | None = None,
    corpus: Path | None = None,
    also: Sequence[str | Path] = (),
    filtered: bool = False,
    device: str = "auto",
    say: Say = lambda line: None,
) -> Worth | Lift:
    """Is a classifier better for the synthetic data, or of words a recogniser?

    See `metrics.usefulness.worth` and `word_worth.worth_of_words`.

    Args:
        run: a run's folder, or a model folder, of a conditional generator or one of words.
        data: labelled real examples to learn from; the run's own training data if None.
        test: labelled real examples to be judged by, unknown to the generator; the data set's
            test split if None.
        data_dir: where a named data set's files lie already.
        n: how many to generate; as many as there are real examples if None, of words 20,000.
        sizes: how many real examples to learn from, each in turn, and in it None for all; 100, 300,
            1,000 and all if None, of words all.
        seeds: repetitions; steps: of each training; seed: of the synthetic examples.
        lexicon, corpus, filtered: of words, see `word_worth.Asked`.
        also: other runs of words, each an arm of its own.
        device: where to run the generator; say: told what is being done.

    Raises:
        GansmithError: a generator or data without labels, or what `evaluate` raises.
    """
    model = load(run, device)
    if model.spec.kind == "words":
        models = load_all((run, *also), device)
        chosen = (sizes or (None,), seeds, steps or STEPS, n or POOL, seed)
        asked = Asked(*chosen, lexicon=lexicon, corpus=corpus, filtered=filtered)
        judged = None if test is None else _prepared(model, test, data_dir, say)
        return worth_of_words(models, _prepared(model, data, data_dir, say), judged, asked, say)
    if lexicon or corpus or also or filtered:
        raise GansmithError(
            "worth: --lexicon, --from-corpus, --also and --filter are for generators of words, "
            f"and {run} makes {model.spec.kind}"
        )
    real = _prepared(model, data, data_dir, say)
    if real.labels is None or not real.classes or tuple(real.classes) != model.spec.classes:
        raise GansmithError(
            f"worth: expected a generator and data of the same classes, found "
            f"{_listed(model.spec.classes)} and {_listed(real.classes)}; train with labels "
            "(--set conditional=yes) or name other --data"
        )
    judged_by, judged_labels = _test(model, real, data, test, data_dir, say)
    count = n or len(real)
    say(f"generating {count:,}")
    classes = list(range(len(real.classes)))
    samples = model.generate(count, seed=seed, labels=classes)
    assert samples.labels is not None
    found = measure_worth(
        (real.values, real.labels),
        (judged_by.values, judged_labels),
        (evaluation.as_tensor(samples), torch.from_numpy(samples.labels)),
        len(classes),
        sizes=SIZES if sizes is None else sizes,
        seeds=seeds,
        steps=steps,
        seed=seed,
        say=say,
    )
    name = Path(run).resolve().name
    of = Origin(name, model.step, real.name, real.digest, judged_by.name, judged_by.digest)
    return replace(found, origin=of)


def _test(
    model: Model,
    real: Dataset,
    data: str | Path | None,
    test: str | Path | None,
    data_dir: str | Path | None,
    say: Say,
) -> tuple[Dataset, Tensor]:
    """Real examples to be judged by, and their labels, numbered as the generator's classes are."""
    named = test or test_split(str(model.config.source if data is None else data))
    unseen = "labelled real examples that neither the generator nor the classifiers have seen"
    if named is None:
        raise GansmithError(
            f"worth: expected {unseen}, and {real.name} has no test split; name some with --test"
        )
    found = _prepared(model, named, data_dir, say)
    if found.digest in (real.digest, model.digest):
        raise GansmithError(
            f"worth: expected {unseen}, and {named} is what they learn from; name others with --test"
        )
    if found.labels is None:
        raise GansmithError(f"worth: expected {unseen}, and {named} has no labels; name others")
    return found, _renumbered(found, model.spec.classes or (), str(named))


def _renumbered(data: Dataset, classes: Sequence[str], named: str) -> Tensor:
    """Labels int64 (N,) by their names: data that lack a class number those after it otherwise."""
    assert data.labels is not None
    unknown = [name for name in data.classes or () if name not in classes]
    if unknown:
        raise GansmithError(
            f"worth: expected no classes in {named} but the generator's, {_listed(classes)}; "
            f"found {_listed(unknown)}"
        )
    return torch.tensor([classes.index(name) for name in data.classes or ()])[data.labels]


def _doubt(model: Model, trained_on: Dataset) -> str:
    """What to say where copies are sought among other examples than the generator learnt from."""
    if model.digest in (None, trained_on.digest):
        return ""
    return (
        f"These are not the examples it was trained on ({trained_on.name} has other content now, or is "
        "decoded otherwise): copies of those would not show."
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


def _known(space: str | FeatureSpace | nn.Module) -> str | FeatureSpace:
    if isinstance(space, nn.Module):
        return module_space(space)
    if not isinstance(space, FeatureSpace) and space not in SPACES:
        raise GansmithError(
            f"space: expected one of {', '.join(SPACES)} or a network, found {space!r}"
        )
    return space


def _untrained(model: Model) -> Space:
    return Points() if model.spec.kind == "points" else random_space(model.spec.shape[0])


def _held_out(
    model: Model, held_out: str | Path | None, data_dir: str | Path | None, say: Say
) -> Tensor | None:
    """Real examples that training never saw: those named, or the data set's own test split."""
    if held_out is not None:
        return _prepared(model, held_out, data_dir, say).values
    named = test_split(model.config.source)
    try:
        return None if named is None else _prepared(model, named, data_dir, say).values
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
    real = None if data is None else _prepared(model, data, data_dir, say)
    try:
        trained_on = _prepared(model, None, data_dir, say)
    except GansmithError as error:
        if real is None:
            raise
        say(f"taking {data} for what it was trained on, which can't be read: {error}")
        trained_on = real
    return trained_on, trained_on if real is None else real


def _prepared(
    model: Model, data: str | Path | None, data_dir: str | Path | None, say: Say
) -> Dataset:
    """Real examples in the generator's own shape."""
    config, spec = model.config, model.spec
    named = str(config.source if data is None else data)
    folder = data_dir if data_dir is not None else config.data_dir
    if named.partition(":")[0] not in DOWNLOADS:
        folder = None
    try:
        place = None if folder is None else Path(folder)
        source = open_source(named, data_dir=place, words=spec.kind == "words")
    except GansmithError as error:
        hint = "\nIf the data moved, name their place with --data" if data is None else ""
        raise GansmithError(f"{error}{hint}") from None
    say(f"reading {named}")
    if spec.kind == "pictures":
        channels, height, width = spec.shape
        shape = {"size": f"{width}x{height}", "data": {"channels": CHANNELS[channels]}}
        config = merge(config, shape)
    return prepare_for(source, config)

"""What a run is worth: from a run's name to figures beside real data. `gansmith.evaluate` and more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from gansmith import word_worth
from gansmith.checkpoint import write_atomically
from gansmith.data import Dataset
from gansmith.errors import GansmithError
from gansmith.generate import Model, load
from gansmith.imaging import png_bytes
from gansmith.metrics import evaluation
from gansmith.metrics.classifier import classifier_space
from gansmith.metrics.evaluation import (
    Points,
    Space,
    doubt_of,
    memorisation_record,
    memorised,
)
from gansmith.metrics.features import FeatureSpace, module_space, random_space
from gansmith.metrics.gain import Origin
from gansmith.metrics.inception_weights import inception_space
from gansmith.metrics.lift import Lift
from gansmith.metrics.memorisation import closest_picture
from gansmith.metrics.protocol import Evaluation
from gansmith.metrics.usefulness import SIZES, Worth
from gansmith.metrics.usefulness import worth as measure_worth
from gansmith.metrics.words import referee
from gansmith.real import both, prepared, test_split, unseen_by
from gansmith.report import write_report
from gansmith.run import RunFolder, clear_errors
from gansmith.word_evaluation import READ, evaluate_words
from gansmith.word_worth import Asked, load_all, worth_of_words

Say = Callable[[str], None]
MADE = 10_000
PAIRS = "closest-pairs.png"
SPACES = ("auto", "classifier", "inception", "random")
AGAIN = "make room or permission, and run it again: the same seed gives the same figures"


def evaluate(
    run: str | Path,
    data: str | Path | None = None,
    *,
    space: str | FeatureSpace | nn.Module = "auto",
    held_out: str | Path | None = None,
    data_dir: str | Path | None = None,
    n: int | None = None,
    seed: int = 0,
    infinity: bool = False,
    referee_steps: int = referee.STEPS,
    device: str = "auto",
    say: Say = lambda line: None,
) -> Evaluation:
    """Measure a run's generator against real data, and keep what was found in the run's folder.

    Of words, see docs/words.md: they are read by a referee, which is trained on real words first.

    Args:
        run: a run's folder, one of its checkpoints, or a model folder.
        data: the real examples to compare with; the run's own training data if None.
        space: "classifier" (trained on the run's labels), "inception" (the standard one), "random",
            "auto" (the classifier where there are labels, else random), any network (see
            `module_space`), or a `FeatureSpace`.
        held_out: real examples that training never saw, for the memorisation audit; the test split
            where the data set has one, else every training example is compared with the others.
            Of words, real ones that everything is compared with; else a tenth of the real ones,
            kept from the referee.
        data_dir: where a named data set's files lie already.
        n: how many to generate, 10,000 if None; at most half as many as there are real examples.
            Of words, how many are made to be read, 2,000 if None.
        seed: of the generated examples and of the split of the real ones.
        infinity: also FID∞, extrapolated to infinitely many generated examples.
        referee_steps: of words, how long their referee is trained where it is not kept yet.
        device: where to run the generator.
        say: told what is being done.

    Returns:
        Figures with floors and protocol; `evaluation.json` and pictures hold the same.

    Raises:
        GansmithError: no run, no data, too few of them, or a feature space that can't be had.
    """
    space = _known(space)
    model = load(run, device)
    trained_on, real = both(model, data, data_dir, say)
    name, folder = Path(run).resolve().name, Path(run)
    if model.spec.kind == "words":
        _require_usual(space, infinity)
        unseen = None if held_out is None else prepared(model, held_out, data_dir, say)
        count = READ if n is None else n
        todo = (model, trained_on, real, unseen)
        found, pictures = evaluate_words(
            *todo, run=name, n=count, seed=seed, steps=referee_steps, say=say
        )
    else:
        values = unseen_by(model, held_out, data_dir, say)
        chosen = _space(space, model, trained_on, say)
        n = min(MADE if n is None else n, len(real) // 2)
        options = {"run": name, "n": n, "seed": seed, "infinity": infinity}
        found, pictures = _compare(model, trained_on, real, values, chosen, options, say)
    with clear_errors(folder, AGAIN):
        write_atomically(folder / "evaluation.json", found.to_json().encode())
        for file, picture in pictures.items():
            write_atomically(folder / file, png_bytes(picture))
    if RunFolder(folder).metrics_file.exists():
        write_report(folder)
    return found


def _compare(
    model: Model,
    trained_on: Dataset,
    real: Dataset,
    unseen: Tensor | None,
    space: Space,
    options: dict[str, Any],
    say: Say,
) -> tuple[Evaluation, dict[str, Image.Image]]:
    """Pictures or points beside real ones, and copies of those that were trained on."""
    n, seed = options["n"], options["seed"]
    judged = space.name == "classifier"
    say(f"generating {n:,} and comparing ({space.name} features)")
    classes = tuple(trained_on.classes or ()) if judged else None
    found = evaluation.evaluate(model, real, space, **options, classes=classes)
    # A classifier knows the examples it was fitted to from all others: no judge of who is near whom.
    fair = _untrained(model) if judged else space
    say("looking for copies of training examples")
    count = min(n, evaluation.PIXELS_MOST)
    copies, made = memorised(model, trained_on, unseen, fair, n=count, seed=seed)
    by = {"space": fair.name, "weights": fair.weights, "reference": trained_on.name}
    record = memorisation_record(copies, doubt_of(model, trained_on)) | by
    found = found.model_copy(update={"memorisation": record | {"digest": trained_on.digest}})
    if model.spec.kind == "points":
        return found, {}
    return found, {PAIRS: closest_picture(copies, made, trained_on.values)}


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
        chosen = (sizes or (None,), seeds, steps or word_worth.STEPS, n or word_worth.POOL, seed)
        asked = Asked(*chosen, lexicon=lexicon, corpus=corpus, filtered=filtered)
        judged = None if test is None else prepared(model, test, data_dir, say)
        return worth_of_words(models, prepared(model, data, data_dir, say), judged, asked, say)
    if lexicon or corpus or also or filtered:
        raise GansmithError(
            "worth: --lexicon, --from-corpus, --also and --filter are for generators of words, "
            f"and {run} makes {model.spec.kind}"
        )
    real = _with_classes_of(model, prepared(model, data, data_dir, say))
    judged_by, judged_labels = _test(model, real, data, test, data_dir, say)
    count = n or len(real)
    say(f"generating {count:,}")
    classes = list(range(len(real.classes or ())))
    samples = model.generate(count, seed=seed, labels=classes)
    assert samples.labels is not None
    assert real.labels is not None
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


def _with_classes_of(model: Model, real: Dataset) -> Dataset:
    """`real`, which must have the generator's classes."""
    if real.labels is None or not real.classes or tuple(real.classes) != model.spec.classes:
        raise GansmithError(
            f"worth: expected a generator and data of the same classes, found "
            f"{_listed(model.spec.classes)} and {_listed(real.classes)}; train with labels "
            "(--set conditional=yes) or name other --data"
        )
    return real


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
    found = prepared(model, named, data_dir, say)
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


def _require_usual(space: str | FeatureSpace, infinity: bool) -> None:
    """Words are compared by their referee alone."""
    if space != "auto" or infinity:
        raise GansmithError(
            "words are compared in the features of their referee, by FID: leave out space and infinity"
        )


def _untrained(model: Model) -> Space:
    return Points() if model.spec.kind == "points" else random_space(model.spec.shape[0])


def _listed(classes: Sequence[str] | None) -> str:
    if not classes:
        return "none"
    return ", ".join(classes[:10]) + ", …" * (len(classes) > 10)

"""A generator of words beside real ones: figures with floors, by a referee that is nobody's player."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from gansmith.data import Dataset
from gansmith.data.words import characters, count_characters
from gansmith.errors import GansmithError
from gansmith.generate import Model
from gansmith.measures import LINE_HEIGHT
from gansmith.metrics import distances
from gansmith.metrics.evaluation import (
    CLOSEST,
    LEAST,
    Sides,
    doubt_of,
    measure,
    memorisation_record,
    split,
)
from gansmith.metrics.features import Embedding, random_space
from gansmith.metrics.memorisation import audit
from gansmith.metrics.protocol import Evaluation, Figure, Protocol
from gansmith.metrics.words.borders import by_surroundings
from gansmith.metrics.words.hands import (
    Hands,
    chosen_rows,
    compare_hands,
    measures_of,
)
from gansmith.metrics.words.legibility import Legibility, described, legibility, parts_of
from gansmith.metrics.words.referee import STEPS, Judge, judge_for
from gansmith.metrics.words.sentences import said
from gansmith.metrics.words.sets import Words, gather, set_aside, words_of
from gansmith.metrics.words.sheet import closest_words, mixed_sheet, one_form
from gansmith.metrics.words.texts import draw_texts, require_enough
from gansmith.models import draw_latent
from gansmith.runtime import Draw, derive_seed
from gansmith.scribe import Scribe
from gansmith.stream import split as rows_of_run

Say = Callable[[str], None]
READ = 2000  # words that are made to be read
MIXED, PAIRS = "real-or-made.png", "closest-pairs.png"


@dataclass(frozen=True)
class Task:
    """What is measured: who writes, who judges, and real words that the judge never saw."""

    scribe: Scribe
    judge: Judge
    learnt: Words  # what the judge was trained on
    unseen: Words
    source: str  # where the unseen come from, in words
    seed: int


def evaluate_words(
    model: Model,
    trained_on: Dataset,
    real: Dataset,
    held_out: Dataset | None,
    *,
    run: str,
    n: int = READ,
    seed: int = 0,
    steps: int = STEPS,
    say: Say = lambda line: None,
) -> tuple[Evaluation, dict[str, Image.Image]]:
    """Measure a generator of words, and draw what people should look at.

    Args:
        model: the generator.
        trained_on: what it learnt from: copies are sought there.
        real: the words that the referee learns from, and whose hands are compared.
        held_out: words that neither has seen; without, a tenth of `real` is kept from the referee.
        n: how many words are made to be read; seed: of all that is drawn.
        steps: of the referee's training, which happens once.

    Returns:
        The evaluation and the pictures by their files' names.
    """
    require_enough(n)  # before the minutes of training
    task = _task(model, real, held_out, seed, steps, say)
    say(f"writing {n:,} words to be read, and what {len(task.unseen):,} real ones say")
    read = _read(task, n)
    made = write(task.scribe, task.unseen.texts, seed, 1)
    sides = split(len(made), len(made) // 2, seed)
    say("comparing distances, hands and borders")
    hands = _hands(task.scribe, words_of(real), seed)
    told = by_surroundings(made, task.unseen, (sides.held, sides.reference), seed)
    figures = _legibility(task, read, made) | _distances(task, made, sides)
    figures |= {"borders": Figure(**vars(told["all"]))}
    if hands is not None:
        figures["hands"] = Figure(value=hands.ratio, error=hands.error)
    say("looking for copies of training words")
    copies, pairs = _memorised(task.scribe, trained_on, held_out, seed)
    sheet, key = mixed_sheet(task.unseen, made, seed)
    details = {
        "unseen": {"source": task.source, "words": len(task.unseen)},
        "legibility": described(read.found, read.floor) | read.known_and_new(),
        "hands": None if hands is None else hands.record(),
        "borders": {part: vars(accuracy) for part, accuracy in told.items()},
        "fid_between_writers": _between_writers(task),
        "made_on_sheet": key,
    }
    protocol = _protocol(task, real if held_out is None else held_out, sides, n)
    evaluation = Evaluation(
        run=run,
        step=model.step,
        protocol=protocol,
        figures=figures,
        memorisation=copies,
        details=details,
        said=said(details, figures, hands, task.judge.steps),
    )
    return evaluation, {MIXED: sheet, PAIRS: pairs}


def write(
    scribe: Scribe, texts: Sequence[str], seed: int, use: int, hands: Tensor | None = None
) -> Words:
    """Words that say `texts`, each in a style of its own, or by its hand (N,).

    `use` tells apart what words are written for: no two uses share styles.
    """
    count = len(texts) if hands is None else int(hands.max()) + 1
    generator = torch.Generator().manual_seed(derive_seed(seed, Draw.GENERATE, use))
    latents = draw_latent(scribe.model.config, count, torch.device("cpu"), generator)
    latents = latents if hands is None else scribe.hand(latents[hands], generator)
    return gather([word.image for word in scribe.words(texts, latents)], texts)


@dataclass(frozen=True)
class Reading:
    """What was read of made words, some of which say what is in no training text, and of real ones."""

    found: Legibility
    fresh: Tensor  # (N,) bool
    floor: Legibility

    def known_and_new(self) -> dict[str, Any]:
        """CER and WER of training texts and of new ones."""
        groups = {"training_texts": ~self.fresh, "new_texts": self.fresh}
        errors = {name: parts_of(self.found, rows) for name, rows in groups.items() if rows.any()}
        return {
            name: {"words": len(e.edits), "cer": e.cer, "wer": e.wer} for name, e in errors.items()
        }


def _task(
    model: Model, real: Dataset, held_out: Dataset | None, seed: int, steps: int, say: Say
) -> Task:
    """Who judges, and by what. A GansmithError where there are too few words that can be used."""
    scribe, words = Scribe(model), words_of(real)
    if held_out is not None:
        learnt, unseen, source = words, words_of(held_out), f"{held_out.name}, named"
    else:
        rows, kept, kind = set_aside(words)
        learnt, unseen = words.at(rows), words.at(kept)
        source = f"{kind} of {real.name} that were kept from the referee, not from the generator"
    known = set(count_characters(learnt.texts))
    usable = [
        row
        for row, text in enumerate(unseen.texts)
        if scribe.can_write(text) and set(characters(text)) <= known
    ]
    if len(usable) < 2 * LEAST:
        raise GansmithError(
            f"expected {2 * LEAST} real words or more that the referee has not learnt from, in "
            f"characters that it and the generator know, found {len(usable)}; name others with "
            "--held-out"
        )
    judge = judge_for(learnt, real.digest, steps=steps, say=say)
    return Task(scribe, judge, learnt, unseen.at(usable), source, seed)


def _read(task: Task, n: int) -> Reading:
    allowed = task.judge.frequent & set(task.scribe.script.alphabet)
    texts, fresh = draw_texts(task.learnt.texts, allowed, n, task.seed)
    made = write(task.scribe, texts, task.seed, 0)
    found, floor = (legibility(task.judge, words) for words in (made, task.unseen))
    return Reading(found, torch.tensor(fresh), floor)


def _legibility(task: Task, read: Reading, made: Words) -> dict[str, Figure]:
    found, floor, same = read.found, read.floor.errors, legibility(task.judge, made)
    return {
        "cer": Figure(value=found.errors.cer, error=found.cer_error, floor=floor.cer),
        "wer": Figure(value=found.errors.wer, error=found.wer_error, floor=floor.wer),
        "cer_same": Figure(value=same.errors.cer, error=same.cer_error, floor=floor.cer),
    }


def _distances(task: Task, made: Words, sides: Sides) -> dict[str, Figure]:
    """In the referee's features. Made words say what one half of the unseen real ones says, and both
    are compared with the other half: that the texts differ costs the same."""
    real = _features(task.judge, task.unseen)
    other = Embedding(real[sides.reference], None)
    found, floors = (
        measure(Embedding(features, None), other)
        for features in (_features(task.judge, made.at(sides.held)), real[sides.held])
    )
    return {
        name: Figure(value=e.value, error=e.error, floor=floors[name].value)
        for name, e in found.items()
    }


def _between_writers(task: Task) -> float | None:
    """FID between the unseen words of one half of the writers and those of the other."""
    if task.unseen.writers is None or len(set(task.unseen.writers)) < 2:
        return None
    writer = task.unseen.hands
    generator = torch.Generator().manual_seed(derive_seed(task.seed, Draw.REFERENCE, 5))
    drawn = torch.randperm(int(writer.max()) + 1, generator=generator)
    ours = torch.isin(writer, drawn[: len(drawn) // 2])
    features = _features(task.judge, task.unseen)
    return distances.fid(features[ours], features[~ours])


def _features(judge: Judge, words: Words) -> Tensor:
    return judge.referee.features(words.values, words.widths)


def _hands(scribe: Scribe, words: Words, seed: int) -> Hands | None:
    """As many made hands as there are writers, each with the texts of one."""
    writable = [row for row, text in enumerate(words.texts) if scribe.can_write(text)]
    words = words.at(writable)
    rows = chosen_rows(words)
    if rows is None:
        return None
    real = words.at(rows)
    hands = real.hands
    made = write(scribe, real.texts, seed, 2, hands)
    return compare_hands(measures_of(made), measures_of(real), hands)


def _memorised(
    scribe: Scribe, trained_on: Dataset, held_out: Dataset | None, seed: int
) -> tuple[dict[str, Any], Image.Image]:
    """Copies of training words. Unseen ones are those that the run kept from its training, which are
    of the same writers: strangers' hands would be farther away without anyone's copying."""
    model, words = scribe.model, words_of(trained_on)
    rows, kept = rows_of_run(len(words), model.config)
    unseen: Words | None = None
    if model.digest == trained_on.digest and len(kept):
        words, unseen = words.at(rows), words.at(kept)
    elif held_out is not None:
        unseen = words_of(held_out)
    asked = [text for text in (unseen or words).texts if scribe.can_write(text)][:READ]
    made = write(scribe, asked, seed, 3)
    space = random_space(1)
    train, beside, ours = (
        None if w is None else space.embed(one_form(w)).features for w in (words, unseen, made)
    )
    assert train is not None
    assert ours is not None
    lengths = torch.tensor([min(len(text), 10) for text in asked])
    found = audit(train, beside, ours, closest=CLOSEST, classes=lengths)
    by = {"space": space.name, "weights": space.weights, "reference": trained_on.name}
    doubt = doubt_of(model, trained_on)
    record = memorisation_record(found, doubt) | by | {"digest": trained_on.digest}
    return record, closest_words(found, made, words)


def _protocol(task: Task, reference: Dataset, sides: Sides, n: int) -> Protocol:
    height = task.scribe.height  # which these were brought to
    return Protocol(
        space=f"referee of {task.judge.steps:,} steps",
        weights=task.judge.weights,
        resize="none" if height == LINE_HEIGHT else f"to a height of {LINE_HEIGHT}",
        reference=reference.name,
        size=f"{height} pixels high",
        digest=reference.digest,
        real=len(sides.reference),
        made=len(sides.held),
        seed=task.seed,
        read=n,
    )

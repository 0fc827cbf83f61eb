"""What a generator of words is worth: does a recogniser read real words better with its words?

Arms, each of as many steps: A, real words alone; B, half of each batch by the generator; D, the same
with the texts of those real words alone, so that its words bring no new texts; S, B's pictures with
each other's texts, a control that must not help; C, B's texts in rendered hands, which bring no style
that was learnt; E, other runs in the place of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gansmith.data import Dataset, cache_folder, nested
from gansmith.data.words import characters
from gansmith.data.words.rendered import against_hand
from gansmith.errors import GansmithError
from gansmith.generate import Model, load
from gansmith.metrics.gain import Origin, spread
from gansmith.metrics.kept import Kept
from gansmith.metrics.lessons import Lesson, Pool, Words, shuffled, words_of
from gansmith.metrics.lift import (
    Arm,
    Lift,
    Reduction,
    Slice,
    TestWords,
    arm_of,
    parts_of,
    reductions_of,
    slices_of,
)
from gansmith.metrics.reading import BATCH, HEIGHT
from gansmith.metrics.usefulness import sizes_of
from gansmith.runtime import pick_precision
from gansmith.scribe import Scribe
from gansmith.variance import numbered
from gansmith.word_pools import Press, fingerprint

Say = Callable[[str], None]
STEPS, POOL = 2500, 20_000
UNSEEN = (
    "real words with their texts, by writers whom neither the generator nor the recognisers saw"
)


@dataclass(frozen=True)
class Asked:
    """How it is to be found out.

    Attributes:
        sizes: how many real words to learn from; None for all.
        pool: how many synthetic words.
        lexicon, corpus: what they say, as `synthetic.words.write_words` takes it; the package's own
            short list and the texts of the real words if neither is named.
        filtered: whether there is an arm without the words that are read worst.
    """

    sizes: tuple[int | None, ...] = (None,)
    seeds: int = 3
    steps: int = STEPS
    pool: int = POOL
    seed: int = 0
    lexicon: Path | None = None
    corpus: Path | None = None
    filtered: bool = False


def worth_of_words(
    models: Mapping[str, Model], real: Dataset, test: Dataset | None, asked: Asked, say: Say
) -> Lift:
    """Train recognisers with and without synthetic words, and test them on real ones.

    Every recogniser's result is kept in the cache folder as soon as it is there, so that the same
    question, asked again, goes on where it was.

    Args:
        models: generators of words by name; the first is the one that is judged.
        real: what recognisers learn from.
        test: what they are judged by.
        asked: how.
        say: told each result.

    Raises:
        GansmithError: no such words, too few seeds, no text that can be written.
    """
    test = _checked(models, real, test, asked)
    sizes = sizes_of(asked.sizes, len(real))
    trial = _Trial.of(models, real, test, asked, say)
    found = [trial.at(size) for size in sizes]
    of = next(iter(models))
    tried = {arm.name for arm in found[0].results}
    remarks = _doubts(real, test)
    if left_out := max(f.left_out for f in found):
        remarks.append(f"{left_out:,} texts that can't be written were left out.")
    if trial.no_hand:
        remarks.append(f"There is no arm C: {trial.no_hand}.")
    return Lift(
        arms={name: what for name, what in _arms(list(models)).items() if name in tried},
        results=tuple(arm for f in found for arm in f.results),
        reductions=tuple(r for f in found for r in f.reductions),
        slices=tuple(s for f in found for s in f.slices),
        real=len(real),
        synthetic=asked.pool,
        test=len(test),
        writers=int(trial.judged.writers.max()) + 1,
        seeds=asked.seeds,
        steps=asked.steps,
        batch_size=BATCH,
        seed=asked.seed,
        precision=trial.lesson.precision.name,
        remarks=tuple(remarks),
        origin=Origin(of, models[of].step, real.name, real.digest, test.name, test.digest),
    )


@dataclass(frozen=True)
class _Found:
    """Of one size."""

    results: list[Arm]
    reductions: list[Reduction]
    slices: list[Slice]
    left_out: int


@dataclass(frozen=True)
class _Trial:
    """What the sizes share."""

    press: Press
    real: Words  # in the order in which they are taken
    texts: list[str]
    judged: TestWords
    lesson: Lesson
    asked: Asked
    say: Say
    no_hand: str | None  # why

    @staticmethod
    def of(
        models: Mapping[str, Model], real: Dataset, test: Dataset, asked: Asked, say: Say
    ) -> _Trial:
        assert real.written is not None
        assert test.written is not None
        scribes = {name: Scribe(model) for name, model in models.items()}
        texts = (*real.written.texts, *test.written.texts)
        written = {c for text in texts for c in characters(text)}
        alphabet = tuple(sorted(written.union(*(s.script.alphabet for s in scribes.values()))))
        rows = torch.from_numpy(nested(len(real), asked.seed))
        writers = test.written.writers or [str(n) for n in range(len(test))]
        lesson = Lesson(
            key=f"{real.digest} in order {asked.seed}, {test.digest}, {fingerprint(alphabet)}",
            test=words_of(test, alphabet),
            characters=len(alphabet),
            steps=asked.steps,
            seed=asked.seed,
            precision=pick_precision("auto", torch.device("cpu")),
            kept=Kept(cache_folder() / "worth"),
        )
        no_hand = against_hand(real.written.texts)
        what = (scribes, alphabet, asked.pool, asked.seed, say, not no_hand)
        return _Trial(
            Press(*what, lexicon=asked.lexicon, corpus=asked.corpus),
            words_of(real, alphabet).at(rows),
            [real.written.texts[row] for row in rows.tolist()],
            TestWords(test.written.texts, numbered(writers)),
            lesson,
            asked,
            say,
            no_hand,
        )

    def at(self, size: int) -> _Found:
        """All arms at one size, one after the other."""
        real, known = self.real.at(torch.arange(size)), self.texts[:size]
        texts, left_out = self.press.texts(known)
        parts = parts_of(self.judged, known)
        found = _Found([], [], [], left_out)
        baseline = self.lesson.edits(real, None, self.asked.seeds)
        for name, pool in self._pools(real, known, texts):
            edits = baseline
            if pool is not None:
                edits = self.lesson.edits(real, pool, self.asked.seeds)
                gained = reductions_of(name, size, edits, baseline, self.judged.writers)
                found.reductions.extend(gained)
            arm = arm_of(name, size, edits, self.judged.lengths)
            found.results.append(arm)
            found.slices.extend(slices_of(name, size, edits, self.judged, parts))
            self.say(f"{name}, {size:,} real words: WER {spread(arm.wers)}")
        return found

    def _pools(
        self, real: Words, known: list[str], texts: list[str]
    ) -> Iterator[tuple[str, Pool | None]]:
        """Each arm's synthetic words, one after the other: most can be forgotten when it is done."""
        press = self.press
        first, *others = press.scribes.values()
        made = press.by(first, texts)
        yield "A", None
        yield "B", made
        yield "S", Pool(f"{made.key} shuffled", lambda: shuffled(made.make(), press.seed))
        if self.asked.filtered:
            yield "F", self.lesson.without_worst(real, made)
        yield "D", press.by(first, press.writable(known)[0])
        if press.hand:
            yield "C", press.rendered(texts)
        for number, other in enumerate(others):
            yield _also(number), press.by(other, texts)


def _arms(names: Sequence[str]) -> dict[str, str]:
    """What each arm's recognisers learn from."""
    first, *others = names
    return {
        "A": "real words alone, distorted as in all arms",
        "B": f"half of each batch written by {first}; the last fifth of the steps real words alone",
        "S": "as B, its pictures with each other's texts: a control, which must not help",
        "F": "as B, without the fifth of its words that a recogniser of A reads worst",
        "D": "as B, with the texts of the real words alone",
        "C": "as B, the same texts in rendered hands (Hershey)",
        **{_also(n): f"as B, written by {name}" for n, name in enumerate(others)},
    }


def _also(number: int) -> str:
    return f"E{number or ''}"


def load_all(runs: Sequence[str | Path], device: str) -> dict[str, Model]:
    """Generators by their runs' names; by their paths where names are alike."""
    found: dict[str, Model] = {}
    for run in runs:
        name = Path(run).resolve().name
        found[str(run) if name in found else name] = load(run, device)
    return found


def _checked(
    models: Mapping[str, Model], real: Dataset, test: Dataset | None, asked: Asked
) -> Dataset:
    """The test words. GansmithError where it can't be found out with them."""
    if test is None:
        raise GansmithError(f"worth: expected {UNSEEN}; name them with --test")
    if test.digest in {real.digest, *(model.digest for model in models.values())}:
        raise GansmithError(
            f"worth: expected {UNSEEN}, and {test.name} is what they learn from; "
            "name others with --test"
        )
    for name, model in models.items():
        if model.spec.script is None:
            raise GansmithError(
                f"worth: expected a generator of words, and {name} makes {model.spec.kind}"
            )
        if model.spec.shape[1] != HEIGHT:
            raise GansmithError(
                f"worth: expected words {HEIGHT} pixels high, as the recogniser reads them, and "
                f"{name} writes them {model.spec.shape[1]} high"
            )
    if asked.seeds < 2:
        raise GansmithError(
            f"seeds: expected at least 2, to tell lift from luck, found {asked.seeds}"
        )
    return test


def _doubts(real: Dataset, test: Dataset) -> list[str]:
    """What to say where hands can't be told apart, or are the same."""
    assert real.written is not None
    assert test.written is not None
    theirs, ours = test.written.writers, real.written.writers
    if theirs is None or ours is None:
        return ["Whose hands these are is not known: intervals are too narrow, if words share one."]
    if both := set(theirs) & set(ours):
        return [
            f"{len(both)} of the {len(set(theirs))} writers of the test words are also among those "
            "learnt from: their words say less about new writers."
        ]
    return []

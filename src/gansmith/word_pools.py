"""What recognisers learn from beside real words: a generator's words, and others to compare with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gansmith import checkpoint
from gansmith.data import order
from gansmith.data.source import Array
from gansmith.data.words.decode import readable
from gansmith.data.words.rendered import as_read, can_write, word_list
from gansmith.errors import GansmithError
from gansmith.metrics.lessons import Pool, gather
from gansmith.metrics.reading import HEIGHT
from gansmith.runtime import Draw, derive_seed
from gansmith.scribe import Scribe
from gansmith.synthetic.words import texts_of

Say = Callable[[str], None]
Made = Iterator[tuple[Array, str]]


@dataclass(frozen=True)
class Press:
    """Makes synthetic words: `count` in a pool, of characters in `alphabet`.

    Attributes:
        scribes: generators by name; the first is the one that is judged.
        hand: whether the rendered hand writes too; all write the same, what any can't is left out.
        lexicon, corpus: what they write, as `synthetic.words.texts_of` takes it; the package's own
            short list and the texts of the real words if neither is named.
    """

    scribes: Mapping[str, Scribe]
    alphabet: tuple[str, ...]
    count: int
    seed: int
    say: Say
    hand: bool = True
    lexicon: Path | None = None
    corpus: Path | None = None

    def texts(self, known: list[str]) -> tuple[list[str], int]:
        """What to write beside real words that say `known`, and how many texts can't be written."""
        if self.lexicon or self.corpus:
            return self.writable(texts_of(self.lexicon, self.corpus))
        return self.writable([*word_list(), *known])

    def writable(self, wanted: list[str]) -> tuple[list[str], int]:
        """Those that all can write, and how many are left out."""
        able = [s.can_write for s in self.scribes.values()] + [can_write] * self.hand
        texts = [text for text in wanted if all(can(text) for can in able)]
        if not texts:
            raise GansmithError(
                f"worth: expected texts of the characters that were learnt, found {len(wanted):,} "
                "of which none can be written; name others with --lexicon"
            )
        return texts, len(wanted) - len(texts)

    def by(self, scribe: Scribe, texts: list[str]) -> Pool:
        """Words in styles drawn anew for each, brought to what a real word is when it is read."""
        wanted, seed = self._drawn(texts), self.seed

        def write() -> Made:
            self.say(f"writing {len(wanted):,} words")
            made = scribe.stream(wanted, len(wanted), seed)
            return readable(((word.image, word.text) for word in made), HEIGHT)

        model = scribe.model
        weights = hashlib.sha256(checkpoint.encode(model.network.state_dict())).hexdigest()
        script = fingerprint(model.spec.model_dump_json())
        return self._pool(f"{weights} of {script} on {model.device.type}", wanted, write)

    def rendered(self, texts: list[str]) -> Pool:
        wanted, seed = self._drawn(texts), self.seed

        return self._pool("rendered 1", wanted, lambda: as_read(wanted, HEIGHT, seed))

    def _pool(self, by: str, wanted: list[str], write: Callable[[], Made]) -> Pool:
        key = f"{by}: {len(wanted)} words {fingerprint(wanted)}, seed {self.seed}"
        return Pool(key, cache(lambda: gather(write(), self.alphabet)))

    def _drawn(self, texts: list[str]) -> list[str]:
        """As many as the pool holds, each as often as any other."""
        seed = derive_seed(self.seed, Draw.USEFULNESS)
        return [texts[row] for row in order(len(texts), seed, 0, self.count)]


def fingerprint(of: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:32]

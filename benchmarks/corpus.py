"""Running French for the experiment of `benchmarks.lift`: what is written beside the real words.

    pip install wordfreq
    python -m benchmarks.corpus words-300.parquet --out corpus-300.txt

Words are drawn from wordfreq's list (Speer 2022) in proportion to the root of their frequency, so that
rare ones come, too; capitals, full stops, elisions and numbers come as often as in the words that are
given, which are all that is known here of the texts to be read.
"""

from __future__ import annotations

import argparse
import importlib
import random
from collections import Counter
from pathlib import Path

from gansmith.data import Item
from gansmith.data.words import normalise, open_words

COUNT, LISTED, LINE = 40_000, 50_000, 12
VOWELS = "aeéèêiouyhâîô"
ELIDED = (0.5, 3.0)  # the most, and how much oftener than among all words, before a vowel


class Manner:
    """How the given texts are written, but for their words."""

    def __init__(self, texts: list[str]):
        count = len(texts)
        self.alphabet = set("".join(texts))
        self.capital = sum(text[0].isupper() for text in texts) / count
        self.ends = Counter(t[-1] for t in texts if len(t) > 1 and not t[-1].isalnum())
        self.end = self.ends.total() / count
        self.elisions = Counter(t.split("'")[0] + "'" for t in texts if "'" in t[:4])
        self.elided = min(ELIDED[0], ELIDED[1] * self.elisions.total() / count)
        self.odd = [t for t in texts if any(c.isdigit() or c in '()"' for c in t)]
        self.oddly = len(self.odd) / count / 2  # many of them are no numbers

    def write(self, word: str, draw: random.Random) -> str:
        if word[0] in VOWELS and draw.random() < self.elided:
            word = _one_of(self.elisions, draw) + word
        if draw.random() < self.capital:
            word = word[0].upper() + word[1:]
        if draw.random() < self.end:
            word += _one_of(self.ends, draw)
        if draw.random() < self.oddly:
            digits = (str(draw.randrange(10)) if c.isdigit() else c for c in draw.choice(self.odd))
            word = "".join(digits)
        return word


def _one_of(counts: Counter[str], draw: random.Random) -> str:
    return draw.choices(list(counts), list(counts.values()))[0]


def main(arguments: list[str] | None = None) -> None:
    wordfreq = importlib.import_module("wordfreq")  # no other part needs it
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", help="words with their texts")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--language", default="fr")
    options = parser.parse_args(arguments)
    read = open_words(options.words).read()
    texts = [normalise(item.text) for item in read if isinstance(item, Item) and item.text]
    manner, draw = Manner(texts), random.Random(0)
    listed = [w for w in wordfreq.top_n_list(options.language, LISTED) if w.isalpha()]
    listed = [w for w in listed if len(w) > 1 or w in VOWELS]
    weights = [wordfreq.word_frequency(w, options.language) ** 0.5 for w in listed]
    written = [manner.write(word, draw) for word in draw.choices(listed, weights, k=COUNT)]
    written = [word for word in written if set(word) <= manner.alphabet]
    lines = [" ".join(written[n : n + LINE]) for n in range(0, len(written), LINE)]
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(written):,} words, {len(set(written)):,} of them different: {options.out}")


if __name__ == "__main__":
    main()

"""What a generator of words is asked to write, to be read: half of it texts that no one wrote."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from itertools import cycle, islice

import torch

from gansmith.data.words import characters
from gansmith.data.words.rendered import word_list
from gansmith.errors import GansmithError
from gansmith.models.layout import decode, encode
from gansmith.runtime import Draw, derive_seed
from gansmith.word_stream import recombine

LONGEST = 20  # characters
FEWEST = 2 * LONGEST  # texts: one of each length among those that no one wrote
ROUNDS = 20  # of recombining all training texts, until there are enough of each length


def draw_texts(
    training: Sequence[str], allowed: Collection[str], n: int, seed: int
) -> tuple[list[str], list[bool]]:
    """`n` texts of characters in `allowed`, and whether each is new.

    Half are training texts as they come, so short words are frequent. The others are none: as many of
    each length from 1 to `LONGEST`, up to half of them from the package's own words, the rest put
    together from the beginning of one training text and the end of another. A length of which there
    is no new text is left out.
    """
    require_enough(n)
    known = [text for text in training if _fits(text, allowed)]
    if not known:
        raise GansmithError(
            "expected training texts of frequent characters to write, found none: too few words"
        )
    draw = random.Random(derive_seed(seed, Draw.REFERENCE, 2))
    fresh = _fresh(known, set(training), allowed, n // 2, draw)
    count = n - len(fresh)
    shuffled = draw.sample(known, len(known))
    return [*islice(cycle(shuffled), count), *fresh], [False] * count + [True] * len(fresh)


def require_enough(n: int) -> None:
    """Raise a GansmithError unless there is room for every length."""
    if n < FEWEST:
        raise GansmithError(f"-n: expected {FEWEST} words or more to be read, found {n}")


def _fresh(
    known: Sequence[str],
    training: set[str],
    allowed: Collection[str],
    n: int,
    draw: random.Random,
) -> list[str]:
    """About as many new texts of every length, `n` in all."""
    quota = -(-n // LONGEST)
    words: dict[int, list[str]] = {}
    for text in draw.sample(word_list(), len(word_list())):
        if text not in training and _fits(text, allowed):
            words.setdefault(len(characters(text)), []).append(text)
    found = {length: dict.fromkeys(group[: quota // 2]) for length, group in words.items()}
    for text in _recombined(known, draw.getrandbits(60)):
        group = found.setdefault(len(characters(text)), {})
        if len(group) < quota and text not in training:
            group[text] = None
    lengths = sorted(length for length, group in found.items() if group and length <= LONGEST)
    if not lengths:
        return []
    groups = {
        length: cycle(draw.sample(list(found[length]), len(found[length]))) for length in lengths
    }
    return [next(groups[length]) for length in islice(cycle(lengths), n)]


def _recombined(known: Sequence[str], seed: int) -> Iterator[str]:
    """Beginnings with other texts' ends, as the generator met them in training."""
    texts = [characters(text) for text in known]
    alphabet = sorted({c for text in texts for c in text})
    codes = encode(texts, alphabet)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(ROUNDS):
        ends = codes[torch.randperm(len(codes), generator=generator)]
        yield from decode(recombine(codes, ends, generator), alphabet)


def _fits(text: str, allowed: Collection[str]) -> bool:
    found = characters(text)
    return len(found) <= LONGEST and all(c in allowed for c in found)

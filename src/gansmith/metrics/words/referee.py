"""The referee of a data set: a recogniser trained on its real words, once, and kept in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from gansmith.checkpoint import DamagedError, encode, read_folder, write_folder
from gansmith.data.cache import cache_folder
from gansmith.data.words import count_characters
from gansmith.errors import GansmithError
from gansmith.metrics.crnn import CRNN
from gansmith.metrics.features import weights_hash
from gansmith.metrics.reading import Referee, batches_of, train_referee
from gansmith.metrics.words.sets import Words
from gansmith.runtime import pick_precision

Say = Callable[[str], None]
# Raise it whenever the same words would give another referee than before.
REFEREE_VERSION = 2
STEPS = 6000
LEAST = 64  # words, below which nothing is learnt
FREQUENT = 50  # times that a character must be among the words for texts to be made of it


@dataclass(frozen=True)
class Judge:
    """A referee, the characters it knows, how often it saw each, and what it is known by."""

    referee: Referee
    alphabet: tuple[str, ...]
    counts: tuple[int, ...]
    steps: int
    weights: str  # the beginning of their hash

    @property
    def frequent(self) -> set[str]:
        """The characters that it saw often enough for an error to be the writing's."""
        pairs = zip(self.alphabet, self.counts, strict=True)
        return {c for c, count in pairs if count >= FREQUENT}


def judge_for(
    words: Words,
    digest: str,
    *,
    steps: int = STEPS,
    seed: int = 0,
    cache_dir: Path | None = None,
    say: Say = lambda line: None,
) -> Judge:
    """The referee trained on `words` of the data set `digest`: that of the cache, or a new one.

    Raises GansmithError where there are too few words to learn from.
    """
    if len(words) < LEAST or steps < 1:
        raise GansmithError(
            f"expected {LEAST} real words or more and a step or more to train a recogniser by, found "
            f"{len(words):,} words and {steps} steps"
        )
    entry = cache_folder(cache_dir) / "referees" / _key(words, digest, steps, seed)
    counted = sorted(count_characters(words.texts).items())
    alphabet, counts = (tuple(column) for column in zip(*counted, strict=True))
    network = _load(entry, len(alphabet))
    if network is None:
        say(f"training a recogniser on {len(words):,} real words, once: {steps:,} steps")
        network = _trained(words, alphabet, steps, seed, say)
        _keep(entry, network, {"digest": digest, "words": len(words), "steps": steps}, say)
    weights = weights_hash(network.state_dict())[:16]
    return Judge(Referee(network), alphabet, counts, steps, weights)


def _trained(words: Words, alphabet: tuple[str, ...], steps: int, seed: int, say: Say) -> CRNN:
    batches = batches_of(words.values, words.labels(alphabet), seed)
    precision = pick_precision("auto", torch.device("cpu"))
    referee = train_referee(
        batches, len(alphabet), steps=steps, seed=seed, precision=precision, say=say
    )
    return referee.network


def _keep(entry: Path, network: CRNN, record: dict[str, object], say: Say) -> None:
    files = {
        "weights.safetensors": encode(network.state_dict()),
        "referee.json": json.dumps(record | {"version": REFEREE_VERSION}, indent=1).encode(),
    }
    try:
        write_folder(entry, files)
    except OSError as error:  # no reason to lose the minutes it took
        say(f"can't keep the recogniser in {entry} ({error.strerror or error})")


def _key(words: Words, digest: str, steps: int, seed: int) -> str:
    """One for each referee that could be trained. Another transcription makes another."""
    identity = [REFEREE_VERSION, digest, words.identity, steps, seed]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]


def _load(entry: Path, characters: int) -> CRNN | None:
    """What is kept there; None if that is nothing or damaged."""
    try:
        with torch.random.fork_rng(devices=[]):  # first weights are drawn, and thrown away
            network = CRNN(characters)
        network.load_state_dict(load_tensors(read_folder(entry)["weights.safetensors"]))
    except (DamagedError, SafetensorError, RuntimeError, KeyError):
        return None
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)

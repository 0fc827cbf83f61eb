"""What a data set of words teaches about its script: the alphabet, and how wide it is written."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gansmith.config import Script
from gansmith.data import Strip, Written
from gansmith.data.words import characters, count_characters
from gansmith.models.layout import encode
from gansmith.models.words import bleach
from gansmith.variance import deviations, numbered

PACES = 33  # quantiles that are kept
# Writers, and words of each on average, below which nothing is learnt of how far hands lie apart.
FEWEST_WRITERS, FEWEST_WORDS = 8, 10
FITTED = 300  # steps
LOOKED_AT, SPECKS = 1000, 1e-3  # words, and the share of their pixels that a few specks may be
USUAL = 16.0  # pixels of a character, of 32 high, where nothing is known


def learn_script(written: Written, words: Strip) -> Script:
    """The alphabet of what is written, in the order of its code points, how wide it is, and on what
    paper."""
    height = words.columns.shape[1]
    alphabet = tuple(sorted(count_characters(written.texts)))
    codes = encode([characters(text) for text in written.texts], alphabet)
    widths, pace = fit_pace(torch.tensor(written.widths), codes, len(alphabet), height)
    paces = torch.quantile(pace, torch.linspace(0, 1, PACES))
    script = Script(
        alphabet=alphabet,
        widths=tuple(widths.tolist()),
        paces=tuple(paces.tolist()),
        bleached=is_bleached(words),
    )
    count = len(set(written.writers or ()))
    if count < FEWEST_WRITERS or len(pace) < FEWEST_WORDS * count:
        return script
    hands = numbered(written.writers or ())
    return script.model_copy(update={"steady": share_of_hands(pace, hands)})


def is_bleached(words: Strip) -> bool:
    """Whether paper is white wherever no stroke is near, as where somebody cleaned the scans."""
    rows = torch.linspace(0, len(words) - 1, min(len(words), LOOKED_AT)).long()
    specks, pixels = 0, int(words.widths[rows].sum()) * words.columns.shape[1]
    for part in torch.split(rows, 100):
        ink = 1 - words[part].float() / 255
        specks += int((ink != bleach(ink)).sum())
    return specks <= SPECKS * pixels


def share_of_hands(values: Tensor, hands: Tensor) -> float:
    """Of the variance of `values` (N,), what lies between hands (N,) and not within them."""
    between, within = deviations(values[:, None].double(), hands).square()[:, 0].tolist()
    return float(between / max(between + within, 1e-12))


def fit_pace(widths: Tensor, codes: Tensor, count: int, height: int) -> tuple[Tensor, Tensor]:
    """The usual width of each of `count` characters in pixels, and the logarithm of each word's pace.

    Least absolute differences of log widths: a few wrong transcriptions change nothing.
    """
    start = math.log(USUAL * height / 32)
    logs = torch.full((count + 1,), start, requires_grad=True)
    optimizer = torch.optim.Adam([logs], 0.05)
    written = codes > 0
    for _ in range(FITTED):
        total = (logs.exp()[codes] * written).sum(1)
        off = (widths.log() - total.log()).abs().mean()
        # A character that is seen seldom stays near the usual.
        pull = 1e-3 * (logs - logs.detach().mean()).square().mean()
        optimizer.zero_grad()
        # Not `backward`, which is the training loop's alone.
        (logs.grad,) = torch.autograd.grad(off + pull, logs)
        optimizer.step()
    usual = logs.detach().exp()
    return usual[1:], (widths / (usual[codes] * written).sum(1)).log()

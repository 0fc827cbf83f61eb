"""What a data set of words teaches about its script: the alphabet, and how wide it is written."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gansmith.config import Script
from gansmith.data import Written
from gansmith.data.words import characters, count_characters
from gansmith.models.layout import encode

PACES = 33  # quantiles that are kept
FITTED = 300  # steps
USUAL = 16.0  # pixels of a character, of 32 high, where nothing is known


def learn_script(written: Written, height: int) -> Script:
    """The alphabet of what is written, in the order of its code points, and how wide it is."""
    alphabet = tuple(sorted(count_characters(written.texts)))
    codes = encode([characters(text) for text in written.texts], alphabet)
    widths, paces = fit_pace(torch.tensor(written.widths), codes, len(alphabet), height)
    return Script(alphabet=alphabet, widths=tuple(widths), paces=tuple(paces))


def fit_pace(
    widths: Tensor, codes: Tensor, count: int, height: int
) -> tuple[list[float], list[float]]:
    """The usual width of each of `count` characters in pixels, and the quantiles of log pace.

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
    pace = (widths / (usual[codes] * written).sum(1)).log()
    at = torch.linspace(0, 1, PACES)
    return usual[1:].tolist(), torch.quantile(pace, at).tolist()

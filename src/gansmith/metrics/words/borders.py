"""Whether made words are told from real ones without looking at the writing: by paper and borders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.metrics.reading import to_ink
from gansmith.metrics.words.sets import Words
from gansmith.runtime import Draw, derive_seed

FRAME = 2  # pixels
PLACES = 32  # along each side of a frame: all words' frames are of one size
INK = 0.25  # ink above is a stroke's …
BESIDE = 3  # … and so are the pixels beside it: as far as Lanczos's filter rings
LEVELS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # of 255: how dark paper may be
FOLDS, NEWTON_STEPS, PENALTY = 5, 8, 30.0
SUSPICIOUS = 0.6


@dataclass(frozen=True)
class Accuracy:
    """The share of examples that were told right, unseen by what told them, its error, and the same
    of real ones from other real ones."""

    value: float
    error: float
    floor: float | None = None


def by_surroundings(
    made: Words, real: Words, halves: tuple[Tensor, Tensor], seed: int = 0
) -> dict[str, Accuracy]:
    """How often made words are told from real ones that say the same, row by row: by all that is not
    writing, by parts of it, and by the frame with the ink in it. `halves` of the real ones give the
    floor."""
    (frame, paper), (made_frame, made_paper) = map(surroundings, (real, made))
    inked, made_inked = (surroundings(words, with_ink=True)[0] for words in (real, made))
    seen = {
        "all": (torch.cat([frame, paper], 1), torch.cat([made_frame, made_paper], 1)),
        "paper": (paper, made_paper),
        "frame": (frame, made_frame),
        "frame_with_ink": (inked, made_inked),
    }
    fewest = min(map(len, halves))
    first, second = (half[:fewest] for half in halves)
    return {
        name: replace(told_apart(a, b, seed), floor=told_apart(a[first], a[second], seed).value)
        for name, (a, b) in seen.items()
    }


def surroundings(words: Words, *, with_ink: bool = False) -> tuple[Tensor, Tensor]:
    """Of each word its frame (N, 4 · `FRAME` · `PLACES`), and how much of its paper is how dark,
    (N, `LEVELS` + 1).

    Ink, and what is near it, is taken for paper of the word's mean darkness: nothing of the writing is
    left. `with_ink` leaves it in the frame.
    """
    frames, papers = [], []
    for value, width in zip(words.values, words.widths.tolist(), strict=True):
        ink = to_ink(value[:, :, :width])
        near = F.max_pool2d((ink > INK).float(), 2 * BESIDE + 1, 1, BESIDE) > 0
        paper = ink[~near]
        cleaned = torch.where(near, paper.mean() if len(paper) else 0.0, ink)
        levels = torch.bucketize(255 * paper, torch.tensor(LEVELS, dtype=torch.float))
        shares = levels.bincount(minlength=len(LEVELS) + 1) / max(1, len(paper))
        frames.append(_frame(ink if with_ink else cleaned))
        papers.append(shares)
    return torch.stack(frames).double(), torch.stack(papers).double()


def told_apart(a: Tensor, b: Tensor, seed: int = 0) -> Accuracy:
    """How often a logistic regression tells which of two sets a row is from, by cross-validation.

    (N, D) and (N, D), of pairs that belong together: both of a pair are always in one fold.
    """
    if a.shape != b.shape or len(a) < FOLDS:
        raise ValueError(f"expected two sets of one shape, got {tuple(a.shape)}, {tuple(b.shape)}")
    generator = torch.Generator().manual_seed(derive_seed(seed, Draw.REFERENCE, 3))
    fold = (torch.randperm(len(a), generator=generator) % FOLDS).repeat(2)
    x, y = torch.cat([a, b]), torch.arange(2).repeat_interleave(len(a)).double()
    right = torch.zeros(len(x), dtype=torch.bool)
    for number in range(FOLDS):
        known = fold != number
        std, mean = torch.std_mean(x[known], 0)
        scaled = (x - mean) / std.clamp_min(1e-6)
        scaled = scaled.clamp(-5, 5)  # what is rare must not outweigh all else
        scores = _logistic(scaled[known], y[known], scaled[~known])
        right[~known] = (scores > 0) == (y[~known] > 0.5)
    share = float(right.double().mean())
    return Accuracy(share, (share * (1 - share) / len(x)) ** 0.5)


def _logistic(x: Tensor, y: Tensor, unseen: Tensor) -> Tensor:
    """Scores of `unseen` after logistic regression of `y` on `x` with an L2 penalty, by Newton's
    method (iteratively reweighted least squares: Bishop 2006, eq. 4.99)."""
    x = F.pad(x, (1, 0), value=1.0)
    penalty = PENALTY * torch.eye(x.shape[1], dtype=x.dtype)
    penalty[0, 0] = 1e-6
    weights = torch.zeros(x.shape[1], dtype=x.dtype)
    for _ in range(NEWTON_STEPS):
        p = torch.sigmoid(x @ weights)
        curvature = (x.T * (p * (1 - p))) @ x + penalty
        gradient = x.T @ (p - y) + penalty @ weights
        weights = weights - torch.linalg.solve(curvature, gradient)
    return F.pad(unseen, (1, 0), value=1.0) @ weights


def _frame(ink: Tensor) -> Tensor:
    """(1, H, W) → its outermost `FRAME` rows and columns, `PLACES` values along each."""
    rows = torch.cat([ink[:, :FRAME], ink[:, -FRAME:]], 1)[0]
    columns = torch.cat([ink[:, :, :FRAME], ink[:, :, -FRAME:]], 2)[0].T
    along = [F.adaptive_avg_pool1d(side, PLACES) for side in (rows, columns)]
    return torch.cat(along).flatten()

"""Pictures for people: real and made words mixed, and those that lie nearest to a training word."""

from __future__ import annotations

import random

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gansmith.imaging import grid
from gansmith.metrics.memorisation import Memorisation
from gansmith.metrics.words.sets import Words
from gansmith.runtime import Draw, derive_seed

EACH = 20  # of both kinds
WIDEST = 192  # pixels of a word that is shown
TIMES, COLUMNS, GAP, MARGIN = 2, 4, 18, 34
LEAST_LENGTH = 3  # characters: less tells nobody anything
FORM = (32, 128)  # what words are brought to, to be compared with each other


def mixed_sheet(real: Words, made: Words, seed: int) -> tuple[Image.Image, list[int]]:
    """`EACH` words of both, which say the same row by row, in a drawn order and with numbers from 1;
    and which of these numbers are made."""
    draw = random.Random(derive_seed(seed, Draw.REFERENCE, 4))
    rows = _shown(real, made, draw)
    tiles = [(words.at([row]), words is made) for words in (real, made) for row in rows]
    draw.shuffle(tiles)
    width = max(int(word.widths[0]) for word, _ in tiles) * TIMES + MARGIN + GAP
    height = 32 * TIMES + GAP
    lines = -(-len(tiles) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * width + GAP, lines * height + GAP), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for number, (word, _) in enumerate(tiles):
        left, top = GAP + number % COLUMNS * width, GAP + number // COLUMNS * height
        pen.text((left, top + 22), str(number + 1), fill=128, font=font)
        cut = word.values[0, 0, :, : int(word.widths[0])].numpy()
        shown = Image.fromarray(np.ascontiguousarray(cut)).resize(
            (cut.shape[1] * TIMES, cut.shape[0] * TIMES), Image.Resampling.BICUBIC
        )
        sheet.paste(shown, (left + MARGIN, top))
    return sheet, [number for number, (_, is_made) in enumerate(tiles, start=1) if is_made]


def closest_words(found: Memorisation, made: Words, train: Words) -> Image.Image:
    """The closest pairs of `found`, made on the left, as wide as the widest of them; two a line."""
    pairs = [(made, [p.made for p in found.closest]), (train, [p.train for p in found.closest])]
    sides = [words.at(rows) for words, rows in pairs]
    width = max(int(side.widths.max()) for side in sides) + GAP
    both = torch.cat([_as_wide(side.values, width) for side in sides], 3)
    return grid(both.permute(0, 2, 3, 1).numpy(), columns=2, gap=GAP)


def one_form(words: Words) -> Tensor:
    """uint8 (N, 1, *`FORM`): every word stretched to one size, whatever it says."""
    stretched = [
        F.interpolate(value[None, :, :, :width].float(), FORM, mode="bilinear", antialias=True)
        for value, width in zip(words.values, words.widths.tolist(), strict=True)
    ]
    return torch.cat(stretched).round().clamp(0, 255).byte()


def _shown(real: Words, made: Words, draw: random.Random) -> list[int]:
    """Rows of words that are not too wide or short, as far as there are any."""
    fitting = (torch.maximum(real.widths, made.widths) <= WIDEST).tolist()
    rows = draw.sample(range(len(real)), len(real))
    wanted = [row for row in rows if fitting[row] and len(real.texts[row]) >= LEAST_LENGTH]
    return (wanted + [row for row in rows if row not in set(wanted)])[:EACH]


def _as_wide(values: Tensor, width: int) -> Tensor:
    return F.pad(values[..., :width], (0, max(0, width - values.shape[3])), value=255)

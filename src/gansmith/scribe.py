"""Writing with a trained generator: words, and lines of them, in any of its hands."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from gansmith.data.words import characters, normalise
from gansmith.errors import GansmithError
from gansmith.generate import Model, blocks_of, to_values
from gansmith.models import draw_latent
from gansmith.models.layout import encode, label_rows, widths_for
from gansmith.models.words import padded
from gansmith.runtime import Draw, derive_seed

# Words are made on pages of this size, always whole (see generate.BLOCK): enough of them that those
# of like width can be made together.
PAGE, TOGETHER = 256, 32
ALIKE = 4  # words of one width that are made together, whoever asks for them
MOST_CHARACTERS = 60  # of one word
PAPER = 255
INK = 128  # darker than this is ink, where a word begins and ends

# Of letters, in x-heights above the base line and below it: where a word that is cut out tightly ends.
X_HEIGHT, ASCENT, DESCENT = 1.0, 1.75, 0.6
LETTER = 0.6  # of the height of a word that was learnt: so high is an x in a line
_SHORT = set("acegmnopqrsuvwxyzıœæ,._-")
_HANGING = set("gjpqy,;ſƒ()[]{}|/$Q")
_BELOW = {"\u0323", "\u0327", "\u0328"}  # dot, cedilla, ogonek


@dataclass(frozen=True)
class Word:
    """One written word: uint8 (H, W), dark on white, cut to its own width, and what it says."""

    image: np.ndarray
    text: str


class Scribe:
    """A generator of words that is asked for texts. Raises GansmithError for what it can't write."""

    def __init__(self, model: Model):
        if model.spec.script is None:
            raise GansmithError(
                f"expected a generator of words, found one of {model.spec.kind}: "
                "train one with --recipe words"
            )
        self.model, self.script = model, model.spec.script

    @property
    def height(self) -> int:
        return self.model.spec.shape[1]

    def style(self, seed: int) -> Tensor:
        """(Z,): the latent of a style."""
        generator = torch.Generator().manual_seed(derive_seed(seed, Draw.GENERATE))
        return draw_latent(self.model.config, 1, torch.device("cpu"), generator)[0]

    def check(self, texts: Sequence[str], replace: str | None = None) -> list[str]:
        """The texts in their normal form, all of whose characters can be written.

        With `replace`, what can't is written without its accents where that helps, else as
        `replace`, which may be empty.
        """
        texts = [normalise(text) for text in texts]
        known = set(self.script.alphabet)
        unknown = sorted({c for text in texts for c in characters(text) if c not in known | {" "}})
        if unknown and replace is None:
            raise GansmithError(
                f"text: {self._named(unknown)} {'is' if len(unknown) == 1 else 'are'} not among the "
                f"{len(known)} characters that this generator learnt "
                f"({''.join(self.script.alphabet)}); --replace '?' writes something else for them"
            )
        if unknown:
            instead = {c: _without_marks(c, known) or replace or "" for c in unknown}
            texts = ["".join(instead.get(c, c) for c in characters(text)) for text in texts]
            return self.check(texts)
        for text in texts:
            for word in text.split():
                if len(characters(word)) > MOST_CHARACTERS:
                    raise GansmithError(
                        f"text: expected words of at most {MOST_CHARACTERS} characters, found "
                        f"{word[:20]}… with {len(characters(word))}"
                    )
        return texts

    def can_write(self, text: str) -> bool:
        """Whether a text of one word has only characters that were learnt, and is not too long."""
        found = characters(normalise(text))
        return 0 < len(found) <= MOST_CHARACTERS and set(found) <= set(self.script.alphabet)

    def hand(self, styles: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(N, Z): the latents of single words by hands of these `styles` (N, Z).

        A hand is not equally wide in all words that are cut out and brought to one height: of the
        latent's first number, which says how wide a word is, it has only the share that it has among
        writers. The rest is drawn for each word, or left out without a generator: words of one line
        are as wide as the hand usually is.
        """
        steady = self.script.steady
        noise = torch.zeros(len(styles))
        if generator is not None:
            noise = torch.randn(len(styles), generator=generator)
        found = styles.clone()
        found[:, 0] = steady**0.5 * styles[:, 0] + (1 - steady) ** 0.5 * noise
        return found

    def words(self, texts: Sequence[str], latents: Tensor) -> list[Word]:
        """Each text, without spaces, in the style of its latent, (N, Z)."""
        labels = self._labels(texts, latents)
        # As many columns are made of every word as the widest beside it needs.
        groups = torch.split(labels[:, 0].argsort(stable=True), TOGETHER)
        return self._made(texts, latents, labels, groups)

    def alike(self, texts: Sequence[str], latents: Tensor) -> list[Word]:
        """The same, each word to the bit as in any other company: made with others of its own width
        only, always as many, be they copies. Takes longer."""
        labels = self._labels(texts, latents, MOST_CHARACTERS)
        by_width: dict[int, list[int]] = {}
        for row, width in enumerate(labels[:, :1]):
            by_width.setdefault(padded(width, self.height), []).append(row)
        parts = [
            rows[n : n + ALIKE] for rows in by_width.values() for n in range(0, len(rows), ALIKE)
        ]
        groups = [torch.tensor(part + part[-1:] * (ALIKE - len(part))) for part in parts]
        return self._made(texts, latents, labels, groups)

    def _labels(self, texts: Sequence[str], latents: Tensor, length: int = 0) -> Tensor:
        """Of so many characters at least."""
        codes = encode([characters(text) for text in texts], self.script.alphabet)
        codes = F.pad(codes, (0, max(0, length - codes.shape[1])))
        return label_rows(widths_for(codes, latents, self.model.spec), codes)

    @torch.no_grad()
    def _made(
        self, texts: Sequence[str], latents: Tensor, labels: Tensor, groups: Sequence[Tensor]
    ) -> list[Word]:
        """All words, those of each group of rows together."""
        device, found = self.model.device, dict[int, Word]()
        for rows in groups:
            made = self.model.network(latents[rows].to(device), labels[rows].to(device))
            images = to_values(made, self.model.spec)[..., 0]
            own = zip(images, labels[rows, 0].tolist(), rows.tolist(), strict=True)
            found |= {row: Word(image[:, :width], texts[row]) for image, width, row in own}
        return [found[row] for row in range(len(texts))]

    def stream(self, texts: Sequence[str], n: int, seed: int = 0, start: int = 0) -> Iterator[Word]:
        """`n` words: the texts in turn, each in a style of its own. Word i is always the same.

        From word `start` on, without the pages before.
        """
        for page, here in blocks_of(start, n, PAGE):
            generator = torch.Generator().manual_seed(derive_seed(seed, Draw.GENERATE, page))
            latents = draw_latent(self.model.config, PAGE, torch.device("cpu"), generator)
            places = range(page * PAGE, (page + 1) * PAGE)
            made = self.words([texts[place % len(texts)] for place in places], latents)
            yield from made[here]

    def line(self, text: str, latent: Tensor) -> Image.Image:
        """A text of one or more words in one style, on one base line, with natural spaces."""
        words = text.split()
        if not words:
            raise GansmithError("text: expected something to write, found nothing")
        made = self.words(words, self.hand(latent.expand(len(words), -1)))
        return set_line(made, self.height)

    def _named(self, unknown: list[str]) -> str:
        shown = [f"{c!r} ({_name(c)})" for c in unknown[:20]]
        return ", ".join(shown) + f" and {len(unknown) - 20} more" * (len(unknown) > 20)


def set_line(words: Sequence[Word], height: int) -> Image.Image:
    """Words beside each other on one base line, each at the size that its letters ask for.

    Words are learnt as they are cut out: one without long letters fills the whole height. So it is
    known from its text how high its letters are, and where its base line is.
    """
    x_height = LETTER * height
    scaled = [_sized(word, x_height) for word in words]
    above = max(base for _, base in scaled)
    below = max(image.height - base for image, base in scaled)
    gap, margin = round(0.9 * x_height), round(0.4 * x_height)
    width = sum(image.width for image, _ in scaled) + gap * (len(scaled) - 1) + 2 * margin
    line = Image.new("L", (width, above + below + 2 * margin), PAPER)
    left = margin
    for image, base in scaled:
        line.paste(image, (left, margin + above - base))
        left += image.width + gap
    return line


def extent(text: str) -> tuple[float, float]:
    """How far its letters reach above the base line and below it, in x-heights."""
    letters = [unicodedata.normalize("NFD", c) for c in characters(text)]
    tall = any(c[0] not in _SHORT or set(c[1:]) - _BELOW for c in letters)
    hanging = any(c[0] in _HANGING or set(c) & _BELOW for c in letters)
    return (ASCENT if tall else X_HEIGHT), (DESCENT if hanging else 0.0)


def _sized(word: Word, x_height: float) -> tuple[Image.Image, int]:
    """The word at the size of a line, trimmed to its ink, and where its base line is."""
    above, below = extent(word.text)
    columns = np.flatnonzero((word.image < INK).any(axis=0))
    image = word.image[:, columns[0] : columns[-1] + 1] if len(columns) else word.image
    height = max(1, round((above + below) * x_height))
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    sized = Image.fromarray(np.ascontiguousarray(image)).resize(
        (width, height), Image.Resampling.LANCZOS
    )
    return sized, round(above * x_height)


def _without_marks(c: str, known: set[str]) -> str | None:
    """The letter without its accents, or another form of it, where that is known."""
    plain = unicodedata.normalize("NFKD", c)
    bare = "".join(p for p in plain if not unicodedata.combining(p))
    return bare if bare and all(p in known for p in bare) else None


def _name(c: str) -> str:
    return " ".join(unicodedata.name(p, f"U+{ord(p):04X}") for p in c)

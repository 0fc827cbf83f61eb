"""Words without a download: written by a pen that follows the Hershey fonts, or of real digits.

They are labelled as rendered. They serve to try things and to test them; nothing that is learnt from
them says how real hands write.

Dr. A. V. Hershey's fonts (1967) are strokes, not outlines: a pen can follow them. OpenCV carries
them (versions below 5) and draws ASCII; accents are added here as strokes of the same pen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from gansmith.data.arrays import open_digits
from gansmith.data.source import Array, Item, Skipped, Source
from gansmith.data.words.decode import readable
from gansmith.data.words.text import reason_against
from gansmith.errors import GansmithError

COUNT, DIGIT_STRINGS, WRITERS = 4000, 3000, 100
HEIGHT = 48
MOST = 0.9  # of the texts: if the pen can write less, it says too little of them
FINE = 2  # times as fine as the result: where the pen draws
_SCRIPTS = ("FONT_HERSHEY_SCRIPT_SIMPLEX", "FONT_HERSHEY_SCRIPT_COMPLEX")
_UPRIGHT = ("FONT_HERSHEY_SIMPLEX", "FONT_HERSHEY_DUPLEX", "FONT_HERSHEY_COMPLEX_SMALL")
# Strokes of combining marks, in widths and x-heights of the letter below, 0 its middle and top.
_MARKS: dict[str, list[list[tuple[float, float]]]] = {
    "\u0301": [[(-0.1, -0.25), (0.25, -0.6)]],
    "\u0300": [[(0.1, -0.25), (-0.25, -0.6)]],
    "\u0302": [[(-0.3, -0.25), (0.0, -0.6), (0.3, -0.25)]],
    "\u0308": [[(-0.22, -0.4), (-0.2, -0.4)], [(0.2, -0.4), (0.22, -0.4)]],
    "\u0303": [[(-0.3, -0.3), (-0.12, -0.45), (0.1, -0.3), (0.3, -0.45)]],
    "\u030a": [[(-0.1, -0.4), (0.0, -0.55), (0.1, -0.4), (0.0, -0.28), (-0.1, -0.4)]],
    "\u030c": [[(-0.3, -0.6), (0.0, -0.25), (0.3, -0.6)]],
    "\u0327": [[(0.0, 1.05), (0.12, 1.25), (-0.1, 1.4)]],
}
_WRITTEN_AS = {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "’": "'", "«": '"', "»": '"'}


class RenderedWords(Source):
    """``count`` words in ``WRITERS`` hands, from the Hershey fonts; always the same ones.

    Args:
        texts: what is written, in turn; the package's own short list of words if None.
        count: how many words.
        seed: another seed, other hands.
    """

    kind = "words"

    def __init__(
        self, texts: list[str] | None = None, count: int = COUNT, seed: int = 0, name: str = "words"
    ) -> None:
        self.name, self._count, self._seed = name, count, seed
        self._texts = texts or word_list()
        self.variant = f"rendered 1, {count}, {seed}"

    def __len__(self) -> int:
        return self._count

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        for index in range(0, self._count, step):
            draw = np.random.Generator(np.random.Philox(key=[self._seed, index]))
            text = self._texts[int(draw.integers(len(self._texts)))]
            word, writer = _by_someone(text, draw, self._seed)
            yield Item(f"word {index}", word, text=text, writer=writer)


class DigitStrings(Source):
    """Strings of one to six of the embedded digits, each string of one size, slant and spacing."""

    kind = "words"
    name = "digit-strings"
    variant = f"composed 1, {DIGIT_STRINGS}"

    def __len__(self) -> int:
        return DIGIT_STRINGS

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        items = [item for item in open_digits() if isinstance(item, Item)]
        for index in range(0, DIGIT_STRINGS, step):
            draw = np.random.Generator(np.random.Philox(key=[7, index]))
            chosen = [items[i] for i in draw.integers(len(items), size=draw.integers(1, 7))]
            text = "".join(str(item.label) for item in chosen)
            yield Item(f"string {index}", _compose(chosen, draw), text=text)


def render(text: str, index: int, seed: int = 0) -> tuple[Array, str]:
    """`text` in one of `WRITERS` hands, uint8 H×W, and whose; of one index and seed always the same."""
    return _by_someone(text, np.random.Generator(np.random.Philox(key=[seed, index])), seed)


def as_read(texts: Iterable[str], height: int, seed: int = 0) -> Iterator[tuple[Array, str]]:
    """Each text that the pen can write, in one of the hands, uint8 (height, W) as it would be read
    from a disk, and the text."""
    numbered = ((n, text) for n, text in enumerate(texts) if can_write(text))
    return readable(((render(text, n, seed)[0], text) for n, text in numbered), height)


def _by_someone(text: str, draw: np.random.Generator, seed: int) -> tuple[Array, str]:
    number = int(draw.integers(WRITERS))
    hand = Hand(np.random.Generator(np.random.Philox(key=[seed + 1, number])))
    return hand.write(text, draw), f"rendered {number}"


class Hand:
    """One rendered writer: a font, a pen, a slant, a pace, and how steady all that is."""

    def __init__(self, draw: np.random.Generator) -> None:
        cv2 = opencv()
        fonts = _SCRIPTS if draw.random() < 0.75 else _UPRIGHT
        self.font = getattr(cv2, str(draw.choice(fonts)))
        self.pen = float(draw.uniform(1.2, 4.2))
        self.slant = float(draw.normal(0.05, 0.18))
        self.stretch = float(np.exp(draw.normal(0.0, 0.18)))
        self.spacing = float(draw.normal(0.0, 0.06))
        self.shake = float(draw.uniform(0.3, 1.6))
        self.ink = float(draw.uniform(0.65, 1.0))

    def write(self, text: str, draw: np.random.Generator) -> Array:
        """The word as uint8 H×W, dark on white, filling `HEIGHT`."""
        cv2 = opencv()
        if wrong := reason_against(text):
            raise GansmithError(f"The rendered hand can't write {text[:20]!r}: {wrong}.")
        pen = max(1, round(self.pen * float(np.exp(draw.normal(0, 0.12))) * FINE / 2))
        canvas = self._draw(text, pen, draw)
        canvas = cv2.warpAffine(canvas, *self._lean(canvas, draw), flags=cv2.INTER_LINEAR)
        canvas = _elastic(canvas, self.shake, draw)
        canvas = _cut(canvas, pen)
        width = max(4, round(canvas.shape[1] * HEIGHT / canvas.shape[0]))
        small = cv2.resize(canvas, (width, HEIGHT), interpolation=cv2.INTER_AREA)
        ink = small.astype(np.float64) / 255 * self.ink * float(draw.uniform(0.85, 1.0))
        paper: Array = np.rint(255 * (1 - np.clip(ink, 0, 1))).astype(np.uint8)
        return paper

    def _draw(self, text: str, pen: int, draw: np.random.Generator) -> Array:
        """Letter after letter, on a canvas `FINE` times as fine; ink is 255."""
        cv2 = opencv()
        scale = FINE * 0.8
        (_, capital), _ = cv2.getTextSize("x", self.font, scale, pen)  # the font's, of any text
        high = 0.65 * capital  # of an x, nearly
        wide = cv2.getTextSize(_plain(text), self.font, scale, pen)[0][0]
        canvas = np.zeros((round(5 * high), round(1.3 * wide + 4 * high)), np.uint8)
        x, base = 1.0 * high, round(3.2 * high)
        for c in text:
            plain, marks = _decomposed(c)
            advance = cv2.getTextSize(plain, self.font, scale, pen)[0][0]
            y = base + round(float(draw.normal(0, 0.03)) * high)
            cv2.putText(canvas, plain, (round(x), y), self.font, scale, 255, pen, cv2.LINE_AA)
            tall = plain.isupper() or plain in "bdfhklt"
            for mark in marks:
                self._mark(canvas, mark, (x + advance / 2, y, high, tall), pen)
            x += advance * (1 + self.spacing + float(draw.normal(0, 0.03)))
        return canvas

    def _mark(
        self, canvas: Array, mark: str, place: tuple[float, int, float, bool], pen: int
    ) -> None:
        cv2 = opencv()
        middle, base, high, tall = place
        top = base - high * (1.6 if tall else 1.0)
        for stroke in _MARKS[mark]:
            points = [
                (middle + x * high, (base if y > 1 else top) + (y - (y > 1)) * high)
                for x, y in stroke
            ]
            line = np.rint(points).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(canvas, [line], False, 255, pen, cv2.LINE_AA)

    def _lean(self, canvas: Array, draw: np.random.Generator) -> tuple[Array, tuple[int, int]]:
        """The matrix that slants and stretches, and the (width, height) that has room for it."""
        height, width = canvas.shape
        slant = self.slant + float(draw.normal(0, 0.03))
        stretch = self.stretch * float(np.exp(draw.normal(0, 0.05)))
        room = abs(slant) * height
        matrix = np.array([[stretch, -slant, max(0.0, slant) * height], [0, 1, 0]])
        return matrix, (int(width * stretch + room), height)


@cache
def word_list() -> list[str]:
    """The package's own words: common French and English ones, numbers, some punctuation."""
    text = resources.files("gansmith.data.words").joinpath("lexicon.txt").read_text("utf-8")
    return text.split()


def can_write(text: str) -> bool:
    """Whether the pen knows every character of it."""
    try:
        return reason_against(text) is None and all(_decomposed(c) for c in text)
    except GansmithError:
        return False


def against_hand(texts: Sequence[str]) -> str | None:
    """Why nothing is to be had of rendered hands that write such texts; None where something is."""
    able = sum(map(can_write, texts))
    if able < MOST * len(texts):
        return f"the rendered hand can write only {able:,} of {len(texts):,} texts"
    try:
        opencv()
    except GansmithError as error:
        return str(error).rstrip(".")
    return None


def opencv() -> Any:
    """OpenCV, which draws the fonts."""
    try:
        import cv2
    except ImportError:
        raise GansmithError("Rendered words need OpenCV: pip install 'gansmith[words]'.") from None
    if not hasattr(cv2, "FONT_HERSHEY_SCRIPT_SIMPLEX"):
        raise GansmithError(
            f"Rendered words need the Hershey fonts, which OpenCV {cv2.__version__} no longer has: "
            "pip install 'opencv-python-headless<5'."
        )
    return cv2


def _plain(text: str) -> str:
    return "".join(_decomposed(c)[0] for c in text)


def _decomposed(c: str) -> tuple[str, str]:
    """A character as ASCII that the fonts have, and its marks."""
    letters = unicodedata.normalize("NFD", c)
    plain, marks = letters[0], letters[1:]
    if c in _WRITTEN_AS:
        plain, marks = _WRITTEN_AS[c], ""
    if not all(" " <= p <= "~" for p in plain) or any(m not in _MARKS for m in marks):
        raise GansmithError(f"The rendered hand can't write {c!r}.")
    return plain, marks


def _elastic(canvas: Array, amount: float, draw: np.random.Generator) -> Array:
    """Moved here and there by smooth noise (Simard et al. 2003)."""
    cv2 = opencv()
    height, width = canvas.shape
    coarse = (max(2, width // 100), max(2, height // 100))
    moved = []
    for size, axis in ((width, 1), (height, 0)):
        noise = draw.normal(0, amount * FINE, (coarse[1], coarse[0])).astype(np.float32)
        shift = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        line = np.arange(size, dtype=np.float32)
        moved.append((line[None, :] if axis else line[:, None]) + shift)
    x, y = moved
    return np.asarray(cv2.remap(canvas, x, y, cv2.INTER_LINEAR))


def _cut(canvas: Array, margin: int) -> Array:
    """To the ink, with a pen's width around it."""
    rows, columns = (np.flatnonzero((canvas > 32).any(axis)) for axis in (1, 0))
    if not len(rows):
        return canvas
    top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
    return canvas[top : rows[-1] + margin, left : columns[-1] + margin]


def _compose(chosen: list[Item], draw: np.random.Generator) -> Array:
    """Digits beside each other, dark on white, as uint8 `HEIGHT`×W."""
    cv2 = opencv()
    slant, stretch = float(draw.normal(0, 0.15)), float(np.exp(draw.normal(0, 0.15)))
    gap = float(draw.uniform(-3, 6))
    canvas = np.zeros((HEIGHT, 60 * len(chosen) + 60), np.float32)
    x = 10.0
    for item in chosen:
        side = round(40 * stretch)
        digit = cv2.resize(
            np.asarray(item.content, np.float32), (side, 40), interpolation=cv2.INTER_CUBIC
        )
        digit = digit.clip(0, 255)
        columns = np.flatnonzero((digit > 40).any(0))
        digit = digit[:, columns[0] : columns[-1] + 1]
        left, top = round(x), 4 + round(float(draw.normal(0, 1)))
        place = canvas[max(0, top) : top + 40, left : left + digit.shape[1]]
        np.maximum(place, digit[: place.shape[0], : place.shape[1]], out=place)
        x += digit.shape[1] + gap + float(draw.normal(0, 1))
    lean = np.array([[1, -slant, slant * HEIGHT / 2], [0, 1, 0]])
    leant = cv2.warpAffine(canvas, lean, (canvas.shape[1], HEIGHT))
    columns = np.flatnonzero((leant > 32).any(0))
    cut = leant[:, max(0, columns[0] - 3) : columns[-1] + 4]
    paper: Array = np.rint(255 - cut.clip(0, 255)).astype(np.uint8)
    return paper

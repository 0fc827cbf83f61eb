"""Synthetic words as a data set that recognisers are trained on: pictures, and what they say.

Word i of a lexicon and seed is always the same, however many are asked for.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gansmith import checkpoint
from gansmith.data.words import characters, lines_of, normalise, read_text
from gansmith.errors import GansmithError
from gansmith.generate import Model, load
from gansmith.imaging import png_bytes
from gansmith.samples import ROW_GROUP, parquet_writer
from gansmith.scribe import INK, PAGE, Scribe, Word
from gansmith.synthetic.card import word_card
from gansmith.synthetic.folder import Folder, new_folder
from gansmith.synthetic.layouts import Progress, add_to_tar, counted, numbered
from gansmith.synthetic.manifest import Made, manifest, order
from gansmith.synthetic.ranges import Span, cut, range_size, ranges_in
from gansmith.synthetic.workers import check_processes, make_ranges
from gansmith.writing import stack

SHEET, SHOWN = ".assets/samples.png", 40
SHARD = 10_000  # words of a tar or a Parquet file
MARGIN = 2  # columns of paper left and right of the ink
SPACE = "<space>"  # as PyLaia spells it

Named = Iterator[tuple[str, Word]]


@dataclass(frozen=True)
class WordsResult:
    """What was written: `count` words, and how many entries of the lexicon can't be."""

    path: Path
    layout: str
    count: int
    texts: int
    left_out: int


def write_words(
    run: Model | str | Path,
    out: str | Path,
    *,
    lexicon: Path | None = None,
    corpus: Path | None = None,
    n: int | None = None,
    seed: int = 0,
    layout: str = "imagefolder",
    device: str = "auto",
    processes: int | None = None,
    progress: Progress | None = None,
) -> WordsResult:
    """Write a data set of words to the new folder `out`: whole, or not at all.

    With `processes`, range by range as `write_dataset` does.

    Args:
        run: a run's or a model's folder, or a generator of words.
        lexicon: a file with a word or line to write on each line; in turn.
        corpus: a running text in its place, whose words are written as often as they come.
        n: how many in all; each text once if None.
        seed: of the styles; each word has its own.
        layout: "imagefolder", "parquet", "pairs", "pylaia" or "webdataset".
        processes: how many make it; those take "parquet", "pairs" or "webdataset".

    Raises:
        GansmithError: no such layout, no text that can be written, `out` not empty or begun
            otherwise, no room, a process that is lost.
    """
    out = Path(out)
    if layout not in WORD_LAYOUTS:
        raise GansmithError(f"--layout: expected {', '.join(WORD_LAYOUTS)}, found {layout!r}")
    if n is not None and n < 1:
        raise GansmithError(f"-n: expected how many to make, 1 or more, found {n}")
    check_processes(processes)
    model = run if isinstance(run, Model) else load(run, device)
    scribe = Scribe(model)
    texts, left_out = writable(scribe, lexicon, corpus)
    count = n or len(texts)
    by_range = processes is not None
    if by_range and layout not in BY_RANGE:
        raise GansmithError(
            f"--processes: {layout} has a file that lists all words, which is one process's work; "
            "take --layout parquet, pairs or webdataset"
        )
    made = _made(
        model, None if isinstance(run, Model) else Path(run), layout, count, seed, by_range
    )
    head = manifest(made) | {"words": _described(texts, left_out, lexicon or corpus)}
    beside = {"README.md": word_card(made, SHEET).encode(), SHEET: _sheet(scribe, texts, seed)}
    if processes is None:
        each = _named(counted(scribe.stream(texts, count, seed), count, progress), 0)
        with new_folder(out, head) as folder:
            for name, content in beside.items():
                folder.write(name, content)
            for part, most in numbered(layout, count, SHARD if layout in SHARDED else None):
                WORD_LAYOUTS[layout](folder, islice(each, most), part)
    else:
        spans = cut(count, range_size(None, PAGE))
        asked = order(made, len(spans[0])) | {"texts": _digest(texts)}
        with ranges_in(out, asked) as ranges:
            make_ranges(
                ranges, spans, model, Texts(tuple(texts), seed, layout), processes, progress
            )
            ranges.finish(spans, head, beside)
    return WordsResult(out, layout, count, len(texts), left_out)


@dataclass(frozen=True)
class Texts:
    """What a range of the words is written by."""

    texts: tuple[str, ...]
    seed: int
    layout: str

    def write(self, folder: Folder, model: Model, span: Span) -> None:
        words = Scribe(model).stream(self.texts, len(span), self.seed, span.start)
        WORD_LAYOUTS[self.layout](folder, _named(words, span.start), span.name)


def writable(scribe: Scribe, lexicon: Path | None, corpus: Path | None) -> tuple[list[str], int]:
    """The texts of a lexicon or corpus that can be written, and how many can't."""
    wanted = texts_of(lexicon, corpus)
    texts = [text for text in wanted if scribe.can_write(text)]
    if not texts:
        raise GansmithError(
            f"{lexicon or corpus}: expected texts of {''.join(scribe.script.alphabet)}, found "
            f"{len(wanted):,} of which none can be written"
        )
    return texts, len(wanted) - len(texts)


def texts_of(lexicon: Path | None, corpus: Path | None) -> list[str]:
    """A lexicon's lines, or a corpus's words, in their normal form."""
    if (lexicon is None) == (corpus is None):
        raise GansmithError("expected --lexicon FILE or --from-corpus FILE: what to write")
    if lexicon is not None:
        return [normalise(line) for line in lines_of(lexicon)]
    assert corpus is not None
    return normalise(read_text(corpus)).split()


def write_imagefolder(folder: Folder, words: Named, part: str) -> None:
    """train/000000.png … and train/metadata.jsonl: Hugging Face's, as TrOCR's trainers take it."""
    with folder.open("train/metadata.jsonl") as listed:
        for name, word in words:
            folder.write(f"train/{name}.png", word_png(word))
            row = {"file_name": f"{name}.png", "text": word.text}
            listed.write((json.dumps(row, ensure_ascii=False) + "\n").encode())


def write_pairs(folder: Folder, words: Named, part: str) -> None:
    """000000.png beside 000000.gt.txt, as kraken and Calamari take them."""
    for name, word in words:
        folder.write(f"train/{name}.png", word_png(word))
        folder.write(f"train/{name}.gt.txt", f"{word.text}\n".encode())


def write_pylaia(folder: Folder, words: Named, part: str) -> None:
    """imgs/000000.png …, train.txt with `000000 h e l l o`, and syms.txt, as PyLaia takes them."""
    symbols = {SPACE}  # between words, without which PyLaia does not begin to train
    with folder.open("train.txt") as listed:
        for name, word in words:
            folder.write(f"imgs/{name}.png", word_png(word))
            tokens = [SPACE if c == " " else c for c in characters(word.text)]
            symbols.update(tokens)
            listed.write(f"{name} {' '.join(tokens)}\n".encode())
    rows = ["<ctc>", *sorted(symbols)]
    text = "".join(f"{symbol} {number}\n" for number, symbol in enumerate(rows))
    folder.write("syms.txt", text.encode())


def write_parquet(folder: Folder, words: Named, part: str) -> None:
    """data/train-PART.parquet, with the columns image and text."""
    write = parquet_writer(None, ("text",))
    rows = (
        {"image": {"bytes": word_png(word), "path": f"{name}.png"}, "text": word.text}
        for name, word in words
    )
    with folder.open(f"data/train-{part}.parquet") as file:
        write(file, rows, ROW_GROUP)


def write_webdataset(folder: Folder, words: Named, part: str) -> None:
    """train-PART.tar: KEY.png and KEY.txt."""
    with folder.open(f"train-{part}.tar") as file, tarfile.open(fileobj=file, mode="w") as tar:
        for name, word in words:
            add_to_tar(tar, f"{name}.png", word_png(word))
            add_to_tar(tar, f"{name}.txt", word.text.encode())


WORD_LAYOUTS: dict[str, Callable[[Folder, Named, str], None]] = {
    "imagefolder": write_imagefolder,
    "parquet": write_parquet,
    "pairs": write_pairs,
    "pylaia": write_pylaia,
    "webdataset": write_webdataset,
}
SHARDED = ("parquet", "webdataset")
BY_RANGE = ("parquet", "pairs", "webdataset")


def word_png(word: Word) -> bytes:
    """The word as 8-bit grey, dark on white, cut to its ink from left to right."""
    columns = np.flatnonzero((word.image < INK).any(axis=0))
    cut = word.image
    if len(columns):
        cut = cut[:, max(0, columns[0] - MARGIN) : columns[-1] + 1 + MARGIN]
    return png_bytes(Image.fromarray(np.ascontiguousarray(cut)))


def _named(words: Iterator[Word], start: int) -> Named:
    return ((f"{number:06d}", word) for number, word in enumerate(words, start))


def _digest(texts: list[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _sheet(scribe: Scribe, texts: list[str], seed: int) -> bytes:
    """The data set's first words, five to a line."""
    shown = list(scribe.stream(texts, min(SHOWN, len(texts)), seed))
    rows = [shown[i : i + 5] for i in range(0, len(shown), 5)]
    gap = np.full((scribe.height, 16), 255, np.uint8)
    lines = [
        Image.fromarray(np.concatenate([p for w in row for p in (w.image, gap)], 1)) for row in rows
    ]
    return png_bytes(stack(lines))


def _described(texts: list[str], left_out: int, file: Path | None) -> dict[str, Any]:
    return {
        "texts": len(texts),
        "different": len(set(texts)),
        "left_out": left_out,
        "from": file.name if file else None,
    }


def _made(
    model: Model, run: Path | None, layout: str, count: int, seed: int, by_range: bool
) -> Made:
    weights = checkpoint.encode(model.network.state_dict())
    name = None
    if run is not None:
        place = run.resolve()
        name = place.parent.name if place.name == "model" else place.name
    height = model.spec.shape[1]
    return Made(
        run=name,
        step=model.step,
        sha256=hashlib.sha256(weights).hexdigest(),
        config=model.config,
        shape=(height, 0, 1),
        classes=None,
        folders=(),
        layout=layout,
        count=count,
        per_class=None,
        seed=seed,
        device=model.device.type,
        figures=None,
        by_range=by_range,
    )

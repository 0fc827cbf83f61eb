"""Batches of words: of nearly one width each, and what the generator is asked to write beside them.

Positions of the run are taken by pools of `POOL` batches. A pool's words are sorted by width and cut
into batches, and so are the texts and latents that are asked for; so little of a batch is padding,
and what is real and what is made beside it are about as wide. The batches of a pool come in an order
of their own, and which pool holds what is a function of (seed, index), as everything here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.config import Config, DataSpec
from gansmith.copybook import COUNT, about_copybook, against_copybook, copybook
from gansmith.data import Dataset, order
from gansmith.data.words import characters
from gansmith.data.words.lexicon import LONGEST
from gansmith.models import draw_latent
from gansmith.models.layout import decode, encode, label_rows, widths_for
from gansmith.models.words import padded
from gansmith.runtime import Draw, derive_seed
from gansmith.stream import Batch, Deal, Lesson, Stream, to_network
from gansmith.world import World

POOL = 32  # batches
LISTED = 0.5  # share of what is asked for that comes from a lexicon, where there is one
SHEET = 6  # styles beside each other on a sheet


@dataclass(frozen=True)
class Pool:
    """A pool's batches, in the order in which they come."""

    rows: tuple[Tensor, ...]  # which examples are read
    copied: tuple[Tensor, ...]  # and which rendered words beside them
    shown: tuple[Tensor, ...]  # which are shown to the discriminator
    labels: tuple[Tensor, ...]  # what is asked for beside them
    latents: tuple[Tensor, ...]  # and in which style


class WordStream(Stream):
    """The same as any other stream, of words.

    Its examples are the labelled words: batches for the recogniser, texts to ask for, references. A
    deal's real words are for the discriminator, and drawn from the unlabelled ones as well.
    """

    def __init__(
        self, dataset: Dataset, config: Config, spec: DataSpec, world: World, device: torch.device
    ):
        super().__init__(dataset, config, spec, world, device)
        self.strips = [replace(dataset, values=self.values).strip]
        if dataset.unlabelled:
            self.strips.append(dataset.unlabelled.strip)  # may be many: they stay where they are
            self.remarks.append(about_unlabelled(dataset))
        self.shown = torch.cat([self.rows.cpu(), len(dataset) + dataset.beside])
        self.lexicon = torch.zeros(0, 1, dtype=torch.int64)
        if dataset.lexicon and spec.script:
            alphabet = spec.script.alphabet
            self.lexicon = encode(dataset.lexicon.writable(alphabet), alphabet)
            self.remarks.append(dataset.lexicon.about(alphabet))
        self.copybook = torch.zeros(0, dtype=torch.int64)
        if config.copybook != "no" and dataset.written:
            against = against_copybook(config, dataset.written.texts)
            self.remarks.append(about_copybook(against))
            if against is None:
                self.copybook = self._add_copybook()
        self.pool = lru_cache(maxsize=4)(self._pool)

    def _labels(self, dataset: Dataset) -> Tensor:
        assert dataset.written is not None
        assert self.spec.script is not None
        texts = [characters(text) for text in dataset.written.texts]
        codes = encode(texts, self.spec.script.alphabet)
        known = label_rows(dataset.strip.widths, codes)
        if dataset.unlabelled is None:
            return known
        widths = dataset.unlabelled.strip.widths
        return torch.cat([known, label_rows(widths, codes.new_zeros(len(widths), codes.shape[1]))])

    def batch(self, index: int) -> Batch:
        pool, place = divmod(index, POOL)
        return self.take(self.pool(pool).rows[place][self.own])

    def lesson(self, index: int) -> Lesson:
        """The index-th batch, and a rendered word after each of it where there is a copybook."""
        pool, place = divmod(index, POOL)
        rows = self.rows[self.pool(pool).rows[place][self.own].to(self.rows.device)].cpu()
        copied = self.pool(pool).copied[place][self.own]
        both = torch.stack([rows, copied], 1).flatten() if len(copied) else rows
        words, labels = self._rows(both)
        assert labels is not None
        return Lesson(words, labels, copied=len(copied) > 0)

    def latent(self, index: int) -> Tensor:
        pool, place = divmod(index, POOL)
        latents = self.pool(pool).latents[place][self.own]
        return (self.config.latent_spread * latents).to(self.device)

    def deal(self, index: int) -> Deal:
        pool, place = divmod(index, POOL)
        asked = self.pool(pool).labels[place][self.own].to(self.device)
        shown = self._rows(self.pool(pool).shown[place][self.own])
        return Deal(*shown, self.latent(index), asked)

    def sheet(self, count: int) -> tuple[Tensor, Tensor]:
        """Words of the data, each in the same `SHEET` styles beside each other."""
        latent, _ = super().sheet(SHEET)
        rows = -(-count // SHEET)
        codes = self._codes(self._readable(rows)).repeat_interleave(SHEET, 0)[:count]
        latent = latent.repeat(rows, 1)[:count]
        return latent, label_rows(widths_for(codes, latent, self.spec), codes).to(self.device)

    def reference(self, count: int) -> Batch:
        """Real words of the lengths that sheets show: others would make most of a sheet paper."""
        return self.take(self._readable(count))

    def relabelled(self, latent: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is not None
        codes = labels[:, 1:].cpu()
        return label_rows(widths_for(codes, latent.cpu(), self.spec), codes).to(self.device)

    def recent(self, step: int, count: int) -> Batch:
        """Those that the recogniser was shown: of others nobody knows what to ask for beside them."""
        needed = -(-count // self.config.batch_size)
        first = max(0, step - needed)
        rows = [self.pool(i // POOL).rows[i % POOL] for i in range(first, first + needed)]
        return self.take(torch.cat(rows)[-count:])

    def _rows(self, rows: Tensor) -> Batch:
        """Of all words, those with these numbers; the unlabelled ones' come after the others'."""
        assert self.known is not None
        labels = self.known[rows.to(self.known.device)]
        labels = labels[:, : 1 + int((labels[:, 1:] > 0).sum(1).max())]
        values = self._values(rows.cpu(), padded(labels[:, 0], self.spec.shape[1]))
        return Batch(to_network(values, self.spec), labels.to(self.device))

    def _add_copybook(self) -> Tensor:
        """Put rendered words behind all others, which say what these say or could: their numbers."""
        assert self.known is not None
        assert self.spec.script is not None
        alphabet, seed = self.spec.script.alphabet, derive_seed(self.config.seed, Draw.COPYBOOK)
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randint(self.size, (COUNT,), generator=generator)
        texts = decode(self._texts(rows, generator), alphabet)
        strip, texts = copybook(texts, self.spec.shape[1], seed)
        codes, first = encode([characters(text) for text in texts], alphabet), len(self.known)
        length = max(codes.shape[1], self.known.shape[1] - 1)
        labels = label_rows(strip.widths, fill(codes, length)).to(self.known.device)
        self.known = torch.cat([fill(self.known, 1 + length), labels])
        self.strips.append(strip)
        return torch.arange(first, first + len(strip))

    def _values(self, rows: Tensor, width: int) -> Tensor:
        """uint8 (n, 1, H, width), each word from the strip that it lies in."""
        shape, first = (len(rows), 1, self.spec.shape[1], width), 0
        values = torch.full(shape, 255, dtype=torch.uint8, device=self.device)
        for strip in self.strips:
            here = torch.nonzero((rows >= first) & (rows < first + len(strip)))[:, 0]
            words = strip[(rows[here] - first).to(strip.columns.device)]
            values[here.to(self.device), ..., : words.shape[3]] = words.to(self.device)
            first += len(strip)
        return values

    def _pool(self, number: int) -> Pool:
        size, config = self.config.batch_size, self.config
        count = POOL * size
        rows = torch.from_numpy(order(self.size, config.seed, number * count, count))
        drawn = order(len(self.shown), config.seed, number * count, count)
        shown = self.shown[torch.from_numpy(drawn)]
        seed = derive_seed(config.seed, Draw.LATENT, number)
        generator = torch.Generator().manual_seed(seed)
        latents = draw_latent(config, len(rows), torch.device("cpu"), generator)
        codes = self._texts(rows, generator)
        widths = widths_for(codes, latents, self.spec)
        sequence = torch.randperm(POOL, generator=generator).tolist()
        labels = label_rows(widths, codes)
        copied = self.copybook
        if len(copied):
            copied = copied[torch.randint(len(copied), (count,), generator=generator)]

        def cut(what: Tensor, widths: Tensor) -> tuple[Tensor, ...]:
            batches = torch.split(what[torch.argsort(widths, stable=True)], size)
            return tuple(batches[i] for i in sequence)

        return Pool(
            cut(rows, self._label(rows)[:, 0]),
            cut(copied, self._known(copied)[:, 0]) if len(copied) else (copied,) * POOL,
            cut(shown, self._known(shown)[:, 0]),
            cut(labels, widths),
            cut(latents, widths),
        )

    def _texts(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """What is written in these examples, some of it with another's end in place of its own, or
        as many texts of a lexicon in its place."""
        others = rows[torch.randperm(len(rows), generator=generator)]
        codes, ends = self._codes(rows), self._codes(others)
        mixed = recombine(codes, ends, generator)
        chosen = torch.rand(len(rows), generator=generator) < self.config.recombined
        codes = _either(chosen, mixed, codes)
        if len(self.lexicon):
            drawn = torch.randint(len(self.lexicon), (len(rows),), generator=generator)
            listed = torch.rand(len(rows), generator=generator) < LISTED
            codes = _either(listed, self.lexicon[drawn], codes)
        return codes

    def _label(self, rows: Tensor) -> Tensor:
        """Of the examples that are trained on, as `take` counts them."""
        return self._known(self.rows[rows.to(self.rows.device)])

    def _known(self, rows: Tensor) -> Tensor:
        """Of all words, the unlabelled ones' numbers coming after the others'."""
        assert self.known is not None
        return self.known[rows.to(self.known.device)].cpu()

    def _codes(self, rows: Tensor) -> Tensor:
        return self._label(rows)[:, 1:]

    def _readable(self, count: int) -> Tensor:
        """Examples for a sheet: words of four to nine characters, as far as there are any."""
        drawn = self._reference_order(self.size)
        lengths = (self._codes(drawn) > 0).sum(1)
        wanted = drawn[(lengths >= 4) & (lengths <= 9)]
        return torch.cat([wanted, drawn])[:count]


def about_unlabelled(dataset: Dataset) -> str:
    """How many unlabelled words there are, where from, and how wide beside the labelled ones."""
    assert dataset.unlabelled is not None
    beside, others = dataset.beside, dataset.unlabelled.strip.widths
    usual = int(dataset.strip.widths.median())
    line = (
        f"unlabelled: {len(beside):,} words of {dataset.unlabelled.name}, shown to the discriminator "
        f"beside {len(dataset):,} labelled ones; typically {int(others.median())} pixels wide, the "
        f"labelled {usual}"
    )
    left = len(others) - len(beside)
    return line + (f"; {left:,} wider than any labelled are left out" if left else "")


def recombine(codes: Tensor, ends: Tensor, generator: torch.Generator) -> Tensor:
    """(N, L) and (N, L) → (N, ≤ `LONGEST`): of each text the beginning, and another's end.

    So the generator meets words of other lengths, and characters in company, that no one wrote.
    """
    lengths, other = ((c > 0).sum(1) for c in (codes, ends))
    drawn = torch.rand(2, len(codes), generator=generator)
    kept = 1 + (drawn[0] * lengths).long()  # 1 … all
    skipped = (drawn[1] * (other + 1)).long()  # 0 … all
    place = torch.arange(LONGEST).expand(len(codes), -1)
    from_end = place - kept[:, None] + skipped[:, None]
    first = codes.gather(1, place.clamp(max=codes.shape[1] - 1))
    second = ends.gather(1, from_end.clamp(0, ends.shape[1] - 1))
    second = torch.where(from_end < other[:, None], second, 0)
    return torch.where(place < kept[:, None], first, second)


def _either(chosen: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Codes (N, L): rows of a where `chosen` (N,), else of b, as long as the longer of the two."""
    length = max(a.shape[1], b.shape[1])
    return torch.where(chosen[:, None], fill(a, length), fill(b, length))


def fill(codes: Tensor, length: int) -> Tensor:
    """With zeros, to so many columns."""
    return F.pad(codes, (0, length - codes.shape[1]))

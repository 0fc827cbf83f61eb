"""The baseline of words: ScrabbleGAN at the paper's sizes, and a loop with nothing else in it.

    python -m benchmarks.scrabblegan speed --data words/train.parquet --threads 1
    python -m benchmarks.scrabblegan train --data words/train.parquet --out port.safetensors
    python -m benchmarks.scrabblegan judge --data train.parquet --held-out validation.parquet

After the text of Fogel et al. 2020 and, where it is silent, BigGAN (Brock et al. 2019), whose blocks it
uses: a bank of 512×4×4 filters a character, made of the first of four chunks of 32 latents; three
blocks that grow them to 32 × 16 pixels, each with batch norm conditional on a chunk of its own; a
discriminator of four blocks, spectrally normalised, at full width; a recogniser of seven convolutions;
hinge loss, Adam 2e-4 with β (0, 0.999), 8 words a batch, all of them 16 pixels a character, fp32.
Two favours: what the public code gets wrong (CTC on scores, padding in scores) is done right, and
neither player computes gradients that nobody uses.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from benchmarks import record
from gansmith.data import Dataset, prepare
from gansmith.data.words import characters, open_words
from gansmith.loop import Session
from gansmith.metrics.distances import fid
from gansmith.metrics.evaluation import split
from gansmith.metrics.words.legibility import legibility
from gansmith.metrics.words.referee import judge_for
from gansmith.metrics.words.sets import gather, words_of
from gansmith.models.layers import frozen
from gansmith.models.layout import encode
from gansmith.recipes import recipe
from gansmith.run import RunFolder

BATCH, CHUNK, CHARACTER = 8, 32, 16  # words, latents of a chunk, pixels
FILTERS = 64
SIZES = (8 * FILTERS, 4 * FILTERS, 2 * FILTERS, FILTERS)
GROWING = ((2, 1), (2, 2), (2, 2))


class Normed(nn.Module):
    """Batch norm, its scale and shift by a chunk of the latents."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Linear(CHUNK, 2 * channels)

    def forward(self, x: Tensor, chunk: Tensor) -> Tensor:
        scale, shift = self.affine(chunk)[..., None, None].chunk(2, 1)
        normed: Tensor = self.norm(x)
        return F.relu(normed * (1 + scale) + shift)


class Up(nn.Module):
    def __init__(self, a: int, b: int, by: tuple[int, int]):
        super().__init__()
        self.by, self.first, self.second = by, Normed(a), Normed(b)
        self.conv1, self.conv2 = nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(b, b, 3, padding=1)
        self.skip = nn.Conv2d(a, b, 1)

    def forward(self, x: Tensor, chunk: Tensor) -> Tensor:
        h = self.conv1(F.interpolate(self.first(x, chunk), scale_factor=self.by))
        h = self.conv2(self.second(h, chunk))
        grown: Tensor = h + self.skip(F.interpolate(x, scale_factor=self.by))
        return grown


class Generator(nn.Module):
    """Latents (N, 128), codes (N, L) → words (N, 1, 32, 16 L) in [-1, 1]."""

    def __init__(self, alphabet: int):
        super().__init__()
        self.bank = nn.Parameter(0.02 * torch.randn(alphabet + 1, CHUNK, SIZES[0] * 16))
        self.blocks = nn.ModuleList(
            Up(a, b, by) for (a, b), by in zip(pairwise(SIZES), GROWING, strict=True)
        )
        self.last = nn.BatchNorm2d(SIZES[-1])
        self.ink = nn.Conv2d(SIZES[-1], 1, 3, padding=1)

    def forward(self, latent: Tensor, codes: Tensor) -> Tensor:
        first, *chunks = torch.split(latent, CHUNK, 1)
        x = torch.stack([z @ self.bank[row] for z, row in zip(first, codes, strict=True)])
        x = x.reshape(*codes.shape, SIZES[0], 4, 4).permute(0, 2, 3, 1, 4).flatten(3)
        for block, chunk in zip(self.blocks, chunks, strict=True):
            x = block(x, chunk)
        made: Tensor = self.ink(F.relu(self.last(x)))
        return made.tanh()


class Down(nn.Module):
    def __init__(self, a: int, b: int, halve: bool):
        super().__init__()
        self.halve = halve
        self.conv1, self.conv2, self.skip = (
            spectral_norm(nn.Conv2d(*sizes))
            for sizes in ((a, b, 3, 1, 1), (b, b, 3, 1, 1), (a, b, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(F.relu(self.conv1(F.relu(x))))
        both: Tensor = h + self.skip(x)
        return F.avg_pool2d(both, 2) if self.halve else both


class Discriminator(nn.Module):
    """Words (N, 1, 32, W), their widths → scores (N,): the mean along each word's own width."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (1, *reversed(SIZES))
        self.blocks = nn.ModuleList(
            Down(a, b, halve)
            for (a, b), halve in zip(pairwise(sizes), (True, True, True, False), strict=True)
        )
        self.out = spectral_norm(nn.Linear(sizes[-1], 1))

    def forward(self, words: Tensor, widths: Tensor) -> Tensor:
        x = words
        for block in self.blocks:
            x = block(x)
        scores = self.out(F.relu(x).sum(2).transpose(1, 2))[..., 0]
        own = (torch.arange(scores.shape[1]) < widths[:, None] // 8).float()
        mean: Tensor = (scores * own).sum(1) / own.sum(1)
        return mean


class Recogniser(nn.Module):
    """Words (N, 1, 32, W) → log probabilities (N, W / 4 - 1, A + 1)."""

    def __init__(self, alphabet: int):
        super().__init__()
        sizes = (1, 64, 128, 256, 256, 512, 512)
        pools = (2, 2, None, (2, 1), None, (2, 1))
        layers: list[nn.Module] = []
        for (a, b), pool in zip(pairwise(sizes), pools, strict=True):
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(True)]
            layers += [nn.MaxPool2d(pool)] if pool else []
        layers += [nn.Conv2d(512, 512, 2), nn.BatchNorm2d(512), nn.ReLU(True)]
        self.layers, self.out = nn.Sequential(*layers), nn.Linear(512, alphabet + 1)

    def forward(self, words: Tensor) -> Tensor:
        scores: Tensor = self.out(self.layers(words)[:, :, 0].transpose(1, 2))
        return scores.log_softmax(-1)


def ctc(log_probabilities: Tensor, codes: Tensor) -> Tensor:
    lengths = (codes > 0).sum(1)
    steps = lengths * CHARACTER // 4 - 1
    return F.ctc_loss(log_probabilities.transpose(0, 1), codes, steps, lengths, zero_infinity=True)


class Port:
    """The paper's game; each call of `step` plays once."""

    def __init__(self, data: Dataset, seed: int = 0):
        torch.manual_seed(seed)
        assert data.written is not None
        texts = [characters(text) for text in data.written.texts]
        self.alphabet = tuple(sorted({c for text in texts for c in text}))
        self.codes = encode(texts, self.alphabet)
        self.strip = data.strip
        self.generator = Generator(len(self.alphabet))
        self.discriminator = Discriminator()
        self.recogniser = Recogniser(len(self.alphabet))
        self.optimizers = [
            torch.optim.Adam(n.parameters(), 2e-4, (0.0, 0.999), fused=True)
            for n in (self.generator, self.discriminator, self.recogniser)
        ]

    def batch(self) -> tuple[Tensor, Tensor]:
        """Words (8, 1, 32, 16 L) of 16 pixels a character, white beyond their end; codes (8, L)."""
        rows = torch.randint(len(self.codes), (BATCH,))
        codes = self.codes[rows]
        codes = codes[:, : int((codes > 0).sum(1).max())]
        words = torch.ones(BATCH, 1, 32, CHARACTER * codes.shape[1])
        for word, row, code in zip(words, rows, codes, strict=True):
            own = self.strip[row[None]].float() / 127.5 - 1
            width = CHARACTER * int((code > 0).sum())
            word[..., :width] = F.interpolate(own, (32, width), mode="bilinear", antialias=True)[0]
        return words, codes

    def step(self) -> None:
        (real, codes), (_, asked) = self.batch(), self.batch()
        latent = torch.randn(BATCH, 4 * CHUNK)
        fake = self.generator(latent, asked)
        widths, of_fake = (CHARACTER * (c > 0).sum(1) for c in (codes, asked))
        own = torch.arange(fake.shape[3]) < of_fake[:, None]
        fake = torch.where(own[:, None, None], fake, 1.0)
        on_real = self.discriminator(real, widths)
        on_fake = self.discriminator(fake.detach(), of_fake)
        self._learn(1, F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean())
        self._learn(2, ctc(self.recogniser(real), codes))
        with frozen(self.discriminator), frozen(self.recogniser):
            of_d = torch.autograd.grad(-self.discriminator(fake, of_fake).mean(), fake)[0]
            of_r = torch.autograd.grad(ctc(self.recogniser(fake), asked), fake)[0]
        share = (of_d.std() / (of_r.std() + 1e-12)).clamp(max=100)
        self._learn(0, (fake * (of_d + share * of_r)).sum())

    def _learn(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizers[which].step()


def ours(data: Dataset, folder: Path) -> Iterator[None]:
    """Steps of the recipe `words`, with its recogniser listened to, as it is for most of a run."""
    session = Session(data, recipe("words"), RunFolder(folder))
    session.run.path.mkdir()
    session._begin()
    steps = session.steps()
    while True:
        assert session.players.reader is not None
        session.players.reader.loss.fill_(1.0)
        yield next(steps)


def speed(data: Dataset, rounds: int) -> dict[str, float]:
    """Words a second of both, by the medians of steps that alternate, and the median ratio."""
    port, size = Port(data), recipe("words").batch_size
    found: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        steps = ours(data, Path(folder) / "run")
        for _ in range(rounds + 2):
            begun = time.perf_counter()
            port.step()
            middle = time.perf_counter()
            for _ in range(8):
                next(steps)
            found.append(((middle - begun) / BATCH, (time.perf_counter() - middle) / (8 * size)))
    timed = found[2:]  # the first ones warm up
    return {
        "words_per_s": round(1 / statistics.median(b for _, b in timed), 1),
        "port_words_per_s": round(1 / statistics.median(a for a, _ in timed), 2),
        "median_of_ratios": round(statistics.median(a / b for a, b in timed), 1),
        "port_step_s": round(BATCH * statistics.median(a for a, _ in timed), 2),
        "rounds": rounds,
    }


def train(data: Dataset, minutes: float, out: Path) -> None:
    port, begun, step = Port(data), time.monotonic(), 0
    while time.monotonic() - begun < 60 * minutes:
        port.step()
        step += 1
        if step % 100 == 0:
            print(f"step {step:,}, {time.monotonic() - begun:.0f} s", flush=True)
    notes = {"step": str(step), "minutes": f"{minutes:g}", "alphabet": "".join(port.alphabet)}
    save_file(dict(port.generator.state_dict()), out, notes)


def judge(data: Dataset, held_out: Dataset, out: Path) -> dict[str, float]:
    """The port's words by the measures of `gansmith evaluate --held-out`: the unseen words' own texts,
    and FID between the half of them that is made and the other half, which is real."""
    with safe_open(out, "pt") as file:
        notes = file.metadata()
    weights = load_file(out)
    alphabet = characters(notes["alphabet"])
    network = Generator(len(alphabet))
    network.load_state_dict(weights)
    network.eval()
    unseen = words_of(held_out)
    known = [n for n, t in enumerate(unseen.texts) if set(characters(t)) <= set(alphabet)]
    unseen = unseen.at(known)
    generator = torch.Generator().manual_seed(0)
    images = []
    for text in unseen.texts:
        latent = torch.randn(1, 4 * CHUNK, generator=generator)
        with torch.no_grad():
            made = network(latent, encode([characters(text)], alphabet))[0, 0]
        images.append(made.add(1).mul(127.5).round().byte().numpy())
    written, referee = (
        gather(images, unseen.texts),
        judge_for(words_of(data), data.digest, say=print),
    )
    sides = split(len(unseen), len(unseen) // 2, 0)
    real, ours = (referee.referee.features(w.values, w.widths) for w in (unseen, written))
    return {
        "step": float(notes["step"]),
        "minutes": float(notes["minutes"]),
        "words": float(len(unseen)),
        "fid": fid(ours[sides.held], real[sides.reference]),
        "fid_floor": fid(real[sides.held], real[sides.reference]),
        "cer": legibility(referee, written).errors.cer,
        "cer_of_real": legibility(referee, unseen).errors.cer,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("speed", "train", "judge"))
    parser.add_argument("--data", required=True, help="words with their texts")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--held-out", help="words by other writers, to judge by")
    parser.add_argument("--out", type=Path, default=Path("port.safetensors"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    data = prepare(open_words(options.data), height=32, width=None)
    if options.what == "train":
        train(data, options.minutes, options.out)
        return
    config = {"threads": options.threads, "data": data.name, "digest": data.digest}
    if options.what == "judge":
        if options.held_out is None:
            parser.error("judge needs --held-out, words by writers whom nobody learnt from")
        unseen = prepare(open_words(options.held_out), height=32, width=None)
        result, name = judge(data, unseen, options.out), "judged"
        config |= {"held_out": unseen.name, "of": unseen.digest}
    else:
        result, name = speed(data, options.rounds), f"{options.threads}"
    print(result)
    print(record.write(f"scrabblegan-{name}", config, result))


if __name__ == "__main__":
    main()

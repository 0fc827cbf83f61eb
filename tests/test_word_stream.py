from __future__ import annotations

from typing import Any

import torch

from gansmith.config import Config
from gansmith.stream import describe
from gansmith.word_stream import LONGEST, POOL, SHEET, WordStream, recombine
from gansmith.world import World
from tests.builders import CPU, word_dataset, words_config


def stream(world: World | None = None, **changes: Any) -> WordStream:
    a_config: Config = words_config(held_out=0.0, **changes)
    data = word_dataset(80)
    return WordStream(data, a_config, describe(data, a_config), world or World(), CPU)


def test_a_deal_is_a_function_of_its_index() -> None:
    one, other = stream(), stream()
    other.deal(77)  # whatever was dealt before
    for a, b in zip(one.deal(3), other.deal(3), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.latent(3), one.latent(4))


def test_real_words_are_the_data_with_nothing_beside_them() -> None:
    """Ink where the data has it, labels that name it, zero beyond each word's own width."""
    data, found = word_dataset(80), stream()
    by_text = {}
    every = data.strip[torch.arange(80)]
    for text, width, value in zip(data.written.texts, data.written.widths, every, strict=True):
        by_text.setdefault((text, width), []).append(1 - value[:, :, :width].float() / 255)
    real, labels = found.batch(5)
    for word, label in zip(real, labels, strict=True):
        width = int(label[0])
        text = "".join("abcdé"[c - 1] for c in label[1:].tolist() if c)
        assert any(torch.equal(word[:, :, :width], w) for w in by_text[text, width])
        assert not word[:, :, width:].any()


def test_every_word_comes_once_an_epoch() -> None:
    found = stream()
    seen = torch.cat([found.pool(0).rows[i] for i in range(POOL)])[: POOL * 4]
    assert len(seen) == 128  # of 80 words: an epoch and 48 of the next
    assert torch.bincount(seen, minlength=80).min() >= 1
    assert torch.bincount(seen, minlength=80).max() <= 2


def test_words_of_a_batch_are_nearly_one_width_and_so_are_those_asked_for() -> None:
    found = stream(batch_size=8)
    within = [found.batch(i).labels[:, 0].float() for i in range(POOL)]
    asked = [found.deal(i).asked[:, 0].float() for i in range(POOL)]
    for widths in (within, asked):
        alone = torch.stack([w.var() for w in widths]).mean()
        assert alone < 0.1 * torch.cat(widths).var()


def test_processes_share_a_deal() -> None:
    whole = stream().deal(2)
    halves = [stream(World(rank, 2)).deal(2) for rank in (0, 1)]
    assert torch.equal(torch.cat([h.latent for h in halves]), whole.latent)
    assert torch.equal(torch.cat([h.asked for h in halves]), whole.asked)
    lengths = [h.labels[:, 0] for h in halves]
    assert torch.equal(torch.cat(lengths), whole.labels[:, 0])


def test_recombined_texts_begin_as_one_and_end_as_another() -> None:
    codes = torch.tensor([[1, 1, 1, 0], [2, 0, 0, 0]]).repeat(500, 1)
    ends = torch.tensor([[3, 4, 5], [3, 4, 0]]).repeat(500, 1)
    mixed = recombine(codes, ends, torch.Generator().manual_seed(0))
    assert mixed.shape == (1000, LONGEST)
    texts = {tuple(c for c in row if c) for row in mixed[::2].tolist()}
    heads, tails = [(1,), (1, 1), (1, 1, 1)], [(3, 4, 5), (4, 5), (5,), ()]
    assert texts == {head + tail for head in heads for tail in tails}
    assert {tuple(c for c in row if c) for row in mixed[1::2].tolist()} == {
        (2, 3, 4),
        (2, 4),
        (2,),
    }
    long = torch.ones(4, 40, dtype=torch.int64)
    assert (recombine(long, long, torch.Generator().manual_seed(0)) > 0).sum(1).max() <= LONGEST


def test_without_recombining_only_the_datas_texts_are_asked_for() -> None:
    found, texts = stream(recombined=0.0), set(word_dataset(80).written.texts)
    asked = torch.cat([found.deal(i).asked[:, 1:8] for i in range(8)])
    assert {"".join("abcdé"[c - 1] for c in row if c) for row in asked.tolist()} <= texts


def test_a_sheet_shows_each_text_in_the_same_styles() -> None:
    latent, labels = stream().sheet(20)
    assert latent.shape == (20, 6)
    assert torch.equal(latent[:SHEET], latent[SHEET : 2 * SHEET])
    rows = labels[:, 1:]
    assert torch.equal(rows[0], rows[SHEET - 1])
    assert not torch.equal(rows[0], rows[SHEET])


def test_labels_for_other_latents_keep_the_text_and_change_the_width() -> None:
    found = stream()
    _, labels = found.batch(0)
    latent = torch.zeros(4, 6)
    latent[:, 0] = torch.tensor([-3.0, -3.0, 3.0, 3.0])
    changed = found.relabelled(latent, labels[:1].expand(4, -1))
    assert torch.equal(changed[:, 1:], labels[:1, 1:].expand(4, -1))
    assert changed[0, 0] == changed[1, 0] < changed[2, 0] == changed[3, 0]

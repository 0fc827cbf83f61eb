from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.ada import Odds
from gansmith.models import build_networks
from gansmith.models.layout import encode, label_rows
from gansmith.models.words import leaning
from gansmith.reader import TURNS, Reader
from gansmith.stream import Deal, Lesson
from gansmith.word_objectives import (
    GUIDED_WORDS,
    balanced,
    discriminator_losses,
    generator_losses,
    recogniser_losses,
    shown,
    upright,
)
from tests.builders import CPU, words, words_config


def deal() -> Deal:
    generator = torch.Generator().manual_seed(0)
    labels = label_rows(torch.tensor([48, 32]), encode(["abc", "dé"], "abcdé"))
    inside = torch.arange(48) < labels[:, :1]
    real = torch.rand(2, 1, 32, 48, generator=generator) * inside[:, None, None]
    return Deal(real, labels, torch.randn(2, 6, generator=generator), labels.roll(1, 0))


def test_both_gradients_have_one_spread_where_the_weight_is_one() -> None:
    """Closed form: the recogniser's is brought to the adversarial one's spread, times the weight."""
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 2, 1, 4, 8, generator=generator)
    inside = torch.ones(2, 1, 4, 8)
    inside[1, ..., 4:] = 0
    a, b = a * inside, 1e-3 * b * inside
    asked = label_rows(torch.tensor([8, 4]), torch.ones(2, 1, dtype=torch.int64))
    for weight in (1.0, 0.25):
        fake = torch.rand(2, 1, 4, 8, generator=generator).requires_grad_()
        made = fake * 1.0  # as a generator's: no leaf
        total = balanced((made * a).sum(), (made * b).sum(), made, asked, weight)
        (gradient,) = torch.autograd.grad(total, fake)
        of_r = upright(b, fake.detach())
        share = weight * a[inside > 0].std() / of_r[inside > 0].std()
        limited = min(float(share), 100.0)
        torch.testing.assert_close(gradient, a + limited * of_r)


def test_a_recogniser_has_no_say_in_how_far_a_word_leans() -> None:
    """Beside what really leaning it changes; in all else it has its say."""
    generator = torch.Generator().manual_seed(2)
    smooth = torch.nn.functional.interpolate(
        torch.rand(3, 1, 8, 24, generator=generator), (32, 96), mode="bicubic"
    )
    words = F.pad(smooth, (8, 8))
    little = torch.full((3,), 1e-3)
    shear = (leaning(words, little) - leaning(words, -little)) / 2e-3
    gradient = shear + 0.1 * torch.randn(words.shape, generator=generator)

    def part(of: Tensor) -> Tensor:
        """Its cosine with leaning."""
        return F.cosine_similarity(of.flatten(1), shear.flatten(1)).abs()

    left = upright(gradient, words)
    assert (part(gradient) > 0.5).all()
    assert (part(left) < 0.1).all()
    taken = gradient - left
    assert (F.cosine_similarity(taken.flatten(1), shear.flatten(1)) > 0.95).all()
    assert not upright(torch.zeros_like(words), torch.zeros_like(words)).any()


def test_the_recognisers_share_is_limited() -> None:
    made = torch.rand(1, 1, 4, 4).requires_grad_() * 1.0
    asked = label_rows(torch.tensor([4]), torch.ones(1, 1, dtype=torch.int64))
    a, b = torch.randn(1, 1, 4, 4), torch.randn(1, 1, 4, 4)
    total = balanced((made * a).sum(), (made * 1e-9 * b).sum(), made, asked, 1.0)
    (gradient,) = torch.autograd.grad(total, made)
    torch.testing.assert_close(gradient, a + 1e-7 * upright(b, made.detach()))
    total = balanced((made * a).sum(), (made * 0.0).sum(), made, asked, 1.0)
    (gradient,) = torch.autograd.grad(total, made)
    torch.testing.assert_close(gradient, a)  # nothing to say: not a division by zero


def test_the_discriminators_loss_is_the_game_its_penalty_and_the_style() -> None:
    torch.manual_seed(0)
    a_config, cards = words_config(style=2.0), deal()
    discriminator = build_networks(a_config, words()).discriminator
    fake = torch.rand(2, 1, 32, 48)
    odds = Odds(a_config, CPU)
    found = discriminator_losses(discriminator, cards, fake, a_config, True, odds)
    real = cards.real.clone().requires_grad_()
    on_real, _ = discriminator.look(real, cards.labels)
    on_fake, styles = discriminator.look(fake, cards.asked)
    (slope,) = torch.autograd.grad(on_real.sum(), real)
    expected = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    assert math.isclose(found["loss_d"], expected.detach(), rel_tol=1e-5)
    expected = expected + 2 * (styles - cards.latent).square().mean()
    expected = expected + 2 * 0.1 * slope.square().sum((1, 2, 3)).mean() / 2
    assert math.isclose(found["total"].detach(), expected.detach(), rel_tol=1e-5)
    assert not cards.real.requires_grad


def test_the_generator_heeds_the_recogniser_only_once_it_reads() -> None:
    torch.manual_seed(0)
    a_config, cards, spec = words_config(), deal(), words()
    networks = build_networks(a_config, spec)
    reader = Reader(a_config, spec, CPU)
    for reads in (False, True):
        reader.loss.fill_(0.5 if reads else 9.0)
        fake = networks.generator(cards.latent, cards.asked)
        found = generator_losses(
            networks.discriminator, reader, cards, fake, a_config, Odds(a_config, CPU)
        )
        assert ("loss_read" in found) == reads
        found["total"].backward()
        weight = networks.generator.get_parameter("ink.weight")
        assert weight.grad.isfinite().all()
        assert weight.grad.any()
    assert all(p.requires_grad and p.grad is None for p in reader.network.parameters())
    assert reader.network.training


def test_the_recogniser_is_guided_at_first_and_then_learns_by_ctc_alone() -> None:
    torch.manual_seed(0)
    reader = Reader(words_config(), words(), CPU)
    lesson = Lesson(deal().real, deal().labels, False)
    guided = recogniser_losses(reader.network, lesson, 0)
    alone = recogniser_losses(reader.network, lesson, GUIDED_WORDS)
    assert guided["total"] > guided["loss_r"]
    assert alone["total"] == alone["loss_r"]


def test_rendered_words_are_learnt_from_and_say_nothing_of_how_well_it_reads() -> None:
    torch.manual_seed(0)
    reader = Reader(words_config(), words(), CPU)
    reader.network.eval()  # or batch norm would see other words
    real, labels = deal().real, deal().labels
    found, alone = (
        recogniser_losses(reader.network, Lesson(real[:n], labels[:n], n == 2), 0) for n in (2, 1)
    )
    assert found["loss_r"] == pytest.approx(alone["loss_r"].item(), rel=1e-5)
    assert found["total"] != alone["total"]


def test_a_reader_takes_turns_until_it_reads() -> None:
    reader = Reader(words_config(reading_from=2.0), words(), CPU)
    assert [reader.turns(step) for step in (0, 1)] == [TURNS, TURNS]
    for _ in range(200):
        reader.note(torch.tensor(1.0))
    assert reader.reads
    assert [reader.turns(step) for step in (0, 1)] == [1, 0]


def test_the_discriminator_is_shown_as_many_distorted_words_as_the_odds_say() -> None:
    cards = deal()
    real = F.pad(cards.real, (0, 16)).expand(2, -1, -1, -1).repeat(200, 1, 1, 1)
    labels = cards.labels.repeat(200, 1)
    plain = words_config()
    assert shown(real, labels, plain, Odds(plain, CPU)) is real
    a_config = words_config(augment=("affine",), augment_p=0.25)
    torch.manual_seed(0)
    seen = shown(real, labels, a_config, Odds(a_config, CPU))
    changed = (seen - real).abs().amax((1, 2, 3)) > 1e-3
    assert 70 < int(changed.sum()) < 130  # of 400; five standard deviations are 43
    torch.testing.assert_close(seen[~changed], real[~changed], atol=1e-4, rtol=0)
    assert not seen[..., 48:].any()


def test_the_penalty_and_the_generators_gradient_pass_through_distortions() -> None:
    torch.manual_seed(0)
    a_config, cards, spec = words_config(augment=("affine",), augment_p=0.8), deal(), words()
    networks, odds = build_networks(a_config, spec), Odds(a_config, CPU)
    fake = networks.generator(cards.latent, cards.asked)
    d = discriminator_losses(
        networks.discriminator, cards, fake.detach(), a_config, penalise=True, odds=odds
    )
    d["total"].backward()
    reader = Reader(a_config, spec, CPU)
    reader.loss.fill_(0.5)
    g = generator_losses(networks.discriminator, reader, cards, fake, a_config, odds)
    g["total"].backward()
    for network in (networks.discriminator, networks.generator):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())

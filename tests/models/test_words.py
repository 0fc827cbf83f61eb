from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gansmith.models import build_networks, build_recogniser
from gansmith.models.layout import encode, label_rows
from gansmith.models.words import SHAPES, FilterBank, bleach, leaning, padded
from tests.builders import words, words_config

TEXTS, WIDTHS = ["abcdé", "a", "dad"], [64, 16, 40]


def labels(unit: int = 1) -> Tensor:
    return label_rows(unit * torch.tensor(WIDTHS), encode(TEXTS, "abcdé"))


def alone(row: int, unit: int = 1) -> Tensor:
    """The label of one word without the others' zeros."""
    return labels(unit)[row : row + 1, : 1 + len(TEXTS[row])]


@pytest.mark.parametrize("height", [32, 64])
def test_a_word_is_the_same_in_any_company(height: int) -> None:
    """Padding changes no pixel, no logit, no style and nothing that is read."""
    a_config, spec = words_config(size=str(height)), words(height, 320)
    torch.manual_seed(0)
    networks = build_networks(a_config, spec)
    recogniser = build_recogniser(a_config, spec).eval()
    g, d, unit = networks.generator.eval(), networks.discriminator.eval(), height // 32
    latent = torch.randn(3, 6)
    together = g(latent, labels(unit))
    assert together.shape == (3, 1, height, padded(labels(unit)[:, 0], height))
    logits, styles = d.look(together, labels(unit))
    read = recogniser(together, labels(unit)[:, 0])
    for row, width in enumerate(labels(unit)[:, 0].tolist()):
        assert not together[row, :, :, width:].any()
        own = g(latent[row : row + 1], alone(row, unit))
        torch.testing.assert_close(own[0, :, :, :width], together[row, :, :, :width])
        logit, style = d.look(own, alone(row, unit))
        torch.testing.assert_close(logit[0], logits[row])
        torch.testing.assert_close(style[0], styles[row])
        columns = width * 8 // height
        by_itself = recogniser(own, alone(row, unit)[:, 0])
        torch.testing.assert_close(by_itself[0, :columns], read[row, :columns])


def test_statistics_while_training_are_those_of_the_words_alone() -> None:
    """Batch norm's running statistics do not depend on how far the batch is padded."""
    found = []
    for extra in (0, 64):
        torch.manual_seed(0)
        recogniser = build_recogniser(words_config(), words()).train()
        recogniser.dropout.p = 0.0
        picture = torch.rand(3, 1, 32, 64, generator=torch.Generator().manual_seed(1))
        inside = torch.arange(64) < labels()[:, :1]
        picture = torch.nn.functional.pad(picture * inside[:, None, None], (0, extra))
        recogniser(picture, labels()[:, 0])
        found.append([b for n, b in recogniser.named_buffers() if n.endswith(("mean", "var"))])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


def test_ink_is_between_paper_and_black() -> None:
    torch.manual_seed(0)
    made = build_networks(words_config(), words()).generator(10 * torch.randn(3, 6), labels())
    assert made.min() >= 0
    assert made.max() <= 1


def test_style_and_text_both_matter() -> None:
    torch.manual_seed(0)
    g = build_networks(words_config(), words()).generator.eval()
    one = torch.randn(1, 6)
    same = labels()[:1].expand(2, -1)
    a, b = g(torch.cat([one, -one]), same)
    assert (a - b).abs().max() > 0.01
    texts = label_rows(torch.tensor([64, 64]), encode(["abcdé", "cdéab"], "abcdé"))
    a, b = g(one.expand(2, -1), texts)
    assert (a - b).abs().max() > 0.01


def test_a_filter_is_a_mixture_of_its_characters_shapes_along_a_curve() -> None:
    """Against the same in a loop over columns."""
    torch.manual_seed(0)
    bank = FilterBank(5, 6, style=3)
    codes, phase, style = torch.tensor([[2, 2, 5], [1, 0, 2]]), torch.rand(2, 3), torch.randn(2, 3)
    found = bank(codes, phase, style)
    shares = torch.cat([torch.ones(2, 1), bank.mixing(style) / (SHAPES - 1) ** 0.5], 1)
    for n in range(2):
        for k in range(3):
            points = torch.einsum("s,sr->r", shares[n], bank.filters[codes[n, k]]).view(4, 6)
            below = min(2, int(3 * phase[n, k]))
            expected = torch.lerp(points[below], points[below + 1], 3 * phase[n, k] - below)
            torch.testing.assert_close(found[n, k], expected)


def test_a_leaning_words_top_is_moved_to_the_right_and_its_middle_stays() -> None:
    word = torch.zeros(2, 1, 32, 48)
    word[:, :, :, 20] = 1.0
    upright, leant = leaning(word, torch.tensor([0.0, 0.5]))
    torch.testing.assert_close(upright, word[0])
    places = (leant[0] * torch.arange(48)).sum(1) / leant[0].sum(1)
    expected = 20 + 0.5 * (15.5 - torch.arange(32.0))
    torch.testing.assert_close(places, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("height", [32, 64])
def test_faint_ink_is_bleached_where_no_stroke_is_near(height: int) -> None:
    word, reach = torch.zeros(1, 1, height, 64), 3 * height // 32
    word[..., 10, 20] = 0.9
    word[..., 10, 20 + reach] = word[..., 10 + reach, 20 - reach] = 0.2
    expected = word.clone()
    word[..., 10, 20 + reach + 1] = word[..., 10 - reach - 1, 20] = word[..., 31, 60] = 0.25
    assert torch.equal(bleach(word), expected)


def test_what_is_written_after_training_is_bleached_as_the_data_are() -> None:
    torch.manual_seed(0)
    a_config, spec, latent = words_config(), words(), torch.randn(3, 6)
    white = spec.model_copy(update={"script": spec.script.model_copy(update={"bleached": True})})
    plain, clean = (build_networks(a_config, s).generator for s in (spec, white))
    torch.nn.init.constant_(plain.ink.bias, -2.0)  # faint
    clean.load_state_dict(plain.state_dict())
    assert torch.equal(plain.train()(latent, labels()), clean.train()(latent, labels()))
    made, cleaned = (g.eval()(latent, labels()) for g in (plain, clean))
    assert torch.equal(cleaned, bleach(made))
    assert not torch.equal(cleaned, made)


def test_every_weight_gets_a_gradient() -> None:
    torch.manual_seed(0)
    a_config, spec = words_config(), words()
    networks, recogniser = build_networks(a_config, spec), build_recogniser(a_config, spec)
    made = networks.generator(torch.randn(3, 6), labels())
    logits, styles = networks.discriminator.look(made, labels())
    read = recogniser(made, labels()[:, 0])
    (logits.sum() + styles.square().sum() + read[..., 0].square().sum()).backward()
    for network in (networks.generator, networks.discriminator, recogniser):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name

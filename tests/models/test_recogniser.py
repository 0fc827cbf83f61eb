from __future__ import annotations

import math
from itertools import groupby, product

import torch
from torch import Tensor

from gansmith.models.layout import label_rows
from gansmith.models.recogniser import placing_loss, read, reading_loss


def by_hand(probabilities: Tensor, text: tuple[int, ...]) -> float:
    """The probability of a text: the sum over all paths that give it (Graves et al. 2006, eq. 3)."""
    columns, classes = probabilities.shape
    total = 0.0
    for path in product(range(classes), repeat=columns):
        if tuple(k for k, _ in groupby(path) if k) == text:
            total += math.prod(float(probabilities[i, k]) for i, k in enumerate(path))
    return total


def probabilities(columns: int, classes: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(columns, classes, generator=generator).softmax(-1)


def loss_of(found: Tensor, *text: int) -> float:
    labels = label_rows(torch.tensor([4 * len(found)]), torch.tensor([text]))
    return float(reading_loss(found.log()[None], labels, 32))


def test_ctc_is_the_sum_over_all_paths() -> None:
    found = probabilities(5, 4)
    for text in ((1,), (1, 2), (3, 1, 2), (3, 3)):  # the last character of the alphabet among them
        assert math.isclose(
            loss_of(found, *text), -math.log(by_hand(found, text)) / len(text), rel_tol=1e-5
        )


def test_equal_letters_need_a_column_between() -> None:
    assert loss_of(probabilities(3, 3), 1, 1) > 0  # a, blank, a
    assert loss_of(probabilities(2, 3), 1, 1) == 0  # no room: it counts nothing


def test_a_text_longer_than_the_output_counts_nothing_and_harms_no_other() -> None:
    found = torch.stack([probabilities(4, 3, n) for n in range(2)]).log().requires_grad_()
    codes = torch.tensor([[1, 2, 1, 2, 1], [2, 0, 0, 0, 0]])
    loss = reading_loss(found, label_rows(torch.tensor([16, 16]), codes), 32)
    loss.backward()
    assert loss.isfinite()
    assert not found.grad[0].any()
    assert found.grad[1].any()


def test_columns_beside_a_word_count_nothing() -> None:
    found = torch.stack([probabilities(6, 3)] * 2).log()
    changed = found.clone()
    changed[1, 4:] = probabilities(2, 3, 9).log()
    labels = label_rows(torch.tensor([24, 16]), torch.tensor([[1, 2], [2, 1]]))
    assert reading_loss(found, labels, 32) == reading_loss(changed, labels, 32)


def test_what_is_read_has_no_repeats_and_no_blanks() -> None:
    def path(*classes: int) -> Tensor:
        return torch.nn.functional.one_hot(torch.tensor(classes), 4).float()

    found = torch.stack([path(0, 1, 1, 0, 1, 3), path(3, 3, 2, 2, 1, 1), path(0, 0, 0, 2, 2, 2)])
    assert read(found, torch.tensor([24, 16, 12]), 32) == [[1, 1, 3], [3, 2], []]


def test_the_guess_at_places_is_least_where_each_character_is_in_its_middle() -> None:
    """Two characters of four columns each: the middle two of each are theirs, the others blank."""
    labels = label_rows(torch.tensor([32]), torch.tensor([[1, 2]]))
    usual = torch.tensor([0.0, 1.0, 1.0])
    expected = torch.tensor([0, 1, 1, 0, 0, 2, 2, 0])
    sure = torch.nn.functional.one_hot(expected, 3).float().mul(20).log_softmax(-1)
    assert placing_loss(sure[None], labels, 32, usual) < 1e-6
    wrong = sure.roll(1, 0)
    assert placing_loss(wrong[None], labels, 32, usual) > 5
    wide = torch.nn.functional.pad(sure, (0, 0, 0, 5), value=-9.0)  # beside the word
    assert placing_loss(wide[None], labels, 32, usual) < 1e-6

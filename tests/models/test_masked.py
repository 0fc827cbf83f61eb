from __future__ import annotations

import torch
from torch import Tensor, nn

from gansmith.models.masked import MaskedBatchNorm, column_mask, own_average, own_mean, scaled

WIDTHS = torch.tensor([32, 12, 20])


def maps(columns: int = 8, channels: int = 5) -> tuple[Tensor, Tensor]:
    """(3, C, 4, columns) of columns of 4 pixels, zero beyond `WIDTHS`; and their mask."""
    x = torch.randn(3, channels, 4, 8, generator=torch.Generator().manual_seed(1))
    x = nn.functional.pad(x, (0, columns - 8))
    mask = column_mask(WIDTHS, columns, 4)
    return x * mask, mask


def own_columns(x: Tensor) -> Tensor:
    """All words' own columns beside each other: (1, C, H, Σ)."""
    return torch.cat([x[i : i + 1, :, :, : w // 4] for i, w in enumerate(WIDTHS.tolist())], 3)


def test_a_mask_is_one_on_each_words_own_columns() -> None:
    mask = column_mask(torch.tensor([8, 4]), 3, 4)
    assert mask.flatten(1).tolist() == [[1, 1, 0], [1, 0, 0]]


def test_the_mean_over_own_columns_ignores_what_lies_beside() -> None:
    scores = torch.tensor([[1.0, 3.0, 100.0], [5.0, -7.0, 2.0]])
    assert own_mean(scores, torch.tensor([8, 4]), 4).tolist() == [2.0, 5.0]


def test_an_average_is_over_own_columns_alone() -> None:
    x, _ = maps(16)
    expected = torch.stack(
        [x[i, :, :, : w // 4].mean((1, 2)) for i, w in enumerate(WIDTHS.tolist())]
    )
    torch.testing.assert_close(own_average(x, WIDTHS // 4), expected)


def test_masked_batch_norm_is_torchs_on_the_words_own_columns() -> None:
    """Value, gradient and running statistics against nn.BatchNorm2d without any padding."""
    x, mask = maps()
    ours, theirs = MaskedBatchNorm(5), nn.BatchNorm2d(5)
    for norm in (ours, theirs):
        nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(2))
        nn.init.normal_(norm.bias, generator=torch.Generator().manual_seed(3))
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    made, expected = ours(a, mask), theirs(own_columns(b))
    torch.testing.assert_close(own_columns(made), expected)
    assert not (made * (1 - mask)).any()
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(4))
    (own_columns(made) * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(a.grad * mask, b.grad * mask, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.mean, theirs.running_mean)
    count = own_columns(x)[:, 0].numel()  # torch's running variance is the sample's
    torch.testing.assert_close(0.9 + (ours.var - 0.9) * count / (count - 1), theirs.running_var)


def test_more_padding_changes_no_statistic_and_no_result() -> None:
    few, many = MaskedBatchNorm(5), MaskedBatchNorm(5)
    a, b = few(*maps(8)), many(*maps(32))
    torch.testing.assert_close(b[..., :8], a)
    assert not b[..., 8:].any()
    torch.testing.assert_close(many.mean, few.mean)
    torch.testing.assert_close(many.var, few.var)


def test_in_evaluation_the_running_statistics_are_used_and_kept() -> None:
    norm = MaskedBatchNorm(2)
    norm.mean.copy_(torch.tensor([1.0, -1.0]))
    norm.var.copy_(torch.tensor([4.0, 0.25]))
    x = torch.tensor([3.0, 0.0])[None, :, None, None].expand(1, 2, 4, 3)
    made = norm.eval()(x, torch.ones(1, 1, 1, 3))
    torch.testing.assert_close(made[0, :, 0, 0], torch.tensor([1.0, 2.0]), rtol=1e-4, atol=1e-4)
    assert norm.mean.tolist() == [1.0, -1.0]


def test_scale_and_shift_have_the_gradients_that_autograd_gives() -> None:
    x, mask = maps()
    scale, shift = (torch.randn(3, 5, generator=torch.Generator().manual_seed(n)) for n in (5, 6))
    found = []
    for apply in (
        scaled,
        lambda x, a, b, m: (x * a[:, :, None, None] + b[:, :, None, None]) * m,
    ):
        inputs = [t.clone().requires_grad_() for t in (x, scale, shift)]
        (apply(*inputs, mask) ** 2).sum().backward()
        found.append([t.grad for t in inputs])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)

"""Words of many widths in one array."""

from __future__ import annotations

import torch

from gansmith.data.words.strip import Strip


def some() -> tuple[list[torch.Tensor], Strip]:
    generator = torch.Generator().manual_seed(0)
    words = [
        torch.randint(0, 255, (32, width), dtype=torch.uint8, generator=generator)
        for width in (8, 40, 16, 8)
    ]
    return words, Strip(torch.cat([w.T for w in words]), torch.tensor([8, 40, 16, 8]))


def test_words_are_taken_in_any_order_with_paper_beside_them() -> None:
    words, strip = some()
    assert len(strip) == 4
    for rows in ([1], [3, 0], [2, 1, 2], [0, 1, 2, 3]):
        taken = strip[torch.tensor(rows)]
        assert taken.shape == (len(rows), 1, 32, max(words[r].shape[1] for r in rows))
        assert taken.is_contiguous()
        for row, value in zip(rows, taken, strict=True):
            width = words[row].shape[1]
            assert torch.equal(value[0, :, :width], words[row])
            assert (value[..., width:] == 255).all()


def test_none_are_no_words() -> None:
    assert some()[1][torch.tensor([], dtype=torch.int64)].shape == (0, 1, 32, 0)


def test_taking_words_changes_none() -> None:
    words, strip = some()
    strip[torch.arange(4)].zero_()
    assert torch.equal(strip[torch.tensor([2])][0, 0], words[2])

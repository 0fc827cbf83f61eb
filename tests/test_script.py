"""What a data set of words teaches about its script."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gansmith.data import Strip, Written
from gansmith.script import fit_pace, is_bleached, learn_script
from tests.builders import word_dataset


def white(widths: list[int]) -> Strip:
    """Words on which nothing is written."""
    return Strip(torch.full((sum(widths), 32), 255, dtype=torch.uint8), torch.tensor(widths))


def test_usual_widths_and_paces_are_found_in_made_up_data() -> None:
    """Words of a known width a character, times a known pace: both come back."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(1, 4, (3000, 5), generator=generator)
    usual = torch.tensor([0.0, 8.0, 16.0, 32.0])
    pace = 0.2 * torch.randn(3000, generator=generator)
    widths, found = fit_pace(usual[codes].sum(1) * pace.exp(), codes, 3, 32)
    ratio = widths / usual[1:]
    assert (ratio / ratio.mean() - 1).abs().max() < 0.06
    assert (found + ratio.mean().log() - pace).abs().max() < 0.06


def test_a_script_is_learnt_from_what_is_written() -> None:
    written = Written(["été", "tee\u0323\u0303"], None, [48, 40])
    script = learn_script(written, white([48, 40]))
    assert script.alphabet == ("e", "e\u0323\u0303", "t", "é")
    assert len(script.widths) == 4
    assert script.steady == 0.3  # nobody knows


def test_paces_are_quantiles_of_which_hands_have_their_share() -> None:
    """Two thirds of the variance lie between sixty hands that write fifty words each."""
    generator = torch.Generator().manual_seed(0)
    hands = torch.arange(60).repeat_interleave(50)
    apart = 0.2 * torch.randn(60, generator=generator)
    pace = apart[hands] + 0.1414 * torch.randn(3000, generator=generator)
    widths = (300 * pace.exp()).round().int().tolist()
    writers = [f"w{n}" for n in hands.tolist()]
    script = learn_script(Written(["abc"] * 3000, writers, widths), white(widths))
    low, high = (script.paces[round(q * 32)] for q in (0.1875, 0.8125))
    assert high - low == pytest.approx(2 * 0.887 * pace.std().item(), rel=0.1)  # normal quantiles
    exact = apart.var().item() / (apart.var().item() + 0.02)
    assert script.steady == pytest.approx(exact, abs=0.05)
    few = Written(["abc"] * 350, writers[:350], widths[:350])  # seven
    assert learn_script(few, white(few.widths)).steady == 0.3
    strangers = Written(["abc"] * 350, [str(n) for n in range(350)], widths[:350])
    assert learn_script(strangers, white(strangers.widths)).steady == 0.3


@pytest.mark.parametrize("height", [32, 64])
def test_paper_is_bleached_where_hardly_a_speck_lies_apart_from_strokes(height: int) -> None:
    data = word_dataset(40, height=height)
    assert is_bleached(data.strip)
    assert learn_script(data.written, data.strip).bleached
    paper = data.values > 128
    generator = torch.Generator().manual_seed(0)
    for share, found in ((1e-3, True), (1e-2, False)):  # some of the specks are near strokes
        specks = paper & (torch.rand(paper.shape, generator=generator) < share)
        grey = replace(data, values=torch.where(specks, 230, data.values))
        assert is_bleached(grey.strip) is found
        assert learn_script(grey.written, grey.strip).bleached is found

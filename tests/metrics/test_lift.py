"""How sure it is that recognisers read better: the clustered bootstrap, slices, verdicts."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor

from gansmith.metrics.lift import (
    Lift,
    Slice,
    TestWords,
    arm_of,
    parts_of,
    reduction,
    reductions_of,
    slices_of,
)

WRITERS = torch.arange(400) % 20


def errors(rate: float, seed: int, seeds: int = 3, words: int = 400) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(seeds, words, generator=generator) < rate).long()


def width(interval: tuple[float, float, float]) -> float:
    return interval[2] - interval[1]


def test_an_arm_against_itself_is_no_lift() -> None:
    same = errors(0.4, 0)
    assert reduction(same, same, WRITERS) == (0.0, 0.0, 0.0)
    found = reductions_of("B", 300, same, same, WRITERS)
    assert [r.effect for r in found] == ["no detectable lift"] * 2


def test_arms_that_differ_by_chance_are_no_lift_nineteen_times_in_twenty() -> None:
    found = [reduction(errors(0.4, 2 * n), errors(0.4, 2 * n + 1), WRITERS) for n in range(60)]
    wrong = sum(not low <= 0 <= high for _, low, high in found)
    assert wrong <= 9  # of 60; three seeds make intervals a little narrow


@pytest.mark.parametrize(("share", "effect"), [(0.3, "helps"), (-0.3, "hurts")])
def test_what_was_planted_is_found(share: float, effect: str) -> None:
    baseline = 10 * errors(0.5, 1)
    changed = (baseline * (1 - share)).long()
    found = reductions_of("B", 300, changed + errors(0.02, 5), baseline, WRITERS)[1]
    assert (found.measure, found.effect) == ("CER", effect)
    assert found.share == pytest.approx(share, abs=0.02)
    assert found.low < found.share < found.high
    assert effect in str(found)


def test_words_of_one_writer_that_go_together_widen_the_interval() -> None:
    """400 words of 20 writers who each gain or lose as one are 20 observations, not 400."""
    by_writer = errors(0.5, 3, seeds=1, words=20)[0]
    gained = by_writer[WRITERS].expand(3, -1)
    baseline = torch.ones(3, 400, dtype=torch.int64)
    clustered = reduction(gained, baseline, WRITERS)
    alone = reduction(gained, baseline, torch.arange(400))
    assert clustered[0] == alone[0]
    assert width(clustered) / width(alone) == pytest.approx(math.sqrt(20), rel=0.1)


def test_the_interval_is_that_of_a_mean_of_writers() -> None:
    """A baseline of ones: the share is a mean over 20 writers, whose error is known."""
    by_writer = (torch.arange(20) < 8).long()
    errors_ = by_writer[WRITERS].expand(3, -1)
    _, low, high = reduction(errors_, torch.ones_like(errors_), WRITERS)
    error = math.sqrt(0.4 * 0.6 / 20)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.08)


def test_seeds_that_disagree_widen_the_interval() -> None:
    baseline = torch.ones(3, 400, dtype=torch.int64)
    agreed = errors(0.5, 7, seeds=1).expand(3, -1)
    disagreeing = torch.stack([baseline[0] * 0, agreed[0], baseline[0]])
    assert width(reduction(disagreeing, baseline, WRITERS)) > 3 * width(
        reduction(agreed, baseline, WRITERS)
    )


def test_where_nothing_was_misread_there_is_nothing_to_reduce() -> None:
    none, some = torch.zeros(2, 4, dtype=torch.int64), torch.ones(2, 4, dtype=torch.int64)
    writers = torch.arange(4)
    assert reduction(none, none, writers) == (0.0, 0.0, 0.0)
    assert reduction(none, some, writers) == (1.0, 1.0, 1.0)
    assert all(math.isfinite(x) and x < 0 for x in reduction(some, none, writers))


TEXTS = ["le", "maison", "été", "Wagner", "d'anticonstitution", "charpente", "œuvre"]


def test_parts_are_three_ways_to_take_the_test_words_apart() -> None:
    test = TestWords(TEXTS, torch.arange(7))
    known = ["le", "maison"] * 60 + ["été", "charpente"]
    parts = parts_of(test, known)
    for masks in parts.values():
        assert torch.stack(list(masks.values())).sum(0).tolist() == [1] * 7
    assert [int(m.sum()) for m in parts["length"].values()] == [2, 3, 1, 1]
    assert parts["vocabulary"]["a known text"].tolist() == [1, 1, 1, 0, 0, 1, 0]
    rare = parts["characters"]["a character seen < 50 times"]
    assert rare.tolist() == [0, 0, 1, 1, 1, 1, 1]


def test_slices_add_up_to_the_whole() -> None:
    test = TestWords(TEXTS, torch.arange(7))
    edits = torch.tensor([[0, 1, 0, 2, 5, 0, 1], [1, 0, 0, 2, 4, 0, 0]])
    found = slices_of("B", 300, edits, test, parts_of(test, ["le", "maison"]))
    whole = arm_of("B", 300, edits, test.lengths)
    for kind in {s.kind for s in found}:
        parts = [s for s in found if s.kind == kind]
        assert sum(s.words for s in parts) == 7
        wrong = sum(s.wer * s.words for s in parts) / 7
        assert wrong == pytest.approx(sum(whole.wers) / 2)
    by_length = dict(zip((5, 17, 9, 18), [s for s in found if s.kind == "length"], strict=True))
    edited = sum(s.cer * characters for characters, s in by_length.items())
    assert edited == pytest.approx(float(edits.sum() / 2))


def lift(**changes: Tensor) -> Lift:
    test = TestWords(["le"] * 400, WRITERS)
    baseline = errors(0.6, 1)
    edits = {"A": baseline, "B": baseline, "S": baseline} | changes
    arms = [arm_of(name, 300, e, test.lengths) for name, e in edits.items()]
    over = [
        r
        for name in edits
        if name != "A"
        for r in reductions_of(name, 300, edits[name], baseline, WRITERS)
    ]
    return Lift(
        arms=dict.fromkeys(edits, "words"),
        results=tuple(arms),
        reductions=tuple(over),
        slices=tuple(
            Slice(name, 300, "vocabulary", "a known text", 400, 0.1, 0.2) for name in edits
        ),
        real=1000,
        synthetic=10,
        test=400,
        writers=20,
        seeds=3,
        steps=5,
        batch_size=32,
        seed=0,
        precision="fp32",
        remarks=("A remark.",),
    )


def test_no_lift_is_said_in_plain_words() -> None:
    found = lift()
    assert found.summary == "No detectable lift with 300 real words."
    said = "\n".join(found.lines())
    assert "300 real words, B over A: no detectable lift (WER reduced by +0.0 %" in said
    assert "A remark." in said
    assert "includes what the generator learnt from the others" in said  # 300 of 1,000
    assert "20 writers" in said
    written = json.loads(found.to_json())
    assert written["summary"] == found.summary
    assert {r["effect"] for r in written["reductions"]} == {"no detectable lift"}
    assert found.cautions() == written["cautions"]
    assert "saw 160 examples, so not all of 300 real ones" in said  # 5 steps of 32


def test_a_lift_is_said_and_a_control_that_helps_too_is_a_caution() -> None:
    better = errors(0.2, 2)
    assert lift(B=better).summary == "The synthetic words help with 300 real words."
    assert lift(B=1 - errors(0.05, 4)).summary == "The synthetic words hurt with 300 real words."
    assert not any("control" in line for line in lift(B=better).cautions())
    assert any("The control S helps too" in line for line in lift(B=better, S=better).cautions())

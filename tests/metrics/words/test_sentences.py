"""What is said of made words: which hands differ too little, what gives words away."""

from __future__ import annotations

from typing import Any

from gansmith.metrics.protocol import Figure
from gansmith.metrics.words.hands import Hands, Spread
from gansmith.metrics.words.sentences import said


def details(**changes: Any) -> dict[str, Any]:
    told = {"value": 0.52, "error": 0.01, "floor": 0.5}
    rows = {"1-3": {"words": 9, "cer": 0.1, "wer": 0.2}}
    usual = {
        "unseen": {"source": "validation, named", "words": 1500},
        "legibility": {
            "by_length": {"made": rows | {"11-20": rows["1-3"]}, "real": rows},
            "worst": [{"character": "Q", "made": 0.5, "real": None, "times": 20}],
            "training_texts": {"cer": 0.05},
            "new_texts": {"cer": 0.2},
        },
        "fid_between_writers": None,
        "borders": dict.fromkeys(("all", "paper", "frame", "frame_with_ink"), told),
    }
    return {**usual, **changes}


FIGURES = {"cer": Figure(value=0.1, floor=0.17), "fid": Figure(value=1, floor=1)}


def spread(ratio: float) -> Spread:
    return Spread(ratio, 1.0, ratio, 0.1, 1.0, 1.0)


def test_every_measure_of_hands_is_called_by_its_name() -> None:
    spreads = {
        "slant": spread(0.2),
        "pace": spread(1.7),
        "stroke": spread(1.0),
        "gaps": spread(0.79),
    }
    text = said(details(), FIGURES, Hands(103, 2787, spreads, 0.92, 0.05), 6000)[4]
    assert "as much as writers in stroke (1.00)" in text
    assert "too little in slant (0.20), gaps (0.79)" in text
    assert "too much in pace (1.70)" in text
    assert "not measured" in said(details(), FIGURES, None, 6000)[4]


def test_borders_are_warned_of_above_sixty_percent_alone() -> None:
    assert "gives it away" not in said(details(), FIGURES, None, 6000)[5]
    sure = {"value": 0.61, "error": 0.01, "floor": 0.5}
    loud = dict.fromkeys(("all", "paper", "frame", "frame_with_ink"), sure)
    assert "gives it away" in said(details(borders=loud), FIGURES, None, 6000)[5]


def test_what_is_not_there_is_a_dash_and_fewer_steps_are_said() -> None:
    usual, few = said(details(), FIGURES, None, 6000), said(details(), FIGURES, None, 100)
    assert "misreads 17.0% of the characters of 1,500 real words" in usual[0]
    assert "fewer than" not in usual[0]
    assert "fewer than the usual 6,000" in few[0]
    assert "11-20 characters 10.0% (–)" in usual[1]
    assert "of training texts 5.0%, of new ones 20.0%" in usual[1]
    assert "Q 50% (–)" in usual[2]
    assert said(details(fid_between_writers=1.5), FIGURES, None, 1)[3].endswith("it is 1.50.")
    none = details()
    none["legibility"]["worst"] = []
    assert "No character was written often enough" in said(none, FIGURES, None, 1)[2]

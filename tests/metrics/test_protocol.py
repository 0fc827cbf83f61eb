"""Figures travel with their protocol, and are not compared across two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gansmith.errors import GansmithError
from gansmith.metrics.protocol import (
    FIGURES,
    Balance,
    Evaluation,
    Figure,
    compare,
    read_evaluation,
    show,
)
from tests.builders import protocol

PROTOCOL = protocol()
BALANCE = Balance(
    classes=("a", "b", "c"),
    shares=(0.75, 0.25, 0.0),
    real_shares=(0.5, 0.25, 0.25),
    entropy=0.5623,
    real_entropy=1.0397,
    distance=0.25,
    fid=(1.0, 2.5, None),
)


def found(run: str = "one", fid: float = 12.0, **changes: Any) -> Evaluation:
    return Evaluation(
        run=run,
        step=500,
        protocol=PROTOCOL.model_copy(update=changes),
        figures={
            "precision": Figure(value=0.5, floor=0.9),
            "fid": Figure(value=fid, floor=4.0),
            "kid": Figure(value=0.0123, error=0.001, floor=0.00001),
        },
        balance=BALANCE,
        memorisation={"verdict": "No sign of copying.", "closest": [{"made": 1, "relative": None}]},
    )


def test_the_protocol_says_all_that_matters() -> None:
    assert str(PROTOCOL) == (
        "597 generated against 1,200 real of digits at 8x8, random features "
        "(0123456789abcdef, resize: none), seed 0"
    )


def test_json_there_and_back(tmp_path: Path) -> None:
    file = tmp_path / "evaluation.json"
    file.write_text(found().to_json(), encoding="utf-8")
    assert read_evaluation(file) == found()
    assert json.loads(file.read_text())["figures"]["fid"] == {
        "value": 12.0,
        "error": None,
        "floor": 4.0,
    }


def test_rows_give_value_error_floor_and_multiples_of_what_is_above_nought() -> None:
    assert found().rows() == [
        ("FID", "12.000", "4.000", "3.0 × the floor"),
        ("KID × 1000", "12.300 ± 1.000", "0.010", ""),
        ("precision", "0.500", "0.900", ""),
    ]
    without = found().model_copy(update={"figures": {"fid": Figure(value=3.0)}})
    assert without.rows() == [("FID", "3.000", "–", "")]


def test_remarks_speak_of_classes_and_copies() -> None:
    classes, copies = found().remarks()
    assert "25.0% of the examples would have to change class" in classes
    assert "Never made: c." in classes
    assert copies == "No sign of copying."
    assert found().model_copy(update={"balance": None, "memorisation": None}).remarks() == []


def test_a_class_that_is_not_among_the_real_ones_is_not_missed() -> None:
    balance = BALANCE.model_copy(update={"real_shares": (0.5, 0.5, 0.0)})
    assert balance.missing == []


def test_runs_of_one_protocol_stand_side_by_side() -> None:
    assert compare([found(), found("two", 8.0)]) == [
        ("FID", "12.000", "8.000", "4.000"),
        ("KID × 1000", "12.300", "12.300", "0.010"),
        ("precision", "0.500", "0.500", "0.900"),
    ]
    some = found("two").model_copy(update={"figures": {"fid": Figure(value=1.0, floor=4.0)}})
    assert [row[0] for row in compare([found(), some])] == ["FID"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("space", "inception", "space random and space inception"),
        ("weights", "f" * 16, "weights 0123456789abcdef and weights ffffffffffffffff"),
        ("resize", "area", "resize none and resize area"),
        ("digest", "cd" * 32, "data digits (abababababab) and data digits (cdcdcdcdcdcd)"),
        ("real", 7, "real 1200 and real 7"),
        ("made", 5, "made 597 and made 5"),
        ("seed", 3, "seed 0 and seed 3"),
    ],
)
def test_what_differs_is_named(field: str, value: object, said: str) -> None:
    with pytest.raises(GansmithError) as error:
        compare([found(), found(), found("two", **{field: value})])
    assert f"one and two were measured differently ({said})" in str(error.value)
    assert "evaluate both again" in str(error.value)


def test_two_sizes_can_not_be_compared_and_no_option_is_named_that_would_help() -> None:
    with pytest.raises(GansmithError, match="one makes examples of 8x8, two of 64x64") as error:
        compare([found(), found("two", size="64x64", digest="cd" * 32)])
    assert "--data" not in str(error.value)


def test_the_same_data_under_another_name_are_the_same() -> None:
    assert compare([found(), found("two", reference="/elsewhere/digits")])


def test_everything_that_differs_is_named_at_once() -> None:
    with pytest.raises(GansmithError, match="made 597 and made 5; seed 0 and seed 1"):
        compare([found(), found(made=5, seed=1)])


def strangers() -> list[Any]:
    good = json.loads(found().to_json())
    return [
        {},
        [],
        None,
        3,
        {**good, "figures": {"fid": {"value": "much"}}},
        {**good, "figures": {"fid": {"value": None}}},
        {**good, "figures": []},
        {**good, "protocol": {}},
        {**good, "protocol": {**good["protocol"], "mood": "fine"}},
        {**good, "step": "many"},
        {**good, "memorisation": {"ratio": 1.0}},
        {**good, "memorisation": {"verdict": ["no"]}},
        {**good, "balance": {**good["balance"], "shares": [1.0]}},
        {**good, "balance": {**good["balance"], "fid": [1.0]}},
        {**good, "unheard": "of"},
    ]


@pytest.mark.parametrize("content", [json.dumps(x) for x in strangers()])
def test_strangers_json_is_a_sentence(tmp_path: Path, content: str) -> None:
    refused(tmp_path, content.encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"{", b"[" * 100_000, b'{"run": ' + b"9" * 5000, bytes(range(256))],
)
def test_garbage_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path, content)


def refused(folder: Path, content: bytes) -> None:
    file = folder / "evaluation.json"
    file.write_bytes(content)
    with pytest.raises(GansmithError, match="expected figures") as error:
        read_evaluation(file)
    assert "not what gansmith wrote" in str(error.value)
    assert len(str(error.value)) < 400


def test_infinity_is_no_figure(tmp_path: Path) -> None:
    refused(tmp_path, found().to_json().replace("12.0", "Infinity").encode())
    refused(tmp_path, found().to_json().replace("12.0", "1e999").encode())


def test_a_missing_file_is_a_sentence_that_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match=r"No such file.*gansmith evaluate"):
        read_evaluation(tmp_path / "evaluation.json")
    with pytest.raises(GansmithError, match="directory"):
        read_evaluation(tmp_path)


def test_figures_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    later = json.loads(found().to_json())
    later["figures"]["vibes"] = {"value": 11.0}
    (tmp_path / "evaluation.json").write_text(json.dumps(later))
    read = read_evaluation(tmp_path / "evaluation.json")
    assert len(read.rows()) == len(compare([read])) == 3


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_every_figure_can_be_shown(name: str) -> None:
    assert show(name, None) == "–"
    assert show(name, 0.0123456) == ("12.346" if name == "kid" else "0.012")
    assert show("fid", 212.345) == "212.3"

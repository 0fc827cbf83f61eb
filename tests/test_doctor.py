"""`gansmith doctor` on runs and on what other trainers leave."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gansmith.doctor import examine, variety_of_sheet
from gansmith.errors import GansmithError
from gansmith.imaging import grid
from gansmith.report import write_report
from gansmith.run import RunFolder
from tests.builders import config
from tests.test_cli import call, refused
from tests.test_health import run as records_of


def a_run(path: Path, records: list[dict[str, object]]) -> Path:
    run = RunFolder(path)
    path.mkdir()
    run.write_config(config())
    for record in records:
        run.append(record)
    return path


def a_log(path: Path, **losses: float) -> Path:
    lines = [
        f"[{i // 40}/5][{i % 40}/40]\tLoss_D: {losses['d'] * (1 + 0.1 * math.sin(i)):.4f}\t"
        f"Loss_G: {losses['g'] * (1 + 0.1 * math.cos(i)):.4f}\tD(x): 0.7\tD(G(z)): 0.3 / 0.2"
        for i in range(400)
    ]
    path.write_text("\n".join(lines))
    return path


def test_the_status_is_the_severity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    well = a_run(tmp_path / "well", records_of(20))
    assert call("doctor", well) == 0
    assert "healthy since step 250" in capsys.readouterr().out
    leaks = a_run(tmp_path / "leaks", records_of(20, leaks=2))
    assert call("doctor", leaks) == 1
    assert "augmentation leak" in capsys.readouterr().out
    collapsed = a_run(tmp_path / "collapsed", records_of(20, modes=0.1))
    assert call("doctor", collapsed) == 2
    said = capsys.readouterr().out
    assert "mode collapse since step 50" in said
    assert "only 10% as many" in said
    assert "Lower lr" in said


def test_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("doctor", a_run(tmp_path / "run", records_of(20, pace_g=0.0)), "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "generator stuck"
    assert (found["severity"], found["since"], found["step"]) == ("failed", 50, 1000)
    assert found["evidence"] == ["its weights did not move"]


def test_a_repaired_run_tells_the_whole_story_in_its_order(tmp_path: Path) -> None:
    records = [
        *records_of(10),
        *records_of(1, start=500, kept_d=4.0),
        {"step": 550, "treatment": "back to step 500, with d_lr 1 -> 0.1"},
        *records_of(10, start=550),
    ]
    found = examine([a_run(tmp_path / "run", records)])
    said = [line.split(maxsplit=2)[2] for line in found.history]
    kinds = [line.split()[0].rstrip(":") for line in said]
    assert kinds == ["fine", "fine", "failed", "repair", "fine", "fine"]
    assert found.verdict.condition == "healthy"


def test_scores_and_pace_are_remarked_on_but_are_no_verdict(tmp_path: Path) -> None:
    records = [{**r, "images_per_second": 900.0} for r in records_of(20)]
    for record in records[-5:]:
        record["images_per_second"] = 100.0
    records[5]["score"], records[-1]["score"] = 2.0, 3.0
    found = examine([a_run(tmp_path / "run", records)])
    assert found.verdict.condition == "healthy"
    assert found.remarks[0] == "score 3, the best 2 at step 300"
    assert "slower: 100" in found.remarks[1]


@pytest.mark.parametrize(
    ("losses", "status", "words"),
    [
        ({"d": 1.0, "g": 1.5}, 0, "no fault found"),
        ({"d": 0.001, "g": 12.0}, 2, "discriminator overpowering"),
    ],
)
def test_a_log_of_the_tutorial(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    losses: dict[str, float],
    status: int,
    words: str,
) -> None:
    assert call("doctor", a_log(tmp_path / "train.log", **losses)) == status
    said = capsys.readouterr().out
    assert words in said
    told = said[said.index("can't be told") :]
    assert "mode collapse" in told
    assert "discriminator overpowering" not in told


def sheet(path: Path, alike: bool, side: int = 32, gap: int = 2) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (16, side, side, 3), dtype=np.uint8)
    pictures = noise[:1].repeat(16, 0) if alike else noise
    grid(pictures, gap=gap).save(path)
    return path


def test_a_sheet_tells_what_losses_can_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = a_log(tmp_path / "train.log", d=1.0, g=1.5)
    assert call("doctor", log, "--samples", sheet(tmp_path / "same.png", alike=True)) == 2
    assert "mode collapse" in capsys.readouterr().out
    assert call("doctor", log, "--samples", sheet(tmp_path / "many.png", alike=False)) == 0
    assert "mode collapse" not in capsys.readouterr().out


@pytest.mark.parametrize("gap", [0, 1, 2])
@pytest.mark.parametrize("side", [28, 32, 64])
def test_sheets_are_cut_where_they_should_be(tmp_path: Path, side: int, gap: int) -> None:
    path = sheet(tmp_path / "sheet.png", alike=True, side=side, gap=gap)
    found = variety_of_sheet(path, side)
    assert found == {"tile_spread": 0, "tile_modes": 1 / 16}
    different = variety_of_sheet(sheet(path, alike=False, side=side, gap=gap), side)
    assert different["tile_spread"] == pytest.approx(math.sqrt(2), rel=0.02)
    assert different["tile_modes"] == 1


def test_what_is_no_sheet_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (37, 53)).save(tmp_path / "odd.png")
    with pytest.raises(GansmithError, match="--tile"):
        variety_of_sheet(tmp_path / "odd.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(GansmithError, match="expected a picture"):
        variety_of_sheet(tmp_path / "text.png")


def test_what_can_not_be_judged_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no such file" in refused(capsys, "doctor", tmp_path / "nowhere")
    assert "no records yet" in refused(capsys, "doctor", a_run(tmp_path / "new", []))
    (tmp_path / "empty").mkdir()
    assert "expected a run" in refused(capsys, "doctor", tmp_path / "empty")
    (tmp_path / "poem.txt").write_text("Two roads diverged in a yellow wood")
    assert "found no losses" in refused(capsys, "doctor", tmp_path / "poem.txt")


def test_hostile_records_do_no_harm(tmp_path: Path) -> None:
    path = a_run(tmp_path / "run", records_of(5))
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 300, "loss_d": "x", "not_finite": 7, "spread": [1], "kept_d": true}\n')
        file.write('{"step": 301, "treatment": 5}\n{"step": 302, "spread": 1e400}\n')
        file.write('{"step": 303, "loss_d": 1' + "0" * 400 + "}\n")
    assert examine([path]).lines()
    write_report(path)


def test_a_name_is_no_emoji(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = a_log(tmp_path / ":100:.log", d=1.0, g=1.5)
    assert call("doctor", log) == 0
    assert ":100:.log" in capsys.readouterr().out
    assert ":100:.txt" in refused(capsys, "doctor", tmp_path / ":100:.txt")

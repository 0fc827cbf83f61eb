"""`gansmith doctor` on runs and on what other trainers leave."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from gansmith.doctor import examine
from gansmith.errors import GansmithError
from gansmith.report import write_report
from gansmith.run import RunFolder
from tests.builders import config
from tests.test_cli import call, refused
from tests.test_health import run as records_of
from tests.test_sheets import sheet


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


def test_a_sheet_tells_what_losses_can_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = a_log(tmp_path / "train.log", d=1.0, g=1.5)
    assert call("doctor", log, "--samples", sheet(tmp_path / "same.png", alike=True)) == 2
    assert "mode collapse" in capsys.readouterr().out
    assert call("doctor", log, "--samples", sheet(tmp_path / "many.png", alike=False)) == 0
    assert "mode collapse" not in capsys.readouterr().out


def test_a_sheet_beside_a_run_counts_if_it_is_worse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    well = a_run(tmp_path / "well", records_of(20))
    alike = sheet(tmp_path / "same.png", alike=True)
    assert call("doctor", well, "--samples", alike, "--tile", 32) == 2
    said = capsys.readouterr().out
    assert "mode collapse (pictures of the sheet differ 0%" in said
    assert "read as 16 pictures of 32×32" in said
    different = sheet(tmp_path / "many.png", alike=False)
    assert call("doctor", well, "--samples", different) == 0
    stuck = a_run(tmp_path / "stuck", records_of(20, pace_g=0.0))
    assert call("doctor", stuck, "--samples", different) == 2
    assert "generator stuck" in capsys.readouterr().out


def test_what_goes_with_a_log_is_refused_for_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    well = a_run(tmp_path / "well", records_of(20))
    assert "leave out --d-loss" in refused(capsys, "doctor", well, "--g-loss", "x")
    assert "No such file" in refused(capsys, "doctor", well, "--samples", tmp_path / "no.png")
    assert "with --samples" in refused(capsys, "doctor", well, "--tile", 32)


def test_the_records_of_a_run_are_the_run(tmp_path: Path) -> None:
    path = a_run(tmp_path / "leaks", records_of(20, leaks=2))
    assert examine([path / "metrics.jsonl"]).verdict.condition == "augmentation leak"
    (path / "config.json").unlink()
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2000, "images": 64000}\n')
    assert examine([path / "metrics.jsonl"]).verdict.condition == "augmentation leak"
    another = tmp_path / "metrics.jsonl"
    another.write_text('{"step": 1, "d_loss": 1.0, "g_loss": 2.0}\n' * 40)
    assert examine([another]).verdict.condition != "warming up"


def test_runs_are_judged_one_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (a_run(tmp_path / name, records_of(20)) for name in ("one", "two"))
    said = refused(capsys, "doctor", tmp_path)
    assert f"holds 2; judge one of them: {first}, {second}" in said
    assert "judge one run at a time" in refused(capsys, "doctor", first, second)


def test_what_can_not_be_read_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run" / "metrics.jsonl").mkdir(parents=True)
    assert "Is a directory" in refused(capsys, "doctor", tmp_path / "run")
    said = refused(capsys, "doctor", "x" * 5000)
    assert "File name too long" in said
    assert len(said) < 500


def test_permission_that_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", locked)  # as in a folder of somebody else's
    with pytest.raises(GansmithError, match=r"x: can't be read \(Permission denied\)"):
        examine([tmp_path / "x"])


def test_a_pipe_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe, log = tmp_path / "pipe", a_log(tmp_path / "train.log", d=1.0, g=1.5)
    os.mkfifo(pipe)
    assert "found a pipe" in refused(capsys, "doctor", pipe)
    assert "found a pipe" in refused(capsys, "doctor", log, "--samples", pipe)
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run" / "metrics.jsonl")
    assert "found a pipe" in refused(capsys, "doctor", tmp_path / "run")
    assert "found a pipe" in refused(capsys, "doctor", "/dev/zero")


def test_what_is_piped_in_is_read(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"Loss_D: 0.9 Loss_G: 1.1\n" * 40)
    os.close(writer)
    try:
        assert examine([Path(f"/dev/fd/{reader}")]).verdict.step == 40
    finally:
        os.close(reader)


def test_programs_are_told_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("doctor", tmp_path / "nowhere", "--json") == 2
    assert "no such file" in json.loads(capsys.readouterr().out)["error"]


def test_rows_that_a_resumed_run_told_again_are_remarked_on(tmp_path: Path) -> None:
    steps = [*range(1, 60), *range(50, 90)]
    path = tmp_path / "log.csv"
    path.write_text("step,d_loss,g_loss\n" + "".join(f"{s},1.2,{s}.5\n" for s in steps))
    assert "10 rows of the log are left out" in examine([path]).remarks[0]


def test_a_name_is_no_emoji(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = a_log(tmp_path / ":100:.log", d=1.0, g=1.5)
    assert call("doctor", log) == 0
    assert ":100:.log" in capsys.readouterr().out
    assert ":100:.txt" in refused(capsys, "doctor", tmp_path / ":100:.txt")


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
        for name in ("loss_d", "score", "images_per_second"):
            file.write(f'{{"step": 303, "{name}": 1{"0" * 400}}}\n')
        file.write(f'{{"step": {"9" * 400}, "loss_d": 1.0}}\n')
    assert examine([path]).lines()
    write_report(path)

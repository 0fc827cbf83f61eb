"""The commands as a person types them: what they print, what they leave, how they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gansmith.cli import main
from gansmith.config import Config
from gansmith.data import open_source, prepare

TINY = [
    "--set=generator_filters=4",
    "--set=discriminator_filters=4",
    "--set=batch_size=8",
    "--set=size=16",
    "--set=sample_every=10",
    "--images=160",
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "run"
    assert call("train", "digits", "--out", out, *TINY) == 0
    return out


def call(*arguments: object) -> int:
    """The exit status of `gansmith ARGUMENTS`."""
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return int(exit_.value.code or 0)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What is said of a call that must fail with status 2 and without a traceback."""
    assert call(*arguments) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def test_training_says_what_it_chose_and_names_what_it_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call("train", "digits", *TINY) == 0
    out = tmp_path / "runs" / "digits-fast-001"
    said = capsys.readouterr().out
    assert "recipe fast, because there are 1,797 pictures of about 8x8" in said
    assert "precision" in said
    made = ["samples/step-000000020.png", "report.html", "model"]
    for name in made:
        assert f"runs/digits-fast-001/{name}" in said
        assert (out / name).exists()
    assert call("train", "digits", *TINY) == 0
    assert (tmp_path / "runs" / "digits-fast-002" / "report.html").exists()


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call("train", "digits", "--dry-run", "--recipe", "dcgan", "--epochs", 3) == 0
    said = capsys.readouterr().out
    for key in Config.model_fields:
        assert f"  {key} = " in said or key == "data"
    assert "generator: 3,574,656 parameters" in said
    assert "discriminator: 2,763,520 parameters" in said
    assert "1,797 examples of 1×64×64" in said
    assert "memory: about" in said
    assert "disk: about" in said
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_refuses_what_could_not_be_carried_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refused(capsys, "train", "digits", "--dry-run", "--set", "batch_size=100000000")
    assert "try --set batch_size=" in said


def test_a_run_goes_on_where_it_ended(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert call("train", "digits", "--out", out, *TINY) == 0
    assert call("train", "--resume", "--out", out, "--images", 200) == 0
    assert "resuming from step 20" in capsys.readouterr().out
    config = json.loads((out / "config.json").read_text())
    assert (config["images"], config["source"]) == (200, "digits")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("latent_size=7", "latent_size was 64; it can't go on with 7"),
        ("batch_size=16", "batch_size was 8"),
        ("size=32", "size was 16"),
        ("seed=5", "seed was 0"),
        ("recipe=dcgan", "recipe is no setting"),
    ],
)
def test_what_a_run_rests_on_can_not_change_on_its_way(
    capsys: pytest.CaptureFixture[str], run: Path, setting: str, said: str
) -> None:
    before = (run / "config.json").read_bytes()
    assert said in refused(capsys, "train", "--resume", "--out", run, "--set", setting)
    assert (run / "config.json").read_bytes() == before


def test_what_may_change_on_the_way_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert call("train", "digits", "--out", out, *TINY) == 0
    assert call("train", "--resume", "--out", out, "--images", 200, "--set", "lr=1e-3") == 0
    assert "lr was 0.005, and is 0.001 from here on" in capsys.readouterr().out


def test_a_run_inside_its_own_data_does_not_become_data(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    assert call("train", "digits", "--out", tmp_path / "run", *TINY) == 0
    assert call("generate", tmp_path / "run", "-n", 20, "--out", photos) == 0
    assert call("train", photos, "--out", photos / "run", *TINY) == 0
    assert call("train", "--resume", "--out", photos / "run", "--images", 200) == 0


def test_data_that_moved_can_be_named_anew(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call("train", "digits", "--out", tmp_path / "run", *TINY) == 0
    assert call("generate", tmp_path / "run", "-n", 20, "--out", tmp_path / "a") == 0
    assert call("train", tmp_path / "a", "--out", tmp_path / "b", *TINY) == 0
    moved = (tmp_path / "a").rename(tmp_path / "c")
    again = ("--resume", "--out", tmp_path / "b", "--images", 200)
    assert "If the data moved" in refused(capsys, "train", *again)
    assert call("train", moved, *again) == 0


def test_every_problem_of_a_configuration_is_said_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = ["--set=lrr=3", "--set=batch_size=0", "--set=data.fot=pad", "--set=loss=best"]
    said = refused(capsys, "train", "digits", *settings, "--minutes", 1, "--epochs", 1)
    for piece in ("did you mean lr?", "batch_size", "did you mean data.fit?", "loss: expected"):
        assert piece in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train"], "expected a SOURCE"),
        (["train", "mnst"], "mnist"),
        (["train", "digits", "--recipe", "dcgan64"], "recipe: expected one of dcgan"),
        (["train", "digits", "--recipe", "gan-1d"], "can't make pictures"),
        (["train", "digits", "--minutes", "1", "--epochs", "2"], "not several"),
        (["train", "digits", "--recipe", "dcgan-32", "--set", "size=33"], "size: expected"),
        (["train", "digits", "--set", "lr"], "--set expects key=value"),
        (["train", "digits", "--set", "conditional=yes", "--recipe", "nosuch"], "recipe"),
        (["train", "--resume"], "--resume needs --out"),
        (["train", "ring", "--set", "conditional=yes"], "labelled data"),
        (["generate", "nosuch"], "expected a run, a checkpoint or a model folder"),
        (["report", "nosuch"], "expected a run"),
        (["inspect", "nosuch"], "nosuch"),
        (["evaluate", "nosuch"], "expected a run, a checkpoint or a model folder"),
        (["compare", "nosuch"], "gansmith evaluate RUN"),
        (["dataset", "nosuch", "--out", "new", "--per-class", "2"], "nosuch"),
    ],
)
def test_what_can_not_be_done_is_a_sentence_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert said in refused(capsys, *arguments)


def test_a_folder_that_holds_a_run_is_not_overwritten(
    capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    before = (run / "metrics.jsonl").read_bytes()
    assert "already holds a run; add --resume" in refused(capsys, "train", "digits", "--out", run)
    assert (run / "metrics.jsonl").read_bytes() == before


def test_a_run_does_not_go_on_as_another_recipe(
    capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    said = refused(capsys, "train", "--resume", "--out", run, "--recipe", "dcgan")
    assert "is a fast run" in said


def test_generated_pictures_can_be_trained_on_again(run: Path, tmp_path: Path) -> None:
    assert call("generate", run, "-n", 40, "--out", tmp_path / "made") == 0
    assert len(list((tmp_path / "made").rglob("*.png"))) == 40
    assert call("train", tmp_path / "made", "--recipe", "dcgan-32", *TINY) == 0


def test_generate_makes_a_sheet_by_default(run: Path, tmp_path: Path) -> None:
    assert call("generate", run) == 0
    with Image.open(tmp_path / "generated.png") as sheet:
        assert sheet.size == (2 + 8 * 18, 2 + 8 * 18)


def test_generate_makes_what_was_asked_for(run: Path, tmp_path: Path) -> None:
    assert call("generate", run, "-n", 7, "--labels", "3,8", "--seed", 5, "--out", "a.npz") == 0
    made = np.load(tmp_path / "a.npz")
    assert made["images"].shape == (7, 16, 16, 1)
    assert made["images"].dtype == np.uint8
    assert made["labels"].tolist() == [3, 8, 3, 8, 3, 8, 3]


def evaluated(run: Path, *arguments: object) -> Path:
    """A run's figures, in a copy of it that may be changed."""
    copy = Path("runs") / run.parent.name
    shutil.copytree(run, copy)
    assert call("evaluate", copy, "--space", "random", "-n", 40, *arguments) == 0
    return copy


def test_evaluate_prints_figures_beside_their_floor_and_keeps_them(
    capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    copy = evaluated(run, "--infinity", "--seed", 3)
    said, aside = capsys.readouterr()
    assert "step 20: 40 generated against 1,757 real of digits at 16x16, random features (" in said
    assert "seed 3" in said
    for words in ("floor: real", "FID ", "FID∞", "KID × 1000", "× the floor", "recall"):
        assert words in said
    assert "of copying" in said or "opies" in said or "Nearer than" in said
    assert f"{copy}/evaluation.json" in said
    assert f"{copy}/closest-pairs.png" in said
    assert "reading digits" in aside
    assert "reading" not in said
    assert "Beside real data" in (copy / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--space", "imagenet"], "space: expected one of auto, classifier, inception, random"),
        (["--space", "random", "--data", "nosuch"], "nosuch"),
        (["--space", "random", "--held-out", "nosuch"], "nosuch"),
        (["--space", "random", "-n", 3], "expected at least 16 generated and 32 real"),
        (["--space", "random", "--device", "abacus"], "device: expected auto"),
        (["--space", "random", "--data", "ring"], "ring"),
    ],
)
def test_what_can_not_be_evaluated_is_a_sentence(
    capsys: pytest.CaptureFixture[str], run: Path, arguments: list[object], said: str
) -> None:
    assert said in refused(capsys, "evaluate", run, *arguments)
    assert not (run / "evaluation.json").exists()


def test_compare_puts_runs_side_by_side_that_were_measured_alike(
    capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    copy = evaluated(run)
    other = shutil.copytree(copy, copy.with_name("other"))
    assert call("compare", copy, other) == 0
    said = capsys.readouterr().out
    assert f"{copy.name} @ 20" in said
    assert "40 generated against 1,757 real" in said
    figures = json.loads((other / "evaluation.json").read_text())
    figures["run"], figures["protocol"]["seed"] = "other", 5
    (other / "evaluation.json").write_text(json.dumps(figures))
    answer = refused(capsys, "compare", copy, other)
    assert f"{copy.name} and other were measured differently (seed 0 and seed 5)" in answer
    (other / "evaluation.json").write_text("{}")
    assert "not what gansmith wrote" in refused(capsys, "compare", copy, other)
    assert "No such file" in refused(capsys, "compare", copy, run)


def test_names_of_runs_are_not_taken_for_markup(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path
) -> None:
    copy = evaluated(run)
    for name in ("x[bold]", "x[", "[/x]"):
        other = shutil.copytree(copy, tmp_path / "others" / name.replace("/", ""))
        figures = json.loads((copy / "evaluation.json").read_text()) | {"run": name}
        (other / "evaluation.json").write_text(json.dumps(figures))
        capsys.readouterr()
        assert call("compare", other, copy) == 0
        assert f"{name} @ 20" in capsys.readouterr().out


def test_worth_says_what_it_found_and_writes_it_where_it_was_told(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path
) -> None:
    data = prepare(open_source("digits"), height=None, width=None)
    assert data.labels is not None
    images, labels = data.values[::20, 0].numpy(), data.labels[::20].numpy()
    np.savez(tmp_path / "test.npz", images=images, labels=labels)
    quick = ("--test", tmp_path / "test.npz", "-n", 40, "--sizes", 30, "--seeds", 2, "--steps", 2)
    out = tmp_path / "new" / "worth.json"
    assert call("worth", run, *quick, "--out", out) == 0
    said = capsys.readouterr().out
    assert "real examples" in said
    assert "synthetic only (CAS): " in said
    found = json.loads(out.read_text())
    assert found["summary"] in said
    assert found["origin"]["data"] == "digits"
    (tmp_path / "file").touch()
    said = refused(capsys, "worth", run, *quick, "--out", tmp_path / "file" / "worth.json")
    assert "can't write to" in said
    assert "name another file with --out" in said
    assert "found a folder" in refused(capsys, "worth", run, *quick, "--out", tmp_path)


def test_dataset_writes_so_many_of_each_class(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path
) -> None:
    assert call("dataset", run, "--per-class", 3, "--out", tmp_path / "new") == 0
    said = capsys.readouterr().out
    assert "30 pictures, 3 of each of 10 classes" in said
    assert f"{tmp_path / 'new' / 'README.md'}   the card" in said
    assert (tmp_path / "new" / "README.md").exists()
    pictures = [p for p in (tmp_path / "new").rglob("*.png") if ".assets" not in p.parts]
    assert len(pictures) == 30


def test_dataset_of_a_generator_without_classes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call("train", "digits", "--out", "plain", "--set=conditional=no", *TINY) == 0
    assert call("dataset", "plain", "-n", 5, "--out", tmp_path / "new") == 0
    assert "5 pictures: " in capsys.readouterr().out
    said = refused(capsys, "dataset", "plain", "--per-class", 5, "--out", "newer")
    assert "class" in said
    assert not (tmp_path / "newer").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "per"),
        (["-n", 5], "per"),
        (["--per-class", 0], "found 0"),
        (["--per-class", 2, "--layout", "scroll"], "--layout: expected"),
        (["--per-class", 2, "--device", "abacus"], "device: expected auto"),
        (["--lexicon", __file__, "--processes", 2], "expected a generator of words"),
    ],
)
def test_a_dataset_that_can_not_be_written_is_a_sentence(
    capsys: pytest.CaptureFixture[str],
    run: Path,
    tmp_path: Path,
    arguments: list[object],
    said: str,
) -> None:
    assert said in refused(capsys, "dataset", run, "--out", tmp_path / "new", *arguments)
    assert not (tmp_path / "new").exists()


def test_a_dataset_does_not_mix_with_what_is_there(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    said = refused(capsys, "dataset", run, "--per-class", 2, "--out", tmp_path / "full")
    assert "empty" in said
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_report_makes_the_same_page_again(run: Path) -> None:
    page = run / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert call("report", run) == 0
    assert page.read_bytes() == before


def test_inspect_prints_the_counts_and_leaves_a_sheet(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call("inspect", "digits") == 0
    assert "1,797 pictures" in capsys.readouterr().out
    assert (tmp_path / "contact-sheet.png").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recipes"], ["dcgan-mxnet", "few-images", "gan-1d"]),
        (["recipes", "--keys"], ["checkpoint_every", "data.max_skipped", "latent_size"]),
        (["data"], ["qmnist", "cifar10", "CC BY-SA 3.0", "170 MB"]),
        (["train", "--help"], ["--resume", "--dry-run", "--precision", "hf:owner/name"]),
        (["--help"], ["train", "inspect", "generate", "report", "recipes", "data"]),
    ],
)
def test_the_listings_list(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    assert call(*arguments) == 0
    said = capsys.readouterr().out
    assert [word for word in words if word not in said] == []

"""From a run's name to figures beside real data, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gansmith import assess, real
from gansmith.assess import evaluate, worth
from gansmith.config import DataSpec
from gansmith.data import Dataset, open_source, prepare
from gansmith.errors import GansmithError
from gansmith.metrics.features import FeatureSpace, module_space, random_space
from gansmith.metrics.memorisation import GAP
from gansmith.metrics.protocol import read_evaluation
from gansmith.real import test_split
from gansmith.run import RunFolder
from tests import builders

test_split.__test__ = False  # type: ignore[attr-defined]  # a function of gansmith's
NAMES = tuple("0123456789")
SPEC = builders.pictures(1, 8, 8, classes=NAMES)


def make_run(path: Path, spec: DataSpec = SPEC, digest: str | None = None, **changes: Any) -> Path:
    settings = {"model": "compact", "size": "8", "source": "digits", "conditional": "auto"}
    a_config = builders.config(**{**settings, **changes})
    run = RunFolder(path)
    path.mkdir(parents=True)
    run.write_config(a_config)
    run.write_model(a_config, spec, builders.weights(a_config, spec), 5, digest)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs" / "one")


class Halves(nn.Module):
    """Ten classes that depend on nothing but a picture's brightness."""

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        x = pictures.flatten(1).float() / 255
        label = (x.mean(1) * 20).long().clamp(0, 9)
        return x[:, :40], nn.functional.one_hot(label, 10).float()


@pytest.fixture(autouse=True)
def _quick_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(dataset: Dataset, *, say: Any) -> FeatureSpace:
        say(f"trained on {dataset.name}")
        return module_space(Halves(), "classifier")

    monkeypatch.setattr(assess, "classifier_space", quick)


def test_what_is_found_is_kept_in_the_runs_folder(run: Path) -> None:
    found = evaluate(run, space="random", n=60)
    assert read_evaluation(run / "evaluation.json") == found
    assert (found.run, found.step) == ("one", 5)
    assert (found.protocol.reference, found.protocol.made, found.protocol.real) == (
        *("digits", 60),
        1737,
    )
    with Image.open(run / "closest-pairs.png") as sheet:
        # 20 pairs of 8×8, enlarged eight times, four in a row
        assert sheet.size == (GAP + 4 * (2 * 64 + GAP), GAP + 5 * (64 + GAP))
    assert found.memorisation is not None
    assert found.memorisation["made"] == 60
    assert "No unseen real examples" in found.remarks()[-1]
    assert not (run / "report.html").exists()  # there is no training to report of
    assert evaluate(run, space="random", n=60) == found


def test_the_report_of_a_run_is_made_anew(run: Path) -> None:
    RunFolder(run).append({"step": 5, "images": 20, "seconds": 1.0, "loss_d": 1.0})
    evaluate(run, space="random", n=40)
    assert "Beside real data" in (run / "report.html").read_text(encoding="utf-8")


def test_labels_make_the_classifier_the_space_and_another_judges_of_copies(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spaces: list[str] = []
    memorised = assess.memorised

    def note(model: Any, train: Any, held_out: Any, space: Any, **options: Any) -> Any:
        spaces.append(space.name)
        return memorised(model, train, held_out, space, **options)

    monkeypatch.setattr(assess, "memorised", note)
    found = evaluate(run, n=50)
    assert found.protocol.space == "classifier"
    assert spaces == ["random"]  # the classifier knows its training examples from all others
    assert found.balance is not None
    assert found.balance.classes == NAMES
    assert {"agreement", "inception_score"} < set(found.figures)


def test_without_labels_the_space_is_a_random_one(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 8, 8), np.uint8)
    np.savez(tmp_path / "bare.npz", images=pixels)
    run = make_run(tmp_path / "run", builders.pictures(1, 8, 8), source=str(tmp_path / "bare.npz"))
    found = evaluate(run)
    assert (found.protocol.space, found.protocol.made) == ("random", 30)
    assert found.balance is None
    with pytest.raises(GansmithError, match=r"a classifier needs labels, and .* has none"):
        evaluate(run, space="classifier")


def test_a_space_of_ones_own(run: Path) -> None:
    space = random_space(1, seed=5)
    assert evaluate(run, space=space, n=40).protocol.weights == space.weights


def test_any_network_is_a_space_and_nothing_else_is(run: Path) -> None:
    found = evaluate(run, space=Halves(), n=40)
    assert found.protocol.space == "Halves"
    with pytest.raises(GansmithError, match="or a network, found 5"):
        evaluate(run, space=5)  # type: ignore[arg-type]


def test_other_data_are_compared_and_copies_sought_where_it_was_trained(
    run: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (50, 8, 8), np.uint8)
    np.savez(tmp_path / "other.npz", images=pixels)
    found = evaluate(run, tmp_path / "other.npz", n=40)
    assert (found.protocol.made, found.protocol.real) == (25, 25)
    assert found.protocol.reference == "other"
    assert found.balance is None  # the classifier's classes are not these data's
    assert found.figures["agreement"].floor is None
    assert found.memorisation is not None
    assert found.memorisation["held_out"] == 1797


def test_held_out_examples_are_what_copies_are_judged_by(run: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (30, 8, 8), np.uint8)
    np.savez(tmp_path / "unseen.npz", images=pixels)
    found = evaluate(run, space="random", n=40, held_out=tmp_path / "unseen.npz")
    assert found.memorisation is not None
    assert (found.memorisation["unseen"], found.memorisation["held_out"]) == (True, 30)


def test_a_test_split_that_can_not_be_had_is_done_without(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real, "test_split", lambda source: "nosuch")
    said: list[str] = []
    found = evaluate(run, space="random", n=40, say=said.append)
    assert found.memorisation is not None
    assert not found.memorisation["unseen"]
    assert any("going on without unseen real examples" in line for line in said)
    with pytest.raises(GansmithError, match="nosuch"):
        evaluate(run, space="random", n=40, held_out="nosuch")


@pytest.mark.parametrize(
    ("source", "split"),
    [
        ("mnist", "mnist:test"),
        ("mnist:train", "mnist:test"),
        ("mnist:test", None),
        ("digits", None),
        ("/some/where/mnist", None),
    ],
)
def test_only_known_data_sets_have_a_test_split(source: str, split: str | None) -> None:
    assert test_split(source) == split


def test_training_data_that_are_gone_can_be_named_anew(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 8, 8), np.uint8)
    old, new = tmp_path / "old.npz", tmp_path / "new.npz"
    np.savez(old, images=pixels)
    run = make_run(tmp_path / "run", builders.pictures(1, 8, 8), source=str(old))
    old.rename(new)
    with pytest.raises(GansmithError, match=r"old\.npz[\s\S]*name their place with --data"):
        evaluate(run)
    said: list[str] = []
    found = evaluate(run, new, say=said.append)
    assert found.memorisation is not None
    assert any("for what it was trained on" in line for line in said)


def test_data_that_changed_since_training_are_said_to_hide_copies(tmp_path: Path) -> None:
    known = prepare(open_source("digits"), height=8, width=8).digest
    for digest, said in ((known, False), ("0" * 64, True), (None, False)):
        run = make_run(tmp_path / str(digest), digest=digest)
        memorisation = evaluate(run, space="random", n=40).memorisation
        assert memorisation is not None
        assert ("not the examples it was trained on" in memorisation["verdict"]) == said
        assert (memorisation["space"], memorisation["reference"]) == ("random", "digits")
        assert memorisation["digest"] == known


def save_digits(path: Path, keep: Any, labels: bool = True) -> Path:
    """Of the embedded digits some of the classes `keep`, as an array file."""
    data = prepare(open_source("digits"), height=8, width=8)
    assert data.labels is not None
    rows = torch.isin(data.labels, torch.tensor(list(keep))).nonzero()[:, 0][::7]
    arrays = {"images": data.values[rows, 0].numpy()}
    np.savez(path, **arrays, **({"labels": data.labels[rows].numpy()} if labels else {}))
    return path


def test_worth_reads_the_tests_labels_by_their_names(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    measure = assess.measure_worth

    def note(*arguments: Any, **options: Any) -> Any:
        seen.append(arguments[1][1])
        return measure(*arguments, **options)

    monkeypatch.setattr(assess, "measure_worth", note)
    test = save_digits(tmp_path / "test.npz", range(3, 10))
    found = worth(run, test=test, n=40, sizes=(20,), seeds=2, steps=2)
    assert sorted(set(seen[0].tolist())) == [3, 4, 5, 6, 7, 8, 9]  # in the file they are 0 to 6
    assert found.origin is not None
    assert (found.origin.run, found.origin.step) == ("one", 5)
    assert (found.origin.data, found.origin.test) == ("digits", "test")
    assert str(found.origin) in found.lines()[-1]
    assert found.augmentation == ("affine",)


def test_worth_refuses_what_it_can_not_be_judged_by(tmp_path: Path) -> None:
    source = save_digits(tmp_path / "digits.npz", range(10))
    part = save_digits(tmp_path / "part.npz", range(5))
    bare = save_digits(tmp_path / "bare.npz", range(10), labels=False)
    run = make_run(tmp_path / "run", source=str(source))
    few: dict[str, Any] = {"n": 40, "sizes": (20,), "seeds": 2, "steps": 1}
    with pytest.raises(GansmithError, match="digits has no test split; name some with --test"):
        worth(run, **few)
    with pytest.raises(GansmithError, match=r"bare\.npz has no labels"):
        worth(run, test=bare, **few)
    with pytest.raises(GansmithError, match=r"digits\.npz is what they learn from"):
        worth(run, test=source, **few)
    learnt = prepare(open_source(part), height=8, width=8, channels="grey").digest
    taught = make_run(tmp_path / "taught", source=str(source), digest=learnt)
    with pytest.raises(GansmithError, match=r"part\.npz is what they learn from"):
        worth(taught, test=part, **few)
    spec = builders.pictures(1, 8, 8, classes=NAMES[:5])
    five = make_run(tmp_path / "five", spec, source=str(part))
    with pytest.raises(GansmithError, match="the generator's, 0, 1, 2, 3, 4; found 5, 6, 7, 8, 9"):
        worth(five, test=source, **few)


def test_the_run_of_the_current_folder_has_its_name(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    assert evaluate(".", space="random", n=20).run == "one"


def test_a_model_folder_is_evaluated_in_place(run: Path) -> None:
    evaluate(run / "model", space="random", n=20)
    assert (run / "model" / "evaluation.json").exists()


def test_points_are_compared_without_a_network(tmp_path: Path) -> None:
    np.save(tmp_path / "cloud.npy", np.random.default_rng(0).normal(size=(300, 2)))
    mlp = {"model": "mlp", "size": None, "norm": "none", "init": "torch"}
    run = make_run(tmp_path / "run", builders.points(), source=str(tmp_path / "cloud.npy"), **mlp)
    found = evaluate(run, n=100)
    assert found.protocol.space == "values"
    assert found.memorisation is not None
    assert not (run / "closest-pairs.png").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"space": "imagenet"}, "space: expected one of auto, classifier, inception, random"),
        ({"data": "nosuch"}, "nosuch"),
        ({"data": ""}, "no data set"),
        ({"n": 5}, "at least 16 generated"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_what_can_not_be_done_is_a_sentence(run: Path, options: Any, said: str) -> None:
    with pytest.raises(GansmithError, match=said):
        evaluate(run, **{"space": "random", **options})
    assert not (run / "evaluation.json").exists()


def test_what_is_no_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match="expected a run, a checkpoint or a model folder"):
        evaluate(tmp_path / "nosuch")


def test_a_folder_that_can_not_be_written_is_a_sentence(run: Path) -> None:
    (run / "evaluation.json").mkdir()
    (run / "evaluation.json" / "x").touch()
    with pytest.raises(GansmithError, match=r"can't write to .*run it again: the same seed"):
        evaluate(run, space="random", n=20)


def test_every_example_is_generated_by_the_runs_newest_weights(run: Path) -> None:
    """The figures are of the model, not of the folder's age."""
    first = evaluate(run, space="random", n=40)
    spec, a_config = SPEC, RunFolder(run).read_config()
    torch.manual_seed(1)
    RunFolder(run).write_model(a_config, spec, builders.weights(a_config, spec), 9)
    second = evaluate(run, space="random", n=40)
    assert second.step == 9
    assert second["fid"] != first["fid"]

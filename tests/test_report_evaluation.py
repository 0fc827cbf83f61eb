"""What a report says of scores and of an evaluation, whatever state their files are in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gansmith.config import DataSpec
from gansmith.imaging import png_bytes
from gansmith.metrics.protocol import FIGURES, Balance, Evaluation, Figure
from gansmith.report import sentences
from gansmith.report.beside import MEANINGS, MOST_CLASSES
from gansmith.report.story import read_story
from gansmith.run import RunFolder
from tests.builders import protocol
from tests.test_report import EVIL, add_model, add_sheets, make_run, report

NEW = "FID, 200 generated against 400 real, random features (abc, resize: none), seed 0"


def add_scores(run: RunFolder, scores: list[float], protocol: str | None = NEW) -> None:
    """One every hundred steps of 64 images and ten seconds, each taking a fifth of one."""
    start = len(run.records())
    for number, score in enumerate(scores, start + 1):
        record = {"step": 100 * number, "images": 6400 * number, "seconds": 10.0 * number}
        more = {} if protocol is None else {"protocol": protocol, "evaluation_seconds": 0.2}
        run.append({**record, "score": score, **more})


def evaluation(**changes: Any) -> Evaluation:
    balance = Balance(
        classes=("zero", "one"),
        shares=(0.75, 0.25),
        real_shares=(0.5, 0.5),
        entropy=0.562,
        real_entropy=0.693,
        distance=0.25,
        fid=(31.25, None),
        fid_floor=(6.125, 7.5),
    )
    return Evaluation(
        **{
            "run": "run",
            "step": 200,
            "protocol": protocol(),
            "figures": {
                "fid": Figure(value=12.5, floor=2.5),
                "kid": Figure(value=0.0123, error=0.001, floor=-0.0001),
            },
            "balance": balance,
            "memorisation": {"verdict": "No sign of copying: all is well."},
            **changes,
        }
    )


def evaluated(path: Path, found: Evaluation | None = None) -> RunFolder:
    """A finished run with scores, samples and figures."""
    run = make_run(path)
    add_scores(run, [3.0, 2.0])
    add_sheets(run)
    add_model(run, DataSpec(kind="pictures", shape=(1, 8, 8)), 200)
    (path / "evaluation.json").write_text((found or evaluation()).to_json(), encoding="utf-8")
    sheet = np.random.default_rng(0).integers(0, 255, (40, 60), np.uint8)
    (path / "closest-pairs.png").write_bytes(png_bytes(Image.fromarray(sheet)))
    return run


def caption(run: RunFolder) -> str:
    return sentences.caption("score", read_story(run.path))


def test_the_scores_caption_gives_the_protocol_the_best_and_the_price(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_scores(run, [5.0, 1.5, 2.0, 1.5])
    (run.checkpoints / "step-000000200").mkdir(parents=True)
    assert caption(run) == (
        f"{NEW}. It should fall and then level off; compare it only with scores of this very "
        "protocol, on the same data and size. The ring marks the best: 1.5 after 12,800 images, "
        "kept in checkpoints/step-000000200. Scoring took 0.8 s, 2.0% of the run."
    )
    assert NEW in report(run).text


def test_a_best_checkpoint_that_is_gone_is_not_promised(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_scores(run, [5.0, 1.5, 2.0])
    assert "after 12,800 images. Scoring" in caption(run)


def test_a_run_of_before_protocols_keeps_its_words(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_scores(run, [0.5, 0.25], protocol=None)
    said = caption(run)
    assert said.startswith("Sliced Wasserstein distance between 256 generated and 256 real")
    assert said.endswith("The ring marks the best: 0.25 after 12,800 images.")


@pytest.mark.parametrize("earlier", [None, "sliced Wasserstein, 9 generated"])
def test_scores_of_an_earlier_protocol_are_left_out(tmp_path: Path, earlier: str | None) -> None:
    """They are of another scale: one of them would be the best for good."""
    run = make_run(tmp_path / "run")
    add_scores(run, [0.02, 0.01], protocol=earlier)
    add_scores(run, [30.0, 20.0])
    story = read_story(run.path)
    assert story.curves["score"].y.tolist() == [30.0, 20.0]
    assert "best: 20 after 25,600 images" in caption(run)
    assert "Earlier scores, of another protocol, are left out." in caption(run)


@pytest.mark.parametrize("protocol", [3, None, ["FID"], {}, EVIL[:-1] + "\x1b[31m", "x" * 10_000])
def test_a_strangers_protocol_is_only_text(tmp_path: Path, protocol: object) -> None:
    run = make_run(tmp_path / "run")
    run.append({"step": 1, "images": 64, "seconds": 1.0, "score": 2.0, "protocol": protocol})
    page = report(run)
    assert "\x1b" not in page.source
    assert "x" * 1000 not in page.source


@pytest.mark.parametrize("seconds", [-1.0, 1e300, "long", None, True, 10**400])
def test_a_price_that_can_not_be_is_left_out(tmp_path: Path, seconds: object) -> None:
    run = make_run(tmp_path / "run")
    run.append({"step": 1, "images": 64, "seconds": 1.0, "score": 2.0, "protocol": NEW})
    run.append({"step": 2, "images": 128, "seconds": 2.0, "evaluation_seconds": seconds})
    assert "Scoring took" not in report(run).text


def test_the_ring_is_drawn_where_the_best_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_scores(run, [5.0, 1.0, 4.0])
    report(run)
    ringed = np.asarray(Image.open(run.path / "plots" / "score.png").convert("RGB")).astype(int)
    orange = np.abs(ringed - (210, 89, 28)).sum(2) < 60
    height, width = orange.shape
    rows, columns = orange.nonzero()
    # x runs from 0 to 19,200 images over the axes, whose margins are fixed inches.
    left, right = 0.52 * 200, width - 0.2 * 200
    assert columns.mean() == pytest.approx(left + (right - left) * 12_800 / 20_000, abs=40)
    assert rows.mean() > height / 2


def test_an_evaluation_is_a_section_with_figures_floors_and_verdict(tmp_path: Path) -> None:
    page = report(evaluated(tmp_path / "run"))
    for part in (
        "Beside real data",
        "597 generated against 1,200 real of digits at 8x8, random features (0123456789abcdef",
        "No sign of copying: all is well.",
        "25.0% of the examples would have to change class",
        "The generated pictures that lie nearest to a training picture",
        "what was measured beside real data",
    ):
        assert part in page.text
    rows = re.findall(r"<tr><th>(FID|KID × 1000)</th>(.*?)</tr>", page.source)
    assert rows == [
        ("FID", "<td>12.500<small>5.0 × the floor</small></td><td>2.500</td>"),
        ("KID × 1000", "<td>12.300 ± 1.000</td><td>-0.100</td>"),
    ]
    assert re.search(r"<dt>FID</dt><dd>12\.500", page.source)  # among the tiles
    assert "gansmith evaluate" not in page.text  # it was done already
    assert "Measured at step" not in page.text


def test_classes_have_bars_shares_and_a_fid(tmp_path: Path) -> None:
    page = report(evaluated(tmp_path / "run"))
    bars = [a for tag, a in page.tags if tag == "rect"]
    assert [a["class"] for a in bars] == ["made", "real"] * 2
    assert [float(str(a["width"])) for a in bars] == pytest.approx([100, 66.67, 33.33, 66.67])
    assert "<td>75.0%</td><td>50.0%</td><td>31.250</td><td>6.125</td>" in page.source
    assert "<td>25.0%</td><td>50.0%</td><td>–</td>" in page.source


@pytest.mark.parametrize(("count", "shown"), [(1, 0), (2, 2), (40, 40), (41, 0)])
def test_very_many_classes_are_not_drawn(tmp_path: Path, count: int, shown: int) -> None:
    assert MOST_CLASSES == 40
    balance = Balance(
        classes=tuple(f"class {i}" for i in range(count)),
        shares=(1 / count,) * count,
        real_shares=(1 / count,) * count,
        entropy=1.0,
        real_entropy=1.0,
        distance=0.0,
    )
    page = report(evaluated(tmp_path / "run", evaluation(balance=balance)))
    assert page.count("rect") == 2 * shown


def test_without_labels_and_audit_the_figures_are_there_still(tmp_path: Path) -> None:
    page = report(evaluated(tmp_path / "run", evaluation(balance=None, memorisation=None)))
    assert "12.500" in page.text
    assert page.count("rect") == 0
    assert "nearest to a training picture" not in page.text


def test_a_run_that_went_on_says_so(tmp_path: Path) -> None:
    page = report(evaluated(tmp_path / "run", evaluation(step=100)))
    assert "Measured at step 100; the run is at step 200" in page.text


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_that_was_not_evaluated_says_how(tmp_path: Path, finished: bool) -> None:
    run = evaluated(tmp_path / "run")
    (run.path / "evaluation.json").unlink()
    if not finished:
        (run.model / "model.json").unlink()
    page = report(run)
    assert "Measure it beside real data:" in page.text
    assert page.text.count("Beside real data") == 0
    assert "nearest to a training picture" not in page.text  # a picture without its verdict


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[" * 100_000,
        b"null",
        json.dumps({"figures": {}}).encode(),
        evaluation().to_json().replace("12.5", "NaN").encode(),
        evaluation().to_json()[:-40].encode(),
    ],
)
def test_a_damaged_evaluation_is_said_in_a_line_and_nothing_else_suffers(
    tmp_path: Path, content: bytes
) -> None:
    run = evaluated(tmp_path / "run")
    (run.path / "evaluation.json").write_bytes(content)
    page = report(run)
    assert "evaluation.json can't be read; gansmith evaluate makes it again." in page.text
    assert "The training in figures" in page.text
    assert NEW in page.text
    assert page.count("rect") == 0


def test_a_folder_where_the_evaluation_should_be(tmp_path: Path) -> None:
    run = evaluated(tmp_path / "run")
    for name in ("evaluation.json", "closest-pairs.png"):
        (run.path / name).unlink()
        (run.path / name).mkdir()
    assert "evaluation.json can't be read" in report(run).text


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"x" * 5000, None])
def test_a_damaged_picture_of_pairs_is_left_out(tmp_path: Path, content: bytes | None) -> None:
    run = evaluated(tmp_path / "run")
    (run.path / "closest-pairs.png").unlink()
    if content is not None:
        (run.path / "closest-pairs.png").write_bytes(content)
    page = report(run)
    shown = {a.get("alt") for tag, a in page.tags if tag == "img"}
    assert "real examples" in shown
    assert "generated pictures beside training pictures" not in shown
    assert "No sign of copying" in page.text


def test_an_evaluations_words_can_not_become_markup(tmp_path: Path) -> None:
    evil = EVIL[:-1]
    balance = Balance(
        classes=(evil, "$\\frac{"),
        shares=(1.0, 0.0),
        real_shares=(0.0, 1.0),
        entropy=0.0,
        real_entropy=0.0,
        distance=1.0,
        fid=(None, None),
    )
    protocol = evaluation().protocol.model_copy(update={"space": evil, "reference": evil})
    found = evaluation(balance=balance, protocol=protocol, memorisation={"verdict": evil}, run=evil)
    page = report(evaluated(tmp_path / "run", found))
    assert page.text.count("<script>alert(1)</script>") >= 3
    assert page.count("script") == 1


def test_odd_numbers_do_no_harm(tmp_path: Path) -> None:
    balance = evaluation().balance
    assert balance is not None
    odd = balance.model_copy(update={"shares": (-1e300, 1e300), "real_shares": (0.0, 0.0)})
    figures = {"fid": Figure(value=-1e300, floor=1e-300), "unheard": Figure(value=1.0)}
    page = report(evaluated(tmp_path / "run", evaluation(balance=odd, figures=figures, step=-1)))
    assert "Beside real data" in page.text


def test_every_figure_has_a_meaning() -> None:
    assert set(MEANINGS) == set(FIGURES)


def test_the_same_evaluation_gives_the_same_page(tmp_path: Path) -> None:
    run = evaluated(tmp_path / "run")
    pages = set()
    for _ in range(2):
        report(run)
        pages.add(run.report.read_bytes())
    assert len(pages) == 1

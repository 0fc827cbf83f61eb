"""The report is made from a run's files alone, whatever state they are in."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from gansmith import checkpoint
from gansmith.config import Config, DataSpec, Loss
from gansmith.errors import GansmithError
from gansmith.report import FILES, sentences, write_report
from gansmith.report.story import read_story
from gansmith.run import RunFolder

VOID = {"meta", "img", "source", "input", "br", "link"}
EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&${heading}\ud800"


class Page(HTMLParser):
    """Checks that tags nest, and collects what matters."""

    def __init__(self, path: Path):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["script"], ["style"]):
            self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def make_run(path: Path, **settings: Any) -> RunFolder:
    run = RunFolder(path)
    path.mkdir(parents=True)
    run.write_config(Config(**{"recipe": "dcgan-32", "size": "32", "source": "digits"} | settings))
    return run


def add_records(run: RunFolder, count: int = 60, batch: int = 64) -> None:
    rng = np.random.default_rng(0)
    for step in range(20, 20 * count + 1, 20):
        record = {"step": step, "images": step * batch, "seconds": step / 20}
        names = ("loss_d", "loss_g", "d_real", "d_fake", "images_per_second")
        record |= dict(zip(names, rng.uniform(0.4, 0.6, 5).tolist(), strict=True))
        run.append(record | ({"score": 1 / step} if step % 200 == 0 else {}))


def add_sheets(run: RunFolder, steps: int = 3, side: int = 8, channels: int = 1) -> None:
    rng = np.random.default_rng(1)
    for name in ("real", *(f"step-{200 * k:09d}" for k in range(steps))):
        run.write_samples(name, rng.integers(0, 255, (9, side, side, channels), np.uint8))


def add_points(run: RunFolder, steps: int = 3, dimensions: int = 2) -> None:
    rng = np.random.default_rng(2)
    for name in ("real", *(f"step-{500 * k:09d}" for k in range(steps))):
        run.write_samples(name, rng.normal(size=(50, dimensions)).astype(np.float32))


def add_model(run: RunFolder, spec: DataSpec, step: int) -> None:
    text = json.dumps({"step": step, "spec": spec.model_dump(mode="json")})
    checkpoint.write_folder(run.model, {"model.json": text.encode()})


def report(run: RunFolder) -> Page:
    """Write it and check what must hold of every report."""
    path = write_report(run.path)
    assert path == run.report
    page = Page(path)
    assert_fetches_nothing(page)
    assert path.stat().st_size < 3_000_000
    assert not list(run.path.rglob(".tmp-*"))
    return page


def assert_fetches_nothing(page: Page) -> None:
    allowed = {"html", "head", "meta", "title", "style", "body", "script"}
    assert page.count("script") == page.count("style") == 1
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert not attributes.keys() & {"href", "action", "data", "style"}
        for name in ("src", "srcset"):
            assert (attributes.get(name) or "data:image/").startswith("data:image/")
            assert tag not in allowed or name not in attributes
    assert not re.search(r"url\(|@import|https?:", page.source)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = make_run(tmp_path_factory.mktemp("runs") / "digits-001", lr=5e-4)
    add_records(run)
    add_sheets(run)
    classes = ("zero", "one", "two")
    add_model(run, DataSpec(kind="pictures", shape=(1, 8, 8), classes=classes), 1200)
    run.say("device cpu, 2 threads")
    report(run)
    return run


def test_a_finished_run(finished: RunFolder) -> None:
    page = Page(finished.report)
    for part in (
        "A generator of grey pictures of 8×8 in 3 classes, trained on digits",
        "76,800",  # images
        "1 min 00 s",
        "1,280/s",
        "A column a class: zero, one, two.",
        "Over the last fifth here: discriminator 0.5",
        "device cpu, 2 threads",
        "-n 1000 --out made",
    ):
        assert part in page.text
    assert "not finished" not in page.text
    names = ("losses", "discriminator", "score", "throughput")
    for name in (*(f"plots/{n}.png" for n in names), "samples.gif", "real-and-generated.png"):
        assert (finished.path / name).stat().st_size > 500


def test_the_odds_of_augmentation_are_drawn_where_they_were_noted(
    finished: RunFolder, tmp_path: Path
) -> None:
    assert not (finished.path / "plots/augmentation.png").exists()
    run = make_run(tmp_path / "few", augment_target=0.6)
    for step in range(20, 400, 20):
        odds = {"augment_p": min(0.8, step / 300)}
        run.append({"step": step, "images": step * 32, "seconds": step / 20} | odds)
    assert "At its most (0.8) for long, more pictures would help." in report(run).text
    assert (run.path / "plots/augmentation.png").stat().st_size > 500


def test_settings_that_differ_are_open_and_all_are_there(finished: RunFolder) -> None:
    settings = Page(finished.report).source.split("<h2>Settings</h2>")[1]
    opened, folded = settings.split("<details>", 1)
    assert "<th>lr</th><td>0.0005</td>" in opened
    assert "<th>beta1</th>" not in opened
    assert "<th>beta1</th>" in folded
    assert "<th>data.fit</th><td>crop</td>" in folded


def test_the_same_files_give_the_same_report(finished: RunFolder, tmp_path: Path) -> None:
    before = {name: _content(finished.path / name) for name in FILES}
    for name in FILES:
        (finished.path / name).unlink(missing_ok=True)
    write_report(finished.path)
    assert {name: _content(finished.path / name) for name in FILES} == before


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def test_the_page_is_readable_on_a_phone_and_in_the_dark(finished: RunFolder) -> None:
    page = Page(finished.report)
    metas = {a.get("name"): a.get("content") for tag, a in page.tags if tag == "meta"}
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    assert metas["color-scheme"] == "light dark"
    assert all(a.get("alt") for tag, a in page.tags if tag == "img")


def test_only_the_pages_own_script_may_run(finished: RunFolder) -> None:
    page = Page(finished.report)
    policies = [a["content"] for _, a in page.tags if "http-equiv" in a]
    assert len(policies) == 1
    assert "default-src 'none'" in str(policies[0])
    assert re.search(r"script-src 'sha256-[\w+/]{43}='", str(policies[0]))


def test_an_empty_run(tmp_path: Path) -> None:
    page = report(make_run(tmp_path / "run"))
    assert "Nothing has been recorded" in page.text
    assert "gansmith train --resume" in page.text
    assert page.count("img") == 0
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["config.json", "report.html"]


def test_one_record_and_one_sample(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_records(run, count=1)
    add_sheets(run, steps=1)
    page = report(run)
    assert "not finished: the last record is of step 20" in page.text
    assert page.count("input") == 0  # nothing to slide


def test_damaged_records_are_left_out(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_records(run, count=5)
    odd = [
        '{"step": 120, "images": 7680, "seconds": NaN, "loss_d": NaN, "loss_g": Infinity}',
        '{"step": 140, "images": 8960, "seconds": 7, "loss_d": "high", "d_real": true, "score": 1e300}',
        '{"step": 160, "images": "many"}',
        '{"step": 160, "images": 1' + "0" * 400 + "}",
        '{"step": 180}',
        "\x00\xff garbage",
        "",
        '{"step": 200, "images": 12800, "seconds": 10, "loss_d": 0.',
    ]
    with run.metrics_file.open("a", encoding="utf-8") as file:
        file.write("\n".join(odd))
    page = report(run)
    assert "8,960" in page.text
    assert "nan" not in page.text.lower()


@pytest.mark.parametrize("content", [bytes(range(256)) * 4, b"[" * 100_000, b"", b"null\n[]\n3"])
def test_records_that_are_all_garbage(tmp_path: Path, content: bytes) -> None:
    run = make_run(tmp_path / "run")
    run.metrics_file.write_bytes(content)
    assert "Nothing has been recorded" in report(run).text


def test_a_record_with_nothing_but_a_score(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    run.append({"step": 20, "images": 1280, "seconds": 1.0, "score": 0.5})
    report(run)
    assert (run.path / "plots" / "score.png").exists()
    assert not (run.path / "plots" / "losses.png").exists()


def test_a_checkpoint_tells_what_metrics_do_not(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    spec = DataSpec(kind="pictures", shape=(3, 8, 8)).model_dump(mode="json")
    state = {"step": 40, "images": 2560, "seconds": 90.0, "spec": spec}
    checkpoint.save(run.checkpoints, checkpoint.Checkpoint(40, {}, state))
    (run.checkpoints / "step-000000060").mkdir()  # a folder without its state
    page = report(run)
    assert "colour pictures of 8×8" in page.text
    assert "1 min 30 s" in page.text


def test_a_model_older_than_the_last_record_is_not_the_end(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_records(run, count=5)
    add_model(run, DataSpec(kind="pictures", shape=(1, 8, 8)), 60)
    assert "not finished" in report(run).text


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"x" * 5000])
def test_damaged_samples_are_left_out(tmp_path: Path, content: bytes) -> None:
    run = make_run(tmp_path / "run")
    add_sheets(run, steps=3)
    (run.samples / "step-000000400.png").write_bytes(content)
    (run.samples / "step-000000600.png").mkdir()
    (run.samples / "step-x.png").write_bytes(b"")
    assert "After 12,800 images" in report(run).text
    (run.samples / "real.png").write_bytes(content)
    report(run)
    assert not (run.path / "real-and-generated.png").exists()


def test_what_is_no_longer_true_is_removed(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_sheets(run)
    report(run)
    shutil.rmtree(run.samples)
    report(run)
    assert not (run.path / "samples.gif").exists()
    assert not (run.path / "real-and-generated.png").exists()


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_points(tmp_path: Path, dimensions: int) -> None:
    run = make_run(tmp_path / "run", recipe="gan-1d", model="mlp", size=None, source="ring")
    add_points(run, dimensions=dimensions)
    page = report(run)
    assert "A generator of points, trained on ring" in page.text
    assert "64,000 points" in page.text
    assert page.count("source") == page.count("picture") == page.count("img")
    for name in ("samples.gif", "plots/points.png", "real-and-generated.png"):
        assert (run.path / name).exists()


def test_points_that_are_damaged_or_not_numbers(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", recipe="gan-1d", model="mlp", size=None)
    add_points(run, steps=1)
    run.write_samples("step-000000500", np.full((50, 2), np.nan, np.float32))
    run.write_samples("step-000001000", np.array([[np.inf, 0], [1, 1], [1, 1]], np.float32))
    run.write_samples("step-000001500", np.zeros((0, 2), np.float32))
    np.save(run.samples / "step-000002000.npy", np.array("text"))
    run.write_samples("step-000003000", np.zeros((50, 1), np.float32))  # of another kind
    (run.samples / "step-000002500.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{")
    assert "64,000 points" in report(run).text
    (run.samples / "real.npy").write_bytes(b"")
    report(run)


def test_names_can_not_become_markup(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run <b>'\"&", recipe="custom")
    config = Config(size="32").model_dump(mode="json") | {"source": EVIL, "recipe": EVIL}
    run.config_file.write_text(json.dumps(config), encoding="utf-8")
    try:
        run.read_config()
    except GansmithError:  # a half of a surrogate pair is refused already
        config = {k: v[:-1] if v == EVIL else v for k, v in config.items()}
        run.config_file.write_text(json.dumps(config), encoding="utf-8")
    add_records(run, count=2)
    add_sheets(run, steps=2)
    add_model(run, DataSpec(kind="pictures", shape=(1, 8, 8), classes=(EVIL[:-1], "<i>")), 40)
    run.log_file.write_text(EVIL[:-1] + "\x1b[31m\x00", encoding="utf-8")
    page = report(run)
    assert page.text.count("<script>alert(1)</script>") >= 4
    assert "${heading}" in page.text
    assert page.count("i") == page.count("b") == 0
    assert "\x1b" not in page.source


def test_very_long_names_and_logs(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", source="x" * 5000)
    run.log_file.write_text("line\n" * 200_000, encoding="utf-8")
    report(run)


def test_every_loss_has_its_own_words(tmp_path: Path) -> None:
    texts = set()
    for loss in get_args(Loss):
        run = make_run(tmp_path / loss, loss=loss)
        add_records(run, count=1)
        texts.add(sentences.caption("losses", read_story(run.path)))
    assert len(texts) == len(get_args(Loss))


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match=r"expected a run with a config\.json"):
        write_report(tmp_path)


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    add_records(run, count=1)
    (run.path / "plots").write_text("in the way")
    with pytest.raises(GansmithError, match="can't write the report"):
        write_report(run.path)

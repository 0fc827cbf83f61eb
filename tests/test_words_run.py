"""A whole run of words: trained, resumed, written with, made into data sets and read back."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.kill import differences
from PIL import Image

from gansmith.api import plan
from gansmith.data import Dataset, prepare
from gansmith.data.words import find_words, open_words
from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.loop import Session, TrainResult
from gansmith.run import RunFolder
from gansmith.scribe import PAGE, TOGETHER, Scribe, extent
from gansmith.synthetic.words import WORD_LAYOUTS, write_words
from gansmith.watch import Silent
from gansmith.writing import slerp, write_text
from tests.builders import word_dataset, words_config

SHORT = {"images": 4 * 12, "log_every": 3, "sample_every": 6, "checkpoint_every": 5, "samples": 12}


class Stopper(Silent):
    """A power cut after so many steps."""

    def __init__(self, step: int):
        self.step = step

    def tick(self, progress: object) -> None:
        if progress.step == self.step:  # type: ignore[attr-defined]
            raise KeyboardInterrupt


def train(path: Path, watcher: Silent | None = None, **changes: object) -> TrainResult:
    a_config = words_config(**{**SHORT, "reading_from": 50.0, "on_failure": "warn", **changes})
    return Session(word_dataset(80), a_config, RunFolder(path), watcher).train()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("words") / "run"
    train(path)
    return path


@pytest.fixture(scope="module")
def scribe(run: Path) -> Scribe:
    return Scribe(load(run, "cpu"))


def test_a_run_that_is_cut_off_ends_byte_identical(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(other, Stopper(8))
    train(other)
    assert differences(run, other) == []


def test_its_records_tell_how_well_it_is_read(run: Path) -> None:
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = [record for record in records if "loss_r" in record][-1]
    assert last["loss_r"] > 0
    assert last["loss_read"] > 0
    assert last["loss_style"] > 0


def test_a_recogniser_learns_the_bars(tmp_path: Path) -> None:
    """Two hundred steps on words a child can tell apart: the loss falls to a fraction."""
    changes = {"images": 4 * 200, "recogniser_filters": 8, "log_every": 50, "reading_from": 0.1}
    result = train(tmp_path / "run", recogniser_lr=3e-3, **changes)
    records = [json.loads(line) for line in (result.run / "metrics.jsonl").read_text().splitlines()]
    losses = [record["loss_r"] for record in records if "loss_r" in record]
    assert losses[-1] < 0.5 * losses[0]


def test_a_word_is_the_same_however_many_are_written(scribe: Scribe) -> None:
    few = list(scribe.stream(["abc", "dé", "a"], 5, seed=3))
    many = list(scribe.stream(["abc", "dé", "a"], PAGE + 5, seed=3))
    assert [w.text for w in few] == ["abc", "dé", "a", "abc", "dé"]
    for a, b in zip(few, many, strict=False):
        assert np.array_equal(a.image, b.image)
    later = list(scribe.stream(["abc", "dé", "a"], 7, seed=3, start=PAGE - 2))
    for a, b in zip(later, many[PAGE - 2 :], strict=True):
        assert a.text == b.text
        assert np.array_equal(a.image, b.image)
    others = list(scribe.stream(["abc", "dé", "a"], 5, seed=4))
    assert not all(np.array_equal(a.image, b.image) for a, b in zip(few, others, strict=True))


def test_words_are_given_in_the_order_in_which_they_were_asked_for(scribe: Scribe) -> None:
    texts = ["abcabc", "a", "dédéd", "abc"] * TOGETHER  # made by width, and more than one batch
    latents = torch.randn(len(texts), scribe.model.config.latent_size)
    together = scribe.words(texts, latents)
    assert [word.text for word in together] == texts
    for row in (0, 1, 2, 3, len(texts) - 1):
        (alone,) = scribe.words([texts[row]], latents[row : row + 1])
        assert together[row].image.shape == alone.image.shape
        assert np.abs(together[row].image.astype(int) - alone.image).max() <= 1  # of 255


def test_words_of_a_line_stand_on_one_base_line_at_one_size() -> None:
    assert extent("nous") == (1.0, 0.0)
    assert extent("belle") == (1.75, 0.0)
    assert extent("pomme") == (1.0, 0.6)
    assert extent("çà") == (1.75, 0.6)
    assert extent("reçu") == (1.0, 0.6)
    assert extent("1984") == (1.75, 0.0)


def test_what_was_not_learnt_is_named_or_replaced(scribe: Scribe) -> None:
    with pytest.raises(GansmithError, match=r"'x' \(LATIN SMALL LETTER X\), 'Ω'.*--replace"):
        scribe.check(["abxc Ω"])
    assert scribe.check(["abxc"], replace="") == ["abc"]
    assert scribe.check(["xâ"], replace="b") == ["ba"]  # without its accent, where that helps
    assert scribe.check(["e\u0301"]) == ["é"]
    with pytest.raises(GansmithError, match="at most 60 characters"):
        scribe.check(["a" * 61])
    with pytest.raises(GansmithError, match="'x'"):
        scribe.check(["y"], replace="x")


@pytest.mark.parametrize("options", [{}, {"styles": 3}, {"like": True}])
def test_a_text_is_written_to_a_picture(
    run: Path, tmp_path: Path, options: dict[str, object]
) -> None:
    if options.get("like"):
        example = tmp_path / "example.png"
        data = word_dataset(1)
        Image.fromarray(data.strip[torch.tensor([0])][0, 0].numpy()).save(example)
        options = {"like": [example]}
    write_text(run, "abc dé", tmp_path / "line.png", device="cpu", **options)  # type: ignore[arg-type]
    with Image.open(tmp_path / "line.png") as picture:
        assert picture.mode == "L"
        lines = 3 if "styles" in options else 1
        assert picture.width > picture.height / lines
    again = tmp_path / "again.png"
    write_text(run, "abc dé", again, device="cpu", **options)  # type: ignore[arg-type]
    assert again.read_bytes() == (tmp_path / "line.png").read_bytes()


def test_a_walk_is_a_film_that_ends_where_it_begins(run: Path, tmp_path: Path) -> None:
    write_text(run, "abc", tmp_path / "walk.gif", style_seed=1, to=2, device="cpu")
    with Image.open(tmp_path / "walk.gif") as film:
        assert film.n_frames > 20


def test_a_walk_stays_on_the_sphere() -> None:
    a, b = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    a, b = a / a.norm(), b / b.norm()
    for share in (0.0, 0.3, 1.0):
        assert slerp(a, b, share).norm() == pytest.approx(1, abs=1e-5)
    assert torch.allclose(slerp(a, b, 1.0), b, atol=1e-6)
    assert torch.allclose(slerp(a, a, 0.5), a, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"out": "line.jpg"}, "ending in .png"),
        ({"out": "line.png", "to": 3}, "ending in .gif"),
        ({"out": "line.png", "styles": 2, "like": [Path("x.png")]}, "not several"),
        ({"out": "line.png", "like": [Path("missing.png")]}, "there is no such picture"),
        ({"out": "line.png", "text": "  "}, "something to write"),
    ],
)
def test_what_can_not_be_written_is_said(
    run: Path, tmp_path: Path, options: dict[str, object], said: str
) -> None:
    out = tmp_path / str(options.pop("out"))
    text = str(options.pop("text", "abc"))
    with pytest.raises(GansmithError, match=said):
        write_text(run, text, out, device="cpu", **options)  # type: ignore[arg-type]
    assert not out.exists()


@pytest.mark.parametrize("layout", sorted(WORD_LAYOUTS))
def test_a_data_set_is_read_back_as_it_was_written(run: Path, tmp_path: Path, layout: str) -> None:
    """Each form by what reads it: our own sources for four, tarfile for WebDataset."""
    lexicon = tmp_path / "lexicon.txt"
    lexicon.write_text("abc\ndé\nxyz\nbad\n", encoding="utf-8")
    result = write_words(run, tmp_path / "out", lexicon=lexicon, n=7, layout=layout, device="cpu")
    assert (result.count, result.texts, result.left_out) == (7, 3, 1)
    expected = ["abc", "dé", "bad", "abc", "dé", "bad", "abc"]
    if layout == "webdataset":
        with tarfile.open(tmp_path / "out" / "train-000000.tar") as tar:
            texts = [tar.extractfile(m).read().decode() for m in tar if m.name.endswith(".txt")]
        assert texts == expected
        return
    place = tmp_path / "out"
    parquet = sorted(place.glob("data/*.parquet"))
    source = open_words(str(parquet[0] if parquet else place))
    items = list(source.read())
    assert sorted(item.text for item in items) == sorted(expected)
    data: Dataset = prepare(source, height=32, width=None, cache_dir=tmp_path / "cache")
    assert len(data) == 7
    assert (
        data.values.min() < 192 < data.values.float().mean()
    )  # dark on white, and some of it dark


@pytest.mark.parametrize("layout", ["imagefolder", "parquet", "webdataset"])
def test_hugging_face_loads_a_data_set(
    run: Path, tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    (tmp_path / "lexicon.txt").write_text("abc\ndé\n", encoding="utf-8")
    write_words(
        run, tmp_path / "out", lexicon=tmp_path / "lexicon.txt", layout=layout, device="cpu"
    )
    rows = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))["train"]
    image, text = ("png", "txt") if layout == "webdataset" else ("image", "text")
    assert rows[text] == ["abc", "dé"]
    # TrOCR's processor takes colour alone.
    found = rows.cast_column(image, datasets.Image(mode="RGB"))[0][image]
    assert (found.mode, found.height) == ("RGB", 32)


def test_webdataset_loads_a_data_set(run: Path, tmp_path: Path) -> None:
    stages = pytest.importorskip("webdataset.tariterators")  # a whole one leaves its file open
    (tmp_path / "lexicon.txt").write_text("abc\ndé\n", encoding="utf-8")
    write_words(
        run, tmp_path / "out", lexicon=tmp_path / "lexicon.txt", layout="webdataset", device="cpu"
    )
    with (tmp_path / "out" / "train-000000.tar").open("rb") as file:
        opened = [{"url": "train-000000.tar", "stream": file}]
        samples = list(stages.group_by_keys(stages.tar_file_expander(opened)))
    assert [sample["txt"].decode() for sample in samples] == ["abc", "dé"]
    assert all(Image.open(io.BytesIO(sample["png"])).height == 32 for sample in samples)


def test_pylaia_is_given_a_symbol_for_the_space_though_there_is_none(
    run: Path, tmp_path: Path
) -> None:
    """Its trainer refuses to begin where its table of symbols has none."""
    (tmp_path / "lexicon.txt").write_text("ba\n")
    write_words(
        run, tmp_path / "out", lexicon=tmp_path / "lexicon.txt", layout="pylaia", device="cpu"
    )
    symbols = (tmp_path / "out" / "syms.txt").read_text().splitlines()
    assert symbols == ["<ctc> 0", "<space> 1", "a 2", "b 3"]


def test_a_data_set_says_what_it_is_and_is_made_again(run: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("abc dé abc\nbad", encoding="utf-8")
    for name in ("a", "b"):
        write_words(run, tmp_path / name, corpus=corpus, layout="pairs", device="cpu")
    first, second = (
        {
            p.relative_to(tmp_path / n).as_posix(): p.read_bytes()
            for p in (tmp_path / n).rglob("*.*")
            if p.is_file()
        }
        for n in ("a", "b")
    )
    assert first == second
    head = json.loads(first["manifest.json"])
    assert head["words"] == {"texts": 4, "different": 3, "left_out": 0, "from": "corpus.txt"}
    assert head["synthetic"] is True
    assert "train/000003.gt.txt" in head["files"]
    assert "image-to-text" in first["README.md"].decode()
    assert find_words(str(tmp_path / "a")) is not None


def test_a_data_set_needs_texts_that_can_be_written(run: Path, tmp_path: Path) -> None:
    (tmp_path / "lexicon.txt").write_text("xyz\n")
    with pytest.raises(GansmithError, match="none can be written"):
        write_words(run, tmp_path / "out", lexicon=tmp_path / "lexicon.txt", device="cpu")
    for endless in (Path("/dev/zero"), tmp_path):
        with pytest.raises(GansmithError, match="not a regular file"):
            write_words(run, tmp_path / "out", lexicon=endless, device="cpu")
    with pytest.raises(GansmithError, match="--lexicon FILE or --from-corpus FILE"):
        write_words(run, tmp_path / "out", device="cpu")
    with pytest.raises(GansmithError, match="imagefolder, parquet, pairs"):
        write_words(run, tmp_path / "out", layout="folder", device="cpu")
    assert not (tmp_path / "out").exists()


def test_the_recogniser_and_the_texts_of_a_run_stay_when_it_goes_on(
    run: Path, tmp_path: Path
) -> None:
    for setting in ({"recogniser_filters": 8}, {"recombined": 0.1}):
        with pytest.raises(GansmithError, match=f"{next(iter(setting))} was .* can't go on"):
            plan(None, out=run, resume=True, settings=setting)

"""Other trainers' logs, in the forms that they really have."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from tensorboardX import SummaryWriter
from tensorboardX.proto.event_pb2 import Event

from gansmith.errors import GansmithError
from gansmith.logs import MOST, read_log
from gansmith.logs.events import scalar_of

# As printed by PyTorch's DCGAN example, and as in the book and two well-read repositories.
PYTORCH = "[{e}/5][{i}/1583]\tLoss_D: {d:.4f}\tLoss_G: {g:.4f}\tD(x): 0.5343\tD(G(z)): 0.57 / 0.013"
PRINTED = {
    "pytorch": PYTORCH,
    "older": "[{e}/25][{i}/391] Loss_D: {d:.4f} Loss_G: {g:.4f} D(x): 0.6 D(G(z)): 0.57 / 0.01",
    "book": ">{e}, {i}/390, d={d:.3f}, g={g:.3f}",
    "batches": "[Epoch {e}/200] [Batch {i}/938] [D loss: {d:f}] [G loss: {g:f}]",
    "keras": "{i}/938 [====>.] - ETA: 2s - d_loss: {d:.4f} - g_loss: {g:.4f}",
    "numbered": "Epoch {e} D_loss: {d:.4f} G_loss: {g:.4f}",
    "logged": "12:30:45,123 INFO root Loss_D: {d:.4f} Loss_G: {g:.4f}",
    "timed": "time: 3.2s loss_d: {d:.4f} loss_g: {g:.4f}",
    "means": "(avg D loss = {d:f}) (avg G loss = {g:f})",
    "lines": "Discriminator Loss: {d:.4f}\n  took: 3\nGenerator Loss: {g:.4f}",
    "parts": "real D loss: 3.0, best G loss: 0.1, D loss: {d:.4f}, G loss: {g:.4f}",
    "dict": "{{'epoch': {e}, 'loss_d': {d:.6f}, 'loss_g': {g:.6f}}}",
}


@pytest.mark.parametrize("form", PRINTED)
def test_printed_lines_of_many_kinds(tmp_path: Path, form: str) -> None:
    lines = [
        PRINTED[form].format(e=i // 10, i=i % 10, d=0.5 + 0.01 * i, g=2 + 0.01 * i)
        for i in range(30)
    ]
    path = tmp_path / "train.log"
    path.write_text("Starting Training Loop...\n" + "\n".join(lines) + "\ndone\n")
    found = read_log([path])
    assert [r["loss_d"] for r in found] == pytest.approx([0.5 + 0.01 * i for i in range(30)])
    assert [r["loss_g"] for r in found] == pytest.approx([2 + 0.01 * i for i in range(30)])
    assert [r["step"] for r in found] == list(range(1, 31))
    if form == "pytorch":
        assert (found[0]["d_real"], found[0]["d_fake"]) == (0.5343, 0.57)


def test_thousands_in_printed_lines(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("Loss_D: 1,234.5 Loss_G: -2,345,678\n")
    assert read_log([path])[0] == {
        **{"step": 1, "loss_d": 1234.5, "loss_g": -2345678.0},
        "lowest": -2345678.0,
    }


ONE_LOSS: dict[str, tuple[bytes, str]] = {
    "one.csv": (b"step,d_loss\n1,0.1\n2,0.1", "none of the generator among 'step', 'd_loss'"),
    "chance.log": (b"\x01\xffD=7\x00", "none of the generator"),
    "empty.csv": (b"d_loss,g_loss\n,0.1\n,0.2", "none of the discriminator"),
    "apart.csv": (b"d_loss,g_loss,D(x)\n,0.1,1\n,,1\n,,1\n0.2,,", "side by side"),
}


@pytest.mark.parametrize("name", ONE_LOSS)
def test_one_loss_alone_is_refused_in_words(tmp_path: Path, name: str) -> None:
    content, words = ONE_LOSS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(GansmithError, match=re.escape(words)):
        read_log([tmp_path / name])


def test_given_names_must_occur_and_differ(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("d_loss,g_loss\n0.5,1.5\n")
    with pytest.raises(GansmithError, match=r"'Dloss', found 'd_loss', 'g_loss'; correct --d-loss"):
        read_log([path], {"loss_d": "Dloss"})
    with pytest.raises(GansmithError, match="two names"):
        read_log([path], {"loss_d": "d_loss", "loss_g": "d_loss"})


def test_given_names_of_several_words_in_printed_lines(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text("[1/9] Epoch 3 D cost (mean): 0.5, train G cost (mean): 1.5\n")
    found = read_log([path], {"loss_d": "D cost (mean)", "loss_g": "G cost (mean)"})
    assert found == [{"step": 1, "loss_d": 0.5, "loss_g": 1.5}]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["train.csv", "train.log"])
def test_marks_of_an_encoding_are_no_part_of_names(
    tmp_path: Path, encoding: str, name: str
) -> None:
    path = tmp_path / name
    text = "red,blue\n0.5,1.5\n" if name == "train.csv" else "red: 0.5, blue: 1.5\n"
    path.write_text(text, encoding=encoding)
    found = read_log([path], {"loss_d": "red", "loss_g": "blue"})
    assert found == [{"step": 1, "loss_d": 0.5, "loss_g": 1.5}]


def test_the_lowest_of_losses_that_may_be_negative_outlives_the_means(tmp_path: Path) -> None:
    losses = np.array([[1.0, 2.0]] * 1000)
    np.save(tmp_path / "cost.npy", losses)
    losses[7, 1] = -0.5
    np.save(tmp_path / "signed.npy", losses)
    assert not any("lowest" in record for record in read_log([tmp_path / "cost.npy"]))
    assert {record["lowest"] for record in read_log([tmp_path / "signed.npy"])} == {-0.5}


HARD_LINES = [
    "a" * 500 + " " * 500,
    "a b" * 100 + " " * 700,
    "a b" * 100 + " " * 600 + "x",
    ":" * 1000,
    "a:" + " " * 990 + "x",
    "(" * 500 + "'" * 500,
]


@pytest.mark.parametrize("line", HARD_LINES, ids=range(len(HARD_LINES)))
def test_no_line_takes_long(tmp_path: Path, line: str) -> None:
    path = tmp_path / "hard.log"
    path.write_text(f"{line}\n" * 100 + "loss_d: 1, loss_g: 2\n")
    begin = time.process_time()
    assert len(read_log([path])) == 1
    assert time.process_time() - begin < 1


def test_losses_in_parts_and_accuracies_in_percent(tmp_path: Path) -> None:
    path = tmp_path / "book.log"
    path.write_text(
        ">1, dr=0.4, df=0.3, g=0.9, a1=78, a2=99\n>2, dr=nan, df=0.3, g=0.9, a1=1, a2=9"
    )
    first, second = read_log([path])
    assert first["loss_d"] == pytest.approx(0.7)
    assert (first["right_real"], first["right_fake"]) == (0.78, 0.99)
    assert math.isnan(second["loss_d"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_with_steps(tmp_path: Path, delimiter: str) -> None:
    rows = [["Step", "D_loss", "G_loss", "note"], ["10", "0.5", "1.5", "a"], ["20", "0.4", "2", ""]]
    path = tmp_path / "losses.csv"
    path.write_text("\n".join(delimiter.join(row) for row in rows))
    assert read_log([path]) == [
        {"step": 10, "loss_d": 0.5, "loss_g": 1.5},
        {"step": 20, "loss_d": 0.4, "loss_g": 2.0},
    ]


def test_names_that_can_not_be_guessed_are_given(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("red,blue\n0.5,1.5\n")
    with pytest.raises(GansmithError, match="--d-loss"):
        read_log([path])
    found = read_log([path], {"loss_d": "red", "loss_g": "blue"})
    assert found == [{"step": 1, "loss_d": 0.5, "loss_g": 1.5}]


def test_event_files(tmp_path: Path) -> None:
    board = SummaryWriter(str(tmp_path / "runs"))
    for step in range(0, 50, 10):
        board.add_scalar("Loss/D", 0.5 + step, step)
        board.add_scalar("Loss/G", 1.5 + step, step)
        board.add_scalar("learning_rate", 0.1, step)
    board.close()
    found = read_log([tmp_path / "runs"])
    assert [r["step"] for r in found] == [0, 10, 20, 30, 40]
    assert [r["loss_d"] for r in found] == [0.5, 10.5, 20.5, 30.5, 40.5]
    event = next((tmp_path / "runs").iterdir())
    event.write_bytes(event.read_bytes()[:-7])  # as of a trainer that was killed
    assert read_log([event])[:4] == found[:4]


def events(path: Path, *events: Event) -> Path:
    """An event file as TensorFlow frames it; its checksums are not looked at."""
    contents = [event.SerializeToString() for event in events]
    path.write_bytes(
        b"".join(len(c).to_bytes(8, "little") + bytes(4) + c + bytes(4) for c in contents)
    )
    return path


@pytest.mark.parametrize(("number", "dtype"), [(1, "<f4"), (2, "<f8"), (9, "<i8"), (19, "<f2")])
@pytest.mark.parametrize("packed", [True, False])
def test_event_files_of_keras(tmp_path: Path, number: int, dtype: str, packed: bool) -> None:
    told = [Event(step=step) for step in range(1, 4)]
    for event in told:
        for tag, loss in (("d_loss", event.step), ("g_loss", 2 * event.step)):
            value = event.summary.value.add(tag=tag)
            value.tensor.dtype = number
            if packed or number == 19:
                value.tensor.tensor_content = np.array(loss, dtype).tobytes()
            else:
                kind = {1: "float_val", 2: "double_val", 9: "int64_val"}[number]
                getattr(value.tensor, kind).append(loss)
    found = read_log([events(tmp_path / "events.out.tfevents.1", *told)])
    assert found == [{"step": n, "loss_d": float(n), "loss_g": 2.0 * n} for n in (1, 2, 3)]


def test_what_is_no_number_in_event_files_is_left_out(tmp_path: Path) -> None:
    board = SummaryWriter(str(tmp_path))
    board.add_scalar("loss_d", 0.5, 1)
    board.add_scalar("loss_g", 1.5, 1)
    board.add_histogram("generator", np.arange(9), 2)
    board.add_image("D", np.zeros((3, 8, 8), np.uint8), 2)
    board.add_text("discriminator", "words", 2)
    board.close()
    assert read_log([tmp_path]) == [{"step": 1, "loss_d": 0.5, "loss_g": 1.5}]
    many = Event(step=1).summary.value.add(tag="D")
    many.tensor.dtype, many.tensor.tensor_content = 1, bytes(12)
    assert scalar_of(many) is None


def write_losses(folder: Path, **losses: float) -> None:
    board = SummaryWriter(str(folder))
    for tag, loss in losses.items():
        board.add_scalar(tag, loss, 1)
    board.close()


def test_several_runs_below_a_folder_are_refused(tmp_path: Path) -> None:
    for name in "ab":
        write_losses(tmp_path / name, loss_d=0.5, loss_g=1.5)
    with pytest.raises(GansmithError, match=r"those of several, such as .*/a and .*/b; give one"):
        read_log([tmp_path])
    assert read_log([tmp_path / "a"]) == [{"step": 1, "loss_d": 0.5, "loss_g": 1.5}]


FOLDERS = {  # as torch's and tensorboardX' SummaryWriter.add_scalars lay them out
    "torch": {"loss_D": {"loss": 0.5}, "loss_G": {"loss": 1.5}},
    "tensorboardX": {"loss/D": {"loss": 0.5}, "loss/G": {"loss": 1.5}},
    "a tag each": {"d_loss_train": {"d_loss": 0.5}, "g_loss_train": {"g_loss": 1.5}},
    "parts": {
        "D_loss_real": {"D_loss": 0.2},
        "D_loss_fake": {"D_loss": 0.3},
        "loss_G": {"loss": 1.5},
    },
}


@pytest.mark.parametrize("layout", FOLDERS)
def test_a_run_with_a_folder_for_each_scalar(tmp_path: Path, layout: str) -> None:
    write_losses(tmp_path, lr=0.1)
    for folder, losses in FOLDERS[layout].items():
        write_losses(tmp_path / folder, **losses)
    (record,) = read_log([tmp_path])
    assert (record["loss_d"], record["loss_g"]) == pytest.approx((0.5, 1.5))


def steps_of(path: Path, steps: Iterable[object]) -> tuple[list[float], list[str]]:
    """The steps that are read from a table with `steps`, and what is remarked."""
    path.write_text("step,d_loss,g_loss\n" + "".join(f"{step},1,1\n" for step in steps))
    said: list[str] = []
    return [record["step"] for record in read_log([path], remark=said.append)], said


def test_steps_that_a_resumed_run_told_again_are_left_out(tmp_path: Path) -> None:
    found, said = steps_of(tmp_path / "a.csv", [*range(100, 1100, 100), *range(800, 1300, 100)])
    assert found == list(range(100, 1300, 100))
    assert said == ["3 rows of the log are left out: their steps are told again, or are none"]
    found, said = steps_of(tmp_path / "b.csv", [*range(100), *range(100)])  # steps of an epoch
    assert found == list(range(1, 201))
    assert said == ["steps in the log don't rise, so its rows are numbered instead"]
    assert steps_of(tmp_path / "c.csv", range(5, 50, 5)) == (list(range(5, 50, 5)), [])


@pytest.mark.parametrize("strange", ["inf", "nan", "1e400", "1e30", "-inf", ""])
def test_a_step_that_is_none_is_left_out(tmp_path: Path, strange: str) -> None:
    assert steps_of(tmp_path / "many.csv", [10, 20, strange, 30])[0] == [10, 20, 30]
    assert steps_of(tmp_path / "one.csv", [strange])[0] == [1]
    (tmp_path / "one.log").write_text(f"step: {strange} d_loss: 1 g_loss: 1")
    assert read_log([tmp_path / "one.log"])[0]["step"] == 1


def array_header(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(64)


BROKEN_ARRAYS = {
    "zip": b"PK\x03\x04" + bytes(100),
    "large": array_header("{'descr':'<f8','fortran_order':False,'shape':(10000000000000,2)}\n"),
    "larger": array_header(f"{{'descr':'<f8','fortran_order':False,'shape':({10**23},2)}}\n"),
    "unbalanced": array_header("{'descr':'<f8','fortran_order':False,'shape':(((\n"),
}


@pytest.mark.parametrize("name", BROKEN_ARRAYS)
def test_a_broken_array_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / "broken.npy"
    path.write_bytes(BROKEN_ARRAYS[name])
    with pytest.raises(GansmithError, match=r"broken\.npy: expected an array of numbers") as caught:
        read_log([path])
    assert "\n" not in str(caught.value)


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text('d_loss,g_loss\n1,"' + "x" * 200_000 + '"\n')
    with pytest.raises(GansmithError, match=r"wide\.csv: expected a CSV file"):
        read_log([path])


def test_arrays_in_either_order_and_as_columns(tmp_path: Path) -> None:
    d, g = tmp_path / "d_loss.npy", tmp_path / "g_loss.npy"
    np.save(d, np.array([0.5, 0.6]))
    np.save(g, np.array([1.5, 1.6], dtype=np.float32))
    expected = read_log([d, g])
    assert [r["loss_d"] for r in expected] == [0.5, 0.6]
    assert read_log([g, d]) == expected
    for name in ("D_losses", "G_losses"):
        np.save(tmp_path / name, np.load(d if name == "D_losses" else g))
    assert read_log([tmp_path / "G_losses.npy", tmp_path / "D_losses.npy"]) == expected
    both = tmp_path / "both.npy"
    np.save(both, np.array([[0.5, 1.5], [0.6, 1.6], [0.7, 1.7]]))
    assert [r["loss_g"] for r in read_log([both])] == [1.5, 1.6, 1.7]


def test_a_long_log_is_averaged_with_its_deviations(tmp_path: Path) -> None:
    d = np.tile([0.0, 1.0], 30_000)
    for name in ("d_loss", "g_loss"):
        np.save(tmp_path / f"{name}.npy", d)
    found = read_log([tmp_path / "d_loss.npy", tmp_path / "g_loss.npy"])
    assert len(found) == MOST
    assert found[7]["loss_d"] == pytest.approx(0.5)
    assert found[7]["loss_d_sd"] == pytest.approx(0.5)
    assert found[-1]["step"] == 60_000


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("exploded"),))


HOSTILE: dict[str, bytes] = {
    "empty.csv": b"",
    "empty.log": b"",
    "noise.log": bytes(range(256)) * 50,
    "noise.npy": b"\x93NUMPY" + bytes(100),
    "events.out.tfevents.1": b"\xff" * 100,
    "events.out.tfevents.2": (5).to_bytes(8, "little")
    + bytes(4)
    + b"\xff\xff\xff\xff\xff"
    + bytes(4),
    "nul.csv": b"d_loss,g_loss\n\x00,\x00\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_log_is_refused_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(HOSTILE[name])
    with pytest.raises(GansmithError):
        read_log([tmp_path / name])


def test_objects_in_arrays_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "bomb.npy", np.array([[Bomb(), Bomb()]], dtype=object), allow_pickle=True)
    with pytest.raises(GansmithError, match="array of numbers"):
        read_log([tmp_path / "bomb.npy"])
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("count", [0, 3])
def test_the_number_of_paths_matters(tmp_path: Path, count: int) -> None:
    for i in range(3):
        (tmp_path / f"{i}.log").write_text("x")
    with pytest.raises(GansmithError):
        read_log([tmp_path / f"{i}.log" for i in range(count)] or [tmp_path / "missing.csv"])


def test_arrays_must_match(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    np.save(tmp_path / "b.npy", np.zeros(4))
    with pytest.raises(GansmithError, match="found 3 and 4"):
        read_log([tmp_path / "a.npy", tmp_path / "b.npy"])
    with pytest.raises(GansmithError, match="two columns"):
        read_log([tmp_path / "a.npy"])

"""The live display and its plain stand-in."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from gansmith import progress as module
from gansmith.progress import ProgressDisplay, clock, counting, fit, plain_line
from gansmith.watch import Progress

FIGURES = {"loss_d": 0.98, "loss_g": 1.32, "d_real": 0.63, "d_fake": 0.37, "score": 0.0312}
USUAL = Progress(12_345, 790_080, 83.2, 0.435, 1234.5, 107.9, FIGURES)
HUGE = Progress(
    123_456_789,
    7_900_801_234,
    8e5,
    0.999999,
    123_456.5,
    1e7,
    {k: -1e4 * v for k, v in FIGURES.items()},
)
ODD = Progress(0, 0, 0.0, float("nan"), float("inf"), None, {"loss_d": float("nan")})
CONTROLS = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]")


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, _environ={"TERM": "xterm"})


def pipe() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, _environ={})


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def lines(console: Console) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", CONTROLS.sub("", written(console))) if line]


def run(console: Console, *shown: Progress) -> list[str]:
    with ProgressDisplay(console) as display:
        for progress in shown:
            display.tick(progress)
    return lines(console)


def test_a_terminal_shows_all_that_matters_on_two_lines() -> None:
    bar, figures = run(terminal(), USUAL)[-2:]
    assert bar.startswith("━")
    for part in ("43%", "1:48 left", "step 12,345", "790k images", "1,234/s"):
        assert part in bar
    assert figures == "loss D 0.98  G 1.32  D(x) 0.63  D(G(z)) 0.37  score 0.0312"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("progress", [USUAL, HUGE, ODD])
def test_nothing_wraps(progress: Progress, width: int) -> None:
    assert max(map(len, run(terminal(width), progress))) <= width


def test_a_terminal_is_left_as_it_was() -> None:
    console = terminal()
    display = ProgressDisplay(console)
    display.tick(USUAL)
    with pytest.raises(KeyboardInterrupt), display:
        raise KeyboardInterrupt
    assert written(console).count("\x1b[?25l") == written(console).count("\x1b[?25h") == 1


def test_what_is_said_stays_above_and_is_taken_literally() -> None:
    console = terminal()
    with ProgressDisplay(console) as display:
        display.tick(USUAL)
        display.say("[red]skipped[/red] a\x1b[2Jb :smile: \udcff.png")
    assert "[red]skipped[/red] a?[2Jb :smile: ?.png" in lines(console)
    assert "\x1b[2J" not in written(console)


def test_a_pipe_gets_a_line_every_ten_seconds_and_one_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    console = pipe()
    with ProgressDisplay(console) as display:
        for step in range(250):  # 25 seconds
            now[0] = step / 10
            display.tick(Progress(step, step, now[0], step / 250, 10.0, None))
    assert [line.split()[0] for line in lines(console)] == ["40%", "80%", "99%"]
    assert "\x1b" not in written(console)


def test_a_pipe_is_not_told_the_same_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 0.0)
    assert len(run(pipe(), USUAL)) == 1


def test_nothing_is_printed_where_nothing_happened() -> None:
    assert run(pipe()) == []


def test_a_stream_that_knows_only_ascii() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=stream, force_terminal=True, width=80, _environ={"TERM": "xterm"})
    with ProgressDisplay(console) as display:
        display.say("8×8 → 32×32")
        display.tick(USUAL)
    stream.flush()
    assert b"8?8 ? 32?32" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_a_plain_line_names_the_most_important_first() -> None:
    assert (
        plain_line(USUAL)
        == " 43%  1:48 left  step 12,345  790k images  1,234/s  loss D 0.98  G 1.32"
    )
    assert plain_line(USUAL, 200).endswith("D(G(z)) 0.37  score 0.0312")


@pytest.mark.parametrize(
    ("severity", "colour"), [(0, "\x1b[32m"), (1, "\x1b[33m"), (2, "\x1b[1;31m")]
)
def test_the_verdict_comes_first_and_in_its_colour(severity: int, colour: str) -> None:
    judged = replace(USUAL, health="mode collapse", severity=severity)
    console = terminal()
    assert run(console, judged)[-1].startswith("mode collapse  loss D 0.98  G 1.32")
    assert f"{colour}mode collapse" in written(console)
    assert "  mode collapse  loss D" in plain_line(judged, 200)


def test_a_hundred_per_cent_means_done() -> None:
    assert plain_line(HUGE).startswith(" 99%")
    done = Progress(10, 10, 75.0, 1.0, 1.0, 0.0)
    assert plain_line(done).startswith("100%  1:15  step 10")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00"),
        (75, "1:15"),
        (4000, "1:06:40"),
        (1e6, "11 days"),
        (None, "-:--"),
        (1e999, "-:--"),
    ],
)
def test_clock(seconds: float | None, shown: str) -> None:
    assert clock(seconds) == shown


def test_fit_leaves_out_from_the_end() -> None:
    assert fit(["aa", "bb", "cc"], 6) == "aa  bb"
    assert fit(["aa"], 1) == ""


@pytest.mark.parametrize("width", [30, 80])
def test_counting_in_a_terminal_vanishes(width: int) -> None:
    console = terminal(width)
    with counting(console, "reading pictures") as update:
        for done in (0, 30_000, 60_000):
            update(done, 60_000)
    assert max(map(len, lines(console))) <= width
    assert "60,000 of 60,000" in lines(console)[-1]
    assert written(console).endswith("\x1b[2K")


def test_counting_without_a_total() -> None:
    console = terminal()
    with counting(console, "reading") as update:
        update(1234, 0)
    assert lines(console)[-1] == "reading  1,234"


def test_counting_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    console = pipe()
    with counting(console, "reading") as update:
        for done in range(25):
            now[0] = float(done)
            update(done, 25)
    assert lines(console) == ["reading: 10 of 25", "reading: 20 of 25"]

"""Signals, sent for real to this process."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from gansmith.signals import Stop, Stopped

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_unguarded_a_signal_ends_at_once_with_the_usual_status(number: int, status: int) -> None:
    with pytest.raises(Stopped) as stopped, Stop():
        os.kill(os.getpid(), number)
    assert stopped.value.code == status


def test_guarded_a_signal_is_only_noted() -> None:
    with Stop() as stop:
        stop.guarded = True
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.number == signal.SIGTERM


def test_a_second_ctrl_c_ends_at_once_even_when_guarded() -> None:
    with Stop() as stop:
        stop.guarded = True
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGINT)


def test_what_was_there_before_is_there_again_also_when_nested() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Stop() as outer:
        with Stop() as inner:
            inner.guarded = True
            os.kill(os.getpid(), signal.SIGTERM)
        assert (outer.number, inner.number) == (None, signal.SIGTERM)
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_outside_the_main_thread_nothing_is_done() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def elsewhere() -> None:
        with Stop():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]

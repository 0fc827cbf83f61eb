"""Being told to stop: note it, finish the step, save, and leave with the usual status."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130}


class Stopped(SystemExit):
    """The run was told to stop, saved, and ends with the signal's usual exit status."""

    def __init__(self, number: int):
        super().__init__(STATUS[signal.Signals(number)])
        self.signal = signal.Signals(number)


class Stop:
    """A context in which SIGTERM and Ctrl-C only raise a flag while `guarded`, else end at once.

    A second Ctrl-C always ends at once, unless `patient`: torchrun passes on the one that its
    processes have got already. Outside the main thread signals can't be caught and
    nothing is done.
    """

    def __init__(self, patient: bool = False) -> None:
        self.patient = patient
        self.number: int | None = None
        self.guarded = False

    def __enter__(self) -> Stop:
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in STATUS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        again = self.number == signal.SIGINT == number and not self.patient
        self.number = number
        if again or not self.guarded:
            raise Stopped(number)

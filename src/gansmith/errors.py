"""The one error a person meets: a clear sentence, never a traceback."""

from __future__ import annotations


class GansmithError(Exception):
    """Something the person can mend.

    The message says what was expected, what was found and what to do. The command line prints it
    and exits with status 2.
    """


class Lost(GansmithError):
    """Another process of the run is gone: nothing that anybody has to mend, and no reason to end."""

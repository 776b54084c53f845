"""The end of all processes in some sessions; run as a program, when what watches over them is gone.

As a program it reads the sessions' numbers from its standard input, one a line. After an empty
line, or when all who could write there are gone, however they ended, it kills what is left in
those sessions. It imports nothing that takes time: it is there before what it watches over.
"""

import contextlib
import os
import signal
import sys
import time
from itertools import takewhile
from typing import Iterator, Set

NO_MORE = b"\n"  # sessions
_PAUSE = 0.02  # seconds between looking for processes that are left


def send(number: int, sessions: Set[int]) -> bool:
    """Send a signal, or 0, to all processes of some sessions; say whether one was there."""
    sent = False
    for process in _running(sessions):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)
            sent = True
    return sent


def end(sessions: Set[int], grace: float) -> None:
    """Ask all processes of some sessions to end, and kill those left after `grace` seconds."""
    send(signal.SIGTERM, sessions)
    last = time.monotonic() + grace
    while send(0, sessions) and time.monotonic() < last:
        time.sleep(_PAUSE)
    kill(sessions)


def kill(sessions: Set[int]) -> None:
    """Kill the processes of some sessions until none is left, as one may start another."""
    while send(signal.SIGKILL, sessions):
        time.sleep(_PAUSE)


def _running(sessions: Set[int]) -> Iterator[int]:
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            with open(f"/proc/{name}/stat", "rb") as file:
                after_command = file.read().rpartition(b")")[2]
            state, _parent, _group, session = after_command.split()[:4]
            if int(session) in sessions and state not in b"ZX":  # which have ended
                yield int(name)


if __name__ == "__main__":
    kill({int(line) for line in takewhile(str.strip, sys.stdin)})

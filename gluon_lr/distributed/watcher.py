"""Functions that end all processes of some sessions, and a program for when the caller is gone.

As a program it reads the sessions' numbers from its standard input, one per line. After an empty
line, or when all writers of that pipe have ended in any way, it kills the processes left in those
sessions. It has only fast imports, so that it runs before the processes that it watches.
"""

import contextlib
import os
import signal
import sys
import time
from itertools import takewhile
from typing import Iterator, Set

NO_MORE = b"\n"  # sessions
_PAUSE = 0.02  # seconds between checks for processes that are left


def send(number: int, sessions: Set[int]) -> bool:
    """Send a signal, or 0, to all processes of some sessions; return whether there was one."""
    sent = False
    for process in _running(sessions):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)
            sent = True
    return sent


def end(sessions: Set[int], grace: float) -> None:
    """Send SIGTERM to all processes of some sessions, and kill those left after `grace` seconds."""
    send(signal.SIGTERM, sessions)
    last = time.monotonic() + grace
    while send(0, sessions) and time.monotonic() < last:
        time.sleep(_PAUSE)
    kill(sessions)


def kill(sessions: Set[int]) -> None:
    """Kill the processes of some sessions until none is left, since they may start others."""
    while send(signal.SIGKILL, sessions):
        time.sleep(_PAUSE)


def _running(sessions: Set[int]) -> Iterator[int]:
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            with open(f"/proc/{name}/stat", "rb") as file:
                after_command = file.read().rpartition(b")")[2]
            state, _parent, _group, session = after_command.split()[:4]
            if int(session) in sessions and state not in b"ZX":  # these have ended
                yield int(name)


if __name__ == "__main__":
    kill({int(line) for line in takewhile(str.strip, sys.stdin)})

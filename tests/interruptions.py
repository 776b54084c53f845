"""Ctrl-C at a chosen place of what a test runs, as a bare exception or as the signal."""

import os
import signal
import sys

import gluon_lr

OURS = os.path.dirname(gluon_lr.__file__)


def raised():
    raise KeyboardInterrupt


def pressed():
    signal.raise_signal(signal.SIGINT)


class Interrupted:
    """Run `action`, and interrupt it at one of its calls and lines, of this package's code.

    Parameters
    ----------
    start : str
        The function from whose call on they are counted.
    nth : int
        Which of its calls that is.
    until_it_returns : bool
        Whether they are counted up to there alone.
    """

    def __init__(self, action, start, nth=1, until_it_returns=False):
        self._action, self._start, self._nth = action, start, nth
        self._until_it_returns = until_it_returns

    def places(self):
        """Return the number of each place that is passed, the last time that it is."""
        passed = []
        self._run(lambda frame, event: passed.append((frame.f_code, frame.f_lineno, event)))
        return sorted({place: number for number, place in enumerate(passed)}.values())

    def at(self, number, interrupt):
        """Say whether the KeyboardInterrupt came out."""
        left = number

        def count(frame, event):
            nonlocal left
            if left <= 0 and not is_deleting(frame):
                sys.settrace(None)
                interrupt()
            left -= 1

        try:
            self._run(count)
        except KeyboardInterrupt:
            return True
        return False

    def _run(self, use):
        calls, within = 0, None

        def trace(frame, event, argument):
            nonlocal calls, within
            if not is_ours(frame):
                return None
            if event == "call" and frame.f_code.co_name == self._start:
                calls += 1
                within = frame if calls == self._nth else within
            if within is None:
                return trace
            if event in ("call", "line"):
                use(frame, event)
            elif event == "return" and frame is within and self._until_it_returns:
                sys.settrace(None)
            return trace

        sys.settrace(trace)
        try:
            self._action()
        finally:
            sys.settrace(None)


def is_ours(frame):
    path = frame.f_code.co_filename
    return path.startswith(OURS) or os.path.basename(path) == "contextlib.py"


def is_deleting(frame):
    """Say whether Python drops what is raised in `frame`."""
    while frame:
        if frame.f_code.co_name in ("__del__", "updater_handle"):
            return True
        frame = frame.f_back
    return False

"""Lets Ctrl-C finish a fit early, at the end of its curves."""

import signal
from typing import Any, ContextManager, Optional

from ... import _check
from ...events import Callback
from .signals import Hearing, check_thread


class FinishOnInterrupt(Callback):
    """Finish the fit in `iterations` more updates at Ctrl-C or a notebook's stop button.

    It calls ``learner.finish(iterations)``. If the planned end is nearer, the fit ends there. A
    second Ctrl-C interrupts the fit as usual. In a trial, the first one interrupts it.

    Parameters
    ----------
    iterations : int
        Updates, at least 1.

    Raises
    ------
    TypeError, ValueError
        If it is not an integer of at least 1.
    """

    order = 80

    def __init__(self, iterations: int) -> None:
        self.iterations = _check.integer(type(self).__name__, "iterations", iterations, 1)
        self._hearing: Optional[Hearing] = None

    def check_fit(self, learner: Any) -> None:
        """Check that this is the main thread, which gets the signals."""
        check_thread(type(self).__name__)

    def during_fit(self, learner: Any) -> ContextManager[Any]:
        """Return a block in which Ctrl-C is recorded."""
        self._hearing = None
        if learner.in_trial:
            return super().during_fit(learner)
        self._hearing = Hearing(signal.SIGINT)
        return self._hearing

    def after_batch(self, learner: Any) -> None:
        """Finish the fit if Ctrl-C came."""
        if self._hearing is not None and self._hearing.was_heard(learner.workers):
            self._hearing.put_back()
            self._hearing = None
            self._finish(learner)

    def after_epoch(self, learner: Any) -> None:
        """Finish the fit if Ctrl-C came since the last batch."""
        self.after_batch(learner)

    def _finish(self, learner: Any) -> None:
        learner.finish(self.iterations)
        text = f"the fit ends in at most {self.iterations} updates. Ctrl-C again interrupts it"
        learner.say(f"{type(self).__name__}: {text}.")

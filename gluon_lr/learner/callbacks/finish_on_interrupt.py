"""Ctrl-C that has a fit finish early, and well."""

import signal
from typing import Any, ContextManager, Optional

from ... import _check
from ...events import Callback
from .signals import Hearing, check_thread


class FinishOnInterrupt(Callback):
    """At Ctrl-C, or the stop button of a notebook, finish the fit in so many more updates.

    That is ``learner.finish(iterations)``, or the end as it was planned where that is nearer.
    Pressed once more, it interrupts the fit as ever. Trials are interrupted at once.

    Parameters
    ----------
    iterations : int
        Updates, at least 1.

    Raises
    ------
    TypeError, ValueError
        Where it is not an integer of at least 1.
    """

    order = 80

    def __init__(self, iterations: int) -> None:
        self.iterations = _check.integer(type(self).__name__, "iterations", iterations, 1)
        self._hearing: Optional[Hearing] = None

    def check_fit(self, learner: Any) -> None:
        """Check that signals come here."""
        check_thread(type(self).__name__)

    def during_fit(self, learner: Any) -> ContextManager[Any]:
        """Return a block in which Ctrl-C is noted."""
        self._hearing = None
        if learner.in_trial:
            return super().during_fit(learner)
        self._hearing = Hearing(signal.SIGINT)
        return self._hearing

    def after_batch(self, learner: Any) -> None:
        """Finish the fit where Ctrl-C came."""
        if self._hearing is not None and self._hearing.was_heard(learner.workers):
            self._hearing.put_back()
            self._hearing = None
            self._finish(learner)

    def after_epoch(self, learner: Any) -> None:
        """Finish it where Ctrl-C came meanwhile."""
        self.after_batch(learner)

    def _finish(self, learner: Any) -> None:
        learner.finish(self.iterations)
        text = f"at most {self.iterations} updates more; Ctrl-C again interrupts the fit"
        learner.say(f"{type(self).__name__}: {text}.")

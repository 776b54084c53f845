"""Saves a learner during a fit."""

import signal
import sys
from pathlib import Path
from typing import Any, ContextManager, Optional

from ... import _check
from ...events import Callback
from .paths import check_directory
from .signals import Hearing, check_thread

_ENDED_BY_SIGTERM = 128 + signal.SIGTERM


class CheckpointCallback(Callback):
    """Save the learner to a file during a fit; each save replaces the one before.

    After a crash, ``learner.load(path)`` and ``learner.resume()`` continue from there. Of a fit at
    'tune', only the training that is kept is saved, not the trials.

    Parameters
    ----------
    path : str or path
        The file. A relative path is resolved when the callback is created.
    iterations : int, optional
        Save every `iterations` updates, at least 1. By default after each epoch.
    on_sigterm : bool
        Whether to handle SIGTERM, which Slurm, Kubernetes and `kill` send before they end a
        process. Then the current batch is finished, the learner is saved, and the process exits
        with status 143. A running validation is completed first. If one of several workers gets
        the signal, all of them do this.

    Raises
    ------
    TypeError, ValueError
        If `iterations` is not an integer of at least 1, or `on_sigterm` not True or False.
    RuntimeError
        At the start of a fit with `on_sigterm` in another thread than the main one.
    """

    order = 80  # after callbacks whose state is saved

    def __init__(
        self, path: Any, iterations: Optional[int] = None, on_sigterm: bool = False
    ) -> None:
        name = type(self).__name__
        self.path = Path(path).absolute()
        self.iterations = iterations
        if iterations is not None:
            _check.integer(name, "iterations", iterations, 1)
        self.on_sigterm = _check.flag(name, "on_sigterm", on_sigterm)
        self._hearing: Optional[Hearing] = None

    def check_fit(self, learner: Any) -> None:
        """Check that the directory exists, and with `on_sigterm` that this is the main thread."""
        check_directory(self, learner)
        if self.on_sigterm:
            check_thread(type(self).__name__)

    def during_fit(self, learner: Any) -> ContextManager[Any]:
        """Return a block in which SIGTERM is recorded, if `on_sigterm`."""
        if not self.on_sigterm:
            return super().during_fit(learner)
        self._hearing = Hearing(signal.SIGTERM)
        return self._hearing

    def after_batch(self, learner: Any) -> None:
        """Save every `iterations` updates, and after SIGTERM."""
        if self.iterations is not None and len(learner.recorder) % self.iterations == 0:
            self._save(learner)
        self._answer(learner)

    def after_train(self, learner: Any) -> None:
        """Save after SIGTERM, before a validation that may be long."""
        self._answer(learner)

    def after_epoch(self, learner: Any) -> None:
        """Save after each epoch if `iterations` was not given, and after SIGTERM."""
        if self.iterations is None:
            self._save(learner)
        self._answer(learner)

    def after_fit(self, learner: Any) -> None:
        """Save if SIGTERM came after the last epoch."""
        self._answer(learner)

    def after_tune(self, learner: Any) -> None:
        """Save the training that is kept."""
        self._save(learner)

    def _answer(self, learner: Any) -> None:
        if self._hearing is not None and self._hearing.was_heard(learner.workers):
            self._save(learner)
            sys.exit(_ENDED_BY_SIGTERM)

    def _save(self, learner: Any) -> None:
        if not learner.in_trial:
            learner.save(self.path)

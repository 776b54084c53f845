"""Saving during a fit."""

from pathlib import Path
from typing import Any, Optional

from ... import _check
from ...events import Callback


class CheckpointCallback(Callback):
    """Save the learner to a file during a fit, each time in place of the last.

    After a crash ``learner.load(path)`` and ``learner.resume()`` go on from there. The trials of a
    fit at 'tune' are not saved, the training that is kept is.

    Parameters
    ----------
    path : str or path
        The file; a relative one counts from the directory of now, whatever comes.
    iterations : int, optional
        Save after so many updates, at least 1. By default after each epoch.

    Raises
    ------
    TypeError, ValueError
        When `iterations` is not an integer of at least 1.
    """

    def __init__(self, path: Any, iterations: Optional[int] = None) -> None:
        self.path = Path(path).absolute()
        self.iterations = iterations
        if iterations is not None:
            _check.integer(type(self).__name__, "iterations", iterations, 1)

    def after_batch(self, learner: Any) -> None:
        """Save after each `iterations` updates."""
        if self.iterations is not None and len(learner.recorder) % self.iterations == 0:
            self._save(learner)

    def after_epoch(self, learner: Any) -> None:
        """Save after each epoch, where `iterations` was not given."""
        if self.iterations is None:
            self._save(learner)

    def _save(self, learner: Any) -> None:
        if not learner.in_trial:
            learner.save(self.path)

"""A fit in TensorBoard."""

import time
from pathlib import Path
from typing import Any, ContextManager, Mapping

import numpy as np

from ... import _check
from ..._extras import imported
from ..._interrupts import uninterrupted
from ...events import Callback
from ...state.transaction import afterwards

_PLACES = ("fit", "epoch", "time")  # what an epoch says of itself, beside what came of it


class TensorBoardCallback(Callback):
    """Write a fit to a directory that TensorBoard shows, over the number of updates.

    That is the mean loss and the hyper-parameters of each group, after each `iterations` updates;
    the losses and metrics of epochs; and the picture of a search that was made before the fit.
    Fits one after the other go on in one curve. A fit that is resumed from a checkpoint takes the
    place of what was written after that. Of several workers the first writes. Searches and trials
    are not written, the training that a fit at 'tune' keeps is.

    It needs tensorboardX: ``pip install tensorboardX``.

    Parameters
    ----------
    log_dir : str or path
        The directory; a relative one counts from the directory of now, whatever comes.
    iterations : int
        Updates, at least 1.

    Raises
    ------
    ImportError
        Where tensorboardX is not installed.
    TypeError, ValueError
        When `iterations` is not an integer of at least 1.
    """

    order = 30

    def __init__(self, log_dir: Any, iterations: int = 10) -> None:
        name = type(self).__name__
        self._tensorboard = imported(name, "tensorboardX")
        self.log_dir = Path(log_dir).absolute()
        self.iterations = _check.integer(name, "iterations", iterations, 1)
        self._writer: Any = None
        self._before = 0  # updates of the fits before this one
        self._written = 0  # of this fit
        self._search: Any = None  # whose picture is there

    def as_data(self) -> Any:
        """Return the updates before the fit, and those of it that are written."""
        return {"before": self._before, "written": self._written}

    def take_data(self, data: Any) -> None:
        """Go on from these, or with a fit that comes after those that were written."""
        if data is None:
            self._before, self._written = self._before + self._written, 0
        else:
            self._before, self._written = data["before"], data["written"]

    def during_fit(self, learner: Any) -> ContextManager[Any]:
        """Return a block in which the file is open."""
        self._writer = None
        if learner.workers.is_first and not learner.in_trial:
            self._writer = self._tensorboard.SummaryWriter(
                str(self.log_dir),
                purge_step=self._before + self._written + 1,
                filename_suffix=f".{time.time_ns()}",  # several may begin within a second
            )
        return afterwards(self._close)

    def before_fit(self, learner: Any) -> None:
        """Write the picture of a search that was made since the last fit."""
        search = learner.recorder.search
        if self._writer is not None and search is not None and search is not self._search:
            self._search = search
            self._writer.add_figure("search", search.plot().figure, self._before)

    def after_batch(self, learner: Any) -> None:
        """Write the updates that are known, as soon as there are enough of them."""
        self._write_updates(learner, len(learner.recorder), self.iterations)

    def after_epoch(self, learner: Any) -> None:
        """Write the rest of the updates, and the epoch."""
        self._write_epoch(learner, len(learner.recorder), learner.recorder.epochs[-1])

    def after_tune(self, learner: Any) -> None:
        """Write the training that is kept."""
        recorder = learner.recorder
        self.take_data(None)
        with self.during_fit(learner):
            for end, epoch in zip(recorder.ends, recorder.fit_epochs):
                self._write_epoch(learner, end, epoch)

    def _write_epoch(self, learner: Any, end: int, epoch: Mapping[str, float]) -> None:
        self._write_updates(learner, end, 1)
        self._write({name: value for name, value in epoch.items() if name not in _PLACES})

    @uninterrupted
    def _write_updates(self, learner: Any, end: int, at_least: int) -> None:
        """Write the updates that are known, as points of `iterations` of them, or of fewer."""
        if learner.in_trial:
            return
        known = learner.recorder.known_losses(self._written)[: end - self._written]
        while len(known) >= at_least:
            losses, known = known[: self.iterations], known[self.iterations :]
            self._written += len(losses)
            values = {"loss": float(np.mean(losses))}
            for name, by_group in learner.recorder.hps_at(self._written).items():
                several = len(by_group) > 1
                for group, value in enumerate(by_group):
                    values[f"{name}/{group}" if several else name] = value
            self._write(values)

    def _write(self, values: Mapping[str, float]) -> None:
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, self._before + self._written)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

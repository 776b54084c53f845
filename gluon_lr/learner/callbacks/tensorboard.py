"""Writes fits for TensorBoard."""

import time
from pathlib import Path
from typing import Any, ContextManager, Mapping

import numpy as np

from ... import _check
from ..._extras import imported
from ..._interrupts import uninterrupted
from ...events import Callback
from ...state.transaction import afterwards

_PLACES = ("fit", "epoch", "time")  # values of an epoch that are not results


class TensorBoardCallback(Callback):
    """Write a fit to a directory for TensorBoard, over the number of updates.

    It writes the mean loss and the hyper-parameters of each group every `iterations` updates, the
    losses and metrics of epochs, and the picture of a search made before the fit. Several fits
    form one curve. A fit that is resumed from a checkpoint replaces what was written after the
    checkpoint. Of several workers, the first one writes. Searches and trials are not written, but
    the training that a fit at 'tune' keeps is.

    It needs tensorboardX: ``pip install tensorboardX``.

    Parameters
    ----------
    log_dir : str or path
        The directory. A relative path is resolved when the callback is created.
    iterations : int
        Updates per point of a curve, at least 1.

    Raises
    ------
    ImportError
        If tensorboardX is not installed.
    TypeError, ValueError
        If `iterations` is not an integer of at least 1.
    """

    order = 30

    def __init__(self, log_dir: Any, iterations: int = 10) -> None:
        name = type(self).__name__
        self._tensorboard = imported(name, "tensorboardX")
        self.log_dir = Path(log_dir).absolute()
        self.iterations = _check.integer(name, "iterations", iterations, 1)
        self._writer: Any = None
        self._before = 0  # updates of the fits before this one
        self._written = 0  # updates of this fit that are written
        self._search: Any = None  # the last search whose picture is written

    def as_data(self) -> Any:
        """Return the number of updates before the fit, and of its own updates written."""
        return {"before": self._before, "written": self._written}

    def take_data(self, data: Any) -> None:
        """Continue from these numbers; for None, after all updates that are written."""
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
                filename_suffix=f".{time.time_ns()}",  # unique, even within a second
            )
        return afterwards(self._close)

    def before_fit(self, learner: Any) -> None:
        """Write the picture of a search that was made since the last fit."""
        search = learner.recorder.search
        if self._writer is not None and search is not None and search is not self._search:
            self._search = search
            self._writer.add_figure("search", search.plot().figure, self._before)

    def after_batch(self, learner: Any) -> None:
        """Write the updates whose losses are known, if there are enough of them."""
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
        """Write the known updates, up to `iterations` of them per point."""
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

"""Writes the epochs of fits to a CSV file, which other programs can read during a fit."""

import csv
from pathlib import Path
from typing import Any, Dict, List

from ... import _check
from ..._interrupts import uninterrupted
from ...events import Callback
from ...state.files import write_whole
from ..epoch_table import write_csv
from .paths import check_directory


class CSVLogger(Callback):
    """Write one line per epoch to a CSV file: fit, epoch, losses, metrics, time in seconds.

    Lines are added to an existing file. A fit that is resumed from a checkpoint deletes the lines
    written after the checkpoint, so each epoch is there once. Of several workers, the first one
    writes. Searches and trials are not written, but the training that a fit at 'tune' keeps is.

    Parameters
    ----------
    path : str or path
        The file. A relative path is resolved when the callback is created.
    """

    order = 30

    def __init__(self, path: Any) -> None:
        self.path = Path(path).absolute()
        self._rows = 0
        self._is_resumed = False

    def as_data(self) -> Any:
        """Return the number of epochs in the file."""
        return self._rows

    def take_data(self, data: Any) -> None:
        """Continue after so many epochs; for None, after all epochs in the file."""
        self._rows, self._is_resumed = data or 0, data is not None

    def check_fit(self, learner: Any) -> None:
        """Check that the directory exists, and that an existing file is a CSVLogger's."""
        check_directory(self, learner)
        rows = self._read() if learner.workers.is_first else []
        if learner.workers.of_first(bool(rows) and "epoch" not in rows[0]):
            constraint, name = "a file of a CSVLogger, or a new file", type(self).__name__
            raise ValueError(_check.message(name, "path", constraint, str(self.path)))

    def before_fit(self, learner: Any) -> None:
        """Delete the lines written after the checkpoint from which the fit is resumed."""
        rows = self._read()
        if self._is_resumed and self._rows < len(rows) and self._writes(learner):
            self._write(rows[: self._rows])
        elif not self._is_resumed:
            self._rows = len(rows)

    @uninterrupted
    def after_epoch(self, learner: Any) -> None:
        """Write the epoch."""
        if self._writes(learner):
            self._write([*self._read(), learner.recorder.epochs[-1]])
        self._rows += 1

    def after_tune(self, learner: Any) -> None:
        """Write the epochs of the training that is kept."""
        if self._writes(learner):
            self._write([*self._read(), *learner.recorder.fit_epochs])

    def _writes(self, learner: Any) -> bool:
        return bool(learner.workers.is_first and not learner.in_trial)

    def _read(self) -> List[Dict[str, Any]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return list(csv.DictReader(file))

    def _write(self, rows: List[Dict[str, Any]]) -> None:
        def write(path: str) -> None:
            with open(path, "w", newline="") as file:
                write_csv(file, rows)

        write_whole(self.path, write)

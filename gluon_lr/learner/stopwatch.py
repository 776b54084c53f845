"""The time used by a fit with a limit in seconds."""

import time
from typing import Optional

import numpy as np

from .._mxnet import mx
from ..distributed.workers import Workers
from .fit import Fit

_FIRST = 2  # batches that do not count: MXNet compiles and tunes in them


class Stopwatch:
    """Measures the time used by a fit with a limit in seconds; the first worker measures for all.

    The first two batches, and the first two after an interruption, do not count: in them MXNet
    compiles and chooses its algorithms. Time between batches, for example a validation, counts.

    Parameters
    ----------
    fit : Fit
        The fit, whose `used` is updated.
    workers : Workers
        The workers, which all use the same time.
    """

    def __init__(self, fit: Fit, workers: Workers) -> None:
        self._fit = fit
        self._workers = workers
        self._batches = 0
        self._before = fit.used
        self._start: Optional[float] = None

    def count_batch(self) -> None:
        """Count a batch, and update the time used."""
        self._batches += 1
        if self._batches == _FIRST and self._fit.seconds is not None:
            self._workers.wait_for_others()
            mx.nd.waitall()
            self._start = time.perf_counter()
        self.read()

    def read(self) -> None:
        """Update the time used."""
        if self._start is not None:
            used = self._before + time.perf_counter() - self._start
            own = used if self._workers.is_first else 0.0
            self._fit.used = float(self._workers.sum(np.array([own]))[0])

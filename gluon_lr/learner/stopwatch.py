"""The time that a fit has used, of the seconds that it is given."""

import time
from typing import Optional

import numpy as np

from .._mxnet import mx
from ..distributed.workers import Workers
from .fit import Fit

_FIRST = 2  # batches after whose end it is counted: MXNet compiles and tunes in them


class Stopwatch:
    """Counts a fit's seconds, batch by batch, where it is given some; all workers by the first's.

    The first two batches do not count, nor those after an interruption: MXNet compiles in them,
    and chooses its algorithms. What comes between batches, a validation say, does.

    Parameters
    ----------
    fit : Fit
        Its `used` is brought up to date.
    workers : Workers
        Who has to agree on it.
    """

    def __init__(self, fit: Fit, workers: Workers) -> None:
        self._fit = fit
        self._workers = workers
        self._batches = 0
        self._before = fit.used
        self._start: Optional[float] = None

    def count_batch(self) -> None:
        """Note the end of a batch."""
        self._batches += 1
        if self._batches == _FIRST and self._fit.seconds is not None:
            self._workers.wait_for_others()
            mx.nd.waitall()
            self._start = time.perf_counter()
        self.read()

    def read(self) -> None:
        """Bring the seconds that are used up to this moment."""
        if self._start is not None:
            used = self._before + time.perf_counter() - self._start
            own = used if self._workers.is_first else 0.0
            self._fit.used = float(self._workers.sum(np.array([own]))[0])

"""Trials: trainings from the same start, undone after each; the best one may be kept."""

import math
import time
from typing import Any, Callable, Iterable, List, Mapping, Optional, Tuple, TypeVar

import numpy as np
from tqdm.auto import tqdm

from ..distributed.workers import Workers
from ..hyper.annealing import position_of
from ..state.generators import GlobalState
from ..state.transaction import afterwards
from .policy import CurvesOf
from .start import from_its_place, in_order, losses_at, put_back_after, trainers_of
from .trials_file import TrialsFile
from .tune_result import Trial

Result = TypeVar("Result")

_LAST = 10  # without held-out data, the last tenth of its losses judges a training


class TrialsBar:
    """A progress bar over updates that shows the largest number of trials."""

    def __init__(
        self,
        updates: int,
        most: Optional[int],
        hidden: bool,
        desc: str = "Tuning the learning rate",
    ) -> None:
        self._bar = tqdm(total=updates, desc=desc, disable=hidden)
        self._most = most
        self._begun = 0
        self._ended = 0  # updates

    def __enter__(self) -> "TrialsBar":
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.total = self._bar.n
        self._bar.close()

    def begin(self, rate: float) -> None:
        """Show that a trial begins."""
        self._begun += 1
        self._rate = rate
        self._tell({})

    def show(self, loss: Optional[float]) -> None:
        """Show an update and the last known loss."""
        if self._bar.update() and loss is not None:
            self._tell({"loss": f"{loss:.3g}"})

    def end(self, updates: int) -> None:
        """Show that a trial of `updates` updates is done, even if it ended early."""
        self._ended += updates
        self._bar.update(self._ended - self._bar.n)

    def _tell(self, more: Mapping[str, str]) -> None:
        trial = str(self._begun) if self._most is None else f"{self._begun} of at most {self._most}"
        self._bar.set_postfix({"trial": trial, "lr": f"{self._rate:.2g}", **more})


class Trials:
    """Trainings of a learner from its present state, and their results.

    Parameters
    ----------
    learner : Learner
        A Learner or a custom learner, as for :class:`LRFinder`.
    curves : callable
        Takes a highest rate and returns curves.
    length : int
        Updates of the training that the rate is for. A trial of this length may be kept.
    validation : iterable, optional
        Held-out batches that judge a trial. Without them, its last training losses judge it.
    seed : int, optional
        Seed of MXNet's generators at the start of each trial.
    keep : bool
        Whether to keep the best full-length trial.
    cbs : Callback or list, optional
        Callbacks of the trials, for a learner with fits.
    bar : TrialsBar
        The progress bar.
    file : TrialsFile, optional
        The file for the trials. Trials that it already holds are not made again.

    Attributes
    ----------
    done : list of Trial
        The trials in order.
    updates : int
        The updates of all trials, including those in other orders of the data.
    seconds : float
        The time that these took.
    best : object
        The learner's state after the best full-length trial, if one is kept.
    place : callable or None
        Moves the learner to its place in the data after that trial. None if another process made
        the trial.
    """

    def __init__(
        self,
        learner: Any,
        curves: CurvesOf,
        length: int,
        validation: Optional[Iterable[Any]],
        seed: Optional[int],
        keep: bool,
        cbs: Any,
        bar: "TrialsBar",
        file: Optional[TrialsFile] = None,
    ) -> None:
        self._learner = learner
        self._curves = curves
        self._length = length
        self._validation = validation
        self._seed = seed
        self._keep = keep
        self._cbs = cbs
        self._bar = bar
        self._file = file
        self._workers = Workers.of(trainers_of(learner)[0])
        known = [] if file is None else file.trials
        self._known = {(one.rate, one.length): one for one in known}
        self.done: List[Trial] = []
        self.updates, self.seconds = 0, 0.0
        self.best = None if file is None else file.best
        self.place: Optional[Callable[[], None]] = None

    def begin(self, rate: float) -> float:
        """Return the loss before a training; without held-out data, of one update at `rate`."""

        def before() -> float:
            if self._validation is not None:
                return self._validated()
            return next(losses_at(self._learner, [rate]))

        self._began = self._from_the_start(before)
        return self._began

    def measure(self, rate: float, updates: int, order: int = 0) -> float:
        """Return the loss after a trial, infinite if it diverged.

        Order n of the data is the order after n more passes. A trial in an order other than 0 is
        not added to `done`.
        """
        self._bar.begin(rate)
        known = None if order else self._known.get((rate, updates))
        trial = known or self._tried(rate, updates, order)
        self.updates += len(trial.losses)
        self.seconds += trial.seconds
        if order == 0:
            self.done.append(trial)
        if self._file is not None and known is None:
            self._file.write(self.done, self.best)
        self._bar.end(updates)
        return trial.loss

    def _tried(self, rate: float, updates: int, order: int) -> Trial:
        def trained() -> Tuple[float, List[float]]:
            with in_order(self._learner, order, updates) as again, again:
                return self._trained(rate, updates)

        start = time.perf_counter()
        loss, losses = self._from_the_start(trained)
        seconds = self._workers.of_first(time.perf_counter() - start)
        return Trial(rate, updates, loss, seconds, tuple(losses))

    def _from_the_start(self, action: Callable[[], Result]) -> Result:
        """Return what `action` returns, and then restore the learner."""

        def preserved() -> Result:
            with put_back_after(self._learner, self._seed) as again, again:
                return action()

        return from_its_place(self._learner, preserved)

    def _trained(self, rate: float, updates: int) -> Tuple[float, List[float]]:
        losses = self._fit(rate, updates) if self._has_fits else self._iterate(rate, updates)
        if not all(map(math.isfinite, losses)):
            return math.inf, losses
        loss = self._judged(losses)
        if self._keep and updates == self._length and loss < min(self._best_loss, self._began):
            self.best = None  # frees memory before the next state is taken
            self.best, self.place = self._learner.as_data(), self._learner.bookmark()
        return loss, losses

    def _fit(self, rate: float, updates: int) -> List[float]:
        """Train by a fit, which ends at a loss that is not finite."""

        def until(recorder: Any) -> bool:
            self._bar.show(recorder.last_loss)
            return not math.isfinite(recorder.last_loss or 0)

        self._learner.fit_curves(self._curves(rate), updates, self._cbs, until)
        return self._learner.recorder.losses.tolist()

    def _iterate(self, rate: float, updates: int) -> List[float]:
        """Train by iterations along the rate's curve, up to a loss that is not finite."""
        curve, losses = self._curves(rate)["lr"], []
        rates = [float(curve(position_of(n, updates))) for n in range(1, updates + 1)]
        for loss in losses_at(self._learner, rates):
            losses.append(loss)
            self._bar.show(loss)
            if not math.isfinite(loss):
                break
        return losses

    def _judged(self, losses: List[float]) -> float:
        if self._validation is None:
            return float(np.mean(losses[-max(len(losses) // _LAST, 1) :]))
        epochs = self._learner.recorder.fit_epochs if self._has_fits else []
        if epochs and self._validation is self._learner.valid_loader:
            return float(epochs[-1].get("valid_loss", math.nan))  # the fit has computed it
        return self._validated()

    def _validated(self) -> float:
        """Return the mean held-out loss of all workers, and restore the generators."""
        with afterwards(GlobalState.get().put_back):
            values = self._learner.validate(self._validation, ())
        return self._workers.means({"valid_loss": float(values["valid_loss"])})["valid_loss"]

    @property
    def _best_loss(self) -> float:
        return min((one.loss for one in self.done if one.length == self._length), default=math.inf)

    @property
    def _has_fits(self) -> bool:
        return hasattr(self._learner, "fit_curves")

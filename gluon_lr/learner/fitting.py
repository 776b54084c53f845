"""The loop over epochs and updates, with curves and callbacks, of all fits of a Learner."""

import contextlib
import time
from typing import Any, Callable, Iterator, Sequence, Tuple

from .. import _check
from .._interrupts import uninterrupted
from ..data.batches import Batches
from ..events import (
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    overrides,
)
from ..hyper.scheduling import ParamScheduler
from ..state.generators import GlobalState
from ..state.memory import Memory
from ..state.transaction import Transaction, afterwards
from ..training.gradients import are_added_up
from ..training.losses import as_loss
from .callback_states import hand_out, states_of
from .callbacks import Callback
from .fit import Fit
from .recorder import Recorder
from .stopwatch import Stopwatch

_OF_STEP = ("before_loss", "after_loss", "before_step", "after_step")


class Fitting:
    """A running fit of a learner.

    Parameters
    ----------
    learner : Learner
        The learner that trains. The callbacks get it.
    batches : Batches
        The training batches.
    fit : Fit
        The plan; its progress is updated after each update.
    callbacks : list of Callback
        Callbacks of this fit, in addition to the Learner's own.
    scheduler : ParamScheduler
        The fit's curves.
    recorder : Recorder
        Records the learner's updates and the epochs.

    Attributes
    ----------
    fit : Fit
        The plan and its progress.
    lr_scheduler : object
        The trainer's lr_scheduler. It is not used in a fit with a rate.
    own_lr : float
        The trainer's rate before the fit.
    """

    def __init__(
        self,
        learner: Any,
        batches: Batches,
        fit: Fit,
        callbacks: Sequence[Callback],
        scheduler: ParamScheduler,
        recorder: Recorder,
    ) -> None:
        self._learner = learner
        self._batches = batches
        self.fit = fit
        self.callbacks = callbacks
        self._scheduler = scheduler
        acting = [one for one in callbacks if isinstance(one, ParamScheduler)]
        self._schedulers = [scheduler, *acting]
        self._recorder = recorder
        self.lr_scheduler = learner.trainer.optimizer.lr_scheduler
        self.own_lr: float = learner.trainer.learning_rate
        self._at = 0  # the update whose values are set in the trainer
        self._is_stepping = False  # whether the last batch of the update has been read
        self._has_length = False  # whether schedules among the curves have the fit's length
        self.has_ended = False
        self._stopwatch = Stopwatch(fit, learner.workers)
        self._warned = False

    def run(self) -> None:
        """Train to the end or until a callback cancels, and restore the hyper-parameters."""
        with contextlib.ExitStack() as blocks, afterwards(self._leave) as again, again:
            self._take_lr_scheduler()
            self._scheduler.follow(self.fit.positions_of)
            self._scheduler.bind(self._learner.trainer)
            self._go_on()
            hand_out(self.fit.callbacks, self._learner.all_callbacks)
            for callback in self._learner.all_callbacks:
                blocks.enter_context(callback.during_fit(self._learner))
            self._train()

    def at_rest(self) -> Transaction:
        """Return a block in which the trainer has its own hyper-parameters."""
        return _AtRest(self._put_back, self._go_on)

    def before_update(self) -> None:
        """Set the values of the next update in the trainer."""
        fit = self.fit
        self._is_stepping = True
        fit.batches_per_update = max(fit.batches_per_update, self._learner.batches_in_update)
        self._at, self._scheduler.length = fit.place()
        if not self._has_length:  # each batch before the first update may reduce it
            self._scheduler.scheds = fit.curves_over(self._scheduler.length)
        self._scheduler.assign(self._at)

    @property
    def batches_of_update(self) -> int:
        """A lower bound of the number of batches in the next update."""
        learner = self._learner
        if not are_added_up(learner.trainer):
            return 1
        return int(learner.batches_in_update + (not self._is_stepping))

    @property
    def place(self) -> Tuple[int, int]:
        """The number of the next update, from 1, and the fit's total number."""
        return self.fit.place(self.batches_of_update)

    @property
    def moved(self) -> Sequence[str]:
        """The hyper-parameters that the fit's own curves set."""
        return list(self.fit.curves)

    def at_update(self) -> None:
        """Correct the momentum for the rate of the current update."""
        for scheduler in self._schedulers:
            scheduler.correct_momentum(self._at)

    def after_update(self) -> None:
        """Count an update, which AMP may have skipped."""
        self._is_stepping = False
        if not self._has_length and self._scheduler.length is not None:
            self.fit.give_length(self._scheduler.length)
            self._has_length = True
        self.fit.count_update(self._scheduler.position >= self._at)

    def after_batch(self) -> None:
        """Count a batch, with or without an update."""
        self._is_stepping = False
        self.fit.in_epoch += 1
        self._stopwatch.count_batch()

    def _go_on(self) -> None:
        self._take_lr_scheduler()
        if len(self._recorder):
            for scheduler in self._schedulers:
                scheduler.go_on_from(self._recorder.last_hps)

    def _train(self) -> None:
        with self._until_cancelled():
            self._learner.tell("before_fit")
            while not self._is_over():
                self._train_epoch()
        self.has_ended = True
        with self._until_cancelled():
            self._learner.tell("after_fit")

    def _is_over(self) -> bool:
        self._stopwatch.read()
        return self.fit.is_over

    @contextlib.contextmanager
    def _until_cancelled(self) -> Iterator[None]:
        """Let a callback end this part of the fit early, and print its reason."""
        try:
            yield
        except CancelFitException as reason:
            if str(reason) and not self.fit.is_over:
                self._learner.say(str(reason))

    def _train_epoch(self) -> None:
        start = time.perf_counter()
        self._expect_a_pass()
        trained = _comes_to_its_end(self._train_batches)
        trained &= _comes_to_its_end(lambda: self._learner.tell("after_train"))
        self._end_epoch(start, validates=trained)
        with contextlib.suppress(CancelEpochException):
            self._learner.tell("after_epoch")

    def _train_batches(self) -> None:
        if self.fit.in_epoch == 0:
            self._learner.tell("before_epoch")
        while self._expects_more and self._train_batch():
            pass

    def _train_batch(self) -> bool:
        """Train on the next batch, if there is one in this epoch."""
        try:
            self._learner.tell("before_batch")
        except CancelBatchException:
            had_one = self._take_batch(self._learner.take_batch)
        else:
            had_one = self._take_batch(self._iterate)
        if had_one:
            with contextlib.suppress(CancelBatchException):
                self._learner.tell("after_batch")
        return had_one

    def _expect_a_pass(self) -> None:
        """Ask the loader for the length of this epoch's pass."""
        fit = self.fit
        if fit.by_passes and not fit.in_pass:
            self._batches.start_pass()
            fit.iterations_per_epoch = self._learner.iterations_per_epoch
            fit.in_pass = True
        fit.expect_epochs()
        self._learner.n_epoch = fit.n_epoch
        self._scheduler.length = fit.length

    @property
    def _expects_more(self) -> bool:
        fit = self.fit
        if fit.ends_within_an_epoch and fit.is_over:
            return False
        ends = fit.in_epoch >= fit.iterations_per_epoch
        return not ends or (fit.by_passes and self._batches.has_more())

    @uninterrupted
    def _take_batch(self, use: Callable[[], Any]) -> bool:
        """Use the next batch, if there is one in this epoch."""
        if self.fit.by_passes and not self._batches.has_more():
            return False
        use()
        return True

    def _iterate(self) -> None:
        learner = self._learner
        if learner.has_own_iteration:
            self._iterate_its_own_way()
        else:
            learner.enqueue()

    def _iterate_its_own_way(self) -> None:
        """Train by an overridden `iteration`, which may read data and make updates itself."""
        fit, learner, recorder = self.fit, self._learner, self._recorder
        batches, taken, updates = fit.in_epoch, learner._batches_taken, len(recorder)
        self.before_update()
        self.at_update()
        loss = learner.iteration()
        reads_itself = fit.in_epoch == batches
        trains_itself = reads_itself or learner._batches_taken > taken
        if reads_itself and fit.by_passes:
            raise RuntimeError(
                "Learner: `iteration` must call super().iteration(), which reads a batch from the "
                "data_loader, because each epoch is a pass through it. If `iteration` reads other "
                "data, pass iterations_per_epoch to the Learner."
            )
        if reads_itself:
            self.after_batch()
        updates_itself = trains_itself or (
            learner.batches_in_update > 0 and not are_added_up(learner.trainer)
        )
        if trains_itself:
            self._warn_of_untold()
        if updates_itself and len(recorder) == updates:
            recorder.record(as_loss(loss))
            self.after_update()

    def _warn_of_untold(self) -> None:
        """Warn once about callbacks whose events within a step are never called."""
        if self._warned:
            return
        self._warned = True
        for callback in (*self._learner.cbs, *self.callbacks):
            names = [one for one in _OF_STEP if overrides(callback, one)]
            if names:
                _check.warn_caller(
                    f"Learner: `iteration` of {type(self._learner).__name__} reads its batches "
                    "and makes its updates itself, so the Learner never calls "
                    f"{', '.join(names)} of {type(callback).__name__}."
                )

    def _end_epoch(self, start: float, validates: bool) -> None:
        """Validate and record. After an interruption, this is repeated from the same state."""
        fit = self.fit
        with _UnlessEnded(fit, self._learner.valid_loader) as again, again:
            values = {"train_loss": self._recorder.train_loss}
            self._learner.average_running_statistics()
            if validates and self._learner.valid_loader is not None:
                with contextlib.suppress(CancelEpochException):
                    values.update(self._learner.workers.means(self._learner.validate()))
            self._epoch_ended(epoch=fit.epochs_ended, **values, time=time.perf_counter() - start)

    @uninterrupted
    def _epoch_ended(self, **values: Any) -> None:
        self._recorder.end_epoch(**values)
        self.fit.end_epoch()

    def _take_lr_scheduler(self) -> None:
        if "lr" in self.fit.scheds:
            self._learner.trainer.optimizer.lr_scheduler = None

    def note_callbacks(self) -> None:
        """Store the states of the callbacks in the fit, to continue from here."""
        self._learner.workers.wait_for_others()
        self.fit.callbacks = states_of(self._learner.all_callbacks)

    def _leave(self) -> None:
        try:
            self._learner.tell_losses("the end of a fit")
            self.note_callbacks()
        finally:
            self._put_back()
            for scheduler in self._schedulers:
                scheduler.leave_fit()

    def _put_back(self) -> None:
        for scheduler in self._schedulers:
            scheduler.put_back()
        self._learner.trainer.optimizer.lr_scheduler = self.lr_scheduler


class _AtRest(Transaction):
    """A block in which a fit's curves are not applied."""

    def __init__(self, rest: Callable[[], None], go_on: Callable[[], None]) -> None:
        self._rest = rest
        self._go_on = go_on

    def begin(self) -> None:
        self._rest()

    def put_back(self) -> None:
        self._go_on()


class _UnlessEnded(Transaction):
    """A block that restores random generators, unless the epoch has ended in it."""

    def __init__(self, fit: Fit, valid_loader: Any) -> None:
        self.fit = fit
        self._valid_loader = valid_loader

    def take(self) -> None:
        self._ended = self.fit.epochs_ended
        self._generators = GlobalState.get()
        self._put_back_memory = Memory(self._valid_loader).keep()

    def put_back(self) -> None:
        if self.fit.epochs_ended == self._ended:
            self._put_back_memory()
            self._generators.put_back()


def _comes_to_its_end(part_of_epoch: Callable[[], None]) -> bool:
    with contextlib.suppress(CancelEpochException):
        part_of_epoch()
        return True
    return False

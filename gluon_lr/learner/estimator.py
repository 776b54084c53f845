"""Event handlers for MXNet's Estimator, and a learner that wraps one for the finder."""

from typing import Any, Iterable, List, Optional, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from .._mxnet import contexts_of
from .._mxnet import estimator as mx_estimator
from .._trainer import UpdateCounter, check_updates_here, is_distributed
from ..data.batch_split import Share
from ..data.batches import check_loader
from ..data.structure import Batch
from ..distributed.workers import Workers
from ..hyper.parameters import HyperParameters
from ..hyper.policies import MOMS, one_cycle, usual_moms
from ..hyper.scheduling import ParamScheduler
from ..schedules.foreign import LRCallable, check_schedule
from ..training.iteration import IterationLearner
from ..training.losses import Losses
from ..training.placement import contexts_for

TrainBegin: Any = mx_estimator.TrainBegin
BatchBegin: Any = mx_estimator.BatchBegin
BatchEnd: Any = mx_estimator.BatchEnd
TrainEnd: Any = mx_estimator.TrainEnd

_acting: "WeakKeyDictionary[Any, Any]" = WeakKeyDictionary()  # the acting handler of each Estimator


class _ByAllSamples(TrainBegin, BatchBegin, BatchEnd):
    """Makes an Estimator's updates use the mean gradient over the samples of all workers.

    MXNet's handler divides the sum of all workers' gradients by the samples of one worker. If an
    Estimator has several of these handlers, the last one acts.
    """

    priority = -2001  # just before MXNet's handler
    _has_first_weights = False

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Join the other workers, if the trainer has a distributed KVStore."""
        if is_distributed(estimator.trainer):
            Workers.of(estimator.trainer).join()
            _acting[estimator] = self
            self._has_first_weights = False

    def batch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Take the weights of the first worker, before the first batch."""
        _take_back(estimator)
        if _acting.get(estimator) is not self or self._has_first_weights:
            return
        if any(one._deferred_init for one in estimator.net.collect_params().values()):
            estimator.batch_processor.evaluate_batch(estimator, kwargs["batch"])
        Workers.of(estimator.trainer).take_first_weights()
        self._has_first_weights = True

    def batch_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Make the coming step divide by the samples of all workers."""
        if _acting.get(estimator) is self:
            losses = kwargs["loss"]
            own = _samples_of(losses if isinstance(losses, list) else [losses])
            _StepByAllSamples(estimator, own)


class _StepByAllSamples:
    """Replaces an Estimator's trainer for one step, which divides by all workers' samples."""

    def __init__(self, estimator: Any, own: int) -> None:
        self._estimator = estimator
        self.trainer = estimator.trainer
        self._workers = Workers.of(self.trainer)
        self._own = own
        self._all = float(self._workers.sum(np.array(own), "samples"))
        estimator.trainer = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trainer, name)

    def step(self, batch_size: float, *args: Any, **kwargs: Any) -> None:
        """Make the step; `batch_size` is the number of this worker's samples."""
        self._estimator.trainer = self.trainer
        self.trainer.step(batch_size * self._all / self._own, *args, **kwargs)
        self._workers.count_update()


def _take_back(estimator: Any) -> None:
    """Give an Estimator its own trainer back, if an error came before the step."""
    if isinstance(estimator.trainer, _StepByAllSamples):
        estimator.trainer = estimator.trainer.trainer


class LRScheduleHandler(_ByAllSamples):
    """Train an Estimator at the rates of a schedule, which counts real updates from 1.

    With a distributed KVStore, an update uses the mean gradient over the samples of all workers.
    MXNet's Estimator divides their sum by the samples of one worker.

    Parameters
    ----------
    schedule : callable
        Takes an iteration and returns a rate: a schedule of this package or MXNet, or a function.

    Raises
    ------
    TypeError
        If it cannot be called.
    ValueError
        At the start of the training, if the trainer has an lr_scheduler or the KVStore's servers
        update the weights.
    """

    def __init__(self, schedule: LRCallable) -> None:
        self.schedule = check_schedule(type(self).__name__, schedule)
        self._counter: Optional[UpdateCounter] = None

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Start to count updates."""
        _take_back(estimator)
        check_updates_here(type(self).__name__, estimator.trainer)
        HyperParameters(estimator.trainer).check_no_lr_scheduler()
        super().train_begin(estimator)
        self._counter = UpdateCounter(estimator.trainer)

    def batch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Set the rate of the next update."""
        super().batch_begin(estimator, *args, **kwargs)
        n = 1 if self._counter is None else self._counter.count + 1
        estimator.trainer.set_learning_rate(self.schedule(n))


class ParamSchedulerHandler(_ByAllSamples, TrainEnd):
    """Train an Estimator along the curves of a ParamScheduler.

    After the training, the trainer has its own hyper-parameters again. Workers of a distributed
    KVStore divide by all samples, as with :class:`LRScheduleHandler`.

    Parameters
    ----------
    scheduler : ParamScheduler
        With a length and without a trainer: it gets the Estimator's trainer.
    """

    def __init__(self, scheduler: ParamScheduler) -> None:
        self.scheduler = scheduler

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Start the curves."""
        _take_back(estimator)
        self.scheduler.bind(estimator.trainer)
        super().train_begin(estimator)

    def batch_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Set the values of the next update."""
        super().batch_begin(estimator, *args, **kwargs)
        self.scheduler.step()

    def train_end(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Restore the trainer's own values."""
        self.scheduler.put_back()


class OneCycleHandler(ParamSchedulerHandler):
    """Train an Estimator by the 1-cycle policy: :func:`gluon_lr.one_cycle`.

    Parameters
    ----------
    lr_max : float
        The highest rate.
    length : int
        Updates of the training, at least 1: the `batches` of the Estimator's `fit`, or its
        `epochs` times the length of the data loader.
    div, div_final, pct_start, moms
        As in :meth:`gluon_lr.Learner.fit_one_cycle`.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.
    """

    def __init__(
        self,
        lr_max: float,
        length: int,
        div: float = 25.0,
        div_final: float = 1e5,
        pct_start: float = 0.25,
        moms: Optional[Sequence[float]] = None,
    ) -> None:
        self._by_default = moms is None
        self._curves = one_cycle(lr_max, div, div_final, pct_start, MOMS if moms is None else moms)
        super().__init__(ParamScheduler(self._curves, length=length))

    def train_begin(self, estimator: Any, *args: Any, **kwargs: Any) -> None:
        """Start the cycle."""
        _take_back(estimator)
        if self._by_default:
            moved = usual_moms(HyperParameters(estimator.trainer))
            self.scheduler.scheds = dict(self._curves) if moved else {"lr": self._curves["lr"]}
        super().train_begin(estimator)


class EstimatorLearner(IterationLearner):
    """An Estimator and its data, for :class:`gluon_lr.LRFinder`.

    It trains with the Estimator's net, loss, trainer, contexts and batch processor.

    Parameters
    ----------
    estimator : mx.gluon.contrib.estimator.Estimator
        The Estimator for which to find a rate.
    train_data : iterable
        (data, label) pairs: the DataLoader that its `fit` gets. Each of several workers has its
        own, as for the Estimator.
    batch_axis : int
        As in its `fit`.

    Raises
    ------
    TypeError
        If the data is not iterable.
    ValueError
        If the net is on other contexts than the Estimator.
    """

    def __init__(self, estimator: Any, train_data: Iterable[Batch], batch_axis: int = 0) -> None:
        check_loader(type(self).__name__, "train_data", train_data)
        super().__init__(
            estimator.net,
            train_data,
            contexts_for(estimator.net, contexts_of(estimator)),
            estimator.loss,
            estimator.trainer,
            split_batches=False,
            batch_axis=batch_axis,
        )
        self._estimator = estimator
        self._batch_axis = batch_axis

    def _backward(self, share: Share) -> None:
        fit_batch = self._estimator.batch_processor.fit_batch
        _, _, _, losses = fit_batch(self._estimator, share.batch, self._batch_axis)
        several = losses if isinstance(losses, list) else [losses]
        self._update = self._with_batch([Losses([loss], None) for loss in several])
        self.tell("after_loss")

    def _divisor_of(self, losses: List[Losses]) -> float:
        """Return the Estimator's batch size: the sum of the lengths of the contexts' losses."""
        return _samples_of([array for one in losses for array in one.arrays])


def _samples_of(losses: Iterable[Any]) -> int:
    return sum(loss.shape[0] for loss in losses)

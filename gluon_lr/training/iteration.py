"""A net, its data and its trainer: one iteration at a time, and what needs nothing else."""

from types import TracebackType
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Optional,
    Type,
    TypeVar,
)

import numpy as np

from .. import _check
from .._interrupts import uninterrupted
from .._mxnet import amp, for_metrics, metric, mx, nd
from .._trainer import loss_scaler_of
from ..data.batch_split import Share, over_contexts
from ..data.batches import Batch, Batches, one_pass
from ..distributed.workers import Workers
from ..state.generators import GlobalState
from ..state.transaction import Kept, Together, Transaction, afterwards
from .placement import Context

Self = TypeVar("Self", bound="IterationLearner")


class PendingLoss:
    """The mean loss of samples that may still be computed; `float()` waits for it.

    Parameters
    ----------
    losses : list of mx.nd.NDArray
        Losses of the samples, on each context.
    read : callable
        From an array to its values.
    """

    def __init__(
        self,
        losses: List[Any],
        read: Callable[[Any], np.ndarray] = lambda array: array.asnumpy(),
    ) -> None:
        self._losses = losses
        self._read = read
        self._value: Optional[float] = None

    def __float__(self) -> float:
        if self._value is None:
            arrays = [self._read(loss) for loss in self._losses]
            total = sum(float(array.sum(dtype=np.float64)) for array in arrays)
            self._value = total / sum(array.size for array in arrays)
            self._losses = []
        return self._value

    def __repr__(self) -> str:
        return f"PendingLoss({'computing' if self._value is None else self._value})"


class IterationLearner:
    """A net, its data and its trainer, run one iteration at a time: what a Learner is made on.

    Parameters
    ----------
    net : mx.gluon.Block
        Initialised on the contexts.
    data_loader : iterable
        Yields (data, label) pairs in every pass.
    contexts : list of mx.Context
        Where to train.
    loss : callable
        From (output, label) to one loss a sample.
    trainer : mx.gluon.Trainer
        The trainer of the net's parameters.
    split_batches : bool
        Whether the workers of a distributed KVStore split each batch among them. Otherwise
        `data_loader` gives each worker batches of its own.

    Attributes
    ----------
    valid_loader : iterable, optional
        What :meth:`validate` takes where it is given nothing else.
    metrics : optional
        What :meth:`validate` computes where it is given nothing else.
    """

    valid_loader: Optional[Iterable[Batch]] = None
    metrics: Any = None

    def __init__(
        self,
        net: mx.gluon.Block,
        data_loader: Iterable[Batch],
        contexts: List[mx.Context],
        loss: Callable[[Any, Any], Any],
        trainer: mx.gluon.Trainer,
        split_batches: bool,
    ) -> None:
        self.net = net
        self.data_loader = data_loader
        self.ctx: Context = contexts[0] if len(contexts) == 1 else contexts
        self.loss = loss
        self.trainer = trainer
        self.workers = Workers.of(trainer)
        self._contexts = contexts
        self._batches = Batches(data_loader, self.workers, split_batches)
        self._last: Optional[PendingLoss] = None
        self._closed = False
        self._prepared = False

    @property
    def iteration_loss(self) -> Optional[float]:
        """The mean loss of the last iteration, None before the first."""
        return None if self._last is None else float(self._last)

    def iteration(self, lr: Optional[float] = None, take_step: bool = True) -> float:
        """Train on the next batch and return its mean loss.

        Parameters
        ----------
        lr : float, optional
            Learning rate of this iteration, at least 0. The trainer keeps it for the following
            ones, unless it has an lr_scheduler, which then takes over again. By default the
            trainer's own rate.
        take_step : bool
            Whether to update the weights, or only to compute the loss and the gradients.

        Raises
        ------
        ValueError
            On a negative or non-finite rate, and where the data loader yields nothing.
        """
        return float(self.enqueue(lr, take_step))

    @uninterrupted
    def enqueue(self, lr: Optional[float] = None, take_step: bool = True) -> PendingLoss:
        """Do as :meth:`iteration` does, but without waiting for what MXNet computes meanwhile.

        Reading each loss an iteration or two late keeps MXNet's engine busy. After an error the
        next call takes the same batch again.

        Returns
        -------
        PendingLoss
            `float()` of it waits for the mean loss.

        Raises
        ------
        ValueError
            As :meth:`iteration`.
        """
        if lr is not None:
            lr = _check.rate("Learner.iteration", "lr", lr)
        self.prepare()
        share = self._next_share()
        loss = self._mean(self._backward(share), share)
        if take_step:
            self._step(share.total, lr, loss)
        self._batches.move_on()
        self._last = loss
        return loss

    def prepare(self) -> None:
        """Meet the other workers, where the trainer has a distributed KVStore; once.

        The first iteration, fit or search does so by itself. All workers begin with the weights
        of the first, and ``learner.workers`` tells `rank` and `count` from then on.

        Raises
        ------
        ValueError
            Where the KVStore would update the weights on its servers.
        WorkersLostError
            Where some have not come within the seconds of GLUON_LR_TIMEOUT, 300 by default.
        """
        if self._prepared:
            return
        self.workers.join()
        parameters = self.net.collect_params().values()
        if self.workers.are_apart and any(one._deferred_init for one in parameters):
            self._find_shapes()
        self.workers.take_first_weights()
        self._prepared = True

    def validate(
        self, data_loader: Optional[Iterable[Batch]] = None, metrics: Any = None
    ) -> Dict[str, float]:
        """Return the mean loss, and metrics, over one pass, as in use, not training.

        Parameters
        ----------
        data_loader : iterable, optional
            (data, label) pairs; by default the learner's `valid_loader`.
        metrics : optional
            As the Learner takes them; by default the learner's own.

        Returns
        -------
        dict
            'valid_loss', and each metric by its name.

        Raises
        ------
        ValueError
            Where there is no loader, or it yields nothing, or not (data, label) pairs.
        """
        if data_loader is None:
            data_loader = self.valid_loader
        if data_loader is None:
            constraint = "given where the Learner has no `valid_loader`"
            raise ValueError(_check.message("validate", "data_loader", constraint, None))
        measured = metric_of(self.metrics if metrics is None else metrics)
        measured.reset()
        losses = []
        for data, label in one_pass(data_loader):
            own = min(len(data), len(self._contexts))
            labels = self._split(label)[:own]
            outputs = [self.net(x) for x in self._split(data)[:own]]
            losses += [self.loss(output, label) for output, label in zip(outputs, labels)]
            measured.update(for_metrics(labels), for_metrics(outputs))
        return {"valid_loss": float(PendingLoss(losses)), **dict(measured.get_name_value())}

    def average_running_statistics(self) -> None:
        """Give all workers the mean of their running statistics, which the KVStore does not share.

        Every fit does so at the end of its epochs. On each context the mean is that context's.

        Raises
        ------
        WorkersLostError
            Where one has not called it in time.
        """
        if self.workers.count == 1:
            return
        for parameter in self.net.collect_params().values():
            if not parameter._differentiable:
                for array in parameter.list_data():
                    array[:] = self.workers.mean(self.workers.read(array))

    def place_kept(self) -> Transaction:
        """Go on, after the block, with the batch that would have come without it."""
        return Together(self._batches.place_kept(), Kept(self, "_last"))

    def close(self) -> None:
        """Give up the place in the data, and the workers that read ahead of it."""
        self._closed = True
        self._batches.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"Learner({type(self.net).__name__} on {self.ctx}, "
            f"{type(self.trainer.optimizer).__name__} at {self.trainer.learning_rate:g})"
        )

    def _next_share(self) -> Share:
        if self._closed:
            raise RuntimeError("Learner: closed; build a new one to go on training.")
        return self._batches.peek()

    def _find_shapes(self) -> None:
        """Run the net on what comes next, for the parameters that wait for their shapes."""
        with afterwards(GlobalState.get().put_back), self.place_kept():
            for data in self._split(self._next_share().data):
                self.net(data)

    def _backward(self, share: Share) -> List[Any]:
        """Compute the gradients; return the losses of this worker's own samples, by context."""
        data, labels = self._split(share.data), self._split(share.label)
        own = min(share.samples, len(data))
        with mx.autograd.record():
            losses = [self.loss(self.net(x), y) for x, y in zip(data, labels)]
            scaled = self._scaled(losses)
        weights = [None if n < own else nd.zeros_like(x) for n, x in enumerate(losses)]
        mx.autograd.backward(scaled, weights)
        return losses[:own]

    def _scaled(self, losses: List[Any]) -> List[Any]:
        """Return the losses as AMP wants their gradients, where it is used."""
        if loss_scaler_of(self.trainer) is None:
            return losses
        with amp.scale_loss(losses, self.trainer) as scaled:
            return list(scaled)

    def _split(self, part: Any) -> List[Any]:
        return over_contexts(part, self._contexts)

    def _mean(self, losses: List[Any], share: Share) -> PendingLoss:
        if self.workers.count == 1:
            return PendingLoss(losses)
        return PendingLoss([self.workers.mean_loss(losses, share.total)], self.workers.read)

    def _step(self, samples: int, lr: Optional[float], loss: PendingLoss) -> None:
        self._stepping()
        if lr is None:
            self.trainer.step(samples)
            self._stepped(loss)
            return
        optimizer = self.trainer.optimizer
        scheduler, own_lr = optimizer.lr_scheduler, optimizer.lr
        optimizer.lr_scheduler = None
        try:
            self.trainer.set_learning_rate(lr)
            self.trainer.step(samples)
            self._stepped(loss)
        finally:
            optimizer.lr_scheduler = scheduler
            if scheduler is not None:
                optimizer.lr = own_lr

    def _stepping(self) -> None:
        """Prepare for a step, whose gradients are there."""

    def _stepped(self, loss: PendingLoss) -> None:
        """Take note of a step, while the trainer still has what it was made with."""


def metric_of(metrics: Any) -> Any:
    """Return one mx.metric.EvalMetric that computes all of `metrics`."""
    several = [] if metrics is None else metrics
    several = list(several) if isinstance(several, (list, tuple)) else [several]
    try:
        return metric.create(several)
    except (AssertionError, TypeError, ValueError) as error:
        constraint = "what mx.metric.create takes, 'acc' say, or a list of it"
        raise ValueError(_check.message("Learner", "metrics", constraint, metrics)) from error

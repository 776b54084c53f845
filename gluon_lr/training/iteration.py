"""The base of a Learner: single iterations, validation and prediction."""

import contextlib
from types import TracebackType
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
)

import numpy as np

from .. import _check
from .._interrupts import uninterrupted
from .._mxnet import amp, mx
from .._trainer import check_rates, loss_scaler_of, parameters_of, scale_of
from ..data.batch_split import BatchSplit, Share
from ..data.batches import Batches, check_loader, one_pass
from ..data.held_out import HeldOut
from ..data.structure import Batch, arrays_in, inputs_and_labels
from ..distributed.workers import Workers
from ..events import CancelBatchException, CancelValidateException
from ..state.generators import GlobalState
from ..state.transaction import Kept, Together, Transaction, afterwards
from . import default_loss
from .gradients import (
    are_added_up,
    norm_of_sum,
    set_added_up_to_zero,
    update_weights,
    warn_of_unused,
    warn_of_zeros,
    written_of,
)
from .labels import check_labels, warn_of_broadcast
from .losses import (
    Losses,
    PendingLoss,
    PendingUpdate,
    SharedLosses,
    are_weights,
    as_loss,
    losses_of,
    may_be_weights,
    mean_of,
    means_by_samples,
)
from .metrics import ListeningNet, Measured
from .misfit import misfit_of, no_gradient_of
from .placement import Context
from .prediction import Collected, inputs_of, output_of

_FIXED = ("net", "trainer", "ctx")
_OF_MISFITS = (mx.base.MXNetError, AssertionError, IndexError, TypeError, ValueError)
_OF_LOSSES = (mx.gluon.loss.__name__, default_loss.__name__)
Self = TypeVar("Self", bound="IterationLearner")
ComputeLoss = Callable[[Any, Any], Any]


class IterationLearner:
    """The base class of a Learner: trains a net on its data, one iteration at a time.

    An update uses the gradient of the mean of all losses of the step: on all contexts, of all
    workers, and, if gradients are added up (``grad_req="add"``), of all batches since the last
    update. Gradients that are added up are set to 0 after each update.

    Parameters
    ----------
    net : mx.gluon.Block
        The net, initialised on the contexts.
    data_loader : iterable
        Yields the batches of each pass.
    contexts : list of mx.Context
        Where to train.
    loss : callable
        Takes (output, label) and returns losses.
    trainer : mx.gluon.Trainer
        The trainer of the net's parameters.
    split_batches : bool
        Whether the workers of a distributed KVStore split each batch among them. If False,
        `data_loader` gives each worker its own batches.
    batch_axis : int
        The axis of the arrays along which the samples lie.

    Attributes
    ----------
    valid_loader : iterable, optional
        The default batches of :meth:`validate`.
    metrics : optional
        The default metrics of :meth:`validate`.
    also : sequence of (mx.gluon.Block, mx.gluon.Trainer)
        Other nets that an iteration changes: a search restores them too.
    batch : object
        The batch of the last iteration, before it was split over the contexts.
    divisor : float
        The next update divides the sum of all gradients by this: the number of losses. A
        callback may change it at ``before_step``.
    validation : dict
        The last result of :meth:`validate`.
    """

    valid_loader: Optional[Iterable[Batch]] = None
    metrics: Any = None
    also: Sequence[Tuple[mx.gluon.Block, mx.gluon.Trainer]] = ()

    def __init__(
        self,
        net: mx.gluon.Block,
        data_loader: Iterable[Batch],
        contexts: List[mx.Context],
        loss: Callable[..., Any],
        trainer: mx.gluon.Trainer,
        split_batches: bool,
        batch_axis: int = 0,
    ) -> None:
        self.net = net
        self._data_loader = data_loader
        self.ctx: Context = contexts[0] if len(contexts) == 1 else contexts
        self.loss = loss
        self.trainer = trainer
        self.workers = Workers.of(trainer)
        self.batch: Batch = None
        self.divisor: float = 0
        self.validation: Dict[str, float] = {}
        self._contexts = contexts
        self._batch_split = BatchSplit(batch_axis)
        self._batches = Batches(data_loader, self.workers, split_batches, self._batch_split)
        self._shared_losses = SharedLosses(self.workers)
        self._update = PendingUpdate()
        self._last: Optional[PendingLoss] = None
        self._own_losses: List[Losses] = []  # of the last batch, on each context
        self._loss_of_labels: Any = None  # the loss that was checked against labels
        self._returns_weights: Optional[bool] = None  # whether compute_loss returns weights
        self._updated: Optional[PendingLoss] = None  # the loss of the last update
        self._is_put_off = False  # whether the update waits for more batches
        self._added_up: Tuple[mx.gluon.Parameter, ...] = ()  # parameters that were set to add
        self._batches_taken = 0  # by take_batch
        self._has_others_weights = False
        self._closed = False
        self._prepared = False

    def compute_loss(self, net: Any, batch: Batch) -> Any:
        """Return the losses of a batch; an iteration calls it under ``autograd.record()``.

        The last part of a batch is the label, and the parts before it are the inputs:
        ``(x1, x2, y)`` is ``loss(net(x1, x2), y)``, and ``((x1, x2), (y1, y2))`` is
        ``loss(net(x1, x2), y1, y2)``. For other batches, give the Learner a function
        `compute_loss`, or override this method.

        Parameters
        ----------
        net : mx.gluon.Block
            The net.
        batch : object
            A context's part of the batch, with its arrays on that context.

        Returns
        -------
        array, list of arrays or (array, array)
            Losses of any shape, whose mean is minimised. A tuple of two arrays, the second
            computed without the net, is ``(losses, weights)``. The mean is then
            ``sum(losses * weights) / sum(weights)``.
        """
        inputs, labels = inputs_and_labels(batch)
        output = None
        try:
            output = net(*inputs)
            is_new = self._loss_of_labels is not self.loss
            if is_new:
                check_labels(self.loss, output, labels)
            losses = self.loss(output, *labels)
            if is_new:
                warn_of_broadcast(output, labels, losses)
                self._loss_of_labels = self.loss
            return losses
        except _OF_MISFITS as error:
            misfit = misfit_of(self.net, batch, output, error)
            if misfit is None:
                raise
            raise misfit from error

    @property
    def iteration_loss(self) -> Optional[float]:
        """The mean loss of the last iteration; None before the first.

        Your own `iteration` may assign it. During a fit with several workers, all of them have to
        read it.
        """
        return None if self._last is None else float(self._last)

    @iteration_loss.setter
    def iteration_loss(self, loss: Any) -> None:
        self._last = as_loss(loss)

    @property
    def loss_fn(self) -> Callable[..., Any]:
        """The `loss`, by its name in MXNet's tutorial.

        Raises
        ------
        TypeError, ValueError
            At an assignment, if the value is not a function or `compute_loss` was given.
        """
        return self.loss

    @loss_fn.setter
    def loss_fn(self, loss: Callable[..., Any]) -> None:
        _check.is_function("Learner", "loss_fn", loss, "callable with (output, label)")
        if "compute_loss" in vars(self):
            constraint = "unchanged if compute_loss is given, because that computes the loss"
            raise ValueError(_check.message("Learner", "loss_fn", constraint, loss))
        self.loss = loss

    @property
    def data_loader_iter(self) -> Iterator[Batch]:
        """An iterator over the next batches, as in MXNet's tutorial.

        Use it in your own `iteration`: ``next(self.data_loader_iter)``. It restarts the data
        loader at its end. Its ``shutdown()`` is :meth:`close`. You may assign your own iterator.
        """
        own: Optional[Iterator[Batch]] = vars(self).get("_own_data_loader_iter")
        return _NextBatches(self) if own is None else own

    @data_loader_iter.setter
    def data_loader_iter(self, batches: Iterator[Batch]) -> None:
        if not self.has_own_iteration:
            constraint = "assigned only if the class overrides `iteration` and reads it there"
            remedy = "Assign learner.data_loader = batches."
            value = type(batches).__name__
            raise ValueError(
                _check.message("Learner", "data_loader_iter", constraint, value, remedy)
            )
        self._own_data_loader_iter = batches

    @property
    def data_loader(self) -> Iterable[Batch]:
        """The loader of the batches; a newly assigned loader starts at its first batch.

        Raises
        ------
        TypeError, ValueError
            At an assignment, if the value yields no batches.
        """
        return self._data_loader

    @data_loader.setter
    def data_loader(self, data_loader: Iterable[Batch]) -> None:
        check_loader("Learner", "data_loader", data_loader)
        if "_batches" in vars(self):  # False if a subclass assigns it before `__init__`
            self._before_other_data()
            self._batches.close()
            self._batches = self._batches_of(data_loader)
        self._data_loader = data_loader

    def _batches_of(self, data_loader: Iterable[Batch]) -> Batches:
        """Return the batches of another loader, split like the current ones."""
        return Batches(data_loader, self.workers, self._batches.split, self._batch_split)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and "_prepared" in vars(self) and value is not getattr(self, name):
            constraint = "the one that the Learner was made with"
            remedy = "Make another Learner with the same data."
            raise AttributeError(_check.message("Learner", name, constraint, value, remedy))
        super().__setattr__(name, value)

    @property
    def batches_in_update(self) -> int:
        """The number of batches whose gradients the next update uses."""
        return len(self._update.losses)

    @property
    def parts_of_batch(self) -> List[Tuple[float, int]]:
        """The number of losses and of samples of the last batch's part on each context.

        Weighted losses have the sum of their weights as number. A context or worker without
        samples of its own, which borrows one from another, has no part.
        """
        if not self._own_losses:
            return []
        sizes = self._batch_split.sizes(self.batch, len(self._contexts))
        return [(one.number, size) for one, size in zip(self._own_losses, sizes)]

    @property
    def samples_in_update(self) -> int:
        """The number of samples in :attr:`batches_in_update`; read it at each batch."""
        samples = self._batch_split.samples(self.batch)
        self._update = self._update.with_samples(
            int(self.workers.sum(np.array([samples]), "samples")[0])
        )
        return sum(self._update.samples)

    def iteration(self, lr: Optional[float] = None, take_step: bool = True) -> float:
        """Train on the next batch and return its mean loss.

        Parameters
        ----------
        lr : float, optional
            Learning rate of this iteration, at least 0. The trainer keeps it for the following
            iterations, unless it has an lr_scheduler, which then sets the rate again. By default
            the trainer's own rate.
        take_step : bool
            Whether to update the weights. If False, only compute the loss and the gradients.

        Raises
        ------
        ValueError
            If the rate is negative or not finite, or is 0 with FTML, Ftrl or SGLD, which would
            make the weights non-finite; if the data loader yields nothing.
        """
        return float(self.enqueue(lr, take_step))

    @uninterrupted
    def enqueue(self, lr: Optional[float] = None, take_step: bool = True) -> PendingLoss:
        """Train as :meth:`iteration` does, but without waiting for MXNet's computation.

        Read each loss one or two iterations later, to keep MXNet's engine busy. After an error,
        the next call takes the same batch again.

        Returns
        -------
        PendingLoss
            `float()` of it waits for the mean loss. If a callback cancelled this batch at
            ``before_loss``, it is the loss of the batch before.

        Raises
        ------
        ValueError
            As :meth:`iteration`.
        """
        lr = self._checked("Learner.iteration", lr, take_step)
        self.prepare()
        share = self._next_share()
        self.batch = share.batch
        before, has_stepped = self._update, False
        try:
            with contextlib.suppress(CancelBatchException):
                self.tell("before_loss")
                if not are_added_up(self.trainer):
                    before = self._update = PendingUpdate()
                self._backward(share)
                if take_step:
                    self._step(lr)
                    has_stepped = True
                elif lr is not None and self.trainer.optimizer.lr_scheduler is None:
                    self.trainer.set_learning_rate(lr)
        except BaseException:
            if self._update is not before and are_added_up(self.trainer):  # batch is added
                self._move_on()
            raise
        waiting = bool(self._update.losses) and are_added_up(self.trainer)
        self._is_put_off = waiting and take_step and not has_stepped
        self._move_on()
        if has_stepped:
            with contextlib.suppress(CancelBatchException):
                self.tell("after_step")
        return self._last or PendingLoss([])

    @property
    def has_own_iteration(self) -> bool:
        """Whether a subclass overrides :meth:`iteration`."""
        return getattr(self.iteration, "__func__", None) is not IterationLearner.iteration

    def advance(self, lr: Optional[float] = None) -> Any:
        """Train on the next batch, by :meth:`iteration` if it is overridden, or :meth:`enqueue`.

        Returns
        -------
        PendingLoss
            The loss, or what the overriding `iteration` returns.
        """
        if not self.has_own_iteration:
            return self.enqueue(lr)
        return self.iteration() if lr is None else self.iteration(lr)

    def update(self, lr: Optional[float] = None) -> Any:
        """Train until an update is made, of one batch, or of as many as callbacks add up.

        Returns
        -------
        PendingLoss
            `float()` of it waits for the mean loss of these batches.
        """
        while True:
            updated, self._is_put_off = self._updated, False
            loss = self.advance(lr)
            if self._updated is not updated:
                return self._updated
            if not self._is_put_off:
                return loss  # cancelled, or made by an overridden iteration

    def make_update(self, lr: Optional[float] = None) -> None:
        """Make an update with the gradients added up since the last update, if there are any.

        Parameters
        ----------
        lr : float, optional
            As in :meth:`iteration`.
        """
        lr = self._checked("Learner.make_update", lr)
        if self._update.losses:
            with contextlib.suppress(CancelBatchException):
                self.divisor = self._update.divisor
                self._step(lr)
                self.tell("after_step")

    def gradient_norm(self) -> float:
        """Return the norm of the gradient of the next update; wait for its computation.

        This is the Euclidean norm over all parameters together. The gradient is that of the mean
        of all losses, on all contexts and workers.

        Raises
        ------
        RuntimeError
            If there are no gradients since the last update.
        """
        if not self._update.losses:
            raise RuntimeError(
                "Learner: there are no gradients since the last update, so there is no norm. Call "
                "gradient_norm() at before_step of a callback."
            )
        total = norm_of_sum(self.trainer, self.workers)
        return total * scale_of(self.trainer) / self.divisor

    def prepare(self) -> None:
        """Join the other workers once, if the trainer has a distributed KVStore.

        The first iteration, fit or search calls it. All workers take the weights of the first
        worker. From then on, ``learner.workers`` has `rank` and `count`.

        Raises
        ------
        ValueError
            If the KVStore updates the weights on its servers.
        WorkersLostError
            If some workers do not join within GLUON_LR_TIMEOUT seconds, 300 by default.
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
        """Return the mean loss and metrics over one pass, with the net in prediction mode.

        If the loss is a mean, each batch counts by its number of samples.

        Parameters
        ----------
        data_loader : iterable, optional
            Batches like the training batches; by default the learner's `valid_loader`.
        metrics : optional
            As for the Learner; by default the learner's own. They get the outputs of the net and
            the labels, the last part of the batch.

        Returns
        -------
        dict
            'valid_loss', and each metric by its name; empty if a callback cancels the validation
            before the first batch.

        Raises
        ------
        ValueError
            If there is no loader, or it yields nothing.
        """
        if data_loader is None:
            data_loader = self.valid_loader
        if data_loader is None:
            constraint = "given if the Learner has no `valid_loader`"
            raise ValueError(_check.message("validate", "data_loader", constraint, None))
        measured = Measured(self.metrics if metrics is None else metrics)
        self.workers.wait_for_others()
        losses: List[Losses] = []
        samples: List[int] = []
        with contextlib.ExitStack() as blocks:
            self._enter(self._blocks_of_validation(), blocks)
            with contextlib.suppress(CancelValidateException):
                self.tell("before_validate")
                for batch in one_pass(data_loader, self._batch_split, "valid_loader"):
                    parts, own = self._batch_split.over_contexts(batch, self._contexts)
                    net = measured.listening_to(self.net)
                    losses += self._losses_of(net, parts[:own])
                    samples += self._batch_split.sizes(batch, len(self._contexts))
                    measured.update(net, parts[:own])
            loss = mean_of(means_by_samples(losses, samples))
            seen = {"valid_loss": float(loss), **measured.values()}
            self.validation = seen if losses else {}
            with contextlib.suppress(CancelValidateException):
                self.tell("after_validate")
        return self.validation

    def predict(self, data_loader: Iterable[Batch]) -> Any:
        """Return the outputs of the net for all samples of one pass, in prediction mode.

        Parameters
        ----------
        data_loader : iterable
            Batches like the training batches, whose labels are ignored; or batches of data only,
            each an array. Your own `compute_loss` needs the batches that it takes in training.

        Returns
        -------
        array
            The outputs of all samples, in the loader's order, on the CPU; in lists and tuples if
            the net returns them.

        Raises
        ------
        ValueError
            If the loader yields nothing, or the net does not return an output for each sample.
        """
        check_loader("predict", "data_loader", data_loader)
        outputs = Collected(self._batch_split.axis)
        for part in self._parts_of_pass(data_loader):
            outputs.add(self._output_of(part), self._batch_split.samples(part))
        return outputs.joined()

    def get_preds(self, dl: Optional[Iterable[Batch]] = None) -> Tuple[Any, Any]:
        """Return the outputs of the net for all samples of a pass, and their labels.

        Parameters
        ----------
        dl : iterable, optional
            Batches like the training batches; by default the learner's `valid_loader`.

        Returns
        -------
        (array, array)
            Outputs as from :meth:`predict`, and labels; several labels are in a list.

        Raises
        ------
        ValueError
            As :meth:`predict`, and if there is no loader.
        """
        loader = self.valid_loader if dl is None else dl
        if loader is None:
            constraint = "given if the Learner has no `valid_loader`"
            raise ValueError(_check.message("get_preds", "dl", constraint, None))
        check_loader("get_preds", "dl", loader)
        outputs, labels = (Collected(self._batch_split.axis) for _ in range(2))
        for part in self._parts_of_pass(loader):
            samples = self._batch_split.samples(part)
            outputs.add(self._output_of(part), samples)
            of_part = inputs_and_labels(part)[1]
            labels.add(of_part[0] if len(of_part) == 1 else of_part, samples)
        return outputs.joined(), labels.joined()

    def _parts_of_pass(self, data_loader: Iterable[Batch]) -> Iterator[Batch]:
        """Yield the parts of each batch of a pass, on the contexts."""
        self.workers.wait_for_others()
        for batch in one_pass(data_loader, self._batch_split):
            parts, own = self._batch_split.over_contexts(batch, self._contexts)
            yield from parts[:own]

    def _output_of(self, part: Batch) -> Any:
        with next(arrays_in(part)).context:
            if not self._has_own_compute_loss:
                return output_of(self.net, inputs_of(part))
            net = ListeningNet(self.net)
            self.compute_loss(net, part)
        if len(net.outputs) != 1:
            constraint = "a function that calls its argument `net` exactly once, for predict()"
            value = f"one that calls it {len(net.outputs)} times"
            raise ValueError(_check.message("predict", "compute_loss", constraint, value))
        return net.outputs[0]

    def average_running_statistics(self) -> None:
        """Average the running statistics over all workers, as the KVStore does not share them.

        Every fit calls it at the end of each epoch. The mean is computed for each context alone.

        Raises
        ------
        WorkersLostError
            If a worker does not call it in time.
        """
        if self.workers.count == 1:
            return
        for parameter in self.net.collect_params().values():
            if not parameter._differentiable:
                self.workers.give_mean(parameter.list_data())

    def place_kept(self) -> Transaction:
        """After the block, continue with the batch that would have come without it."""
        names = ("_last", "_update", "_updated", "_added_up", "batch", "divisor", "validation")
        return Together(self._batches.place_kept(), Kept(self, *names))

    def on_other_data(self, data_loader: Iterable[Batch]) -> Transaction:
        """Within the block, train on the batches of another loader, from its start."""
        check_loader("Learner", "data_loader", data_loader)
        return _OnOtherData(self, data_loader)

    def on_data_of(self, other: "IterationLearner") -> None:
        """From now on, share the batches of another learner."""
        self._data_loader, self._batches = other._data_loader, other._batches

    def hold_out(self, share: float = 0.2, most: int = 1000) -> HeldOut:
        """Within the block, train without a share of the data, to validate on it.

        ``with learner.hold_out() as held, held: ... learner.validate(held.batches)``. The block
        also does what :meth:`place_kept` does. Nested blocks start at the same place and hold out
        the same data.

        From a DataLoader, whose indices are known, it holds out single samples: the same ones in
        each pass and on each worker. A constant batch size stays the same. From other loaders it
        holds out whole batches, by their place in the pass: the second, and by default each fifth
        after it. If each pass gives the same batches, as a list does, these are always the same
        samples. If the loader shuffles, this is true only in the first pass. A loader with only
        one pass, for example an iterator, holds out some of its next batches.

        Parameters
        ----------
        share : float
            The part to hold out, above 0 and at most 0.5. For whole batches it is each n-th, with
            n the integer nearest to ``1 / share``.
        most : int
            Samples to validate on, at least 1; they stay in memory. A DataLoader holds out no
            more. From other loaders, `batches` has as many whole batches as reach this number, or
            those of one pass; the other n-th batches are held out too.

        Returns
        -------
        HeldOut
            The block. Its `batches` is a list of the held out batches, with the loader's own
            structure and transforms.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds, or a pass has only one batch or one sample.
        """
        share = _check.real("Learner.hold_out", "share", share, above=0, maximum=0.5)
        most = _check.integer("Learner.hold_out", "most", most, 1)
        self._check_open()
        self.prepare()
        held, batches = self._batches.find_held_out(share, most)
        return HeldOut(batches, self.place_kept(), self._batches.held_out(held))

    def take_batch(self) -> Batch:
        """Return the next batch without training on it."""
        self.prepare()
        self.batch = self._next_share().batch
        self._batches_taken += 1
        self._move_on()
        return self.batch

    def samples_of_batch(self) -> int:
        """Return how many samples the first batch of another pass has; the place stays.

        If the workers split batches, these are the samples of all workers.
        """
        own = self._batch_split.size(self._first_of_another_pass())
        if not self._batches.split:
            return own
        return int(self.workers.sum(np.array([own]), "samples of a batch")[0])

    def skip_pass(self, batches: int) -> None:
        """Start a pass and leave it, so that the next pass has the shuffle order after it.

        If the data has only one pass, skip `batches` batches.
        """
        self._batches.start_pass()
        for _ in range(batches if self._batches.has_one_pass else 1):
            self.take_batch()

    def first_batch(self) -> Batch:
        """Return the first batch of another pass, on the first context; the place stays."""
        batch = self._first_of_another_pass()
        return self._batch_split.over_contexts(batch, self._contexts[:1])[0][0]

    def _first_of_another_pass(self) -> Batch:
        with afterwards(GlobalState.get().put_back), self.place_kept():
            return self._next_share().batch

    def _enter(self, validating: List[ContextManager[Any]], blocks: contextlib.ExitStack) -> None:
        """Enter the blocks of a validation, in which the net may have other weights."""
        if not validating:
            return
        for block in validating:
            blocks.enter_context(block)
        self._has_others_weights = True
        blocks.callback(setattr, self, "_has_others_weights", False)

    def _blocks_of_validation(self) -> List[ContextManager[Any]]:
        """Return the blocks to enter for a validation."""
        return []

    def tell(self, event: str) -> None:
        """Call an event of all callbacks, if there are any."""

    def add_up_gradients(self) -> None:
        """Make backward passes add to the gradients, until the end of the fit or search.

        A callback may call it at ``before_loss``. Each update sets the gradients to 0.

        Raises
        ------
        ValueError
            If gradients are stored by rows, which MXNet cannot add up.
        """
        written = written_of(self.trainer)
        by_rows = [one.name for one in written if one._grad_stype != "default"]
        if by_rows:
            constraint = "one with dense gradients, because only these can be added up"
            remedy = "Make the Embedding with sparse_grad=False."
            value = f"one with row-sparse gradients of {', '.join(by_rows)}"
            raise ValueError(_check.message("Learner", "trainer", constraint, value, remedy))
        for parameter in written:
            parameter.grad_req = "add"
        self._note_added_up(written)

    def write_gradients(self) -> None:
        """Undo :meth:`add_up_gradients`: make backward passes overwrite the gradients again."""
        for parameter in self._added_up:
            if parameter.grad_req == "add":  # it may be frozen by now
                parameter.grad_req = "write"
        self._added_up = ()

    def tell_losses(self, what: str = "losses") -> None:
        """Exchange all losses so far among the workers, so that each can read them alone.

        A fit does this some updates later anyway, and at the end of each epoch and of the fit.

        Parameters
        ----------
        what : str
            The purpose, for error messages: at most 48 ASCII characters, the same on all workers.

        Raises
        ------
        WorkersLostError
            If a worker does not call it in time.
        """
        self._shared_losses.tell(what=what)

    def forget_gradients(self) -> None:
        """Restart the current update: set gradients that were added up to 0."""
        self.write_gradients()
        set_added_up_to_zero(self.trainer)
        self._update = PendingUpdate()

    def close(self) -> None:
        """Give up the place in the data, and end the worker processes that read ahead."""
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

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("Learner: it is closed. Make a new Learner to continue training.")

    def _before_other_data(self) -> None:
        """Check that the data loader may be replaced now."""

    def _next_share(self) -> Share:
        self._check_open()
        return self._batches.peek()

    def _move_on(self) -> None:
        self._batches.move_on()
        self._moved_on()

    def _note_added_up(self, written: List[mx.gluon.Parameter]) -> None:
        """Remember which of the parameters in `written` now have gradients that are added up."""
        self._added_up += tuple(one for one in written if one.grad_req == "add")

    def _find_shapes(self) -> None:
        """Run the net on the next batch, for parameters whose shapes are not known yet."""
        with afterwards(GlobalState.get().put_back), self.place_kept():
            batch = self._next_share().batch
            self._losses_of(self.net, self._batch_split.over_contexts(batch, self._contexts)[0])

    def _backward(self, share: Share) -> None:
        """Compute the losses and add their gradients to those of :attr:`_update`."""
        parts, own = self._batch_split.over_contexts(share.batch, self._contexts)
        with mx.autograd.record():
            losses = self._losses_of(self.net, parts)
            arrays = self._scaled([array for one in losses for array in one.arrays])
        heads = [one.heads(n < own and share.is_own) for n, one in enumerate(losses)]
        update = self._with_batch(losses[:own] if share.is_own else [], share.samples)
        self.tell("after_loss")
        try:
            mx.autograd.backward(arrays, [head for several in heads for head in several])
        except mx.base.MXNetError as error:
            unfit = no_gradient_of(parameters_of(self.trainer), error)
            if unfit is None:
                raise
            raise unfit from error
        self._update = update

    def _losses_of(self, net: Any, parts: Sequence[Batch]) -> List[Losses]:
        """Return the losses of a batch's part on each context."""
        losses = []
        for part, context in zip(parts, self._contexts):
            with context:
                losses.append(self._read_losses(net, part))
        return losses

    def _read_losses(self, net: Any, part: Batch) -> Losses:
        if mx.autograd.is_recording():
            returned = self.compute_loss(net, part)
            if self._returns_weights is None and may_be_weights(returned):
                _check.warn_caller(
                    "compute_loss returned a tuple of two arrays with gradients: both are used "
                    "as losses. Return `(losses, weights.detach())` if the second one is "
                    "weights, or a list, `[losses1, losses2]`, if both are losses."
                )
            self._returns_weights = are_weights(returned)
        elif self._returns_weights is None:  # only under record() do losses differ from weights
            with mx.autograd.record(train_mode=False):
                return self._read_losses(net, part)
        else:
            returned = self.compute_loss(net, part)
        return losses_of(returned, self._returns_weights)

    def _with_batch(
        self, losses: List[Losses], samples: Optional[Tuple[int, int]] = None
    ) -> PendingUpdate:
        """Return the pending update with this batch, and set the last loss and the divisor."""
        divisor = self._divisor_of(losses)
        self._own_losses = losses
        if self.workers.count == 1:
            loss: PendingLoss = mean_of(losses)
        else:
            known = samples if self._has_one_loss_a_sample else None
            loss, divisor = self._shared_losses.of_batch(losses, divisor, known)
        if not divisor:
            constraint = "above 0 for at least one loss of each batch"
            raise ValueError(_check.message("compute_loss", "weights", constraint, 0))
        update = self._update.with_batch(loss, divisor)
        self._last, self.divisor = loss, update.divisor
        return update

    @property
    def _has_one_loss_a_sample(self) -> bool:
        """Whether an MXNet loss is computed our way, which may give one loss per sample."""
        return not self._has_own_compute_loss and type(self.loss).__module__ in _OF_LOSSES

    @property
    def _has_own_compute_loss(self) -> bool:
        """Whether :meth:`compute_loss` is overridden or given."""
        own = getattr(self.compute_loss, "__func__", None)
        return own is not IterationLearner.compute_loss

    def _divisor_of(self, losses: List[Losses]) -> float:
        """Return the divisor for the sum of the gradients of these losses."""
        return sum(one.number for one in losses)

    def _scaled(self, losses: List[Any]) -> List[Any]:
        """Return the losses, scaled for AMP if it is used."""
        if loss_scaler_of(self.trainer) is None:
            return losses
        with amp.scale_loss(losses, self.trainer) as scaled:
            return list(scaled)

    def _checked(self, owner: str, lr: Optional[float], steps: bool = True) -> Optional[float]:
        """Check that an update can be made at a given rate, and return the rate."""
        if lr is None:
            return None
        lr = _check.rate(owner, "lr", lr)
        if steps:
            check_rates(owner, self.trainer, lr)
        return lr

    def _step(self, lr: Optional[float]) -> None:
        if lr is None:
            self._update_weights()
            return
        optimizer = self.trainer.optimizer
        scheduler, own_lr = optimizer.lr_scheduler, optimizer.lr
        optimizer.lr_scheduler = None
        try:
            self.trainer.set_learning_rate(lr)
            self._update_weights()
        finally:
            optimizer.lr_scheduler = scheduler
            if scheduler is not None:
                optimizer.lr = own_lr

    def _update_weights(self) -> None:
        self._stepping()
        self.tell("before_step")
        if self._updated is None:
            warn_of_unused(self.trainer)
            warn_of_zeros(self.trainer)
        check_rates("Learner", self.trainer)
        self._updating()
        update_weights(self.trainer, self.divisor)
        self.workers.count_update()
        set_added_up_to_zero(self.trainer)
        self._updated, self._update = self._update.loss, PendingUpdate()
        self._stepped(self._updated)

    def _stepping(self) -> None:
        """Prepare for a step, once its gradients are computed."""

    def _updating(self) -> None:
        """Do what must not be done if a callback cancels the update or raises an error."""

    def _stepped(self, loss: PendingLoss) -> None:
        """Record a step, while the trainer still has its hyper-parameters."""

    def _moved_on(self) -> None:
        """Record the end of a batch."""


class _OnOtherData(Kept):
    """A block in which the batches come from another loader."""

    def __init__(self, learner: IterationLearner, data_loader: Iterable[Batch]) -> None:
        super().__init__(learner, "_data_loader", "_batches")
        self._other = data_loader

    def begin(self) -> None:
        self._owner._batches = self._owner._batches_of(self._other)
        self._owner._data_loader = self._other

    def put_back(self) -> None:
        if self._owner._data_loader is self._other:
            self._owner._batches.close()
        super().put_back()


class _NextBatches(Iterator[Batch]):
    """An iterator over a learner's next batches."""

    def __init__(self, learner: IterationLearner) -> None:
        self._learner = learner

    def __next__(self) -> Batch:
        return self._learner.take_batch()

    def shutdown(self) -> None:
        """Close the learner."""
        self._learner.close()

"""The Learner: trains a net by single iterations or by fastai's policies."""

import contextlib
from functools import partial
from typing import (
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterable,
    List,
    Literal,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
    cast,
    overload,
)

import numpy as np
from tqdm.auto import tqdm

from .. import _check, events
from .._interrupts import uninterrupted
from .._mxnet import mx
from .._trainer import (
    begun_anew,
    forget_updates,
    is_distributed,
    loss_scaler_of,
    parameters_of,
)
from ..data.batches import check_loader, empty
from ..data.place import LoaderMemory
from ..data.structure import Batch
from ..events import FASTAIS_OWN_EVENTS, Callback, CancelFitException
from ..finder.finder import LRFinder
from ..finder.start import trial_of
from ..finder.tune_result import TuneResult
from ..hyper.annealing import SchedNo, as_curve
from ..hyper.group_rates import Rate, group_rates
from ..hyper.groups import Freezer, parameter_groups
from ..hyper.parameters import HyperParameters
from ..hyper.policies import (
    cycle_lengths,
    flat_cos,
    one_cycle,
    sgdr,
    usual_moms,
)
from ..hyper.scheduling import Curves, ParamScheduler
from ..schedules import Schedule
from ..state.checkpoint import (
    PathLike,
    Reading,
    checkpoint_of,
    load_params,
    load_states,
    read,
    save_checkpoint,
    save_params,
    save_states,
    tell,
)
from ..state.memory import Memory
from ..state.tensors import as_read
from ..state.trainer import names_of, statement_of
from ..state.transaction import Kept, Together, Transaction, afterwards
from ..state.walk import OwnNames
from ..training.default_loss import DefaultLoss
from ..training.gradients import written_of
from ..training.hidden_state import HiddenState
from ..training.iteration import ComputeLoss, IterationLearner
from ..training.losses import PendingLoss
from ..training.metrics import Measured, metric_of
from ..training.placement import Context, contexts_for, initialize
from .audience import Audience, in_order
from .callback_states import hand_out, states_of, without_taker
from .callbacks import ProgressCallback, TerminateOnNaN
from .fastai_names import FastaiNames, make_a_search
from .fit import Fit, Span, check_no_schedule_counts, warn_of_epochs
from .fitting import Fitting
from .lr_find import SuggestedLRs, SuggestFuncs, lr_find, named_functions
from .recorder import Recorder
from .run import Run, data_of
from .summary import Summary

Callbacks = Union[Callback, Sequence[Callback], None]


class Learner(FastaiNames):
    """Train a net on its data, one iteration at a time or by fastai's policies.

    The fits have fastai's arguments and defaults. Each fit trains for whole epochs: passes
    through the data loader, or `iterations_per_epoch` batches. Update n of N is at position
    ``(n - 1) / N`` of the curves. A fit with a rate does not use the trainer's lr_scheduler. After
    each fit, the trainer has its own hyper-parameters again. Ctrl-C interrupts a fit between two
    updates, and :meth:`resume` continues it.

    A rate is one number, one number per parameter group, or a slice. ``slice(a, b)`` is geometric
    from the first group to the last. ``slice(b)`` gives b to the last group and a tenth of it to
    the others. 'tune' keeps the best of several trainings: :meth:`gluon_lr.LRFinder.tune`.

    Parameters
    ----------
    net : mx.gluon.Block
        Initialised or not. Uninitialised parameters get `mx.init.Xavier()`.
    data_loader : iterable
        Yields batches, for example an `mx.gluon.data.DataLoader` or an `mx.io.DataIter`. It is
        restarted at its end. A batch is (data, label), or has any structure: arrays in tuples,
        lists, dicts, dataclasses, DataBatches. See :meth:`compute_loss`.
    ctx : mx.Context or list of mx.Context, optional
        Where to train; each batch is split over a list. By default the contexts on which the net
        is initialised, or else the current context.
    loss : callable, optional
        Takes (output, label) and returns one loss per sample, one per token, or their mean.
        Softmax cross-entropy by default.
    trainer : mx.gluon.Trainer, optional
        Your own trainer, with or without an lr_scheduler.
    optimizer : str or mx.optimizer.Optimizer
        The optimizer of the new trainer, if `trainer` is not given.
    optimizer_params : dict, optional
        Arguments of an optimizer given by name.
    valid_loader : iterable, optional
        Batches to validate on, after each epoch of a fit.
    metrics : str, callable, mx.metric.EvalMetric or list, optional
        Metrics to compute in validation, in addition to the loss. Names and functions as for
        `mx.metric.create`.
    groups : sequence, optional
        Parameter groups, from the first layers to the last, for separate rates and for
        :meth:`freeze`: each an mx.gluon.Block, a pattern of parameter names, or a list of
        parameters. One group by default.
    iterations_per_epoch : int, optional
        Batches per epoch of a fit; by default the length of the data loader. Required for an
        endless loader, which has no length.
    momentum_correction : bool
        Whether fits scale the momentum of SGD and NAG with the rate, as
        :class:`gluon_lr.ParamScheduler` does.
    split_batches : bool
        With a distributed KVStore: whether the workers split each batch among them, as contexts
        do. If False, `data_loader` gives each worker its own batches, and an epoch is as long as
        the first worker's.
    compute_loss : callable, optional
        Takes (net, batch) and returns the losses. Use it if ``loss(net(data), label)`` does not
        fit: see :meth:`compute_loss`. It is called with each context's part of the batch.
    batch_axis : int
        The axis of the arrays along which the samples lie: 1 for time-major data.
    also : list of (mx.gluon.Block, mx.gluon.Trainer)
        Other nets that a step trains, for example the second net of a GAN. A search restores
        them too, and :meth:`save` writes them.
    cbs : Callback or list, optional
        Callbacks of all fits. A search calls them too, at the events within a batch's step.

    Attributes
    ----------
    recorder : Recorder
        The hyper-parameters and the loss of each update since the start of the last fit.
    progress : bool
        Whether to show progress bars.
    in_trial : bool
        Whether the current work will be undone later: True within :meth:`place_kept`.
    tuned : TuneResult or None
        The result of the last fit at 'tune'.
    workers : Workers
        The processes that train together: their `count`, and the `rank` of this process. Both
        are known after :meth:`prepare`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, if two arguments exclude each other, or if the groups
        do not hold each parameter exactly once. The net is then unchanged.

    >>> import mxnet as mx
    >>> import numpy as np
    >>> dataset = mx.gluon.data.ArrayDataset(np.ones((8, 4), "float32"), np.zeros(8, "float32"))
    >>> with Learner(mx.gluon.nn.Dense(2), mx.gluon.data.DataLoader(dataset, 4)) as learner:
    ...     first = learner.iteration(lr=0.1)
    ...     second = learner.iteration(lr=0.1)
    >>> second < first
    True
    """

    def __init__(
        self,
        net: mx.gluon.Block,
        data_loader: Iterable[Batch],
        ctx: Optional[Context] = None,
        loss: Optional[Callable[..., Any]] = None,
        trainer: Optional[mx.gluon.Trainer] = None,
        optimizer: Union[str, mx.optimizer.Optimizer] = "sgd",
        optimizer_params: Optional[Dict[str, Any]] = None,
        valid_loader: Optional[Iterable[Batch]] = None,
        metrics: Any = None,
        groups: Optional[Sequence[Any]] = None,
        iterations_per_epoch: Optional[int] = None,
        momentum_correction: bool = False,
        split_batches: bool = True,
        compute_loss: Optional[ComputeLoss] = None,
        batch_axis: int = 0,
        also: Sequence[Tuple[mx.gluon.Block, mx.gluon.Trainer]] = (),
        cbs: Callbacks = None,
    ) -> None:
        own = set(vars(self))  # attributes that a user's subclass has set already
        if not isinstance(net, mx.gluon.Block):
            raise TypeError(_check.message("Learner", "net", "an mx.gluon.Block", net))
        check_loader("Learner", "data_loader", data_loader)
        contexts = contexts_for(net, ctx)
        if valid_loader is not None:
            check_loader("Learner", "valid_loader", valid_loader)
        if compute_loss is not None:
            _check.is_function(
                "Learner", "compute_loss", compute_loss, "callable with (net, batch)"
            )
            if loss is not None:
                constraint = "omitted if `compute_loss` is given"
                raise ValueError(_check.message("Learner", "loss", constraint, loss))
        if loss is None:
            loss = self._loss_of_class() or DefaultLoss()
        _check.is_function("Learner", "loss", loss, "callable with (output, label)")
        batch_axis = _check.integer("Learner", "batch_axis", batch_axis, 0)
        _check_also(also)
        metric_of(metrics)
        callbacks = _several("Learner", cbs)
        of_fits = [one for one in callbacks if isinstance(one, (LRFinder, ParamScheduler))]
        if of_fits:
            remedy = "Pass it to a fit: learner.fit(n_epoch, cbs=...)."
            constraint = "callbacks for all fits, without an LRFinder or a ParamScheduler"
            raise TypeError(_check.message("Learner", "cbs", constraint, of_fits[0], remedy))
        if iterations_per_epoch is not None:
            _check.integer("Learner", "iterations_per_epoch", iterations_per_epoch, 1)
        all_of_net = list(dict.fromkeys(net.collect_params().values()))
        trained = all_of_net if trainer is None else _trained_by(trainer)
        _check_trainer(all_of_net, trained)
        self.groups = parameter_groups("Learner", trained, groups, net)
        made = _optimizer(trainer, optimizer, optimizer_params)
        initialize(net, contexts)
        if trainer is None:
            trainer = mx.gluon.Trainer(net.collect_params(), made)
        super().__init__(net, data_loader, contexts, loss, trainer, split_batches, batch_axis)
        if compute_loss is not None:
            self.compute_loss = compute_loss  # type: ignore[method-assign, assignment]
        self.also = list(also)
        self.cbs = callbacks
        self.valid_loader = valid_loader
        self.metrics = metrics
        self.momentum_correction = momentum_correction
        self.recorder = Recorder(self.trainer, self.groups)
        self.progress = True
        self.n_epoch = 0
        self.in_trial = False
        self.tuned: Optional[TuneResult] = None
        self._iterations_per_epoch = iterations_per_epoch
        self._freezer = Freezer(self.groups)
        self._fits: List[Fit] = []  # not finished yet
        self._fitting: Optional[Fitting] = None
        self._fit_waits = False  # whether a fit waits for a search that one of its callbacks runs
        self._audience = Audience()
        self._valid = LoaderMemory(valid_loader)
        for one in (self.trainer, *(other for _, other in self.also)):
            statement_of(one)
        self._names = {*vars(self), "_names", "_hidden"} - own
        self._hidden = HiddenState(self.hidden_root, contexts)

    def _loss_of_class(self) -> Any:
        """Return a subclass's `loss_fn`, or the `loss` that it assigned before `__init__`."""
        is_ours = type(self).loss_fn is FastaiNames.loss_fn
        return vars(self).get("loss") if is_ours else self.loss_fn

    @property
    def hidden_root(self) -> List[Any]:
        """The objects that can hold hidden state, for a search to restore it."""
        given = vars(self).get("compute_loss")
        return [self.net, given, self.loss, OwnNames(self, self._names)]

    @property
    def names_of_epochs(self) -> Optional[List[str]]:
        """The names of the values of each epoch; None if a subclass overrides `validate`."""
        if self.valid_loader is None:
            return ["train_loss"]
        if getattr(self.validate, "__func__", None) is not IterationLearner.validate:
            return None
        return ["train_loss", "valid_loss", *Measured(self.metrics).values()]

    @property
    def iterations_per_epoch(self) -> int:
        """The number of batches per epoch of a fit.

        Raises
        ------
        ValueError
            If it was not given and the data loader has no length or is empty.
        """
        if self._iterations_per_epoch is not None:
            return self._iterations_per_epoch
        try:
            length = len(self._batches)
        except TypeError:
            constraint = "given for a data loader without a length"
            raise ValueError(
                _check.message("Learner", "iterations_per_epoch", constraint, None)
            ) from None
        if length == 0:
            raise empty(self.data_loader)
        return length

    def fit(
        self,
        n_epoch: Optional[int] = None,
        lr: Union[Rate, str, Schedule, None] = None,
        wd: Optional[float] = None,
        cbs: Callbacks = None,
        reset_opt: bool = False,
        start_epoch: int = 0,
        *,
        seconds: Optional[float] = None,
    ) -> None:
        """Train at one rate, or along a schedule or the curves of a :class:`ParamScheduler`.

        Parameters
        ----------
        n_epoch : int, optional
            Epochs, at least 1.
        lr : float, slice or Schedule, optional
            Rate, or a schedule of this package or MXNet's, which counts the fit's updates from 1.
            A schedule with lengths as shares is stretched to the fit. A warning says if the
            lengths may be meant in epochs. By default the rate of the trainer, or of its
            lr_scheduler.
        wd : float, optional
            Weight decay for this fit; by default the trainer's own.
        cbs : Callback or list, optional
            Callbacks. They may include ParamSchedulers with curves only,
            ``ParamScheduler({"lr": ...})``, or an ``LRFinder(num_it=100)``, which turns the fit
            into a search.
        reset_opt : bool
            Whether to reset the optimizer: no momentum, no moments, update counts from 0.
        start_epoch : int
            The epoch to start from, at its position on the curves; below `n_epoch`.
        seconds : float, optional
            How long to train, above 0, instead of `n_epoch`. The curves follow the time used. The
            first two batches, in which MXNet compiles, do not count, nor does the validation after
            the last batch. With several workers, the first worker measures the time.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds.
        """

        span = Span.checked("fit", n_epoch, seconds, start_epoch)
        if isinstance(lr, mx.lr_scheduler.LRScheduler):
            along = {"lr": as_curve(lr)}
            self._fit("fit", "lr", None, lambda _: along, span, wd, cbs, reset_opt)
            return

        def constant(rate: Any) -> Dict[str, Curves]:
            return {} if lr is None else {"lr": SchedNo(rate, rate)}

        self._fit("fit", "lr", cast(Union[Rate, str, None], lr), constant, span, wd, cbs, reset_opt)

    def fit_one_cycle(
        self,
        n_epoch: Optional[int] = None,
        lr_max: Union[Rate, str, None] = None,
        div: float = 25.0,
        div_final: float = 1e5,
        pct_start: float = 0.25,
        wd: Optional[float] = None,
        moms: Optional[Sequence[float]] = None,
        cbs: Callbacks = None,
        reset_opt: bool = False,
        start_epoch: int = 0,
        *,
        seconds: Optional[float] = None,
    ) -> None:
        """Train by the 1-cycle policy: :func:`gluon_lr.one_cycle`.

        Parameters
        ----------
        n_epoch, wd, cbs, reset_opt, start_epoch, seconds
            As in :meth:`fit`.
        lr_max : float or slice, optional
            The highest rate; by default the trainer's own.
        div, div_final, pct_start
            As in :func:`gluon_lr.one_cycle`.
        moms : sequence of three floats, optional
            Momentum at the start, at the highest rate and at the end. By default (0.95, 0.85,
            0.95). An optimizer without momentum, or made with momentum 0, stays without it.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds.
        """
        curves = partial(
            one_cycle, div=div, div_final=div_final, pct_start=pct_start, moms=self._moms(moms)
        )
        owner = "fit_one_cycle"
        span = Span.checked(owner, n_epoch, seconds, start_epoch)
        self._fit(owner, "lr_max", lr_max, curves, span, wd, cbs, reset_opt)

    def fit_flat_cos(
        self,
        n_epoch: Optional[int] = None,
        lr: Union[Rate, str, None] = None,
        div_final: float = 1e5,
        pct_start: float = 0.75,
        wd: Optional[float] = None,
        cbs: Callbacks = None,
        reset_opt: bool = False,
        start_epoch: int = 0,
        *,
        seconds: Optional[float] = None,
    ) -> None:
        """Train at one rate, then decrease it along a cosine: :func:`gluon_lr.flat_cos`.

        Parameters
        ----------
        n_epoch, wd, cbs, reset_opt, start_epoch, seconds
            As in :meth:`fit`.
        lr : float or slice, optional
            The rate at the start; by default the trainer's own.
        div_final, pct_start
            As in :func:`gluon_lr.flat_cos`.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds.
        """
        curves = partial(flat_cos, div_final=div_final, pct_start=pct_start)
        span = Span.checked("fit_flat_cos", n_epoch, seconds, start_epoch)
        self._fit("fit_flat_cos", "lr", lr, curves, span, wd, cbs, reset_opt)

    def fit_sgdr(
        self,
        n_cycles: int,
        cycle_len: int,
        lr_max: Union[Rate, str, None] = None,
        cycle_mult: int = 2,
        cbs: Callbacks = None,
        reset_opt: bool = False,
        wd: Optional[float] = None,
        start_epoch: int = 0,
        *,
        seconds: Optional[float] = None,
    ) -> None:
        """Train in cycles, each a cosine from `lr_max` down to 0: :func:`gluon_lr.sgdr`.

        Parameters
        ----------
        n_cycles, cycle_len, cycle_mult
            As in :func:`gluon_lr.sgdr`; lengths in epochs, or as shares of `seconds`.
        lr_max : float or slice, optional
            The highest rate; by default the trainer's own.
        cbs, reset_opt, wd, start_epoch, seconds
            As in :meth:`fit`.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds.
        """
        n_epoch = sum(cycle_lengths(n_cycles, cycle_len, cycle_mult))
        curves = partial(sgdr, n_cycles=n_cycles, cycle_len=cycle_len, cycle_mult=cycle_mult)
        of_epochs = None if seconds is not None else n_epoch
        span = Span.checked("fit_sgdr", of_epochs, seconds, start_epoch)
        self._fit("fit_sgdr", "lr_max", lr_max, curves, span, wd, cbs, reset_opt)

    def fine_tune(
        self,
        epochs: Optional[int] = None,
        base_lr: float = 2e-3,
        freeze_epochs: int = 1,
        lr_mult: float = 100,
        pct_start: float = 0.3,
        div: float = 5.0,
        lr_max: Optional[Rate] = None,
        div_final: float = 1e5,
        wd: Optional[float] = None,
        moms: Optional[Sequence[float]] = None,
        cbs: Callbacks = None,
        reset_opt: bool = False,
        *,
        seconds: Optional[float] = None,
    ) -> None:
        """Train the last group, then all groups, in two 1-cycles, as fastai's fine_tune does.

        The first 1-cycle lasts `freeze_epochs`, at ``slice(base_lr)``, with the other groups
        frozen; the rate rises for 0.99 of it. The second lasts `epochs`, at
        ``slice(base_lr / 2 / lr_mult, base_lr / 2)``. Each starts with the optimizer as
        :meth:`freeze` or :meth:`unfreeze` leaves it. If there is only one group, nothing is
        frozen, and a warning says so.

        Parameters
        ----------
        epochs : int, optional
            Epochs with all groups, at least 1.
        base_lr : float
            The highest rate, above 0.
        freeze_epochs : int
            Epochs before that, with the last group alone, at least 0.
        lr_mult : float
            The last group's rate divided by the first group's, above 0.
        lr_max : float or slice, optional
            The highest rate with all groups, in place of the slice above.
        pct_start, div, div_final, wd, moms, cbs, reset_opt
            As in :meth:`fit_one_cycle`.
        seconds : float, optional
            How long to train with all groups, instead of `epochs`, as in :meth:`fit`.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds.
        """
        owner = "fine_tune"
        base_lr = _check.real(owner, "base_lr", base_lr, above=0)
        lr_mult = _check.real(owner, "lr_mult", lr_mult, above=0)
        freeze_epochs = _check.integer(owner, "freeze_epochs", freeze_epochs, 0)
        reset_opt = _check.flag(owner, "reset_opt", reset_opt)
        if lr_max is None:
            lr_max = slice(base_lr / 2 / lr_mult, base_lr / 2)
        groups, moms = len(self.groups), self._moms(moms)
        head = group_rates(owner, "base_lr", slice(base_lr), groups)
        both = group_rates(owner, "lr_max", lr_max, groups)
        first = one_cycle(head, div_final=div_final, pct_start=0.99, moms=moms)
        second = one_cycle(both, div, div_final, pct_start, moms)
        span = Span.checked(owner, epochs, seconds, name="epochs")
        fits = [self._planned(owner, span, second, wd, cbs, frozen_to=0)]
        if freeze_epochs:
            frozen, last = Span(freeze_epochs), self._group_number(-1)
            fits.insert(0, self._planned(owner, frozen, first, wd, cbs, frozen_to=last))
        self._start(fits, cbs, reset_opt)

    def fit_curves(
        self,
        scheds: Mapping[str, Curves],
        length: Optional[int] = None,
        cbs: Callbacks = None,
        until: Optional[Callable[[Recorder], bool]] = None,
        *,
        seconds: Optional[float] = None,
    ) -> None:
        """Train on `length` batches, along curves that span all of them.

        If `length` is a whole number of epochs, it runs these epochs. Otherwise it is one epoch.

        Parameters
        ----------
        scheds : dict
            Curves by hyper-parameter, as for :class:`gluon_lr.ParamScheduler`.
        length : int, optional
            Batches, at least 1.
        cbs : Callback or list, optional
            As in :meth:`fit`.
        until : callable, optional
            Called with the recorder after each batch; the fit ends if it returns True.
        seconds : float, optional
            How long to train, instead of `length`, as in :meth:`fit`.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds.
        """
        owner = "fit_curves"
        ends = [] if until is None else [_Until(until)]
        span = Span.checked(owner, length, seconds, name="length")
        if seconds is not None:
            fit = self._planned(owner, span, scheds, None, cbs)
        else:
            fit = self._planned_of_batches(owner, span.n_epoch, scheds, cbs)
        self._start([fit], [*_several(owner, cbs), *ends])

    def _planned_of_batches(
        self, owner: str, length: int, scheds: Mapping[str, Curves], cbs: Callbacks
    ) -> Fit:
        self._check_no_fit(owner)
        all_scheds = self._checked_scheds(owner, scheds, None, cbs)
        self.prepare()
        whole = self.workers.of_first(self._whole_epoch(length))
        per_epoch, by_passes = (whole, self._fits_by_passes) if whole else (length, False)
        return Fit(length // per_epoch, per_epoch, by_passes, all_scheds)

    def resume(self, cbs: Callbacks = None) -> None:
        """Continue the fit that was interrupted in this process, or that ``load`` has read.

        Parameters
        ----------
        cbs : Callback or list, optional
            Callbacks. Pass them again: the interrupted fit's are not remembered. Include a
            ParamScheduler for curves that no file can hold, or one that acts by events as before.

        Raises
        ------
        RuntimeError
            If no fit was interrupted, or its curves were functions, which no file holds.
        ValueError
            If `cbs` has curves that the fit already has, an LRFinder, or lacks a callback of the
            fit that has state.
        """
        self._check_no_fit("resume")
        if not self._fits:
            raise RuntimeError(
                "Learner: there is no interrupted fit to resume. Start a fit, for example "
                "learner.fit_one_cycle(n_epoch, lr_max)."
            )
        callbacks, given = self._curves_among("resume", cbs)
        if make_a_search(callbacks):
            constraint = "callbacks without an LRFinder, which turns a fit into a search"
            remedy = "Call learner.lr_find() for a search."
            raise ValueError(_check.message("resume", "cbs", constraint, cbs, remedy))
        scheds = [item for fit in self._fits for item in fit.scheds.items()]
        lost = dict.fromkeys(name for name, curves in scheds if curves is None)
        missing = [name for name in lost if name not in given]
        if missing:
            raise RuntimeError(
                f"Learner: the fit has not kept its curves for {', '.join(missing)}. A checkpoint "
                "holds only curves made with gluon_lr.annealing, and no fit keeps those that a "
                "subclass of ParamScheduler sets. Pass them again: "
                'learner.resume(cbs=ParamScheduler({"lr": curve})).'
            )
        twice = [name for name in given if name not in lost]
        if twice:
            constraint = (
                f"callbacks that do not set {', '.join(twice)}, for which the fit has curves"
            )
            raise ValueError(_check.message("resume", "cbs", constraint, cbs))
        at_work = [*self.cbs, *callbacks]
        without = [name for fit in self._fits for name in without_taker(fit.callbacks, at_work)]
        if without:
            names = ", ".join(without)
            constraint = f"callbacks that include {names}, whose state the fit has"
            raise ValueError(_check.message("resume", "cbs", constraint, cbs, "Pass it again."))
        self.prepare()
        self._check_callbacks(callbacks)
        for fit in self._fits:
            fit.scheds.update({name: given[name] for name in fit.scheds.keys() - fit.curves})
        if self._fits[0].in_the_data:
            self._batches.catch_up()
        self._run(callbacks)

    def finish(self, iterations: int) -> None:
        """End the fit after `iterations` more updates, with its curves at their end.

        These updates go through the rest of the curves, from the current position, so no value
        jumps. If the fit has no more updates left than that, it ends as planned. Call it from a
        callback of a running fit, or for an interrupted fit before :meth:`resume`. The later
        1-cycle of :meth:`fine_tune` is left out.

        Parameters
        ----------
        iterations : int
            Updates, at least 0. With 0 the fit ends at its current position on the curves.

        Raises
        ------
        TypeError, ValueError
            If it is not an integer of at least 0.
        RuntimeError
            If there is no such fit, or in a trial or a search.
        """
        iterations = _check.integer("finish", "iterations", iterations, 0)
        fit = self._fit_to_change("finish")
        fit.finish(iterations, self._batches_of_update)
        self.n_epoch = fit.n_epoch
        del self._fits[1:]

    def extend(self, n_epoch: int) -> None:
        """End the fit `n_epoch` epochs later, with its curves at their end.

        The fit continues as if it had been planned with the new length, so late in a fit the rate
        rises again. No value jumps: each reaches its new curve along a line, within a tenth of the
        remaining updates. It can be called whenever :meth:`finish` can.

        Parameters
        ----------
        n_epoch : int
            Epochs, at least 1.

        Raises
        ------
        TypeError, ValueError
            If it is not an integer of at least 1, or the fit has `seconds`.
        RuntimeError
            If there is no such fit, or in a trial or a search.
        """
        n_epoch = _check.integer("extend", "n_epoch", n_epoch, 1)
        fit = self._fit_to_change("extend")
        if fit.seconds is not None:
            raise ValueError(
                "Learner: `extend` adds epochs, and a fit with `seconds` has no number of epochs. "
                "Start another fit after it."
            )
        fit.extend(n_epoch, self._batches_of_update)
        self.n_epoch = fit.n_epoch

    @property
    def _batches_of_update(self) -> int:
        at_work = self._fitting
        return self.batches_in_update + 1 if at_work is None else at_work.batches_of_update

    def _fit_to_change(self, action: str) -> Fit:
        if self.in_trial:
            raise RuntimeError(
                f"Learner: `{action}` cannot change the length of a trial or a search, because "
                "trainings of equal length are compared. Call it only if learner.in_trial is False."
            )
        if not self._fits or (self._fitting is not None and self._fitting.has_ended):
            raise RuntimeError(
                f"Learner: there is no running or interrupted fit to {action}. Start a fit, for "
                "example learner.fit_one_cycle(n_epoch, lr_max)."
            )
        return self._fits[0]

    def freeze_to(self, n: int) -> None:
        """Train the groups from `n` on and freeze those before it; below 0 counts from the end.

        MXNet computes no gradients for frozen groups. BatchNorm in them still normalises by the
        batch, but its running statistics do not change: MXNet updates them in the backward pass.

        As in fastai, the optimizer is reset: no momentum, no moments, update counts from 0. But
        if the trainer has an lr_scheduler, which uses these counts, the optimizer keeps them all.
        If there is only one group, nothing is frozen, and a warning says so.

        Raises
        ------
        TypeError, ValueError
            If there is no such group.
        """
        self._freeze_to(self._group_number(n))

    def freeze(self) -> None:
        """Train the last parameter group alone: ``freeze_to(-1)``."""
        self.freeze_to(-1)

    def unfreeze(self) -> None:
        """Train all groups again, except parameters that were not trained before :meth:`freeze`.

        The optimizer is reset, as by :meth:`freeze_to`.
        """
        self._freeze_to(0)

    @overload
    def lr_find(
        self,
        start_lr: Rate = 1e-7,
        end_lr: Rate = 10,
        num_it: int = 100,
        stop_div: Union[bool, float] = True,
        show_plot: bool = True,
        suggestions: Union[Literal[True], SuggestFuncs] = True,
        *,
        wd: Optional[float] = None,
        suggest_funcs: Optional[SuggestFuncs] = None,
    ) -> SuggestedLRs: ...

    @overload
    def lr_find(
        self,
        start_lr: Rate = 1e-7,
        end_lr: Rate = 10,
        num_it: int = 100,
        stop_div: Union[bool, float] = True,
        show_plot: bool = True,
        suggestions: Union[bool, SuggestFuncs] = True,
        *,
        wd: Optional[float] = None,
        suggest_funcs: Optional[SuggestFuncs] = None,
    ) -> Optional[SuggestedLRs]: ...

    def lr_find(
        self,
        start_lr: Rate = 1e-7,
        end_lr: Rate = 10,
        num_it: int = 100,
        stop_div: Union[bool, float] = True,
        show_plot: bool = True,
        suggestions: Union[bool, SuggestFuncs] = True,
        *,
        wd: Optional[float] = None,
        suggest_funcs: Optional[SuggestFuncs] = None,
    ) -> Optional[SuggestedLRs]:
        """Search for a rate as fastai does, by :class:`gluon_lr.LRFinder`, and restore all state.

            lr(i) = start_lr * (end_lr / start_lr)^(i / num_it)    i = 0 ... num_it - 1

        Parameters
        ----------
        start_lr, end_lr : float, slice or sequence
            Bounds of the rates, above 0. A slice, or one number per group, gives each group its
            own bounds. The plot and the suggestions then show the rates of the last group.
        num_it : int
            Updates, at least 2.
        stop_div : bool or float
            Whether to stop when the smoothed loss is above 4 times its best; or another factor,
            above 1.
        show_plot : bool
            Whether to draw the search.
        suggestions : bool
            Whether to return suggestions. Newer fastai has `suggest_funcs` in this position.
        wd : float, optional
            Weight decay during the search; by default the trainer's own.
        suggest_funcs : callable or sequence, optional
            Rules whose values are returned, by name: ``(minimum, steep, valley, slide)``, or your
            own functions of (lrs, losses, num_it). They get the part of the smoothed curve that
            fastai uses.

        Returns
        -------
        SuggestedLRs
            Two values to unpack, `lr_min` and `lr_steep`, or those of `suggest_funcs`. Its
            attributes are all of these, our own `suggestion` and the whole `result`.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds.
        """
        show_plot = _check.flag(
            "lr_find", "show_plot", show_plot, "Pass wd= by name: fastai 1 has it here."
        )
        if not isinstance(suggestions, (bool, np.bool_)):
            suggest_funcs, suggestions = suggestions, True
        funcs = None if suggest_funcs is None else named_functions(suggest_funcs)
        result = lr_find(self, start_lr, end_lr, num_it, stop_div, wd, progress=self.progress)
        if show_plot and self.workers.is_first:
            result.plot()
        return SuggestedLRs.of(result, funcs) if suggestions else None

    def save(self, path: PathLike) -> None:
        """Write to a file, completely or not at all, all that training needs to continue.

        This is what :func:`gluon_lr.save_checkpoint` writes, plus the fit with its curves and
        progress, the frozen groups, the recorder, and the place in the data: the number of batches
        read in this pass, and the states of Python's and NumPy's generators.

        Raises
        ------
        ValueError, OSError
            As :func:`gluon_lr.save_checkpoint`.
        RuntimeError
            During a validation with averages of the weights.
        """
        self.workers.wait_for_others()
        with self._at_rest() as again, again:
            save_checkpoint(path, self.net, self.trainer, self._run_data())

    def load(self, path: PathLike) -> None:
        """Read a file written by :meth:`save`; after an error nothing has changed.

        :meth:`resume` or :meth:`iteration` then continues as without an interruption. The next
        batch restarts the pass and reads up to the saved place, so create the loader as before. If
        this script sets another rate, momentum or schedule than the script that wrote the file,
        this script's value is used, and a warning names both. The state of MXNet's own
        generators, which dropout uses, cannot be saved.

        Raises
        ------
        ValueError
            If the file is not complete, or is for another net, optimizer or groups.
        OSError
            If the file does not exist.
        RuntimeError
            During a fit.
        """
        self._check_no_fit("load")
        reading = read(path, self.net, self.trainer)
        run = self._run_of(reading, path)
        self._go_to(reading, run, lambda: self._batches.go_to(run.place))

    def as_data(self) -> Any:
        """Return what :meth:`save` writes, as numbers, strings, lists, dicts and NumPy arrays."""
        with self._at_rest() as again, again:
            return as_read(checkpoint_of(self.net, self.trainer, self._run_data()), "checkpoint")

    def take_data(
        self, data: Any, path: PathLike = "memory", place: Optional[Callable[[], None]] = None
    ) -> None:
        """Restore the state that :meth:`as_data` returned, as :meth:`load` does with a file.

        Python's and NumPy's generators get their saved states at once.

        Parameters
        ----------
        data : object
            What :meth:`as_data` returned.
        path : str or path
            The source of the data, for the messages.
        place : callable, optional
            What :meth:`bookmark` returned at that time, if it was in this process.

        Raises
        ------
        ValueError, RuntimeError
            As :meth:`load`.
        """
        self._check_no_fit("take_data")
        reading = Reading(data, self.net, self.trainer)
        run = self._run_of(reading, path)
        self._go_to(reading, run, place or (lambda: self._batches.go_to(run.place)))
        if run.place.now is not None:
            run.place.now.generators.put_back()

    def bookmark(self) -> Callable[[], None]:
        """Return a function that returns to this place in the data, for `take_data`."""
        return self._batches.bookmark()

    def _at_rest(self) -> Transaction:
        return Together() if self._fitting is None else self._fitting.at_rest()

    def _run_data(self) -> Dict[str, Any]:
        self._check_own_weights()
        if self._fitting is not None:
            self._fitting.note_callbacks()
        run = data_of(
            self._fits,
            self._group_names,
            self._freezer,
            self.recorder,
            self._batches,
            self._valid_memory,
            self._update,
            self._hidden,
        )
        return {**run, "also": [checkpoint_of(*pair) for pair in self.also]}

    def _run_of(self, reading: Reading, path: PathLike) -> Run:
        """Check a file's data of the Learner, and warn if this script differs from it."""
        hypers = HyperParameters(self.trainer, self.groups)
        run = Run(
            reading.more,
            path,
            hypers,
            self._group_names,
            self._batches,
            self._valid_memory,
            self._hidden,
            self.also,
        )
        tell(reading.differences + run.differences)
        return run

    @uninterrupted
    def _go_to(self, reading: Reading, run: Run, to_place: Callable[[], None]) -> None:
        if run.update.losses:
            written = written_of(self.trainer)
            reading.add_up_gradients()
            self._note_added_up(written)
        for one in (reading, *run.also):
            one.apply()
        self._freezer.freeze_to(run.frozen_to)
        self._fits = run.fits
        self.recorder = run.recorder
        to_place()
        self._valid_memory.put_back(run.valid)
        self._update = run.update
        self._hidden.put_back(run.hidden)

    def save_params(self, path: PathLike) -> None:
        """Write the parameters as ``net.save_parameters`` does, completely or not at all."""
        save_params(path, self.net, self.trainer)

    def load_params(self, path: PathLike) -> None:
        """Read a file of ``net.save_parameters``; the optimizer's states do not change.

        Raises
        ------
        ValueError
            If the file is for another net.
        """
        load_params(path, self.net, self.trainer)

    def save_states(self, path: PathLike) -> None:
        """Write the optimizer's states, counts and numbers, completely or not at all."""
        save_states(path, self.net, self.trainer)

    def load_states(self, path: PathLike) -> None:
        """Read a file of :meth:`save_states` or :meth:`save` into the trainer.

        Raises
        ------
        ValueError
            If the file is not complete, or is for another optimizer.
        RuntimeError
            During a fit.
        """
        self._check_no_fit("load_states")
        load_states(path, self.net, self.trainer)

    def of_net(self, net: mx.gluon.Block) -> "Learner":
        """Return a Learner of another net, with a new optimizer and this one's other arguments.

        Parameters
        ----------
        net : mx.gluon.Block
            Initialised or not.

        Raises
        ------
        TypeError, ValueError
            If this Learner has several groups, frozen or left out parameters, or other nets; if
            it has a distributed KVStore or mixed precision; or if its class has another
            `__init__`.
        """
        if type(self).__init__ is not Learner.__init__:
            own = type(self).__name__
            constraint = "of a class without its own `__init__`, to create a Learner of another net"
            remedy = f"Define `of_net` in {own} too."
            raise TypeError(_check.message("of_net", "learner", constraint, own, remedy))
        bound = {
            "several groups": len(self.groups) > 1,
            "parameters that are not trained": self._leaves_parameters,
            "other nets in `also`": bool(self.also),
            "a distributed KVStore": is_distributed(self.trainer),
            "mixed precision": loss_scaler_of(self.trainer) is not None,
        }
        for name, is_there in bound.items():
            if is_there:
                constraint = f"without {name}, to create a Learner of another net"
                raise ValueError(
                    _check.message("of_net", "learner", constraint, f"one with {name}")
                )
        compute_loss = vars(self).get("compute_loss")
        learner = type(self)(
            net,
            self.data_loader,
            self.ctx,
            None if compute_loss is not None or isinstance(self.loss, DefaultLoss) else self.loss,
            optimizer=begun_anew(self.trainer.optimizer),
            valid_loader=self.valid_loader,
            metrics=self.metrics,
            iterations_per_epoch=self._iterations_per_epoch,
            momentum_correction=self.momentum_correction,
            split_batches=self._batches.split,
            compute_loss=compute_loss,
            batch_axis=self._batch_split.axis,
            cbs=self.cbs,
        )
        learner.progress = self.progress
        return learner

    @property
    def _leaves_parameters(self) -> bool:
        """Whether some trainable parameters of the net are frozen, or not in the trainer."""
        own = [one for one in self.net.collect_params().values() if one._differentiable]
        trained = set(map(id, parameters_of(self.trainer)))
        return any(one.grad_req == "null" or id(one) not in trained for one in own)

    def summary(self) -> Summary:
        """Return the net's layers with their parameters and groups, and which are trained."""
        return Summary(self.net, self.groups)

    def no_bar(self) -> Transaction:
        """Show no progress bars within the block."""
        return _NoBar(self)

    def no_logging(self) -> Transaction:
        """Show no progress bars within the block: fastai's other name for :meth:`no_bar`."""
        return self.no_bar()

    def place_kept(self) -> Transaction:
        """Restore the place in the data, the recorder and an interrupted fit after the block.

        The block gets the batches of another pass. After it comes the batch that would have come
        without it. Together with :func:`gluon_lr.preserved` it restores everything:
        ``with preserved(learner.net, learner.trainer), learner.place_kept(): ...``

        The state of the loader, its sampler and its dataset is restored too, with their random
        generators, and so is that of `valid_loader`. The state of worker processes is not. If the
        loader is an iterator, which has only one pass, the block takes its next batches. They
        stay in memory and come again after the block.
        """
        frozen_to = self._freezer.frozen_to
        unfrozen = afterwards(lambda: self._freezer.freeze_to(frozen_to))
        return Together(super().place_kept(), unfrozen, _RunKept(self))

    @property
    def _group_names(self) -> List[List[str]]:
        names = dict(zip(map(id, parameters_of(self.trainer)), names_of(self.net, self.trainer)))
        return [[names[id(parameter)] for parameter in group] for group in self.groups]

    @property
    def _valid_memory(self) -> LoaderMemory:
        if self._valid.loader is not self.valid_loader:  # it was replaced
            self._valid = LoaderMemory(self.valid_loader)
        return self._valid

    def _check_no_fit(self, action: str) -> None:
        if self._fitting is not None or self._fit_waits:
            raise RuntimeError(
                f"Learner: {action} is not possible while a fit is running. Do it before or after "
                "the fit."
            )

    def _before_other_data(self) -> None:
        self._check_no_fit("assignment of data_loader")

    @property
    def all_callbacks(self) -> List[Callback]:
        """The Learner's own callbacks and those of the running fit, in the order of their calls."""
        return self._audience.all(self.cbs, self._fitting)

    def tell(self, event: str) -> None:
        """Call the event `event` of all callbacks."""
        events.tell_all(self._audience.of(event, self.cbs, self._fitting), event, self)

    def _blocks_of_validation(self) -> List[ContextManager[Any]]:
        blocks = [callback.during_validation(self) for callback in self.all_callbacks]
        return [one for one in blocks if not isinstance(one, contextlib.nullcontext)]

    def _check_own_weights(self) -> None:
        if self._has_others_weights:
            raise RuntimeError(
                "Learner: the net has averages of its weights during this validation, so it cannot "
                "be saved now. Save it in `after_epoch`."
            )

    def say(self, text: str) -> None:
        """Print a line, above the progress bar if there is one; only if `progress` is True."""
        if self.progress and self.workers.is_first:
            tqdm.write(text)

    def write_gradients(self) -> None:
        """Make backward passes overwrite gradients, also for parameters that are frozen now."""
        added_up = self._added_up
        super().write_gradients()
        self._freezer.write(added_up)

    def _stepping(self) -> None:
        if self._fitting is not None:
            self._fitting.before_update()

    def _updating(self) -> None:
        if self._fitting is not None:
            self._fitting.at_update()

    def _stepped(self, loss: PendingLoss) -> None:
        self.recorder.record(loss)
        if self._fitting is not None:
            self._fitting.after_update()

    def _moved_on(self) -> None:
        if self._fitting is not None:
            self._fitting.after_batch()

    def _rates(self, owner: str, argument: str, lr: Optional[Rate]) -> Any:
        own = self.trainer.learning_rate if lr is None else lr
        return group_rates(owner, argument, own, len(self.groups))

    def _moms(self, moms: Optional[Sequence[float]]) -> Sequence[float]:
        return usual_moms(HyperParameters(self.trainer, self.groups)) if moms is None else moms

    def _group_number(self, n: int) -> int:
        count = len(self.groups)
        number = _check.integer("freeze_to", "n", n, -count)
        if number >= count:
            raise ValueError(_check.message("freeze_to", "n", f"below {count}", n))
        if count == 1 and number:
            _check.warn_caller(
                "Learner: nothing is frozen, because all parameters are in one group. Create the "
                "Learner with several groups, for example groups=[net.features, net.output]."
            )
        return number % count

    @uninterrupted
    def _freeze_to(self, number: int) -> None:
        self._freezer.freeze_to(number)
        at_rest = self.trainer.optimizer if self._fitting is None else self._fitting
        if at_rest.lr_scheduler is None:
            forget_updates(self.trainer)

    def _fit(
        self,
        owner: str,
        argument: str,
        lr: Union[Rate, str, None],
        curves: Callable[[Any], Mapping[str, Curves]],
        span: Span,
        wd: Optional[float],
        cbs: Callbacks,
        reset_opt: bool,
    ) -> None:
        """Train along the curves of a given rate, or with 'tune' of the best rate tried."""
        reset_opt = _check.flag(owner, "reset_opt", reset_opt)
        if not isinstance(lr, str):
            scheds = curves(self._rates(owner, argument, lr))
            fit = self._planned(owner, span, scheds, wd, cbs)
            self._start([fit], cbs, reset_opt)
            return
        if lr != "tune":
            constraint = "a rate, or 'tune' to search for one"
            raise ValueError(_check.message(owner, argument, constraint, lr))
        if span.start_epoch:
            constraint = f"0 if `{argument}` is 'tune', which runs whole trainings"
            remedy = f"Pass a rate as `{argument}`."
            value = span.start_epoch
            raise ValueError(_check.message(owner, "start_epoch", constraint, value, remedy))
        if span.seconds is not None:
            constraint = (
                f"omitted if `{argument}` is 'tune', which compares equal numbers of updates"
            )
            remedy = f"Pass a length in epochs, or a rate as `{argument}`."
            raise ValueError(_check.message(owner, "seconds", constraint, span.seconds, remedy))
        _, length, _ = self._planned(owner, span, curves(1.0), wd, cbs).work
        own_wd = {} if wd is None else {"wd": SchedNo(wd, wd)}

        def policy(rate: float) -> Dict[str, Curves]:
            return {**curves(rate), **own_wd}

        policy.__name__ = owner
        if reset_opt:
            forget_updates(self.trainer)
        finder = LRFinder(self)
        tuned = finder.tune(int(length), policy=policy, keep=True, progress=self.progress, cbs=cbs)
        if tuned.suggestion is None:
            raise RuntimeError(f"{owner}: no rate was found: {tuned.refusal}.")
        self.tuned = tuned
        given = _several(owner, cbs)
        callbacks = in_order([*self._usual_callbacks(given), *self.cbs, *given])
        events.tell_all(callbacks, "after_tune", self)

    def _planned(
        self,
        owner: str,
        span: Span,
        scheds: Mapping[str, Curves],
        wd: Optional[float],
        cbs: Callbacks,
        frozen_to: Optional[int] = None,
    ) -> Fit:
        self._check_no_fit(owner)
        all_scheds = self._checked_scheds(owner, scheds, wd, cbs)
        if span.seconds is not None:
            check_no_schedule_counts(owner, all_scheds)
        iterations = self.iterations_per_epoch
        self.prepare()
        iterations = self.workers.of_first(iterations)
        by_passes = self._fits_by_passes
        fit = Fit(
            span.n_epoch,
            iterations,
            by_passes,
            all_scheds,
            frozen_to,
            span.start_epoch,
            span.seconds,
        )
        warn_of_epochs(owner, fit, self.trainer.optimizer.lr_scheduler)
        return fit

    def _checked_scheds(
        self, owner: str, scheds: Mapping[str, Curves], wd: Optional[float], cbs: Callbacks
    ) -> Mapping[str, Optional[Curves]]:
        """Return all curves of a fit, with None for what a callback moves by events."""
        if wd is not None:
            wd = _check.real(owner, "wd", wd, minimum=0)
            scheds = {**scheds, "wd": SchedNo(wd, wd)}
        given = self._curves_among(owner, cbs)[1]
        twice = scheds.keys() & given.keys()
        if twice:
            constraint = f"callbacks that do not set {', '.join(sorted(twice))}, which {owner} sets"
            raise ValueError(_check.message(owner, "cbs", constraint, cbs))
        hypers = HyperParameters(self.trainer, self.groups)
        own = ParamScheduler(scheds)
        own.check(hypers)
        moved = {**own.scheds, **given}
        return {**moved, **self._scaled_besides(moved, cbs, hypers)}

    def _scaled_besides(
        self, moved: Mapping[str, Any], cbs: Callbacks, hypers: HyperParameters
    ) -> Dict[str, Curves]:
        """Return constant curves for what callbacks scale and the fit does not set."""
        callbacks = (*self.cbs, *_several("fit", cbs))
        scaled = [(one, name) for one in callbacks for name in one.scales if name not in moved]
        for one, name in scaled:
            if name == "lr" and self.trainer.optimizer.lr_scheduler is not None:
                owner = type(one).__name__
                constraint = "without an lr_scheduler if the fit has no rate"
                kind = type(self.trainer.optimizer.lr_scheduler).__name__
                remedy = (
                    "Pass a rate to the fit, for example lr=0.1: the fit then does not use the "
                    "lr_scheduler."
                )
                value = f"one with {kind}"
                raise ValueError(_check.message(owner, "trainer", constraint, value, remedy))
        return {name: SchedNo(hypers[name], hypers[name]) for _, name in scaled}

    def _curves_among(
        self, owner: str, cbs: Callbacks
    ) -> Tuple[List[Callback], Dict[str, Optional[Curves]]]:
        """Return the callbacks that act by events, and all curves, None for what these move."""
        acting: List[Callback] = []
        scheds: Dict[str, Optional[Curves]] = {}
        hypers = HyperParameters(self.trainer, self.groups)
        for one in _several(owner, cbs):
            moved: Dict[str, Optional[Curves]] = {}
            acts = not isinstance(one, ParamScheduler) or one.acts_by_events
            if isinstance(one, ParamScheduler):
                if not one.is_of_curves_alone:
                    constraint = "a ParamScheduler with curves only, ParamScheduler({...})"
                    remedy = (
                        "Omit its other arguments: the fit has its own trainer, length, groups and "
                        "momentum correction."
                    )
                    raise ValueError(_check.message(owner, "cbs", constraint, one, remedy))
                one.check(hypers)
                moved = dict.fromkeys(one.scheds) if acts else dict(one.scheds)
            elif isinstance(one, LRFinder):
                moved = {"lr": None}
            twice = ", ".join(sorted(scheds.keys() & moved.keys()))
            if twice:
                constraint = f"callbacks of which only one sets {twice}"
                raise ValueError(_check.message(owner, "cbs", constraint, cbs))
            scheds.update(moved)
            if acts:
                acting.append(one)
        return acting, scheds

    def _whole_epoch(self, length: int) -> Optional[int]:
        """Return the batches per epoch if `length` is a whole number of epochs, else None."""
        try:
            per_epoch = self.iterations_per_epoch
        except ValueError:  # an endless loader
            return None
        return None if length % per_epoch else per_epoch

    def _start(self, fits: List[Fit], cbs: Callbacks, reset_opt: bool = False) -> None:
        callbacks = self._curves_among("fit", cbs)[0]
        if not make_a_search(callbacks):
            self._train(fits, callbacks, reset_opt)
            return
        with trial_of(self) as again, again:
            self._train(fits, callbacks, reset_opt)
            recorder = self.recorder  # the only thing kept after the search
        if self._fits:  # an interrupted fit keeps its own recorder
            self.recorder.search = recorder.search
        else:
            self.recorder = recorder

    def _train(self, fits: List[Fit], callbacks: List[Callback], reset_opt: bool) -> None:
        self._check_callbacks(callbacks)
        if self.metrics and self.valid_loader is None and not self.in_trial:
            _check.warn_caller(
                "Learner: `metrics` are not computed, because there is no `valid_loader`. Pass "
                "Learner(..., valid_loader=...)."
            )
        if reset_opt:
            forget_updates(self.trainer)
        self._fits = fits
        self._run(callbacks)

    def _check_callbacks(self, of_fit: List[Callback]) -> None:
        for callback in in_order([*self.cbs, *of_fit]):
            callback.check_fit(self)

    def _run(self, callbacks: List[Callback]) -> None:
        while self._fits:
            fit = self._fits[0]
            self._begin(fit)
            scheduler = self._scheduler_of(fit)
            of_fit = [*self._usual_callbacks(callbacks), *callbacks]
            fitting = Fitting(self, self._batches, fit, of_fit, scheduler, self.recorder)
            with Kept(self, "_fitting") as again, again:
                self._fitting = fitting
                fitting.run()
            self.write_gradients()
            self._fits.pop(0)

    def _usual_callbacks(self, given: List[Callback]) -> List[Callback]:
        """Return the default callbacks, except kinds that the fit already has."""
        usual = ProgressCallback(), TerminateOnNaN("warn")
        all_given = [*self.cbs, *given]
        return [one for one in usual if not any(isinstance(own, type(one)) for own in all_given)]

    @property
    def _fits_by_passes(self) -> bool:
        """Whether an epoch is a pass, with no length given and the same length for all workers."""
        alone = self.workers.count == 1 or self._batches.split
        return self._iterations_per_epoch is None and alone

    def _scheduler_of(self, fit: Fit) -> ParamScheduler:
        correction = self.momentum_correction and "lr" in fit.curves
        return ParamScheduler(
            fit.curves, length=fit.length, groups=self.groups, momentum_correction=correction
        )

    @uninterrupted
    def _begin(self, fit: Fit) -> None:
        self.n_epoch = fit.n_epoch
        if fit.frozen_to is not None and fit.begun:
            self._freezer.freeze_to(fit.frozen_to)
        elif fit.frozen_to is not None:
            self._freeze_to(fit.frozen_to)
        if not fit.begun:
            fit.begun = True
            search = self.recorder.search
            history = self.recorder.epochs
            self.recorder = Recorder(self.trainer, self.groups, list(fit.scheds), history)
            self.recorder.search = search
            self._batches.start_pass()
            self.forget_gradients()


class _RunKept(Kept):
    """A block with its own recorder, after which an interrupted fit can be resumed.

    It also restores the state of the validation loader and of the callbacks.
    """

    def __init__(self, learner: Learner) -> None:
        super().__init__(learner, "recorder", "_fits", "_fitting", "_fit_waits", "in_trial")

    def take(self) -> None:
        super().take()
        self._put_back_memory = Memory(self._owner.valid_loader).keep()
        self._callbacks = self._owner.all_callbacks
        self._states = states_of(self._callbacks)

    def put_back(self) -> None:
        super().put_back()
        hand_out(self._states, self._callbacks)
        self._put_back_memory()

    def begin(self) -> None:
        learner = self._owner
        history = learner.recorder.epochs
        learner.recorder = Recorder(learner.trainer, learner.groups, history=history)
        learner._fits = []
        learner._fit_waits = learner._fit_waits or learner._fitting is not None
        learner._fitting = None
        learner.in_trial = True


class _Until(Callback):
    """Ends a fit when a function of the recorder returns True."""

    def __init__(self, until: Callable[[Recorder], bool]) -> None:
        self._until = until

    def after_batch(self, learner: Any) -> None:
        if self._until(learner.recorder):
            raise CancelFitException


class _NoBar(Kept):
    """A block without progress bars."""

    def __init__(self, learner: Learner) -> None:
        super().__init__(learner, "progress")

    def begin(self) -> None:
        self._owner.progress = False


def _optimizer(
    trainer: Optional[mx.gluon.Trainer],
    optimizer: Union[str, mx.optimizer.Optimizer],
    optimizer_params: Optional[Dict[str, Any]],
) -> Optional[mx.optimizer.Optimizer]:
    """Return the optimizer for a new trainer; None if a trainer is given."""
    if optimizer_params is not None and (trainer is not None or not isinstance(optimizer, str)):
        constraint = "omitted if a trainer or an Optimizer is given"
        remedy = "Set them when you create the trainer or the Optimizer."
        raise ValueError(
            _check.message("Learner", "optimizer_params", constraint, optimizer_params, remedy)
        )
    if trainer is not None:
        if optimizer != "sgd":
            constraint = "omitted if a trainer is given"
            remedy = "Set it when you create the trainer."
            raise ValueError(_check.message("Learner", "optimizer", constraint, optimizer, remedy))
        return None
    if isinstance(optimizer, str):
        return mx.optimizer.create(optimizer, **(optimizer_params or {}))
    return optimizer


def _trained_by(trainer: Any) -> List[mx.gluon.Parameter]:
    if isinstance(trainer, mx.gluon.Trainer):
        return parameters_of(trainer)
    remedy = "For a new trainer, omit it and pass optimizer='sgd' and optimizer_params={...}."
    raise TypeError(_check.message("Learner", "trainer", "an mx.gluon.Trainer", trainer, remedy))


def _check_trainer(of_net: Sequence[Any], trained: Sequence[Any]) -> None:
    if of_net and not set(map(id, of_net)) & set(map(id, trained)):
        constraint = "for the net's parameters"
        value = f"one for {', '.join(one.name for one in trained[:5])}"
        remedy = "Create it with mx.gluon.Trainer(net.collect_params(), ...), from this net."
        raise ValueError(_check.message("Learner", "trainer", constraint, value, remedy))


def _check_also(also: Any) -> None:
    kinds = mx.gluon.Block, mx.gluon.Trainer
    for pair in also if isinstance(also, (tuple, list)) else [also]:
        is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
        if not is_pair or not all(map(isinstance, pair, kinds)):
            constraint = "a list of pairs, [(net, trainer), ...]"
            raise TypeError(_check.message("Learner", "also", constraint, also))


def _several(owner: str, cbs: Callbacks) -> List[Callback]:
    """Return callbacks as a list."""
    if cbs is None:
        return []
    several: List[Any] = list(cbs) if isinstance(cbs, (list, tuple)) else [cbs]
    for one in several:
        if not isinstance(one, Callback):
            constraint = "a Callback, a ParamScheduler, or a list of them"
            raise TypeError(_check.message(owner, "cbs", constraint, one, _check.of_class(one)))
        unknown = [name for name in FASTAIS_OWN_EVENTS if hasattr(one, name)]
        if unknown:
            constraint = f"a callback without {', '.join(unknown)}, which gluon_lr does not call"
            remedy = (
                "Use an event that gluon_lr.Callback lists, for example before_loss, after_loss or "
                "before_step."
            )
            raise ValueError(_check.message(owner, "cbs", constraint, one, remedy))
    return several

"""The Learner: a net, its data and its trainer, run by iterations or by fastai's policies."""

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
from .fit import Fit, Span, check_no_schedule_counts
from .fitting import Fitting
from .lr_find import SuggestedLRs, SuggestFuncs, lr_find, named_functions
from .recorder import Recorder
from .run import Run, data_of
from .summary import Summary

Callbacks = Union[Callback, Sequence[Callback], None]


class Learner(FastaiNames):
    """A net, its data and its trainer, run one iteration at a time, or by fastai's policies.

    The fits have fastai's arguments and defaults. Each trains for whole epochs: passes through
    the data loader, or `iterations_per_epoch` batches. Update n of N is at position
    ``(n - 1) / N`` of the curves. An lr_scheduler of the trainer rests where a rate is given, and
    the trainer has its own hyper-parameters back afterwards. A fit that was interrupted, by
    Ctrl-C between two updates, goes on with :meth:`resume`.

    A rate is a number; or for parameter groups ``slice(a, b)``, geometric from the first group
    to the last; ``slice(b)``, of which all but the last get a tenth; or one number a group. Where
    it is 'tune', the best of several trainings is kept: :meth:`gluon_lr.LRFinder.tune`.

    Parameters
    ----------
    net : mx.gluon.Block
        Initialised or not. What is not initialised gets `mx.init.Xavier()`.
    data_loader : iterable
        Yields batches, `mx.gluon.data.DataLoader` say or an `mx.io.DataIter`; started again at
        its end. A batch is (data, label), or of any structure: arrays in tuples, lists, dicts,
        dataclasses, DataBatches. See :meth:`compute_loss`.
    ctx : mx.Context or list of mx.Context, optional
        Where to train; each batch is split over a list. By default where the net is
        initialised already, and otherwise the current context.
    loss : callable, optional
        From (output, label) to losses, one a sample, one a token or their mean; softmax
        cross-entropy by default.
    trainer : mx.gluon.Trainer, optional
        Your own, with an lr_scheduler or without.
    optimizer : str or mx.optimizer.Optimizer
        What to make a trainer of where none is given.
    optimizer_params : dict, optional
        Arguments of an optimizer given by name.
    valid_loader : iterable, optional
        Batches to validate on, after each epoch of a fit.
    metrics : str, callable, mx.metric.EvalMetric or list, optional
        What to compute on them beside the loss; names and functions as `mx.metric.create` takes
        them.
    groups : sequence, optional
        Parameter groups, from the first layers to the last, for rates of their own and for
        :meth:`freeze`: each an mx.gluon.Block, a pattern of parameter names, or a list of
        parameters. One group by default.
    iterations_per_epoch : int, optional
        Batches that a fit takes for an epoch; by default the length of the data loader. One
        without end has none.
    momentum_correction : bool
        Whether fits scale the momentum of SGD and NAG with the rate, as
        :class:`gluon_lr.ParamScheduler` does.
    split_batches : bool
        Where the trainer has a distributed KVStore: whether the workers split each batch among
        them, as contexts do. Otherwise `data_loader` gives each worker batches of its own, and
        an epoch is as long as the first worker's.
    compute_loss : callable, optional
        From (net, batch) to the losses, where ``loss(net(data), label)`` does not fit: see
        :meth:`compute_loss`. It is called with a context's part of each batch.
    batch_axis : int
        The axis of the arrays along which the samples lie: 1 for time-major data.
    also : list of (mx.gluon.Block, mx.gluon.Trainer)
        What else a step trains, the other net of a GAN say: a search puts it back too, and
        :meth:`save` writes it.
    cbs : Callback or list, optional
        Callbacks of all fits; what they do to a batch's step they do in a search too.

    Attributes
    ----------
    recorder : Recorder
        What each update used, and what came of it, since the start of the last fit.
    progress : bool
        Whether to show progress bars.
    in_trial : bool
        Whether what is done now is put back later: within :meth:`place_kept`.
    tuned : TuneResult or None
        What the last fit at 'tune' has found.
    workers : Workers
        The processes that train together: their `count`, and the `rank` of this one, both known
        after :meth:`prepare`.

    Raises
    ------
    TypeError, ValueError
        On an argument of the wrong kind, on two that exclude each other, and on groups that do
        not hold each parameter once; the net is then left as it was.

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
        own = set(vars(self))  # what a class of the user's has given it already
        if not isinstance(net, mx.gluon.Block):
            raise TypeError(_check.message("Learner", "net", "an mx.gluon.Block", net))
        check_loader("Learner", "data_loader", data_loader)
        if valid_loader is not None:
            check_loader("Learner", "valid_loader", valid_loader)
        if compute_loss is not None:
            _check.is_function(
                "Learner", "compute_loss", compute_loss, "callable with (net, batch)"
            )
            if loss is not None:
                constraint = "left out where compute_loss is given"
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
            remedy = "Give it to a fit: learner.fit(n_epoch, cbs=...)."
            constraint = "Callbacks of all fits"
            raise TypeError(_check.message("Learner", "cbs", constraint, of_fits[0], remedy))
        if iterations_per_epoch is not None:
            _check.integer("Learner", "iterations_per_epoch", iterations_per_epoch, 1)
        all_of_net = list(dict.fromkeys(net.collect_params().values()))
        trained = all_of_net if trainer is None else parameters_of(trainer)
        _check_trainer(all_of_net, trained)
        self.groups = parameter_groups("Learner", trained, groups, net)
        contexts = contexts_for(net, ctx)
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
        self._fits: List[Fit] = []  # still to be done
        self._fitting: Optional[Fitting] = None
        self._fit_waits = False  # for the end of a search that one of its callbacks makes
        self._audience = Audience()
        self._valid = LoaderMemory(valid_loader)
        for one in (self.trainer, *(other for _, other in self.also)):
            statement_of(one)
        self._names = {*vars(self), "_names", "_hidden"} - own
        self._hidden = HiddenState(self.hidden_root, contexts)

    def _loss_of_class(self) -> Any:
        """Return the loss that a class has as `loss_fn`, or has assigned before it was made."""
        is_ours = type(self).loss_fn is FastaiNames.loss_fn
        return vars(self).get("loss") if is_ours else self.loss_fn

    @property
    def hidden_root(self) -> List[Any]:
        """From where a hidden state can be reached, for a search to put it back."""
        given = vars(self).get("compute_loss")
        return [self.net, given, self.loss, OwnNames(self, self._names)]

    @property
    def names_of_epochs(self) -> Optional[List[str]]:
        """The values that epochs will have; None where a class validates in a way of its own."""
        if self.valid_loader is None:
            return ["train_loss"]
        if getattr(self.validate, "__func__", None) is not IterationLearner.validate:
            return None
        return ["train_loss", "valid_loss", *Measured(self.metrics).values()]

    @property
    def iterations_per_epoch(self) -> int:
        """Batches that a fit takes for an epoch.

        Raises
        ------
        ValueError
            Where it was not given and the data loader has no length, or is empty.
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
            Rate, or a schedule of the fit's updates from 1, this package's or MXNet's; one with
            lengths in shares is stretched to the fit. By default the trainer's own rate, or that
            of its lr_scheduler.
        wd : float, optional
            Weight decay, for this fit; by default the trainer's own.
        cbs : Callback or list, optional
            Callbacks; among them ParamSchedulers of curves alone, ``ParamScheduler({"lr": ...})``,
            or an ``LRFinder(num_it=100)``, which makes a search of the fit.
        reset_opt : bool
            Whether the optimizer begins anew, without momentum, moments or counts of updates.
        start_epoch : int
            The epoch to start from, at its place on the curves; below `n_epoch`.
        seconds : float, optional
            How long to train, above 0, in place of `n_epoch`: the curves go by the time that is
            used. The first two batches, in which MXNet compiles, and the validation after the
            last do not count. Of several workers the first has the watch.

        Raises
        ------
        TypeError, ValueError
            On an argument outside its bounds.
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
            As :meth:`fit` takes them.
        lr_max : float or slice, optional
            The highest rate; by default the trainer's own.
        div, div_final, pct_start
            As :func:`gluon_lr.one_cycle` takes them.
        moms : sequence of three floats, optional
            Momentum at the start, at the highest rate and at the end. By default (0.95, 0.85,
            0.95), but where the optimizer has no momentum, or was made with 0, it keeps to that.

        Raises
        ------
        TypeError, ValueError
            On an argument outside its bounds.
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
        """Train at one rate, then down along a cosine: :func:`gluon_lr.flat_cos`.

        Parameters
        ----------
        n_epoch, wd, cbs, reset_opt, start_epoch, seconds
            As :meth:`fit` takes them.
        lr : float or slice, optional
            The rate at the start; by default the trainer's own.
        div_final, pct_start
            As :func:`gluon_lr.flat_cos` takes them.

        Raises
        ------
        TypeError, ValueError
            On an argument outside its bounds.
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
        """Train in cycles, each down along a cosine from `lr_max` to 0: :func:`gluon_lr.sgdr`.

        Parameters
        ----------
        n_cycles, cycle_len, cycle_mult
            As :func:`gluon_lr.sgdr` takes them; lengths in epochs, or as shares of `seconds`.
        lr_max : float or slice, optional
            The highest rate; by default the trainer's own.
        cbs, reset_opt, wd, start_epoch, seconds
            As :meth:`fit` takes them.

        Raises
        ------
        TypeError, ValueError
            On an argument outside its bounds.
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
        """Train the last group, then all of them: two 1-cycles, as fastai tunes a trained net.

        First `freeze_epochs` at ``slice(base_lr)``, the other groups frozen, the rate climbing
        for 0.99 of it; then `epochs` at ``slice(base_lr / 2 / lr_mult, base_lr / 2)``. Each begins
        as :meth:`freeze` and :meth:`unfreeze` leave the optimizer. Where there is one group only,
        nothing is frozen, and a warning says so.

        Parameters
        ----------
        epochs : int, optional
            Epochs with all groups, at least 1.
        base_lr : float
            The highest rate, above 0.
        freeze_epochs : int
            Epochs before these, with the last group alone, at least 0.
        lr_mult : float
            What the last group's rate is of the first's, above 0.
        lr_max : float or slice, optional
            The highest rate with all groups, where it is to be another.
        pct_start, div, div_final, wd, moms, cbs, reset_opt
            As :meth:`fit_one_cycle` takes them.
        seconds : float, optional
            How long to train with all groups, in place of `epochs`, as :meth:`fit` takes it.

        Raises
        ------
        TypeError, ValueError
            On an argument outside its bounds.
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
        """Train on `length` batches, along curves over all of them.

        These are epochs as in the other fits, where they are whole ones, and otherwise one epoch.

        Parameters
        ----------
        scheds : dict
            Curves by hyper-parameter, as :class:`gluon_lr.ParamScheduler` takes them.
        length : int, optional
            Batches, at least 1.
        cbs : Callback or list, optional
            As :meth:`fit` takes them.
        until : callable, optional
            From the recorder to whether to end, after each batch.
        seconds : float, optional
            How long to train, in place of `length`, as :meth:`fit` takes it.

        Raises
        ------
        TypeError, ValueError
            On an argument outside its bounds.
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
        """Go on with the fit that was interrupted, in this process or before ``load``.

        Parameters
        ----------
        cbs : Callback or list, optional
            Callbacks; those of the interrupted fit are not remembered. A ParamScheduler among
            them has the curves that no file could hold, or acts by events as then.

        Raises
        ------
        RuntimeError
            Where no fit was interrupted, or its curves were functions that are in no file.
        ValueError
            Where a ParamScheduler has curves that the fit has itself.
        """
        self._check_no_fit("resume")
        if not self._fits:
            raise RuntimeError("Learner: no fit was interrupted, so there is none to resume.")
        callbacks, given = self._curves_among("resume", cbs)
        if make_a_search(callbacks):
            constraint = "callbacks of a fit, and no LRFinder, which makes a search of one"
            raise ValueError(_check.message("resume", "cbs", constraint, cbs))
        scheds = [item for fit in self._fits for item in fit.scheds.items()]
        lost = dict.fromkeys(name for name, curves in scheds if curves is None)
        missing = [name for name in lost if name not in given]
        if missing:
            raise RuntimeError(
                f"Learner: the curves for {', '.join(missing)} are in no checkpoint, as they are "
                "not made of gluon_lr.annealing, or a class of one's own moves it. Give them "
                'again: learner.resume(cbs=ParamScheduler({"lr": curve})).'
            )
        twice = [name for name in given if name not in lost]
        if twice:
            constraint = f"ParamSchedulers without {', '.join(twice)}, which the fit remembers"
            raise ValueError(_check.message("resume", "cbs", constraint, cbs))
        at_work = [*self.cbs, *callbacks]
        without = [name for fit in self._fits for name in without_taker(fit.callbacks, at_work)]
        if without:
            constraint = f"with the {', '.join(without)} that the fit had"
            raise ValueError(_check.message("resume", "cbs", constraint, cbs))
        self.prepare()
        self._check_callbacks(callbacks)
        for fit in self._fits:
            fit.scheds.update({name: given[name] for name in fit.scheds.keys() - fit.curves})
        if self._fits[0].in_the_data:
            self._batches.catch_up()
        self._run(callbacks)

    def finish(self, iterations: int) -> None:
        """Have the fit end after so many more updates, and its curves be at their end there.

        What is left of the curves is gone through in these updates, from where they are now, so
        no value jumps. Where no more are left, the fit ends as it would have. It is for the fit at
        work, to be called by a callback, or for one that was interrupted and will be resumed. What
        :meth:`fine_tune` would do after it is left out.

        Parameters
        ----------
        iterations : int
            Updates, at least 0: with 0 the fit ends where it is on its curves.

        Raises
        ------
        TypeError, ValueError
            Where it is not an integer of at least 0.
        RuntimeError
            Where there is no such fit, and in a trial or a search.
        """
        iterations = _check.integer("finish", "iterations", iterations, 0)
        fit = self._fit_to_change("finish")
        fit.finish(iterations, self._batches_of_update)
        self.n_epoch = fit.n_epoch
        del self._fits[1:]

    def extend(self, n_epoch: int) -> None:
        """Have the fit end so many epochs later, and its curves be at their end there.

        It goes on as if it had been planned so: late in a fit, its rate rises again. No value
        jumps there, but goes along a line in a tenth of what is left. It is for the fit at work,
        to be called by a callback, or for one that was interrupted and will be resumed.

        Parameters
        ----------
        n_epoch : int
            Epochs, at least 1.

        Raises
        ------
        TypeError, ValueError
            Where it is not an integer of at least 1, or the fit has `seconds`.
        RuntimeError
            Where there is no such fit, and in a trial or a search.
        """
        n_epoch = _check.integer("extend", "n_epoch", n_epoch, 1)
        fit = self._fit_to_change("extend")
        if fit.seconds is not None:
            constraint = "for a fit of epochs, and this is one of `seconds`"
            raise ValueError(_check.message("extend", "n_epoch", constraint, n_epoch))
        fit.extend(n_epoch, self._batches_of_update)
        self.n_epoch = fit.n_epoch

    @property
    def _batches_of_update(self) -> int:
        at_work = self._fitting
        return self.batches_in_update + 1 if at_work is None else at_work.batches_of_update

    def _fit_to_change(self, action: str) -> Fit:
        if self.in_trial:
            raise RuntimeError(
                f"Learner: a trial, or a search, does not {action} its training, which is compared "
                "with others of its length; ask for learner.in_trial before."
            )
        if not self._fits or (self._fitting is not None and self._fitting.has_ended):
            raise RuntimeError(
                f"Learner: no fit to {action} is at work, or was interrupted; call a fit anew, "
                "learner.fit_one_cycle(n_epoch, lr_max) say."
            )
        return self._fits[0]

    def freeze_to(self, n: int) -> None:
        """Train the groups from `n` on, and those before it not at all; below 0 from the end.

        MXNet does no gradient work for frozen ones. BatchNorm in them still normalises by the
        batch, but its running statistics rest: MXNet updates those in the backward pass.

        As with fastai the optimizer begins anew, without momentum, moments or counts; but where
        the trainer has an lr_scheduler, whose count it is, it keeps them. Where there is one group
        only, nothing is frozen, and a warning says so.

        Raises
        ------
        TypeError, ValueError
            Where there is no such group.
        """
        self._freeze_to(self._group_number(n))

    def freeze(self) -> None:
        """Train the last parameter group alone: ``freeze_to(-1)``."""
        self.freeze_to(-1)

    def unfreeze(self) -> None:
        """Train all groups again: what was not trained before :meth:`freeze` still is not.

        The optimizer begins anew, as after :meth:`freeze_to`.
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
        """Search for a rate as fastai does, and leave no trace, as :class:`gluon_lr.LRFinder`.

            lr(i) = start_lr * (end_lr / start_lr)^(i / num_it)    i = 0 ... num_it - 1

        Parameters
        ----------
        start_lr, end_lr : float, slice or sequence
            Bounds of the rates, above 0; a slice, or one number a group, for bounds of each
            group. What is drawn and suggested are then the rates of the last group.
        num_it : int
            Updates, at least 2.
        stop_div : bool or float
            Whether to stop where the smoothed loss is above 4 times its best; or how many times
            that is, above 1.
        show_plot : bool
            Whether to draw the search.
        suggestions : bool
            Whether to return what it suggests. fastai's newer pages have `suggest_funcs` here.
        wd : float, optional
            Weight decay during the search; by default the trainer's own.
        suggest_funcs : callable or sequence, optional
            The rules whose values are returned, by their names: ``(minimum, steep, valley,
            slide)``, or functions of (lrs, losses, num_it) of one's own, on the part of the
            smoothed curve that fastai looks at.

        Returns
        -------
        SuggestedLRs
            Two values to unpack, `lr_min` and `lr_steep`, or those of `suggest_funcs`; with the
            others, our own `suggestion` and the whole `result` beside them.

        Raises
        ------
        TypeError, ValueError
            On an argument outside its bounds.
        """
        show_plot = _check.flag("lr_find", "show_plot", show_plot, "fastai 1's fifth is wd=.")
        if not isinstance(suggestions, (bool, np.bool_)):
            suggest_funcs, suggestions = suggestions, True
        funcs = None if suggest_funcs is None else named_functions(suggest_funcs)
        result = lr_find(self, start_lr, end_lr, num_it, stop_div, wd, progress=self.progress)
        if show_plot and self.workers.is_first:
            result.plot()
        return SuggestedLRs.of(result, funcs) if suggestions else None

    def save(self, path: PathLike) -> None:
        """Write all that training needs to go on to a file, whole or not at all.

        That is what :func:`gluon_lr.save_checkpoint` writes, and the fit with its curves and how
        far it has come, what is frozen, the recorder, and the place in the data: the batches read
        since the start of the pass, and the states of Python's and NumPy's generators there.

        Raises
        ------
        ValueError, OSError
            As :func:`gluon_lr.save_checkpoint`.
        RuntimeError
            During a validation of averages of the weights.
        """
        self.workers.wait_for_others()
        with self._at_rest() as again, again:
            save_checkpoint(path, self.net, self.trainer, self._run_data())

    def load(self, path: PathLike) -> None:
        """Read a file of :meth:`save`; after an error nothing has changed.

        Training goes on, with :meth:`resume` or :meth:`iteration`, as it would have: the next
        batch begins the pass anew and reads up to the place, for which the loader has to be made
        as it was. What this script states otherwise than the one that wrote the file, a rate, a
        momentum or a schedule, holds, and a warning names both. MXNet's own generators, which
        dropout draws from, cannot be saved.

        Raises
        ------
        ValueError
            Where the file is not whole, or of another net, optimizer or groups.
        OSError
            Where there is no such file.
        RuntimeError
            During a fit.
        """
        self._check_no_fit("load")
        reading = read(path, self.net, self.trainer)
        run = self._run_of(reading, path)
        self._go_to(reading, run, lambda: self._batches.go_to(run.place))

    def as_data(self) -> Any:
        """Return what :meth:`save` writes: numbers, texts, lists, dicts and NumPy arrays."""
        with self._at_rest() as again, again:
            return as_read(checkpoint_of(self.net, self.trainer, self._run_data()), "checkpoint")

    def take_data(
        self, data: Any, path: PathLike = "memory", place: Optional[Callable[[], None]] = None
    ) -> None:
        """Go to what :meth:`as_data` returned, as :meth:`load` does with a file.

        Python's and NumPy's generators are put to that moment at once.

        Parameters
        ----------
        data : object
            That.
        path : str or path
            Where it is from, for the messages.
        place : callable, optional
            What :meth:`bookmark` returned then, if that was in this process.

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
        """Return what brings this process to its place in the data again, for `take_data`."""
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
        """Check what a file says of the Learner, and warn of what it says otherwise."""
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
        """Write the parameters to a file as ``net.save_parameters`` does, whole or not at all."""
        save_params(path, self.net, self.trainer)

    def load_params(self, path: PathLike) -> None:
        """Read a file of ``net.save_parameters``; the optimizer's states stay.

        Raises
        ------
        ValueError
            Where the file is of another net.
        """
        load_params(path, self.net, self.trainer)

    def save_states(self, path: PathLike) -> None:
        """Write the optimizer's states, counts and numbers to a file, whole or not at all."""
        save_states(path, self.net, self.trainer)

    def load_states(self, path: PathLike) -> None:
        """Read a file of :meth:`save_states` or :meth:`save` into the trainer.

        Raises
        ------
        ValueError
            Where the file is not whole, or of another optimizer.
        RuntimeError
            During a fit.
        """
        self._check_no_fit("load_states")
        load_states(path, self.net, self.trainer)

    def of_net(self, net: mx.gluon.Block) -> "Learner":
        """Return a Learner of another net, with all else as this one was made, and begun anew.

        Parameters
        ----------
        net : mx.gluon.Block
            Initialised or not.

        Raises
        ------
        TypeError, ValueError
            Where it has groups, or other nets, which are of this net; of a class whose arguments
            are not a Learner's; with a distributed KVStore, or mixed precision.
        """
        if type(self).__init__ is not Learner.__init__:
            constraint = "a Learner's, whose arguments are known, to make one of another net"
            raise TypeError(_check.message("of_net", "learner", constraint, type(self).__name__))
        bound = {
            "groups": len(self.groups) > 1,
            "frozen or left out parameters": self._leaves_parameters,
            "also": bool(self.also),
            "kvstore": is_distributed(self.trainer),
            "mixed precision": loss_scaler_of(self.trainer) is not None,
        }
        for name, is_there in bound.items():
            if is_there:
                constraint = f"without {name}, to make one of another net"
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
        """Whether some that the net could train are frozen, or not the trainer's."""
        own = [one for one in self.net.collect_params().values() if one._differentiable]
        trained = set(map(id, parameters_of(self.trainer)))
        return any(one.grad_req == "null" or id(one) not in trained for one in own)

    def summary(self) -> Summary:
        """Return the net's layers with their parameters, groups, and whether they are trained."""
        return Summary(self.net, self.groups)

    def no_bar(self) -> Transaction:
        """Show no progress bars within the block."""
        return _NoBar(self)

    def no_logging(self) -> Transaction:
        """Show no progress bars within the block: :meth:`no_bar`, by fastai's other name."""
        return self.no_bar()

    def place_kept(self) -> Transaction:
        """Keep the place in the data, the recorder and an interrupted fit for the block.

        Go on, after it, with the batch that would have come without it. Within the block come
        the batches of another pass. Together with :func:`gluon_lr.preserved` it leaves no trace:
        ``with preserved(learner.net, learner.trainer), learner.place_kept(): ...``

        What the loader, its sampler and its dataset remember, random generators among it, is put
        back too, and so is that of `valid_loader`; but not that of worker processes. Where the
        loader is an iterator, which has only one pass, the block takes its next batches; they
        stay in memory and come again after it.
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
        if self._valid.loader is not self.valid_loader:  # another one by now
            self._valid = LoaderMemory(self.valid_loader)
        return self._valid

    def _check_no_fit(self, action: str) -> None:
        if self._fitting is not None or self._fit_waits:
            raise RuntimeError(f"Learner: a fit is at work; {action} before or after it.")

    def _before_other_data(self) -> None:
        self._check_no_fit("assign data_loader")

    @property
    def all_callbacks(self) -> List[Callback]:
        """The Learner's own callbacks and those of the fit at work, in the order of their calls."""
        return self._audience.all(self.cbs, self._fitting)

    def tell(self, event: str) -> None:
        """Call that event of all callbacks."""
        events.tell_all(self._audience.of(event, self.cbs, self._fitting), event, self)

    def _blocks_of_validation(self) -> List[ContextManager[Any]]:
        blocks = [callback.during_validation(self) for callback in self.all_callbacks]
        return [one for one in blocks if not isinstance(one, contextlib.nullcontext)]

    def _check_own_weights(self) -> None:
        if self._has_others_weights:
            raise RuntimeError(
                "Learner: the net has averages of its weights while these are validated with; save "
                "it at after_epoch."
            )

    def say(self, text: str) -> None:
        """Show a line, above a progress bar if there is one, where progress is shown."""
        if self.progress and self.workers.is_first:
            tqdm.write(text)

    def write_gradients(self) -> None:
        """Have backward passes write gradients anew, those of what is frozen by now too."""
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
                "Learner: nothing is frozen, as all parameters are in one group. Give the Learner "
                "more: groups=[net.features, net.output], say."
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
        """Train along the curves from a rate, or from the best of those that are tried."""
        reset_opt = _check.flag(owner, "reset_opt", reset_opt)
        if not isinstance(lr, str):
            scheds = curves(self._rates(owner, argument, lr))
            fit = self._planned(owner, span, scheds, wd, cbs)
            self._start([fit], cbs, reset_opt)
            return
        _check.one_of(owner, argument, lr, ["tune"])
        if span.start_epoch:
            constraint = f"0 where `{argument}` is 'tune', which is of the whole training"
            raise ValueError(_check.message(owner, "start_epoch", constraint, span.start_epoch))
        if span.seconds is not None:
            constraint = f"left out where `{argument}` is 'tune', whose trainings have one length"
            raise ValueError(_check.message(owner, "seconds", constraint, span.seconds))
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
        callbacks = in_order([*self.cbs, *_several(owner, cbs)])
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
        return Fit(
            span.n_epoch,
            iterations,
            by_passes,
            all_scheds,
            frozen_to,
            span.start_epoch,
            span.seconds,
        )

    def _checked_scheds(
        self, owner: str, scheds: Mapping[str, Curves], wd: Optional[float], cbs: Callbacks
    ) -> Mapping[str, Optional[Curves]]:
        """Return all curves of a fit, None for what a callback moves by its events."""
        if wd is not None:
            wd = _check.real(owner, "wd", wd, minimum=0)
            scheds = {**scheds, "wd": SchedNo(wd, wd)}
        given = self._curves_among(owner, cbs)[1]
        twice = scheds.keys() & given.keys()
        if twice:
            constraint = f"callbacks without {', '.join(sorted(twice))}, which {owner} sets"
            raise ValueError(_check.message(owner, "cbs", constraint, cbs))
        hypers = HyperParameters(self.trainer, self.groups)
        own = ParamScheduler(scheds)
        own.check(hypers)
        moved = {**own.scheds, **given}
        return {**moved, **self._scaled_besides(moved, cbs, hypers)}

    def _scaled_besides(
        self, moved: Mapping[str, Any], cbs: Callbacks, hypers: HyperParameters
    ) -> Dict[str, Curves]:
        """Return as curves what callbacks scale of the trainer's own, which the fit leaves."""
        callbacks = (*self.cbs, *_several("fit", cbs))
        scaled = [(one, name) for one in callbacks for name in one.scales if name not in moved]
        for one, name in scaled:
            if name == "lr" and self.trainer.optimizer.lr_scheduler is not None:
                owner = type(one).__name__
                constraint = "without an lr_scheduler where the fit has no rate"
                kind = type(self.trainer.optimizer.lr_scheduler).__name__
                remedy = "Give the fit a rate, lr=0.1 say: the lr_scheduler rests meanwhile."
                value = f"one with {kind}"
                raise ValueError(_check.message(owner, "trainer", constraint, value, remedy))
        return {name: SchedNo(hypers[name], hypers[name]) for _, name in scaled}

    def _curves_among(
        self, owner: str, cbs: Callbacks
    ) -> Tuple[List[Callback], Dict[str, Optional[Curves]]]:
        """Return the callbacks that act by events, and all curves, None for those of such."""
        acting: List[Callback] = []
        scheds: Dict[str, Optional[Curves]] = {}
        hypers = HyperParameters(self.trainer, self.groups)
        for one in _several(owner, cbs):
            moved: Dict[str, Optional[Curves]] = {}
            acts = not isinstance(one, ParamScheduler) or one.acts_by_events
            if isinstance(one, ParamScheduler):
                if not one.is_of_curves_alone:
                    constraint = "ParamSchedulers of curves alone, ParamScheduler({...})"
                    remedy = "The fit has its own trainer, length, groups and correction."
                    raise ValueError(_check.message(owner, "cbs", constraint, one, remedy))
                one.check(hypers)
                moved = dict.fromkeys(one.scheds) if acts else dict(one.scheds)
            elif isinstance(one, LRFinder):
                moved = {"lr": None}
            twice = ", ".join(sorted(scheds.keys() & moved.keys()))
            if twice:
                constraint = f"callbacks of which one alone moves {twice}"
                raise ValueError(_check.message(owner, "cbs", constraint, cbs))
            scheds.update(moved)
            if acts:
                acting.append(one)
        return acting, scheds

    def _whole_epoch(self, length: int) -> Optional[int]:
        """Return the batches of an epoch where `length` is a number of whole ones."""
        try:
            per_epoch = self.iterations_per_epoch
        except ValueError:  # of a loader without end
            return None
        return None if length % per_epoch else per_epoch

    def _start(self, fits: List[Fit], cbs: Callbacks, reset_opt: bool = False) -> None:
        callbacks = self._curves_among("fit", cbs)[0]
        if not make_a_search(callbacks):
            self._train(fits, callbacks, reset_opt)
            return
        with trial_of(self) as again, again:
            self._train(fits, callbacks, reset_opt)
            recorder = self.recorder  # which alone stays
        if self._fits:  # one was interrupted before, and goes on with its own record
            self.recorder.search = recorder.search
        else:
            self.recorder = recorder

    def _train(self, fits: List[Fit], callbacks: List[Callback], reset_opt: bool) -> None:
        self._check_callbacks(callbacks)
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
        """Return those of every fit, where it has none of the kind."""
        usual = ProgressCallback(), TerminateOnNaN("warn")
        all_given = [*self.cbs, *given]
        return [one for one in usual if not any(isinstance(own, type(one)) for own in all_given)]

    @property
    def _fits_by_passes(self) -> bool:
        """Whether an epoch is a pass: not where it has a length, nor where workers differ in it."""
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
    """A block with a recorder of its own, after which an interrupted fit can be resumed.

    The validation data remember nothing of it.
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
    """End a fit where a function of the recorder says so."""

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
    """Return the optimizer to make a trainer of; None where a trainer is given."""
    if optimizer_params is not None and (trainer is not None or not isinstance(optimizer, str)):
        constraint = "left out where a trainer or an Optimizer is given"
        remedy = "Set them where that one is made."
        raise ValueError(
            _check.message("Learner", "optimizer_params", constraint, optimizer_params, remedy)
        )
    if trainer is not None:
        if optimizer != "sgd":
            constraint = "left out where a trainer is given, which has one"
            raise ValueError(_check.message("Learner", "optimizer", constraint, optimizer))
        return None
    if isinstance(optimizer, str):
        return mx.optimizer.create(optimizer, **(optimizer_params or {}))
    return optimizer


def _check_trainer(of_net: Sequence[Any], trained: Sequence[Any]) -> None:
    if of_net and not set(map(id, of_net)) & set(map(id, trained)):
        constraint = "of the net's parameters"
        value = f"one of {', '.join(one.name for one in trained[:5])}"
        remedy = "Make it with mx.gluon.Trainer(net.collect_params(), ...) of this net."
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
            remedy = (
                f"Make one of this class: {one.__name__}(...)." if isinstance(one, type) else ""
            )
            raise TypeError(_check.message(owner, "cbs", constraint, one, remedy))
        unknown = [name for name in FASTAIS_OWN_EVENTS if hasattr(one, name)]
        if unknown:
            constraint = f"of events that there are, which {', '.join(unknown)} is not"
            remedy = "gluon_lr.Callback lists them: before_loss, after_loss and before_step, say."
            raise ValueError(_check.message(owner, "cbs", constraint, one, remedy))
    return several

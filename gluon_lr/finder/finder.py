"""The learning-rate range test."""

import itertools
import math
from functools import partial
from numbers import Real
from typing import (
    TYPE_CHECKING,
    Any,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
    overload,
)

import numpy as np
from tqdm.auto import tqdm

from .. import _check
from ..data.batches import one_pass
from ..data.structure import mapped
from ..distributed.workers import Workers
from ..hyper.group_rates import Rate
from ..state.files import PathLike
from ..state.memory import Memory
from ..training.iteration import IterationLearner
from .bounds import Bounds, RatesOf, groups_of, rates_of_groups
from .by_group import check_groups, search_groups
from .compare import Comparing
from .comparison import Comparison
from .fastai_search import SearchCallback
from .policy import Policy
from .result import LRFinderResult, StopReason
from .settings import OWNER as COMPARE
from .settings import MakeLoader
from .start import (
    batches_of,
    check_validation,
    from_its_place,
    held_out_data,
    losses_at,
    put_back_after,
    trainers_of,
)
from .stopping import (
    Criterion,
    Diverged,
    SearchState,
    SeenLoss,
    has_diverged,
    kept,
    read,
)
from .tune import Tuning
from .tune_result import TuneResult
from .usual import LENGTH, length_for, passes_of, usual_rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODES = ("geometric", "linear")
_HELD_OUT = 8  # held-out batches that a refining search evaluates


class LRFinder(SearchCallback):
    """Find the learning rate: train briefly at rising rates, record the loss, restore everything.

    ``LRFinder(learner).find()`` runs a search with a learner. ``LRFinder(num_it=100)``, with
    fastai's arguments, is a callback that turns a fit into a search: ``learner.fit(20, cbs=...)``.

    Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
    https://arxiv.org/abs/1506.01186.

    Parameters
    ----------
    learner : Learner
        A Learner, or any object with `iteration(lr)`, `net` and `trainer` (a custom learner).
        `iteration` returns the loss: a number, or an array, of which the mean is taken. `net` and
        `trainer` are one object or a list. If it trains more, it lists that in `also`,
        [(net, trainer), ...], and that is restored too. If it has a context manager
        `place_kept()`, as a Learner has, its place in the data is restored as well.
    start_lr, end_lr, num_it, stop_div
        Arguments of the callback: see :class:`gluon_lr.finder.fastai_search.SearchCallback`. They
        may come first, as in fastai's documentation: ``LRFinder(1e-7, 10, 100, True)``.

    Attributes
    ----------
    result : LRFinderResult, TuneResult, Comparison or None
        The result of the last call.

    Raises
    ------
    TypeError, ValueError
        If the learner lacks one of these, or an argument is outside its bounds.
    """

    @overload
    def __init__(self, learner: Any) -> None: ...

    @overload
    def __init__(
        self,
        start_lr: Rate = 1e-7,
        end_lr: Rate = 10,
        num_it: int = 100,
        stop_div: Union[bool, float] = True,
    ) -> None: ...

    def __init__(  # type: ignore[misc]
        self,
        learner: Any = None,
        end_lr: Rate = 10,
        num_it: int = 100,
        stop_div: Union[bool, float] = True,
        *,
        start_lr: Rate = 1e-7,
    ) -> None:
        if isinstance(learner, (Real, slice, list, tuple, np.ndarray)):
            learner, start_lr = None, learner
        if learner is not None:
            check_learner(learner)
        super().__init__(start_lr, end_lr, num_it, stop_div)
        self.learner = learner
        self.result: Union[LRFinderResult, TuneResult, Comparison, None] = None

    def find(
        self,
        lr_start: Rate = 1e-6,
        lr_multiplier: float = 1.1,
        smoothing: float = 0.3,
        lr_end: Rate = 10,
        num_iter: Optional[int] = None,
        mode: str = "geometric",
        stop: Union[Criterion, float, None] = None,
        repeats: int = 1,
        refine: bool = False,
        validation: Optional[Iterable[Any]] = None,
        seed: Optional[int] = None,
        progress: bool = True,
        length: Optional[int] = None,
        not_finite: str = "stop",
        *,
        by_group: bool = False,
    ) -> LRFinderResult:
        """Run a search, restore everything, and return the result.

            geometric    lr(i) = lr_start * lr_multiplier^(i - 1), and lr_end last
                         or, given num_iter, as many evenly spaced on the log scale
            linear       lr(i), num_iter of them, evenly spaced from lr_start to lr_end

        The search ends at `lr_end`, when `stop` returns true, or at a loss that is not finite.
        However it ends, even by an exception or Ctrl-C, training then continues as if there had
        been no search (:func:`gluon_lr.preserved`, :meth:`gluon_lr.Learner.place_kept`). A
        trainer's lr_scheduler is switched off during the search. Workers of a distributed KVStore
        search together on the mean of their losses: each must call this method, and all get the
        same result.

        Parameters
        ----------
        lr_start : float, slice or sequence
            First rate, above 0. For a Learner with parameter groups, also a slice, or one rate
            per group: the rate reported, plotted and suggested is then that of the last group.
        lr_multiplier : float
            Factor from one iteration's rate to the next, above 1.
        smoothing : float
            Weight of the past in the smoothed loss used for stopping, at least 0 and below 1.
        lr_end : float, slice or sequence
            Last rate, above `lr_start`.
        num_iter : int, optional
            Number of iterations, at least 2. If given, `lr_multiplier` is ignored. A linear
            search makes 100 by default.
        mode : str
            'geometric' or 'linear'.
        stop : callable or float, optional
            Called after each iteration; the search stops if it returns true. The default is
            ``Diverged(smoothing)``. Its argument is the last loss, which is also a
            :class:`SearchState`. Criteria can be combined: ``Diverged() | MaxIterations(100)``.
            A number above 1 means ``AboveBest(number)``: so many times the lowest smoothed loss.
        repeats : int
            How many times to search, from the same start, on other batches, at least 1.
        refine : bool
            Whether to search again around the suggestion, with as many iterations over a narrower
            range. This takes twice as long and finds a better rate. If there is held-out data,
            `validation` or else the first 8 batches of the learner's `valid_loader`, the rates go
            from a 20th of the suggestion to five times it. The held-out loss is computed after
            each iteration, which costs a forward pass over that data. The new suggestion is 0.7
            times the rate of the lowest one. Without held-out data the rates go from a 30th to
            ten times the suggestion, and the training loss is used.
        validation : iterable, optional
            One batch of held-out data, for example (data, label), or several, kept in memory.
            Their mean loss after each iteration is used instead of the training loss, at the cost
            of one pass over them each time. It is the 'valid_loss' in what
            ``learner.validate(batches, metrics)`` returns. A tuple or list that has an array in
            it is one batch.
        seed : int, optional
            Seed for MXNet's random generators, set before the search and after it, because MXNet
            cannot restore their state. Dropout draws from them.
        progress : bool
            Whether to show a progress bar.
        length : int, optional
            Updates of the training that the rate is for, at least 1; 250 by default.
        not_finite : str
            'stop' ends the search at a loss that is not finite. 'skip' skips one such loss, and
            ends at two in a row. For a skipped loss the Learner makes no update, the criterion is
            not called, and the curve is read without it. A custom learner must keep the weights
            finite itself. With 'skip' the search waits for each loss, and each update is made
            from one batch.
        by_group : bool
            Whether to also find a rate for each parameter group of a Learner: `by_group` of the
            result. First each group is searched alone, with the others at `lr_start`. Then all
            are searched together, in the proportion found. For n groups this takes n + 1 more
            searches. On nets fine-tuned to other digits it was no better than one rate.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds. If the servers of a distributed KVStore update
            the weights: a change of the rate would not reach them.
        WorkersLostError
            If another worker does not answer in time.
        """
        owner = "LRFinder.find"
        self._check_has_learner()
        bounds = Bounds.of(owner, self.learner, "lr_start", lr_start, "lr_end", lr_end)
        rates = _rates(owner, bounds, lr_multiplier, num_iter, mode)
        rates_of = rates_of_groups(self.learner)
        if bounds.are_by_group:
            rates_of = partial(bounds.by_group, mode=mode)
        if _check.flag(owner, "by_group", by_group):
            check_groups(
                owner, self.learner, {"each group has its own bounds": bounds.are_by_group}
            )
        diverged = Diverged(smoothing)
        criterion = diverged if stop is None else read(owner, stop)
        repeats = _check.integer(owner, "repeats", repeats, 1)
        if seed is not None:
            seed = _check.integer(owner, "seed", seed, 0)
        if length is not None:
            length = length_for(owner, self.learner, length)
        skip = _check.one_of(owner, "not_finite", not_finite, ("stop", "skip")) == "skip"
        if validation is not None:
            check_validation(owner, self.learner, validation)

        workers = Workers.of(trainers_of(self.learner)[0])
        getattr(self.learner, "prepare", workers.join)()
        total = len(rates) * repeats * (2 if refine else 1)
        if by_group:
            total = 2 * total + len(rates) * repeats * len(groups_of(self.learner))
        hidden = not (progress and workers.is_first)
        bar = tqdm(total=total, desc="Finding a learning rate", disable=hidden)

        def search_all() -> LRFinderResult:
            held = None if validation is None else batches_of(validation)

            def search(rates_of: Optional[RatesOf], refine: bool) -> LRFinderResult:
                one = _Search(
                    self.learner, criterion, diverged, held, seed, bar, length, skip, rates_of
                )
                return one.result(rates, repeats, refine)

            result = search(rates_of, refine)
            if by_group and result.suggestion is not None:
                search_groups(result, search, len(groups_of(self.learner)), rates[0], refine)
            return result

        with bar:
            result = from_its_place(self.learner, search_all)
            bar.total = bar.n
        self.result = result
        return result

    def tune(
        self,
        length: int,
        budget: Optional[int] = None,
        validation: Optional[Iterable[Any]] = None,
        policy: Policy = "one_cycle",
        keep: bool = False,
        progress: bool = True,
        seed: Optional[int] = None,
        checkpoint: Optional[PathLike] = None,
        cbs: Any = None,
        *,
        by_group: bool = False,
    ) -> TuneResult:
        """Find the highest rate for a training of `length` updates, by trials of that training.

        Trials begin at the learner's present state and are judged by the loss on held-out data.
        Everything is restored after each trial, as in :meth:`find`. With a budget of 0, the
        suggestion is the optimizer's usual rate. A budget below about four trainings is spent on
        up to six shorter trials, and their best rate is lowered for `length`. A larger budget is
        spent on four trials of up to `length` / 4, which find the region, and then on full-length
        trials.

        Workers of a distributed KVStore tune together: each must call this method, and all get
        the same result.

        Parameters
        ----------
        length : int
            Updates of the training, at least 1. With callbacks that accumulate gradients, batches.
        budget : int, optional
            The most updates to spend, `length` times 4 by default.
        validation : iterable, optional
            Held-out batches; each trial is validated on all of them. The default is the learner's
            `valid_loader`, or else a fifth of the training data, at most 1000 samples, on which
            no trial trains (:meth:`gluon_lr.Learner.hold_out`). A custom learner needs a method
            `validate(batches, metrics)` for this. Without one, a trial is judged by its last
            training losses.
        policy : str, Schedule or callable
            'one_cycle', 'flat_cos', 'sgdr' (three cycles) or 'constant', with the defaults of
            the fits; a :class:`Schedule`, whose iterations 1 to `length` give the shape; or a
            function that takes the highest rate and returns curves, like
            :func:`gluon_lr.one_cycle`. A custom learner gets the rate of each update, but no
            momentum.
        keep : bool
            Whether to keep the best full-length trial as the training. Net, optimizer, recorder
            and place in the data are then as after a fit at that rate, bit for bit, and nothing is
            trained twice. The suggestion is its rate. This needs a Learner and separate held-out
            data. The best state is held in memory, in addition to the state at the start.
        progress : bool
            Whether to show a progress bar.
        seed : int, optional
            Seed for MXNet's generators, set before and after each trial, as in :meth:`find`.
        checkpoint : str or path, optional
            A file that is written after each trial. It holds the trials and the learner's state
            at the start. If the process dies, the same call in a new process continues from it.
        cbs : Callback or list, optional
            Callbacks of the trials, for a Learner.
        by_group : bool
            Whether to also tune the rate of each parameter group of a Learner: `by_group` of the
            result. Groups are tuned in turn, from the last to the first, with the others at their
            current rates. The budget is divided equally between the rate for all and each group;
            the default is `length` times 4 for each of these. Cannot be combined with `keep` or
            `checkpoint`. On nets fine-tuned to other digits it was hardly better than one rate.
            If the curvature differs widely between groups, it is much better.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds, nothing can be held out, or the servers of a
            distributed KVStore update the weights.
        WorkersLostError
            If another worker does not answer in time.
        """
        self._check_has_learner()
        tuning = Tuning(
            self.learner,
            length,
            budget,
            validation,
            policy,
            keep,
            progress,
            seed,
            checkpoint,
            cbs,
            by_group,
        )
        self.result = tuning.run()
        return self.result

    def compare(
        self,
        values: Mapping[str, Any],
        grid: bool = False,
        tune: bool = False,
        length: Optional[int] = None,
        budget: Optional[int] = None,
        validation: Optional[Iterable[Any]] = None,
        policy: Optional[Policy] = None,
        repeats: Optional[int] = None,
        lr_start: Optional[Rate] = None,
        lr_end: Optional[Rate] = None,
        num_iter: Optional[int] = None,
        make_loader: Optional[MakeLoader] = None,
        seed: Optional[int] = None,
        progress: bool = True,
        cbs: Any = None,
    ) -> Comparison:
        """Compare settings from the same start and on the same batches, and restore everything.

        Each setting gets its own rate. It is swept `repeats` times, or takes part in a race of
        trials. ``compare({"wd": [0, 1e-4], "mom": [0.8, 0.9]})`` compares the weight decays with
        each other, and the momenta with each other; with `grid`, all four combinations.

        This way of comparing range tests is from Smith, "A disciplined approach to neural network
        hyper-parameters", 2018, https://arxiv.org/abs/1803.09820.

        A sweep is judged by its lowest smoothed loss. With SGD and NAG, momentum makes each step
        longer: lr / (1 - momentum) in the long run. At one rate, two momenta thus take steps of
        different size. Here each has its own sweep, and ``plot(effective=True)`` plots the losses
        over lr / (1 - momentum).

        In a race, a few trials of a quarter of `length` find the rate of each setting. The three
        best settings then train to the end, at two rates and in up to 8 orders of the data, until
        one of them differs significantly from the others.

        Parameters
        ----------
        values : dict
            For each name, a list of values, or a dict from labels to values. A name is a
            hyper-parameter of the optimizer, named as in :class:`HyperParameters` ('wd', 'mom',
            'eps', ...); 'batch_size'; 'optimizer', with a name, (name, parameters) or an
            Optimizer as values; or 'net', with functions that make a net.
        grid : bool
            Whether to compare all combinations, instead of the values of each name.
        tune : bool
            Whether to judge by trials on held-out data.
        length : int, optional
            Updates of the training that the rates are for; required with `tune`. Trainings with
            other batch sizes see the same number of samples.
        budget : int, optional
            The most updates of a race. The default is three quarters of a training for each
            setting, plus four trainings for each of the best three.
        validation, policy, cbs
            For trials, as in :meth:`tune`. If the policy has a curve for a hyper-parameter that
            is compared, that curve is ignored. For sweeps, only `validation`, as in :meth:`find`.
        repeats : int
            How many sweeps of each setting, each on other batches, 3 by default. A single sweep
            cannot show how large random variation is.
        lr_start, lr_end, num_iter
            For sweeps, as in :meth:`find`.
        make_loader : callable, optional
            A function that takes a batch size and returns a loader. Needed if the learner's
            loader is not a DataLoader with one of MXNet's batch samplers.
        seed, progress
            As in :meth:`find`.

        Returns
        -------
        Comparison
            A row for each setting. Its `best` is None if there is no winner.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds, or this learner lacks a name or value.
        """
        self._check_has_learner()
        comparing = Comparing(self.learner, values, grid, make_loader, seed, progress)
        owner = COMPARE
        of_sweeps = {
            "repeats": repeats,
            "lr_start": lr_start,
            "lr_end": lr_end,
            "num_iter": num_iter,
        }
        if _check.flag(owner, "tune", tune):
            if length is None:
                constraint = "given with tune=True: the number of updates of the training"
                raise ValueError(_check.message(owner, "length", constraint, None))
            _check_omitted(owner, "with tune=True, which makes no sweeps", of_sweeps)
            policy = "one_cycle" if policy is None else policy
            self.result = comparing.by_trials(length, budget, validation, policy, cbs)
            return self.result
        of_trials = {"budget": budget, "policy": policy, "cbs": cbs}
        _check_omitted(owner, "without tune=True, because sweeps do not use it", of_trials)
        if validation is not None:
            validation = held_out_data(owner, self.learner, validation)

        def search(learner: Any, seed: Optional[int]) -> LRFinderResult:
            return LRFinder(learner).find(
                1e-6 if lr_start is None else lr_start,
                lr_end=10 if lr_end is None else lr_end,
                num_iter=num_iter,
                validation=validation,
                seed=seed,
                progress=False,
                length=length,
            )

        self.result = comparing.by_sweeps(search, 3 if repeats is None else repeats)
        return self.result

    def _check_has_learner(self) -> None:
        if self.learner is None:
            raise RuntimeError(
                "LRFinder: no learner to search with. Write LRFinder(learner).find(), or as in "
                "fastai learner.fit(20, cbs=LRFinder(num_it=100))."
            )

    @property
    def results(self) -> List[Tuple[float, float]]:
        """The (rate, loss) pairs of the last search as a list, as in MXNet's tutorial.

        Raises
        ------
        RuntimeError
            Before the first search.
        """
        if not isinstance(self.result, LRFinderResult):
            kind = type(self.result).__name__
            why = "no results yet" if self.result is None else f"the last result is a {kind}"
            raise RuntimeError(f"LRFinder: {why}; call find() first.")
        return list(self.result)

    def plot(
        self,
        ax: "Optional[Axes]" = None,
        skip_start: int = 0,
        skip_end: int = 0,
        show: bool = False,
    ) -> "Axes":
        """Plot the last search, with its suggestion marked, and return the Axes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw on; those of a new figure by default.
        skip_start, skip_end : int
            Points of a search to leave out, at its start and at its end, at least 0.
        show : bool
            Whether to show the figure, also in a script.

        Raises
        ------
        RuntimeError
            Before the first search.
        TypeError, ValueError
            If an argument is outside its bounds, or points are to be skipped after a tune or a
            comparison.
        """
        if self.result is None:
            raise RuntimeError("LRFinder: nothing to plot yet; call find() first.")
        if isinstance(self.result, LRFinderResult):
            return self.result.plot(ax, skip_start, skip_end, show)
        for name, skipped in (("skip_start", skip_start), ("skip_end", skip_end)):
            if skipped != 0:
                constraint = "0 after a tune() or a compare()"
                raise ValueError(_check.message("LRFinder.plot", name, constraint, skipped))
        return self.result.plot(ax, show=show)


class _Search:
    """Sweeps over rates, each from the same start."""

    def __init__(
        self,
        learner: Any,
        stop: Criterion,
        diverged: Diverged,
        validation: Optional[List[Any]],
        seed: Optional[int],
        bar: tqdm,
        length: Optional[int],
        skip: bool,
        by_group: Optional[RatesOf],
    ) -> None:
        self._learner = learner
        self._stop = stop
        self._begin_anew = kept(stop)
        self._diverged = diverged
        self._validation = validation
        self._seed = seed
        self._bar = bar
        self._length = length
        self._skip = skip
        self._by_group = by_group
        self._refines = False

    def result(self, rates: Sequence[float], repeats: int, refine: bool) -> LRFinderResult:
        """Sweep, and with `refine` sweep again around the suggestion."""
        result = self._repeated(rates, repeats)
        center = result._read()[0] if refine else None
        if center is not None:
            result.refined = self._refined(center, rates, len(result), repeats)
        return result

    def _repeated(self, rates: Sequence[float], repeats: int) -> LRFinderResult:
        """Sweep `repeats` times, and return the result or the median of the results."""
        runs = [self._preserved_sweep(rates) for _ in range(repeats)]
        return runs[0] if repeats == 1 else LRFinderResult.of_runs(runs)

    def _refined(
        self, center: float, rates: Sequence[float], count: int, repeats: int
    ) -> LRFinderResult:
        """Sweep more slowly around a rate, on the held-out loss if there is held-out data."""
        self._refines = True
        if self._validation is None:
            self._validation = _held_out_of(self._learner)
        below, above = (30, 10) if self._validation is None else (20, 5)
        low, high = np.clip([center / below, center * above], rates[0], rates[-1])
        return self._repeated(list(np.geomspace(low, high, count)), repeats)

    def _preserved_sweep(self, rates: Sequence[float]) -> LRFinderResult:
        with put_back_after(self._learner, self._seed) as again, again:
            return self._sweep(rates)

    def _sweep(self, rates: Sequence[float]) -> LRFinderResult:
        self._begin_anew()
        found, state = SearchState(), SearchState()  # all losses; finite ones, for `stop`
        reason = None
        losses = losses_at(self._learner, rates, self._validation, self._skip, self._by_group)
        for lr, loss in zip(rates, losses):
            found.append(lr, loss)
            self._bar.set_postfix(lr=f"{lr:.2g}", loss=f"{loss:.3g}", refresh=False)
            self._bar.update()
            if math.isfinite(loss):
                state.append(lr, loss)
                reason = self._reason(state)
            elif not self._skip or not np.isfinite([0, *found.losses][-2:]).any():
                reason = StopReason.NOT_FINITE
            if reason is not None:
                break
        reason = reason or StopReason.REACHED_END
        length = self._length or LENGTH
        passes = passes_of(self._learner, length)
        return LRFinderResult(
            found.lrs,
            found.losses,
            reason,
            len(rates),
            length=self._length,
            passes=passes,
            usual=usual_rate(trainers_of(self._learner)[0].optimizer, length, passes),
            held_out=self._refines and self._validation is not None,
        )

    def _reason(self, state: SearchState) -> Optional[StopReason]:
        if self._stop(SeenLoss.of(state)):
            diverged = self._diverged(state) or has_diverged(self._stop, state)
            return StopReason.DIVERGED if diverged else StopReason.STOPPED
        return None


def _held_out_of(learner: Any) -> Optional[List[Any]]:
    """Return the first batches of a learner's held-out data; None if it has none."""
    if not isinstance(learner, IterationLearner) or learner.valid_loader is None:
        return None
    if Memory(learner.valid_loader).has_iterator:  # the same batches would not come again
        return None
    first = itertools.islice(one_pass(learner.valid_loader, learner._batch_split), _HELD_OUT)
    return [mapped(lambda array: array.copy(), batch) for batch in first]


def _check_omitted(owner: str, when: str, arguments: Mapping[str, Any]) -> None:
    for name, given in arguments.items():
        if given is not None:
            raise ValueError(_check.message(owner, name, f"omitted {when}", given))


def check_learner(learner: Any) -> None:
    """Raise a TypeError if an object cannot be searched with."""
    for name in ("iteration", "net", "trainer"):
        if not hasattr(learner, name):
            constraint = "an object with `iteration`, `net` and `trainer`"
            remedy = "Make a Learner from your net and data: LRFinder(Learner(net, loader))."
            kind = type(learner).__name__
            raise TypeError(_check.message("LRFinder", "learner", constraint, kind, remedy))


def _rates(
    owner: str, bounds: Bounds, lr_multiplier: float, num_iter: Optional[int], mode: str
) -> List[float]:
    lr_multiplier = _check.real(owner, "lr_multiplier", lr_multiplier, above=1)
    lr_start, lr_end = bounds.start, bounds.end
    if num_iter is not None:
        num_iter = _check.integer(owner, "num_iter", num_iter, 2)
    if _check.one_of(owner, "mode", mode, MODES) == "linear":
        rates = np.linspace(lr_start, lr_end, num_iter or 100)
    elif num_iter is not None:
        rates = np.geomspace(lr_start, lr_end, num_iter)
    else:
        steps = math.ceil(math.log(lr_end / lr_start) / math.log(lr_multiplier) - 1e-9)
        rates = np.append(lr_start * lr_multiplier ** np.arange(steps), lr_end)
    return rates.tolist()

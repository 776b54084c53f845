"""Several settings side by side: a sweep of each, or a race by trials."""

import contextlib
import time
from functools import partial
from typing import Any, Callable, Iterable, List, Mapping, Optional, TypeVar

import numpy as np
from tqdm.auto import tqdm

from .. import _check
from .._mxnet import mx
from ..distributed.workers import Workers
from ..hyper.parameters import HyperParameters
from ..hyper.scheduling import ParamScheduler
from ..training.noise_scale import GradientNoiseScale
from .comparison import Compared, Comparison
from .policy import CurvesOf, Policy, curves_of, name_of
from .race import Finish, Runner, fewest_updates_of, race, updates_of
from .result import LRFinderResult
from .settings import OWNER, MakeLoader, Variant, choices_of, families_of
from .start import from_its_place, held_out_data, in_order, judged_by, trainers_of
from .suggest import Refusal, smooth
from .trials import Trials, TrialsBar
from .tune_result import TuneResult
from .usual import LENGTH, around, length_for, passes_of, shift, usual_rate

Search = Callable[[Any, Optional[int]], LRFinderResult]
Families = List[List[Variant]]
Result = TypeVar("Result")


class Comparing:
    """A comparison: it checks the arguments and runs the sweeps or trials.

    Parameters
    ----------
    learner : Learner
        A Learner or a custom learner, as for :class:`LRFinder`.
    values, grid, make_loader, seed, progress
        As in :meth:`LRFinder.compare`.

    Raises
    ------
    TypeError, ValueError
        As :meth:`LRFinder.compare` does.
    """

    def __init__(
        self,
        learner: Any,
        values: Mapping[str, Any],
        grid: bool,
        make_loader: Optional[MakeLoader],
        seed: Optional[int],
        progress: bool,
    ) -> None:
        choices = choices_of(values)
        self._settings = families_of(choices, _check.flag(OWNER, "grid", grid))
        if sum(map(len, self._settings)) < 2:
            constraint = "at least two values to compare"
            raise ValueError(_check.message(OWNER, "values", constraint, values))
        if make_loader is not None and "batch_size" not in choices:
            constraint = "omitted if `values` has no 'batch_size'"
            raise ValueError(_check.message(OWNER, "make_loader", constraint, make_loader))
        if make_loader is not None:
            _check.is_function(OWNER, "make_loader", make_loader, "callable with a batch size")
        self._learner = learner
        self._make_loader = make_loader
        self._seed = None if seed is None else _check.integer(OWNER, "seed", seed, 0)
        self._progress = progress
        self._workers = Workers.of(trainers_of(learner)[0])

    def by_sweeps(self, search: Search, repeats: int) -> Comparison:
        """Sweep at each setting.

        Parameters
        ----------
        search : callable
            Takes a learner and a seed, searches, restores the learner, and returns the result.
        repeats : int
            How many sweeps of each. The orders of the data are the same for all settings.
        """
        repeats = _check.integer(OWNER, "repeats", repeats, 1)

        def sweep(families: Families) -> Comparison:
            variants = [one for family in families for one in family]
            total = repeats * len(variants)
            with tqdm(total=total, desc="Comparing settings", disable=self._hidden) as bar:
                rows = [self._swept(one, search, repeats, bar) for one in variants]
            return Comparison(rows, tuned=False)

        return self._without_trace(sweep)

    def _swept(self, variant: Variant, search: Search, repeats: int, bar: Any) -> Compared:
        start = time.perf_counter()
        runs: List[LRFinderResult] = []
        bar.set_postfix_str(variant.name)
        for order in range(repeats):
            planned = runs[0].num_iter if runs else 0
            one = variant.in_order(order)
            with one.at_work() as again, again:
                with in_order(one.learner, order, planned) as once_more, once_more:
                    runs.append(search(one.learner, _seed_in(order, self._seed)))
                momentum = one.momentum
            bar.update()
        seconds = self._workers.of_first(time.perf_counter() - start)
        result = runs[0] if repeats == 1 else LRFinderResult.of_runs(runs)
        losses = tuple(map(lowest, runs))
        return Compared(variant.setting, result, losses, sum(map(len, runs)), seconds, momentum)

    def by_trials(
        self,
        length: int,
        budget: Optional[int],
        validation: Optional[Iterable[Any]],
        policy: Policy,
        cbs: Any,
    ) -> Comparison:
        """Run a race of the settings; arguments are as in :meth:`LRFinder.compare`."""
        length = length_for(OWNER, self._learner, length)
        budgets = _budgets(list(map(len, self._settings)), length, budget)
        judge = held_out_data(OWNER, self._learner, validation)
        names = {name for family in self._settings for one in family for name in one}
        if judge is None and names & {"net", "batch_size"}:
            constraint = "given if nets or batch sizes are compared and there is no `valid_loader`"
            remedy = "Pass held-out batches, or make the Learner with a `valid_loader`."
            raise ValueError(_check.message(OWNER, "validation", constraint, None, remedy))
        no_bars = getattr(self._learner, "no_bar", contextlib.nullcontext)()

        def let_race(families: Families, held_out: Optional[Iterable[Any]]) -> Comparison:
            rows: List[Compared] = []
            with TrialsBar(sum(budgets), None, self._hidden, "Comparing settings") as bar, no_bars:
                for family, updates in zip(families, budgets):
                    racing = [
                        _Racing(one, length, held_out, policy, self._seed, cbs, bar)
                        for one in family
                    ]
                    passes = passes_of(self._learner, length)
                    finishes = race([one.runner() for one in racing], updates / length, passes)
                    rows += [one.row(finish) for one, finish in zip(racing, finishes)]
            return Comparison(rows, tuned=True)

        return self._without_trace(
            lambda families: judged_by(self._learner, judge, partial(let_race, families))
        )

    @property
    def _hidden(self) -> bool:
        return not (self._progress and self._workers.is_first)

    def _without_trace(self, action: Callable[[Families], Result]) -> Result:
        """Return what `action` returns for the variants, and restore everything afterwards."""
        getattr(self._learner, "prepare", self._workers.join)()

        def act() -> Result:
            if self._seed is not None:  # for the initial weights of nets
                mx.random.seed(self._seed)
            families = [
                [Variant(self._learner, chosen, self._make_loader) for chosen in family]
                for family in self._settings
            ]
            for variant in (one for family in families for one in family):
                with variant.at_work() as again, again:
                    variant.check()
            try:
                return action(families)
            finally:
                if self._seed is not None:  # as every search does at its end
                    mx.random.seed(self._seed)

        return from_its_place(self._learner, act)


class _Racing:
    """The trials of one setting."""

    def __init__(
        self,
        variant: Variant,
        length: int,
        held_out: Optional[Iterable[Any]],
        policy: Policy,
        seed: Optional[int],
        cbs: Any,
        bar: TrialsBar,
    ) -> None:
        self._variant = variant
        self._policy = policy
        self._held_out, self._seed, self._bar = held_out, seed, bar
        self._length = max(round(length / variant.samples), 1)
        self._noise = GradientNoiseScale()
        self._cbs = cbs
        if variant.has_parts_of_batches:
            given = cbs if isinstance(cbs, (list, tuple)) else filter(None, [cbs])
            self._cbs = [self._noise, *given]
        self._of_orders = {0: (variant, self._trials_of(variant, 0))}
        trainer = trainers_of(variant.learner)[0]
        with variant.at_work() as again, again:
            self._momentum = variant.momentum
            passes = passes_of(variant.learner, self._length)
            self._usual = usual_rate(trainer.optimizer, self._length, passes)
            self._start = usual_rate(trainer.optimizer) or trainer.learning_rate
            self._began = self._of_orders[0][1].begin(self._start)

    def runner(self) -> Runner:
        """Return the runner of this setting in the race."""
        return Runner(self._measure, self._start_of, self._began, self._length)

    def _start_of(self, updates: int) -> float:
        return self._start * shift(LENGTH, updates)

    def _trials_of(self, variant: Variant, order: int) -> Trials:
        learner = variant.learner
        with variant.at_work() as again, again:
            hypers = HyperParameters(trainers_of(learner)[0], getattr(learner, "groups", None))
            curves = _resting(curves_of(OWNER, self._policy, self._length, hypers), variant)
            ParamScheduler(curves(1.0)).check(hypers)
        seed = _seed_in(order, self._seed)
        return Trials(
            learner, curves, self._length, self._held_out, seed, False, self._cbs, self._bar
        )

    def _measure(self, rate: float, updates: int, order: int) -> float:
        if order not in self._of_orders:
            variant = self._variant.in_order(order)
            self._of_orders[order] = variant, self._trials_of(variant, order)
        variant, trials = self._of_orders[order]
        with variant.at_work() as again, again:
            return trials.measure(rate, updates, order)

    def row(self, finish: Finish) -> Compared:
        """Return the row of this setting in the result."""
        all_trials = [trials for _, trials in self._of_orders.values()]
        tried = self._of_orders[0][1].done
        updates = sum(trials.updates for trials in all_trials)
        learnt = any(one.loss < self._began for one in tried)
        result = TuneResult(
            suggestion=finish.found.rate if learnt else None,
            interval=around(*finish.found) if learnt else None,
            trials=tried,
            cost=updates,
            refusal=None if learnt else Refusal.NOT_LEARNT,
            usual=self._usual,
            length=self._length,
            budget=updates,
            policy=name_of(self._policy),
            began=self._began,
            kept=False,
        )
        return Compared(
            self._variant.setting,
            result,
            tuple(finish.losses),
            updates,
            sum(trials.seconds for trials in all_trials),
            self._momentum,
            finish.unsure,
            finish.dropped,
            self._noise.value,
        )


def _seed_in(order: int, seed: Optional[int]) -> Optional[int]:
    """Return the seed for an order of the data, so that nets draw other numbers in each."""
    return None if seed is None else seed + order


def _resting(curves: CurvesOf, variant: Variant) -> CurvesOf:
    """Return the curves without those of compared hyper-parameters, which stay constant."""

    def without(rate: float) -> Any:
        return {name: one for name, one in curves(rate).items() if not variant.rests(name)}

    return without


def _budgets(settings: List[int], length: int, budget: Optional[int]) -> List[int]:
    """Return the updates of each race: the default, or its part of `budget`."""
    usual = [updates_of(count, length) for count in settings]
    if budget is None:
        return usual
    fewest = [fewest_updates_of(count, length) for count in settings]
    spare = _check.integer(OWNER, "budget", budget, sum(fewest)) - sum(fewest)
    return [few + spare * one // sum(usual) for few, one in zip(fewest, usual)]


def lowest(run: LRFinderResult) -> float:
    """Return the lowest smoothed loss of a sweep; infinite if no loss was finite."""
    finite = run.losses[np.isfinite(run.losses)]
    return float(smooth(finite).min()) if len(finite) else float("inf")

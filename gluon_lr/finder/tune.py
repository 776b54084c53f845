"""The search for the rate of a training of a given length, by trials."""

import contextlib
import itertools
from typing import Any, ContextManager, Dict, Iterable, List, Optional, Sequence, Tuple

from .. import _check
from ..distributed.workers import Workers
from ..hyper.parameters import HyperParameters
from ..hyper.scheduling import ParamScheduler
from ..state.files import PathLike
from .bounds import groups_of
from .by_group import (
    TRIALS,
    best_factor,
    check_groups,
    curves_by_group,
    is_trained,
)
from .climb import Found, climb, plan
from .policy import CurvesOf, Policy, curves_of, name_of
from .start import held_out_data, judged_by, trainers_of
from .suggest import Refusal
from .trials import Trials, TrialsBar
from .trials_file import TrialsFile
from .tune_result import Trial, TuneResult
from .usual import (
    DECADES_OF_USUAL,
    LENGTH,
    around,
    length_for,
    passes_of,
    shift,
    usual_rate,
)

_OWNER = "LRFinder.tune"
_BUDGET = 4  # trainings in the default budget; with `by_group`, four more for each group


class Tuning:
    """A tune of a learner: it checks the arguments and makes the trials.

    Parameters
    ----------
    learner : Learner
        A Learner or a custom learner, as for :class:`LRFinder`.
    length, budget, validation, policy, keep, progress, seed, checkpoint, cbs, by_group
        As in :meth:`LRFinder.tune`.

    Raises
    ------
    TypeError, ValueError
        As :meth:`LRFinder.tune` does.
    """

    def __init__(
        self,
        learner: Any,
        length: int,
        budget: Optional[int],
        validation: Optional[Iterable[Any]],
        policy: Policy,
        keep: bool,
        progress: bool,
        seed: Optional[int],
        checkpoint: Optional[PathLike],
        cbs: Any,
        by_group: bool = False,
    ) -> None:
        self._learner = learner
        self._length = length_for(_OWNER, learner, length)
        self._by_group = _check.flag(_OWNER, "by_group", by_group)
        if by_group:
            check_groups(
                _OWNER, learner, {"`keep` is True": keep, "`checkpoint` is given": checkpoint}
            )
        climbs = 1 + (len(groups_of(learner)) if by_group else 0)
        own = _BUDGET * self._length * climbs if budget is None else budget
        self._budget = _check.integer(_OWNER, "budget", own, 0)
        self._share = self._budget // climbs  # for the rate for all, and for each group
        self._seed = None if seed is None else _check.integer(_OWNER, "seed", seed, 0)
        self._keep = keep
        self._progress = progress
        self._checkpoint = checkpoint
        self._cbs = cbs
        self._trainer = trainers_of(learner)[0]
        self._policy = name_of(policy)
        self._curves = _checked_curves(learner, policy, self._length)
        self._validation = held_out_data(_OWNER, learner, validation)
        self._check_own()
        if keep and self._budget < self._length:
            constraint = f"at least `length`, {length}, if `keep` is True"
            raise ValueError(_check.message(_OWNER, "budget", constraint, budget))
        if keep and self._validation is None:
            constraint = "given if `keep` is True, because a kept training uses all training data"
            remedy = "Pass held-out batches, or make the Learner with a `valid_loader`."
            raise ValueError(_check.message(_OWNER, "validation", constraint, None, remedy))
        self._passes = passes_of(learner, self._length)
        self._plan = plan(self._length, self._share, keep)

    def run(self) -> TuneResult:
        """Make the trials and return the result."""
        usual = usual_rate(self._trainer.optimizer, self._length, self._passes)
        if not self._plan.trials:
            found = None if usual is None else Found(usual, DECADES_OF_USUAL)
            count = len(groups_of(self._learner))
            by_group = [usual] * count if self._by_group and usual is not None else None
            return self._result(found, Refusal.NOT_KNOWN, usual, by_group=by_group)
        self._workers = Workers.of(self._trainer)
        getattr(self._learner, "prepare", self._workers.join)()
        file = self._file()
        return judged_by(
            self._learner, self._validation, lambda held_out: self._tried(held_out, usual, file)
        )

    def _file(self) -> Optional[TrialsFile]:
        if self._checkpoint is None:
            return None
        asked = {"length": self._length, "policy": self._policy, "keep": self._keep}
        return TrialsFile(self._checkpoint, self._learner, asked)

    def _tried(
        self,
        validation: Optional[Iterable[Any]],
        usual: Optional[float],
        file: Optional[TrialsFile],
    ) -> TuneResult:
        updates = self._plan.scouts * self._plan.scout_length + self._plan.finals * self._length
        with TrialsBar(updates, self._plan.trials, self._hides_bars) as bar, self._no_bars:
            trials = Trials(
                self._learner,
                self._curves,
                self._length,
                validation,
                self._seed,
                self._keep,
                self._cbs,
                bar,
                file,
            )
            began = trials.begin(self._start(self._length))
            found = climb(
                trials.measure,
                began,
                self._start,
                self._length,
                self._plan,
                self._keep,
                self._passes,
            )
        learnt = any(one.loss < began for one in trials.done)
        kept = self._keep and trials.best is not None
        if kept:
            self._learner.take_data(trials.best, place=trials.place)
        if not learnt:
            return self._result(None, Refusal.NOT_LEARNT, usual, trials.done, began, kept)
        in_turn = self._in_turn(found.rate, validation, began) if self._by_group else (None, ())
        return self._result(found, Refusal.NOT_LEARNT, usual, trials.done, began, kept, *in_turn)

    def _in_turn(
        self, rate: float, validation: Optional[Iterable[Any]], began: float
    ) -> Tuple[List[float], List[Tuple[Trial, ...]]]:
        """Tune the rate of each group, from the last to the first; return rates and trials."""
        groups = groups_of(self._learner)
        updates = min(self._length, self._share // TRIALS)
        tried: List[Tuple[Trial, ...]] = [() for _ in groups]
        lifted = shift(self._length, updates, self._passes)
        rates = [rate * lifted] * len(groups)
        most = TRIALS * len(groups)
        with TrialsBar(most * updates, most, self._hides_bars) as bar, self._no_bars:
            for number in reversed(range(len(groups))):
                if is_trained(groups[number]):
                    tried[number], rates[number] = self._climbed(
                        rates, number, updates, validation, began, bar
                    )
        return [one / lifted for one in rates], tried

    def _climbed(
        self,
        rates: List[float],
        number: int,
        updates: int,
        validation: Optional[Iterable[Any]],
        began: float,
        bar: TrialsBar,
    ) -> Tuple[Tuple[Trial, ...], float]:
        """Return the trials of one group, with the others at their rates, and its best rate."""

        def curves(rate: float) -> Dict[str, Any]:
            own = [*rates[:number], rate, *rates[number + 1 :]]
            return curves_by_group(self._curves, own)

        def measure(factor: float, updates: int) -> float:
            return trials.measure(rates[number] * factor, updates)

        trials = Trials(
            self._learner, curves, self._length, validation, self._seed, False, self._cbs, bar
        )
        factor = best_factor(measure, updates, began)
        return tuple(trials.done), rates[number] * factor

    @property
    def _hides_bars(self) -> bool:
        return not (self._progress and self._workers.is_first)

    @property
    def _no_bars(self) -> ContextManager[None]:
        """A context manager that hides the progress bars of the trials."""
        return getattr(self._learner, "no_bar", contextlib.nullcontext)()

    def _start(self, updates: int) -> float:
        """Return the first rate to try in trials of `updates` updates."""
        usual = usual_rate(self._trainer.optimizer, updates)
        return self._trainer.learning_rate * shift(LENGTH, updates) if usual is None else usual

    def _result(
        self,
        found: Optional[Found],
        refusal: Refusal,
        usual: Optional[float],
        trials: Sequence[Trial] = (),
        began: Optional[float] = None,
        kept: bool = False,
        by_group: Optional[List[float]] = None,
        groups: Sequence[Tuple[Trial, ...]] = (),
    ) -> TuneResult:
        return TuneResult(
            suggestion=found and found.rate,
            interval=found and around(found.rate, found.decades),
            trials=trials,
            cost=sum(len(one.losses) for one in itertools.chain(trials, *groups)),
            refusal=refusal if found is None else None,
            usual=usual,
            length=self._length,
            budget=self._budget,
            policy=self._policy,
            began=began,
            kept=kept,
            by_group=by_group,
            groups=groups,
        )

    def _check_own(self) -> None:
        if hasattr(self._learner, "fit_curves"):
            return
        asked = {"keep": self._keep, "checkpoint": self._checkpoint, "cbs": self._cbs}
        for argument, value in asked.items():
            if value:
                constraint = "omitted for a custom learner, which has no fits"
                raise TypeError(_check.message(_OWNER, argument, constraint, value))


def _checked_curves(learner: Any, policy: Policy, length: int) -> CurvesOf:
    hypers = HyperParameters(trainers_of(learner)[0], getattr(learner, "groups", None))
    curves = curves_of(_OWNER, policy, length, hypers)
    scheds = curves(1.0)
    ParamScheduler(scheds).check(hypers)
    if "lr" not in scheds:
        constraint = "one with a curve for 'lr'"
        raise ValueError(_check.message(_OWNER, "policy", constraint, policy))
    return curves

"""The rate for a training of a stated length, by trials of it."""

import contextlib
from typing import Any, Iterable, Optional, Sequence

from .. import _check
from ..data.structure import is_batch
from ..distributed.workers import Workers
from ..hyper.parameters import HyperParameters
from ..hyper.scheduling import ParamScheduler
from ..state.files import PathLike
from ..state.memory import Memory
from ..state.transaction import afterwards
from ..training.iteration import IterationLearner
from .climb import Found, climb, plan
from .policy import CurvesOf, Policy, curves_of, name_of
from .start import batches_of, check_validation, trainers_of
from .suggest import Refusal
from .trials import Trials, TrialsBar
from .trials_file import TrialsFile
from .tune_result import Trial, TuneResult
from .usual import DECADES_OF_USUAL, LENGTH, around, passes_of, shift, usual_rate

_OWNER = "LRFinder.tune"
_BUDGET = 4  # trainings, where no budget is given


class Tuning:
    """A tune of a learner: its arguments, checked, and the work.

    Parameters
    ----------
    learner : Learner
        Or an object of one's own, as :class:`LRFinder` takes it.
    length, budget, validation, policy, keep, progress, seed, checkpoint, cbs
        As :meth:`LRFinder.tune` takes them.

    Raises
    ------
    TypeError, ValueError
        As that.
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
    ) -> None:
        self._learner = learner
        self._length = _check.integer(_OWNER, "length", length, 1)
        own = _BUDGET * self._length if budget is None else budget
        self._budget = _check.integer(_OWNER, "budget", own, 0)
        self._seed = None if seed is None else _check.integer(_OWNER, "seed", seed, 0)
        self._keep = keep
        self._progress = progress
        self._checkpoint = checkpoint
        self._cbs = cbs
        self._trainer = trainers_of(learner)[0]
        self._policy = name_of(policy)
        self._curves = _checked_curves(learner, policy, self._length)
        self._validation = _held_out_data(learner, validation)
        self._check_own()
        if keep and self._budget < self._length:
            constraint = f"at least `length`, {length}, where the best trial is kept"
            raise ValueError(_check.message(_OWNER, "budget", constraint, budget))
        if keep and self._validation is None:
            constraint = "given where the best trial is kept, as a training holds nothing out"
            remedy = "Or give the Learner a valid_loader."
            raise ValueError(_check.message(_OWNER, "validation", constraint, None, remedy))
        self._passes = passes_of(learner, self._length)
        self._plan = plan(self._length, self._budget, keep)

    def run(self) -> TuneResult:
        """Make the trials, and return what they say."""
        usual = usual_rate(self._trainer.optimizer, self._length, self._passes)
        if not self._plan.trials:
            found = None if usual is None else Found(usual, DECADES_OF_USUAL)
            return self._result(found, Refusal.NOT_KNOWN, usual)
        self._workers = Workers.of(self._trainer)
        getattr(self._learner, "prepare", self._workers.join)()
        file = self._file()
        if self._validation is None and isinstance(self._learner, IterationLearner):
            with self._learner.hold_out() as held, held:
                return self._tried(held.batches, usual, file)
        own = getattr(self._learner, "valid_loader", None)
        given = None if self._validation is own else self._validation  # the learner keeps its own
        with afterwards(Memory(given).keep()) as again, again:
            return self._tried(self._validation, usual, file)

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
        hidden = not (self._progress and self._workers.is_first)
        no_bars = getattr(self._learner, "no_bar", contextlib.nullcontext)()
        updates = self._plan.scouts * self._plan.scout_length + self._plan.finals * self._length
        with TrialsBar(updates, self._plan.trials, hidden) as bar, no_bars:
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
        return self._result(
            found if learnt else None, Refusal.NOT_LEARNT, usual, trials.done, began, kept
        )

    def _start(self, updates: int) -> float:
        """Return the rate to begin with in trials of so many updates."""
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
    ) -> TuneResult:
        return TuneResult(
            suggestion=found and found.rate,
            interval=found and around(found.rate, found.decades),
            trials=trials,
            cost=sum(len(one.losses) for one in trials),
            refusal=refusal if found is None else None,
            usual=usual,
            length=self._length,
            budget=self._budget,
            policy=self._policy,
            began=began,
            kept=kept,
        )

    def _check_own(self) -> None:
        if hasattr(self._learner, "fit_curves"):
            return
        asked = {"keep": self._keep, "checkpoint": self._checkpoint, "cbs": self._cbs}
        for argument, value in asked.items():
            if value:
                constraint = "left out for a learner of one's own, which has no fits"
                raise TypeError(_check.message(_OWNER, argument, constraint, value))


def _checked_curves(learner: Any, policy: Policy, length: int) -> CurvesOf:
    hypers = HyperParameters(trainers_of(learner)[0], getattr(learner, "groups", None))
    curves = curves_of(_OWNER, policy, length, hypers)
    scheds = curves(1.0)
    ParamScheduler(scheds).check(hypers)
    if "lr" not in scheds:
        constraint = "one that moves lr"
        raise ValueError(_check.message(_OWNER, "policy", constraint, policy))
    return curves


def _held_out_data(learner: Any, validation: Optional[Iterable[Any]]) -> Optional[Iterable[Any]]:
    """Return what judges the trials, which each of them goes through; None where there is none."""
    if validation is None:
        return getattr(learner, "valid_loader", None) if hasattr(learner, "validate") else None
    check_validation(_OWNER, learner, validation)
    one_pass = is_batch(validation) or hasattr(validation, "__next__")
    return batches_of(validation) if one_pass else validation

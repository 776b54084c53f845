"""What a user writes, with the types that `mypy --strict` sees: `.ci/run` checks this file."""

from typing import List, Optional

from gluon_lr import (
    CosineScheduler,
    Learner,
    LRFinder,
    LRFinderResult,
    ParamScheduler,
    SchedLin,
    SuggestedLRs,
    valley,
)
from gluon_lr.schedules import ScaledSchedule, SequentialSchedule


def schedules() -> List[float]:
    half: ScaledSchedule = 0.5 * CosineScheduler(100)
    twice: ScaledSchedule = CosineScheduler(2.5 * 40) * 2
    both: SequentialSchedule = half.then(twice, 50)
    return [half(3), twice(3.5), both(60)]


def search(learner: Learner) -> Optional[float]:
    lr_min, lr_steep = learner.lr_find()
    rates: List[Optional[float]] = [lr_min, lr_steep, learner.lr_find().valley]
    several: SuggestedLRs = learner.lr_find(suggest_funcs=(valley, "slide"))
    nothing: Optional[SuggestedLRs] = learner.lr_find(suggestions=False)
    result: LRFinderResult = LRFinder(learner).find(stop=lambda loss: loss > 3)
    return result.suggestion if nothing is None else [*rates, *several][0]


class Halving(ParamScheduler):
    """Gives half of what its curves say."""

    def before_batch(self, learner: Optional[Learner] = None) -> None:
        super().before_batch(learner)


def train(learner: Learner) -> float:
    learner.fit(20, cbs=LRFinder(num_it=100))
    learner.fit(2, cbs=[Halving({"lr": SchedLin(0.1, 0.2)})])
    learner.fit_one_cycle(1, learner.lr_find().valley)
    return float(learner.recorder.lrs[-1])

"""What a user writes, with the types that `mypy --strict` sees: `typed_blocks.py` checks this."""

# mypy: disallow-subclassing-any

from typing import Any, List, Optional

from gluon_lr import (
    EMA,
    Callback,
    CheckpointCallback,
    CosineScheduler,
    CSVLogger,
    Learner,
    LRFinder,
    LRFinderResult,
    ParamScheduler,
    ReduceLROnPlateau,
    SaveModelCallback,
    SchedLin,
    Schedule,
    SuggestedLRs,
    valley,
)
from gluon_lr.schedules import (
    MaximumSchedule,
    ProductSchedule,
    ScaledSchedule,
    SequentialSchedule,
    SumSchedule,
)


def schedules() -> List[float]:
    half: ScaledSchedule = 0.5 * CosineScheduler(100)
    twice: ScaledSchedule = CosineScheduler(2.5 * 40) * 2
    both: SequentialSchedule = half.then(twice, 50)
    again: CosineScheduler = CosineScheduler.from_config(CosineScheduler(9).to_config())
    product: ProductSchedule = half * both
    third: ScaledSchedule = product / 3
    total: SumSchedule = 0.1 + third + half
    higher: MaximumSchedule = total.maximum(0.2)
    longer: Schedule = higher.scaled_to(1000).continued(at=500, to=2000)
    return [half(3), twice(3.5), both(60), again(9), longer(7), longer.natural_length]


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
    learner.fit(20, CosineScheduler(0.9))
    learner.fit(2, cbs=ParamScheduler({"lr": SchedLin(0.1, 0.2), "wd": CosineScheduler(100)}))
    learner.fit(2, cbs=[Halving({"lr": SchedLin(0.1, 0.2)})])
    learner.fit_one_cycle(1, learner.lr_find().valley)
    return float(learner.recorder.lrs[-1])


class Finishes(Callback):
    """Finishes a fit whose loss is low enough."""

    def after_epoch(self, learner: Learner) -> None:
        if learner.recorder.epochs[-1]["valid_loss"] < 0.1:
            learner.finish(iterations=10)


def train_for_hours(learner: Learner, loader: Any) -> int:
    cbs: List[Callback] = [SaveModelCallback("accuracy", path="best.params"), EMA(0.99)]
    cbs += [ReduceLROnPlateau(patience=2), CSVLogger("epochs.csv"), Finishes()]
    learner.fit_one_cycle(seconds=60, lr_max=0.1, cbs=cbs)
    learner.fit(2, 0.1, cbs=CheckpointCallback("run", on_sigterm=True))
    outputs, labels = learner.get_preds(loader)
    return learner.summary().parameters + len(learner.predict(loader)) + len(outputs) + len(labels)

"""The pictures of README.md, drawn anew: `python docs/pictures.py`.

They need scikit-learn's digits. A picture of a benchmark is drawn by that benchmark.
"""

from pathlib import Path

import mxnet as mx
import numpy as np
from matplotlib.figure import Figure

from gluon_lr import (
    CosineAnnealingSchedule,
    CyclicalSchedule,
    InverseSqrtScheduler,
    Learner,
    LinearWarmUp,
    LRFinder,
    MultiFactorScheduler,
    OneCycleSchedule,
    demo,
)
from gluon_lr.plotting import picture, plot_rates, plot_schedule

FOLDER = Path(__file__).parent


def make_learner(**settings: object) -> Learner:
    """Make a learner of the demo's net and digits, the same each time."""
    digits = demo.load_digits()
    return Learner(
        demo.make_net(),
        mx.gluon.data.DataLoader(digits.train, batch_size=32, shuffle=True),
        valid_loader=mx.gluon.data.DataLoader(digits.valid, batch_size=120),
        **settings,
    )


def finder() -> Figure:
    """Draw a search that learns the digits, and goes on until the net breaks."""
    with make_learner(optimizer="sgd", optimizer_params={"momentum": 0.9}) as learner:
        result = LRFinder(learner).find(lr_start=1e-4, lr_end=10, num_iter=300)
    figure = picture()
    result.plot(figure.subplots())
    return figure


def policy() -> Figure:
    """Draw the rate, the momentum and the loss of a 1-cycle fit."""
    with make_learner(optimizer="adam") as learner:
        learner.fit_one_cycle(4, 0.01)
        recorder = learner.recorder
    figure = picture()
    axes = figure.subplot_mosaic([["rate", "loss"], ["momentum", "loss"]], width_ratios=[2, 3])
    iterations = np.arange(1, len(recorder) + 1)
    plot_rates(iterations, [("", recorder.hps["lr"])], axes["rate"])
    plot_rates(iterations, [("", recorder.hps["mom"])], axes["momentum"])
    axes["momentum"].set_ylabel("momentum (Adam's beta1)")
    recorder.plot_loss(ax=axes["loss"])
    return figure


def schedules() -> Figure:
    """Draw four schedules."""
    figure = picture()
    many = [
        OneCycleSchedule(0.1, 0.5, 500, 750, 0.001),
        CyclicalSchedule(CosineAnnealingSchedule, 250, 2, 0.5, min_lr=0.01, max_lr=0.8),
        LinearWarmUp(MultiFactorScheduler([400, 800], 0.5, base_lr=0.6), start_lr=0, length=200),
        InverseSqrtScheduler(100, 0.5),
    ]
    plot_schedule({type(one).__name__: one for one in many}, 1500, figure.subplots())
    return figure


if __name__ == "__main__":
    for draw in (finder, policy, schedules):
        draw().savefig(FOLDER / f"{draw.__name__}.png")

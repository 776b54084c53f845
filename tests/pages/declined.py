"""Ideas from the schedule tests of MXNet, optax and torch that our schedules decline, and why."""

DECLINED = {
    "triangular2, whose floor stays while the peak halves": (
        "`cycle_magnitude_decay` multiplies the whole cycle, as in MXNet's tutorial; a cycle of "
        "one's own with `clip` keeps a floor"
    ),
    "exp_range, a peak that shrinks at each iteration": (
        "the tutorial's cycles shrink from one cycle to the next"
    ),
    "the product or the sum of two schedules": (
        "a function that multiplies or adds two is a schedule, too, which all modifiers take"
    ),
    "a cosine to a power (optax's exponent)": (
        "MXNet's cosine has none; a schedule of one's own needs only `_rate`"
    ),
    "an absolute threshold for a plateau (torch's threshold_mode)": (
        "`threshold` is a share of the best metric"
    ),
    "a least change for a plateau (torch's eps)": "`stop_factor_lr` bounds the rate from below",
    "the staircase and transition_begin of optax's exponential decay": (
        "`FactorScheduler` is the staircase, `ConstantSchedule(...).then(...)` the late begin"
    ),
    "a growing factor (optax's decay_rate above 1)": (
        "a decay's `factor` is from 0 to 1, as MXNet's"
    ),
    "negative rates": "a rate is at least 0",
    "momentum that moves against the rate (torch's cycle_momentum)": (
        "a schedule gives a rate; `ParamScheduler` and `fit_one_cycle` move the momentum too"
    ),
    "a scheduler with step(), last_epoch and get_last_lr()": (
        "the optimizer asks a schedule by the number of its update; `trainer.learning_rate` tells"
    ),
    "a sequence of rates for parameter groups": (
        "a schedule is one curve; `ParamScheduler` has curves for groups"
    ),
}

"""Every schedule there is, with any arguments, and nested."""

import numpy as np
from hypothesis import strategies as st

from gluon_lr import (
    ClippedSchedule,
    ConstantSchedule,
    ConstantWarmUp,
    ContinuedSchedule,
    CoolDown,
    CosineAnnealingSchedule,
    CosineScheduler,
    CosineWarmUp,
    CyclicalSchedule,
    EpochSchedule,
    ExponentialScheduler,
    FactorScheduler,
    InverseSqrtScheduler,
    InverseTimeScheduler,
    KDecaySchedule,
    LinearCoolDown,
    LinearWarmUp,
    MaximumSchedule,
    MinimumSchedule,
    MultiFactorScheduler,
    OneCycleSchedule,
    PiecewiseSchedule,
    PlateauScheduler,
    PolyScheduler,
    PowerLawSchedule,
    ProductSchedule,
    REXSchedule,
    ScaledSchedule,
    SequentialSchedule,
    ShiftedSchedule,
    SumSchedule,
    TriangularSchedule,
    WarmupStableDecaySchedule,
)

HIGHEST = 10.0

rates = st.floats(1e-3, HIGHEST) | st.just(0.0)
lengths = st.integers(1, 300) | st.floats(1, 300)
lengths_or_none = st.just(0) | lengths
shares = st.floats(0, 1)
bounds = st.tuples(rates, rates)
modes = st.sampled_from(["linear", "constant"])
shapes = st.sampled_from(["linear", "cosine", "1-sqrt", "square", "exponential"])


def assert_same_rates(actual, expected):
    """Compare 12 digits; of rates below 1e-30, at which nothing trains, those above 1e-42."""
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-42)


@st.composite
def decays(draw):
    base_lr = draw(rates)
    warm_up = {
        "base_lr": base_lr,
        "warmup_steps": draw(lengths_or_none),
        "warmup_begin_lr": base_lr * draw(shares),
        "warmup_mode": draw(modes),
    }
    end = warm_up["warmup_steps"] + draw(lengths)
    floor = draw(rates)
    factor = draw(shares)
    return draw(
        st.sampled_from(
            [
                lambda: FactorScheduler(draw(lengths), factor, floor, **warm_up),
                lambda: MultiFactorScheduler(
                    sorted(draw(st.sets(lengths, min_size=1))), factor, **warm_up
                ),
                lambda: PolyScheduler(end, pwr=draw(st.floats(0, 4)), final_lr=floor, **warm_up),
                lambda: CosineScheduler(
                    end, final_lr=floor, exponent=draw(st.floats(0.1, 4)), **warm_up
                ),
                lambda: ExponentialScheduler(draw(lengths), factor, floor, **warm_up),
                lambda: InverseTimeScheduler(draw(lengths), **warm_up),
                lambda: InverseSqrtScheduler(**{**warm_up, "warmup_steps": end}),
                lambda: plateau(draw, factor=factor, stop_factor_lr=floor, **warm_up),
            ]
        )
    )()


def plateau(draw, **arguments):
    schedule = PlateauScheduler(
        patience=draw(st.integers(0, 2)),
        mode=draw(st.sampled_from(["min", "max"])),
        cooldown=draw(st.integers(0, 2)),
        **arguments,
    )
    for metric in draw(st.lists(st.floats(width=16), max_size=6)):
        schedule.observe(metric)
    return schedule


single_cycles = st.one_of(
    st.builds(lambda b, n, f: TriangularSchedule(*b, n, f), bounds, lengths, shares),
    st.builds(lambda b, n: CosineAnnealingSchedule(*b, n), bounds, lengths),
    st.builds(lambda b, n: REXSchedule(*b, n), bounds, lengths),
)


@st.composite
def piecewise(draw):
    iterations = sorted(draw(st.sets(lengths_or_none, min_size=1, max_size=5)))
    lrs = draw(st.lists(rates, min_size=len(iterations), max_size=len(iterations)))
    return PiecewiseSchedule(
        iterations, lrs, draw(st.sampled_from(["constant", "linear", "cosine"]))
    )


stages = st.tuples(rates, lengths_or_none, lengths_or_none, lengths)
bounded = st.one_of(
    single_cycles,
    st.builds(ConstantSchedule, rates),
    st.builds(
        PowerLawSchedule, st.floats(1e-3, HIGHEST), st.floats(1e-3, 1e3), st.floats(-2, -0.01)
    ),
    st.builds(lambda s, f, b: WarmupStableDecaySchedule(*s, f, *b), stages, shapes, bounds),
    piecewise(),
    st.builds(lambda b, n: OneCycleSchedule(*b, n), bounds, lengths),
    st.builds(lambda b, n, c, f: OneCycleSchedule(*b, n, c, f), bounds, lengths, lengths, rates),
    st.builds(
        lambda cls, n, grow, shrink, b: CyclicalSchedule(
            cls, n, grow, shrink, min_lr=b[0], max_lr=b[1]
        ),
        st.sampled_from([TriangularSchedule, CosineAnnealingSchedule, REXSchedule]),
        lengths,
        st.sampled_from([0.3, 0.5, 0.99, 1, 1.01, 1.5, 2]),
        st.sampled_from([0.5, 0.9, 1]),
        bounds,
    ),
)
leaves = st.one_of(decays(), bounded)


def nested(inner):
    """Build a schedule over one level more than `inner`."""
    return st.one_of(
        st.builds(LinearWarmUp, inner, rates, lengths_or_none),
        st.builds(ConstantWarmUp, inner, rates, lengths_or_none),
        st.builds(CosineWarmUp, inner, rates, lengths_or_none),
        st.builds(LinearCoolDown, inner, rates, lengths_or_none, lengths_or_none),
        st.builds(CoolDown, inner, rates, lengths_or_none, lengths_or_none, shapes),
        st.builds(ShiftedSchedule, inner, lengths_or_none),
        st.builds(KDecaySchedule, inner, lengths, st.floats(0.2, 4)),
        st.builds(
            lambda s, at, more, end: ContinuedSchedule(s, at, at + more, end),
            inner,
            lengths_or_none,
            lengths,
            lengths,
        ),
        st.builds(lambda s, c: ProductSchedule(s, c) / HIGHEST, inner, single_cycles),
        st.builds(lambda s, c: 0.5 * SumSchedule(s, c), inner, leaves),
        st.builds(MaximumSchedule, inner, leaves),
        st.builds(MinimumSchedule, inner, rates),
        st.builds(SequentialSchedule, inner, leaves, lengths_or_none),
        st.builds(SequentialSchedule, leaves, inner, lengths),
        st.builds(ScaledSchedule, inner, shares),
        st.builds(lambda s, b: ClippedSchedule(s, *b), inner, bounds.map(sorted)),
        st.builds(EpochSchedule, inner, st.integers(1, 20) | st.floats(1, 20)),
    )


@st.composite
def schedules(draw):
    """Draw a schedule, nested at most three deep."""
    schedule = draw(leaves)
    for _ in range(draw(st.integers(0, 3))):
        schedule = draw(nested(st.just(schedule)))
    return schedule

"""Well-known schedules, made here from other schedules."""

from .. import _check
from .algebra import SumSchedule
from .compose import LinearWarmUp
from .cycle import ConstantSchedule, CyclicalSchedule, TriangularSchedule
from .decay import ExponentialScheduler, PolyScheduler

__all__ = [
    "exp_range",
    "linear_to_zero",
    "triangular2",
]


def triangular2(
    min_lr: float, max_lr: float, cycle_length: float, inc_fraction: float = 0.5
) -> SumSchedule:
    """Return triangular cycles, each half as high above `min_lr` as the one before.

    Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
    https://arxiv.org/abs/1506.01186. As in torch's CyclicLR, the lower bound stays the same; the
    `cycle_magnitude_decay` of :class:`CyclicalSchedule` multiplies the lower bound too.

    Parameters
    ----------
    min_lr, max_lr : float
        Lowest rate, at least 0, and highest rate, at least `min_lr`.
    cycle_length : float
        Iterations of one triangle, above 0.
    inc_fraction : float
        Share of a triangle in which the rate increases, from 0 to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = triangular2(min_lr=1, max_lr=3, cycle_length=100)
    >>> [schedule(n) for n in (0, 50, 100, 150, 250)]
    [1.0, 3.0, 1.0, 2.0, 1.5]
    """
    return _triangles("triangular2", min_lr, max_lr, cycle_length, inc_fraction, 0.5) + min_lr


def exp_range(
    min_lr: float,
    max_lr: float,
    cycle_length: float,
    factor: float,
    inc_fraction: float = 0.5,
) -> SumSchedule:
    """Return triangular cycles whose height above `min_lr` decays by `factor` at each iteration.

    Smith, 2015, as in torch's CyclicLR: see :func:`triangular2`.

    Parameters
    ----------
    min_lr, max_lr, inc_fraction
        As in :func:`triangular2`.
    cycle_length : float
        Iterations of one triangle, at least 1; not a share of a training.
    factor : float
        From 0 to 1; called gamma in torch.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = exp_range(min_lr=1, max_lr=3, cycle_length=4, factor=0.5)
    >>> [schedule(n) for n in (0, 1, 2, 4, 6)]
    [1.0, 1.5, 1.5, 1.0, 1.03125]
    """
    cycle_length = _check.iterations("exp_range", "cycle_length", cycle_length, 1)
    triangles = _triangles("exp_range", min_lr, max_lr, cycle_length, inc_fraction, 1)
    height = ExponentialScheduler(step=1, factor=factor, stop_factor_lr=0, base_lr=1)
    return triangles * height + min_lr


def linear_to_zero(lr: float, length: float, warmup: float = 0) -> LinearWarmUp:
    """Return a linear warm-up to `lr`, then a linear decay to 0.

    Bergsma et al., "Straight to Zero: Why Linearly Decaying the Learning Rate to Zero Works Best
    for LLMs", 2025, https://arxiv.org/abs/2502.15938.

    Parameters
    ----------
    lr : float
        Highest rate, at least 0.
    length : float
        Total number of iterations, above `warmup`.
    warmup : float
        Iterations of the warm-up, at least 0; a tenth of them all in the paper.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = linear_to_zero(1, length=1000, warmup=200)
    >>> [schedule(n) for n in (0, 100, 200, 600, 1000)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    warmup = _check.iterations("linear_to_zero", "warmup", warmup, 0)
    length = _check.iterations("linear_to_zero", "length", length, 0)
    if length <= warmup:
        constraint = f"above `warmup`, {warmup}"
        raise ValueError(_check.message("linear_to_zero", "length", constraint, length))
    return LinearWarmUp(PolyScheduler(length - warmup, base_lr=lr, pwr=1), 0, warmup)


def _triangles(
    owner: str,
    min_lr: float,
    max_lr: float,
    cycle_length: float,
    inc_fraction: float,
    magnitude_decay: float,
) -> CyclicalSchedule:
    min_lr = ConstantSchedule(min_lr).lr
    height = _check.real(owner, "max_lr", max_lr, minimum=min_lr) - min_lr
    return CyclicalSchedule(
        TriangularSchedule,
        cycle_length,
        cycle_magnitude_decay=magnitude_decay,
        min_lr=0,
        max_lr=height,
        inc_fraction=inc_fraction,
    )

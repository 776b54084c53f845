"""fastai's training policies, as curves for a ParamScheduler."""

from typing import Any, Dict, Sequence, Tuple

import numpy as np

from .. import _check
from .annealing import Curve, SchedCos, combine_scheds, combined_cos
from .parameters import HyperParameters

Moms = Tuple[float, float, float]

MOMS: Moms = (0.95, 0.85, 0.95)


def one_cycle(
    lr_max: Any,
    div: float = 25.0,
    div_final: float = 1e5,
    pct_start: float = 0.25,
    moms: Sequence[float] = MOMS,
) -> Dict[str, Curve]:
    """Return the 1-cycle policy's curves: the rate up and down, the momentum down and up.

        lr     cosines from lr_max / div to lr_max, in the share pct_start, to lr_max / div_final
        mom    cosines from moms[0] to moms[1], likewise, to moms[2]

    Smith & Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
    Rates", 2017, https://arxiv.org/abs/1708.07120, as in fastai.

    Parameters
    ----------
    lr_max : float or array
        The highest rate; an array has one per parameter group.
    div, div_final : float
        Divisors of `lr_max` for the rate at the start and at the end, above 0.
    pct_start : float
        Share of the updates in which the rate increases, from 0 to 1.
    moms : sequence of three floats
        Momentum at the start, at the highest rate and at the end; empty for no change.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> curves = one_cycle(1.0, pct_start=0.3)
    >>> curves["lr"](0.0), curves["lr"](0.3), curves["mom"](0.3)
    (0.04, 1.0, 0.85)
    """
    div = _check.real("one_cycle", "div", div, above=0)
    div_final = _check.real("one_cycle", "div_final", div_final, above=0)
    curves: Dict[str, Curve] = {
        "lr": combined_cos(pct_start, lr_max / div, lr_max, lr_max / div_final)
    }
    if not isinstance(moms, (list, tuple, np.ndarray)) or len(moms) not in (0, 3):
        raise ValueError(_check.message("one_cycle", "moms", "three numbers", moms))
    if len(moms):
        curves["mom"] = combined_cos(pct_start, *moms)
    return curves


def usual_moms(hypers: HyperParameters) -> Sequence[float]:
    """Return fastai's momentum for a 1-cycle; empty if the optimizer has no momentum, or 0."""
    return MOMS if "mom" in hypers.names and any(hypers["mom"]) else ()


def flat_cos(lr: Any, div_final: float = 1e5, pct_start: float = 0.75) -> Dict[str, Curve]:
    """Return curves that stay at `lr` for the share `pct_start`, then fall to lr / div_final.

    Parameters
    ----------
    lr : float or array
        The rate; an array has one per parameter group.
    div_final : float
        Divisor of `lr` for the rate at the end, above 0.
    pct_start : float
        Share of the updates in which the rate stays at `lr`, from 0 to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> rate = flat_cos(1.0)["lr"]
    >>> rate(0.0), rate(0.75), round(rate(0.875), 3)
    (1.0, 1.0, 0.5)
    """
    div_final = _check.real("flat_cos", "div_final", div_final, above=0)
    return {"lr": combined_cos(pct_start, lr, lr, lr / div_final)}


def sgdr(lr_max: Any, n_cycles: int, cycle_len: int, cycle_mult: int = 2) -> Dict[str, Curve]:
    """Return curves of cycles; in each cycle the rate falls from `lr_max` to 0.

    Cycle i, from 0, lasts ``cycle_len * cycle_mult**i`` epochs. Loshchilov & Hutter, "SGDR:
    Stochastic Gradient Descent with Warm Restarts", 2016, https://arxiv.org/abs/1608.03983.

    Parameters
    ----------
    lr_max : float or array
        The highest rate; an array has one per parameter group.
    n_cycles, cycle_len, cycle_mult : int
        Number of cycles, epochs of the first, and the factor from each to the next; at least 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> rate = sgdr(1.0, n_cycles=2, cycle_len=1, cycle_mult=3)["lr"]
    >>> rate(0.0), rate(0.125), rate(0.25), rate(1.0)
    (1.0, 0.5, 1.0, 0.0)
    """
    lengths = cycle_lengths(n_cycles, cycle_len, cycle_mult)
    shares = [length / sum(lengths) for length in lengths]
    return {"lr": combine_scheds(shares, [SchedCos(lr_max, lr_max * 0.0) for _ in lengths])}


def cycle_lengths(n_cycles: int, cycle_len: int, cycle_mult: int) -> Sequence[int]:
    """Return the number of epochs of each SGDR cycle."""
    n_cycles = _check.integer("sgdr", "n_cycles", n_cycles, 1)
    cycle_len = _check.integer("sgdr", "cycle_len", cycle_len, 1)
    cycle_mult = _check.integer("sgdr", "cycle_mult", cycle_mult, 1)
    return [cycle_len * cycle_mult**i for i in range(n_cycles)]

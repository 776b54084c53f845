"""What is known before any trial: an optimizer's usual rate, and how it changes with the length.

Measured on some 300 small random trainings by 1-cycles, each with the best of a grid of rates.
"""

from typing import Any, Optional, Tuple

import numpy as np

from .. import _check

LENGTH = 250  # updates of the trainings that were measured
DECADES_OF_USUAL = 0.95  # 4 of 5 best rates lie within so many decades of the usual rate
_PASSES = 10  # passes through the data in a training, if unknown
_FEW = 50  # updates; a shorter training, within one epoch, is hardly meant

_USUAL = {
    "sgd": 0.45,
    "sgd with momentum": 0.09,
    "nag": 0.09,
    "adam": 0.025,
    "rmsprop": 0.028,
    "adamax": 0.09,
    "nadam": 0.011,
    "adagrad": 0.14,
    "ftml": 0.08,
    "signum": 0.009,
    "lamb": 0.025,
}


def usual_rate(
    optimizer: Any, length: int = LENGTH, passes: Optional[float] = None
) -> Optional[float]:
    """Return the highest rate with which 1-cycles of this optimizer usually do best.

    It is good for two trainings of three. It is None if the optimizer is not known.

    Parameters
    ----------
    optimizer : mx.optimizer.Optimizer
        Its class decides, and for SGD whether it has momentum.
    length : int
        Updates of the training.
    passes : float, optional
        Passes through the data in the training.

    >>> import mxnet as mx
    >>> usual_rate(mx.optimizer.create("sgd")), usual_rate(mx.optimizer.create("sgd", momentum=0.9))
    (0.45, 0.09)
    """
    name = type(optimizer).__name__.lower()
    if name == "sgd" and getattr(optimizer, "momentum", None):
        name = "sgd with momentum"
    rate = _USUAL.get(name)
    return None if rate is None else rate * shift(LENGTH, length, passes)


def shift(measured: int, length: int, passes: Optional[float] = None) -> float:
    """Return the factor from a rate measured over some updates to that for another length.

        (measured / length)^p    p = 0.2 + 0.35 log10(passes / 3), within 0.2 and 0.9

    The best highest rate falls with the length of a training. It falls faster if the training
    makes more passes through the same data.

    Parameters
    ----------
    measured, length : int
        Updates, above 0.
    passes : float, optional
        Passes through the data in `length` updates. If they are not known, p is 1/3.
    """
    return float((measured / length) ** _exponent(passes))


def shift_of_sweep(length: int) -> float:
    """Return the factor of a sweep's suggestion for a training of `length` updates.

        (250 / length)^p    p = 0.35 below 250 updates and 0.47 above

    A p that depends on passes, as in :func:`shift`, is no better here.
    """
    return float((LENGTH / length) ** (0.35 if length < LENGTH else 0.47))


def decades_of_sweep(passes: Optional[float]) -> float:
    """Return the decades around a sweep's suggestion within which 4 of 5 best rates lie."""
    return 0.5 + 0.33 * _logarithm(passes)


def decades_of_trials(measured: int, length: int, passes: Optional[float]) -> float:
    """Return the same for the suggestion of shorter trials."""
    return 0.3 + 0.4 * float(np.log10(length / measured)) * _logarithm(passes)


def around(rate: float, decades: float) -> Tuple[float, float]:
    """Return the rates `decades` decades below and above."""
    return rate / 10**decades, rate * 10**decades


def _exponent(passes: Optional[float]) -> float:
    if passes is None:
        return 1 / 3
    return float(np.clip(0.2 + 0.35 * np.log10(passes / 3), 0.2, 0.9))


def _logarithm(passes: Optional[float]) -> float:
    return float(np.log10(max(_PASSES if passes is None else passes, 1)))


def passes_of(learner: Any, length: int) -> Optional[float]:
    """Return how many passes through a learner's data `length` updates make; None if unknown."""
    try:
        return float(length / len(learner.data_loader))
    except (AttributeError, NotImplementedError, TypeError, ZeroDivisionError):
        return None


def length_for(owner: str, learner: Any, length: Any) -> int:
    """Check the updates of a training, and warn if they may be meant as epochs."""
    length = _check.integer(owner, "length", length, 1)
    passes = passes_of(learner, length)
    if length < _FEW and passes is not None and passes < 1:
        per_epoch = round(length / passes)
        _check.warn_caller(
            f"{owner}: `length` is {length} updates, less than one epoch, which has {per_epoch}. "
            f"If you mean epochs, pass length={length} * {per_epoch}."
        )
    return length

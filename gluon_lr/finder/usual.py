"""What is known before a training is tried: an optimizer's usual rate, and what length does to it.

Measured on some 300 small random trainings by 1-cycles, each with the best of a grid of rates.
"""

from typing import Any, Optional, Tuple

import numpy as np

LENGTH = 250  # updates of the trainings that were measured
DECADES_OF_USUAL = 0.95  # within which of its usual rate 4 of 5 best rates lie
_PASSES = 10  # through the data that a training makes, where that is not known

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
    """Return the highest rate that 1-cycles by this optimizer usually do best with.

    It is good for two trainings of three. None where the optimizer is not known.

    Parameters
    ----------
    optimizer : mx.optimizer.Optimizer
        By its class; SGD also by whether it has a momentum.
    length : int
        Updates of the training.
    passes : float, optional
        Passes through the data that it makes.

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
    """Return what a rate measured over some updates is to be multiplied by for a longer training.

        (measured / length)^p    p = 0.2 + 0.35 log10(passes / 3), within 0.2 and 0.9

    The best highest rate falls with the length of a training, and faster where that goes through
    the same data again and again.

    Parameters
    ----------
    measured, length : int
        Updates, above 0.
    passes : float, optional
        Passes through the data in `length` updates; p is 1/3 where they are not known.
    """
    return float((measured / length) ** _exponent(passes))


def shift_of_sweep(length: int) -> float:
    """Return what a sweep's suggestion is to be multiplied by for a training of so many updates.

        (250 / length)^p    p = 0.35 below 250 updates and 0.47 above

    A p by passes, as :func:`shift` has it, does no better here.
    """
    return float((LENGTH / length) ** (0.35 if length < LENGTH else 0.47))


def decades_of_sweep(passes: Optional[float]) -> float:
    """Return within how many decades of a sweep's suggestion 4 of 5 best rates lie."""
    return 0.5 + 0.33 * _logarithm(passes)


def decades_of_trials(measured: int, length: int, passes: Optional[float]) -> float:
    """Return the same for what shorter trials suggest."""
    return 0.3 + 0.4 * float(np.log10(length / measured)) * _logarithm(passes)


def around(rate: float, decades: float) -> Tuple[float, float]:
    """Return the rates so many decades below and above."""
    return rate / 10**decades, rate * 10**decades


def _exponent(passes: Optional[float]) -> float:
    if passes is None:
        return 1 / 3
    return float(np.clip(0.2 + 0.35 * np.log10(passes / 3), 0.2, 0.9))


def _logarithm(passes: Optional[float]) -> float:
    return float(np.log10(max(_PASSES if passes is None else passes, 1)))


def passes_of(learner: Any, length: int) -> Optional[float]:
    """Return how often so many updates go through a learner's data; None where it has no length."""
    try:
        return float(length / len(learner.data_loader))
    except (AttributeError, NotImplementedError, TypeError, ZeroDivisionError):
        return None

"""Rules from a range test's rates and losses to the rate to train at."""

from typing import Optional

import numpy as np

_WIDTH = 4  # standard deviation of the smoothing, in points of the curve
_SHORTEST = 10  # fewer points than this are no curve


def middle_of_descent(lrs: np.ndarray, losses: np.ndarray) -> Optional[float]:
    """Return the rate half way down the fall of the loss, or None where it does not fall.

        sqrt(steepest * lowest)    the rates of the steepest and of the lowest smoothed loss

    The steepest point is sought before the lowest one. A fall counts where it is more than
    twice the scatter of the losses around the smoothed curve, which 1 in 400 curves of pure
    noise reaches.

    Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
    https://arxiv.org/abs/1506.01186, for the range test.

    Parameters
    ----------
    lrs : numpy.ndarray
        Rising rates above 0, of shape (n,).
    losses : numpy.ndarray
        The loss at each of them, of shape (n,). What follows a non-finite one is not used.

    >>> lrs = np.logspace(-5, 1, 121)
    >>> losses = 1 / (1 + (lrs / 0.01) ** 2) + (lrs / 1) ** 2
    >>> float(np.round(middle_of_descent(lrs, losses), 3))
    0.032
    >>> middle_of_descent(lrs, np.ones(121)) is None
    True
    """
    finite = np.isfinite(losses)
    count = len(losses) if finite.all() else int(np.argmin(finite))
    if count < _SHORTEST:
        return None
    smoothed = smooth(losses[:count])
    lowest = int(np.argmin(smoothed))
    descent = slice(0, lowest + 1)
    scatter = np.std(losses[descent] - smoothed[descent])
    fall = np.max(smoothed[descent]) - smoothed[lowest]
    if fall <= max(2 * scatter, 1e-6 * np.max(np.abs(smoothed))):
        return None
    slope = np.gradient(smoothed[descent], np.log(lrs[descent]))
    return float(np.sqrt(lrs[np.argmin(slope)] * lrs[lowest]))


def smooth(losses: np.ndarray) -> np.ndarray:
    """Smooth finite losses without lag: a Gaussian mean centred on each point.

    Losses above the first few, which an exploding end brings, count as the highest of those,
    so that they do not hide the valley before them.
    """
    capped = np.minimum(losses, np.max(losses[:_SHORTEST]))
    reach = np.arange(-3 * _WIDTH, 3 * _WIDTH + 1)
    kernel = np.exp(-0.5 * (reach / _WIDTH) ** 2)
    return _convolve(capped, kernel) / _convolve(np.ones_like(capped), kernel)


def _convolve(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    margin = len(kernel) // 2
    return np.convolve(values, kernel)[margin : margin + len(values)]

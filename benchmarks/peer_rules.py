"""What other libraries read off a range test, each with its own rates, smoothing and stop.

Written anew after what they publish, at their defaults; fastai's are in gluon_lr already.
"""

from functools import partial
from typing import Callable, NamedTuple, Optional

import numpy as np

from gluon_lr.finder.stopping import SearchState
from gluon_lr.finder.suggest import exponential_mean

Smooth = Callable[[np.ndarray], np.ndarray]
Rule = Callable[[np.ndarray, np.ndarray], Optional[float]]


class Peer(NamedTuple):
    """How one library searches: `updates` rates, evenly spaced on the log scale.

    The search ends where the smoothed loss is above `stop_at` times its lowest so far. The rule
    gets rates and smoothed losses.
    """

    first: float
    last: float
    updates: int
    smooth: Smooth
    stop_at: float
    rule: Rule

    def stops(self, state: SearchState) -> bool:
        """Say whether the search ends here."""
        smoothed = self.smooth(np.array(state.losses))
        return bool(smoothed[-1] > self.stop_at * smoothed.min())


def light_mean(losses: np.ndarray) -> np.ndarray:
    """Smooth as pytorch-lr-finder and Ignite do: m(n) = 0.05 loss(n) + 0.95 m(n - 1)."""
    means = losses.astype(float)
    for n in range(1, len(means)):
        means[n] = 0.05 * means[n] + 0.95 * means[n - 1]
    return means


def steepest_over_rate(lrs: np.ndarray, losses: np.ndarray) -> Optional[float]:
    """Return the rate of the smallest gradient over the rate itself, as Lightning does.

    It leaves out 10 points at the start, 1 at the end and what is not finite.
    """
    lrs, losses = lrs[10:-1], losses[10:-1]
    finite = np.isfinite(losses)
    lrs, losses = lrs[finite], losses[finite]
    return float(lrs[np.argmin(np.gradient(losses, lrs))]) if len(losses) > 1 else None


def steepest_over_index(lrs: np.ndarray, losses: np.ndarray, left_out: int = 5) -> Optional[float]:
    """Return the rate of the smallest gradient over the index, as pytorch-lr-finder does.

    It leaves out 10 points at the start and 5 at the end.
    """
    lrs, losses = lrs[10:-left_out], losses[10:-left_out]
    return float(lrs[np.argmin(np.gradient(losses))]) if len(losses) > 1 else None


def steepest_before_lowest(lrs: np.ndarray, losses: np.ndarray) -> Optional[float]:
    """Return the rate of the smallest central difference up to the lowest loss, as Ignite does."""
    falling = losses[: np.argmin(losses) + 1]
    return float(lrs[1 + np.argmin(falling[2:] - falling[:-2])]) if len(falling) > 2 else None


PEERS = {
    # Tuner.lr_find of https://github.com/Lightning-AI/pytorch-lightning, before and after its
    # pull request 21055 of August 2025
    "Lightning's": Peer(1e-8, 1, 100, exponential_mean, 4, steepest_over_rate),
    "Lightning's, before 2.5.3": Peer(
        1e-8, 1, 100, exponential_mean, 4, partial(steepest_over_index, left_out=1)
    ),
    # range_test and plot of https://github.com/davidtvs/pytorch-lr-finder, with the rates of the
    # example in its README: the first is left to the optimizer
    "pytorch-lr-finder's": Peer(1e-7, 100, 100, light_mean, 5, steepest_over_index),
    # FastaiLRFinder of https://github.com/pytorch/ignite, which leaves the first rate to the
    # optimizer and the count to the training: fastai's here
    "Ignite's": Peer(1e-7, 10, 100, light_mean, 5, steepest_before_lowest),
}

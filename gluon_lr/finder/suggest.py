"""Rules that suggest a learning rate from the rates and losses of a range test.

:func:`suggest` is our own. fastai's four rules and fastai 1's are the same as in fastai.
"""

import math
from enum import Enum
from typing import Callable, Dict, Optional, Tuple

import numpy as np

_USUAL = 0.05
_WIDTH = 4  # standard deviation of the smoothing, in points of the curve
_EARLY = 10  # points at the start, before the rates have an effect
_SHORTEST = 20  # a curve has at least this many points
_CLEAR = 4.2  # standard errors of a significant fall
_NEAR = 3  # points on each side in the median that replaces an outlier
_OUTLYING = 8  # standard deviations of an outlier
_TIMES = 10  # an early loss below the median divided by this is an outlier


class Refusal(Enum):
    """Why a search suggests no rate; the value is a sentence."""

    TOO_SHORT = f"the curve has fewer than {_SHORTEST} points"
    STOPPED_SOON = f"the `stop` criterion ended the search before {_SHORTEST} points"
    NOT_FINITE_SOON = f"the loss was not finite before {_SHORTEST} points"
    NOT_FINITE = "the loss was not finite from the first iteration"
    FLAT = "the loss does not change with the rate"
    RISING = "the loss rises without falling first, as it does if the net is already trained"
    NOISE = "the loss does not fall by more than its noise"
    NOT_LEARNT = "no trial ended with a lower loss than it began with"
    NOT_KNOWN = "no trial was made, and the optimizer's usual rate is not known"

    @property
    def remedy(self) -> str:
        """What to try next, in a sentence or two."""
        return _REMEDIES[self]

    def __str__(self) -> str:
        return self.value

    @classmethod
    def _missing_(cls, value: object) -> "Optional[Refusal]":
        """Read the words of saved results of version 0.1.0."""
        return cls[_IN_0_1_0[value]] if value in _IN_0_1_0 else None


_IN_0_1_0: Dict[object, str] = {
    "the criterion given as `stop` ended the search before 20 points": "STOPPED_SOON",
    "the loss rises and has not fallen before, as where a net is trained already": "RISING",
    "the loss falls by no more than it scatters": "NOISE",
    "no trial ended below the loss that it began at": "NOT_LEARNT",
}

_REMEDIES = {
    Refusal.TOO_SHORT: "Make more iterations: increase `num_iter`, or start at a lower rate.",
    Refusal.STOPPED_SOON: "Make the criterion stop later, or omit `stop`.",
    Refusal.NOT_FINITE_SOON: "Start at a lower rate, or skip a bad batch: not_finite='skip'.",
    Refusal.NOT_FINITE: "Check the data and the loss: the first loss comes before any update.",
    Refusal.FLAT: "Check that the weights get gradients, and search up to a higher rate.",
    Refusal.RISING: (
        "If the net is already trained, search from the start of its training, or continue at a "
        "fraction of the rate that it was trained at. If it is not, check the data, the loss and "
        "the batch size."
    ),
    Refusal.NOISE: "Use larger batches, or take the median of several searches: repeats=3.",
    Refusal.NOT_LEARNT: "Check data and loss. A net that is already trained may show this too.",
    Refusal.NOT_KNOWN: "Pass a larger budget.",
}


def why_none(refusal: Optional[Refusal], usual: Optional[float]) -> str:
    """Return why there is no suggestion, and the optimizer's usual rate if that is known."""
    return f"{refusal}" if usual is None else f"{refusal}; the usual rate is {usual:.3g}"


# -- fastai's ----------------------------------------------------------------------------------
# fastai calls its four rules with `num_it`, and none of them uses it.


def exponential_mean(losses: np.ndarray) -> np.ndarray:
    """Smooth as fastai does: an exponential mean, divided by the sum of its weights so far.

    m(i) = weight m(i - 1) + (1 - weight) loss(i),    m(0) = 0
    smoothed(i) = m(i) / (1 - weight^i)               i = 1, 2, ...;  weight = 0.98
    """
    weight = 0.98
    means = np.empty(len(losses))
    mean = 0.0
    for i, loss in enumerate(losses, start=1):
        mean = weight * mean + (1 - weight) * loss
        means[i - 1] = mean / (1 - weight**i)
    return means


def fastai_window(
    lrs: np.ndarray, smoothed: np.ndarray, num_it: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Return the part that fastai uses: from num_it // 10, without the last 5, up to a NaN."""
    part = slice(num_it // 10, -5)
    return _up_to_a_nan(lrs[part], smoothed[part])


def _up_to_a_nan(lrs: np.ndarray, smoothed: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    nans = np.flatnonzero(np.isnan(smoothed))
    end = nans[0] if len(nans) else len(smoothed)
    return lrs[:end], smoothed[:end]


def minimum(lrs: np.ndarray, losses: np.ndarray, num_it: int = 0) -> Optional[float]:
    """Return a tenth of the rate of the lowest loss."""
    return float(lrs[np.argmin(losses)]) / 10 if len(losses) else None


def steep(lrs: np.ndarray, losses: np.ndarray, num_it: int = 0) -> Optional[float]:
    """Return the rate at which the loss falls most steeply over the logarithm of the rate."""
    if len(losses) < 2:
        return None
    return float(lrs[np.argmin(np.diff(losses) / np.diff(np.log(lrs)))])


def valley(lrs: np.ndarray, losses: np.ndarray, num_it: int = 0) -> Optional[float]:
    """Return a rate in the middle of the longest strictly decreasing subsequence.

    With its length L, first reached at index e, and s = L / 3, it is the rate at index
    e - L + int(s) + int(s / 2). If the loss never falls, it is the first rate.
    """
    if not len(losses):
        return None
    lengths = np.ones(len(losses), dtype=int)
    for i in range(1, len(losses)):
        lengths[i] += np.max(lengths[:i], where=losses[:i] > losses[i], initial=0)
    end = int(np.argmax(lengths))
    length = int(lengths[end])
    third = length / 3
    return float(lrs[end - length + int(third) + int(third / 2) if length > 1 else 0])


def slide(
    lrs: np.ndarray,
    losses: np.ndarray,
    num_it: int = 0,
    lr_diff: int = 15,
    thresh: float = 0.005,
) -> Optional[float]:
    """Return the last rate, going back from the end, at which the slope still changes.

    With g the gradient over the index, r = -1 and l = r - lr_diff: both step to the left while
    `|g[r] - g[l]| > thresh`. The result is the rate at the last l visited.
    """
    if len(losses) <= lr_diff:
        return None
    slope = np.gradient(losses)
    right, left = -1, -1 - lr_diff
    found = left
    while left >= -len(losses) and abs(slope[right] - slope[left]) > thresh:
        found = left
        right, left = right - 1, left - 1
    return float(lrs[found])


def min_grad(lrs: np.ndarray, smoothed: np.ndarray) -> Optional[float]:
    """Return the rate of the smallest gradient over the index, as fastai 1 did.

    It skips 10 points at the start and 5 at the end.
    """
    lrs, smoothed = lrs[10:-5], smoothed[10:-5]
    return float(lrs[np.argmin(np.gradient(smoothed))]) if len(smoothed) > 1 else None


FASTAI: Dict[str, Callable[[np.ndarray, np.ndarray], Optional[float]]] = {
    "minimum": minimum,
    "steep": steep,
    "valley": valley,
    "slide": slide,
}


def fastai_suggestions(
    lrs: np.ndarray, losses: np.ndarray, num_it: int
) -> Dict[str, Optional[float]]:
    """Return the suggestions of fastai's four rules and fastai 1's; None for a short curve.

    Parameters
    ----------
    lrs : numpy.ndarray
        Rising rates above 0, of shape (n,).
    losses : numpy.ndarray
        The loss at each of them, of shape (n,), not smoothed.
    num_it : int
        The iterations that were planned, at least n.
    """
    smoothed = exponential_mean(losses)
    window = fastai_window(lrs, smoothed, num_it)
    found = {name: rule(*window) for name, rule in FASTAI.items()}
    return {**found, "min_grad": min_grad(*_up_to_a_nan(lrs, smoothed))}


# -- ours --------------------------------------------------------------------------------------


def suggest(lrs: np.ndarray, losses: np.ndarray) -> Tuple[Optional[float], Optional[Refusal]]:
    """Return the rate to train at and None, or None and why there is no suggestion.

        bottom^0.7 * edge^0.2 * 0.05^0.1 / 2

    bottom is the rate at which the smoothed loss has made 98 % of its fall. edge is the rate at
    which it has risen again by three quarters of that fall, or the last rate. 0.05 is a typical
    rate, which makes the result more stable. The division by 2 is there because a training is
    longer than the search, and the search passes the best rate before the loss shows it. The
    result is kept within the rates of the curve.

    There is a suggestion if the smoothed loss falls, before its lowest point, by more than 4.2
    standard errors. Of curves of pure noise, 1 in 400 does. A single outlier is ignored.

    The range test is from Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
    https://arxiv.org/abs/1506.01186. The exponents were chosen by measurement.

    Parameters
    ----------
    lrs : numpy.ndarray
        Rising rates above 0, of shape (n,).
    losses : numpy.ndarray
        The loss at each of them, of shape (n,), not smoothed. The first loss that is not finite
        and all after it are ignored.

    >>> lrs = np.logspace(-5, 1, 121)
    >>> losses = 1 / (1 + (lrs / 0.01) ** 2) + (lrs / 1) ** 2
    >>> rate, refusal = suggest(lrs, losses)
    >>> round(rate, 3)
    0.049
    >>> suggest(lrs, np.ones(121))[1]
    <Refusal.FLAT: 'the loss does not change with the rate'>
    """
    is_spoiled = len(losses) > 0 and not math.isfinite(losses[0])
    lrs, losses = _before_not_finite(lrs, losses)
    if len(losses) < _SHORTEST:
        return None, Refusal.NOT_FINITE if is_spoiled else Refusal.TOO_SHORT
    smoothed = smooth(losses)
    lowest = int(np.argmin(smoothed))
    before = smoothed[: lowest + 1]
    fall = np.max(before) - smoothed[lowest]
    negligible = 1e-6 * np.max(np.abs(smoothed))
    if fall <= negligible or not _falls(losses):
        if losses[-1] > np.max(_tamed(losses)[:_EARLY]) + negligible:
            return None, Refusal.RISING
        return None, Refusal.FLAT if np.ptp(losses) <= negligible else Refusal.NOISE
    bottom = lrs[np.argmax(before <= smoothed[lowest] + 0.02 * fall)]
    lost = np.flatnonzero(smoothed[lowest:] > smoothed[lowest] + 0.75 * fall)
    edge = lrs[lowest + lost[0]] if len(lost) else lrs[-1]
    rate = bottom**0.7 * edge**0.2 * _USUAL**0.1 / 2
    return float(np.clip(rate, lrs[0], lrs[-1])), None


def lowest_held_out(
    lrs: np.ndarray, losses: np.ndarray
) -> Tuple[Optional[float], Optional[Refusal]]:
    """Return 0.7 times the rate of the lowest smoothed loss, or why there is no suggestion.

    This is the rule for a slow search on the held-out loss, around a first suggestion. It has no
    suggestion if :func:`suggest` has none.
    """
    refusal = suggest(lrs, losses)[1]
    if refusal is not None:
        return None, refusal
    lrs, losses = _before_not_finite(lrs, losses)
    rate = 0.7 * lrs[np.argmin(smooth(losses))]
    return float(np.clip(rate, lrs[0], lrs[-1])), None


def smooth(losses: np.ndarray) -> np.ndarray:
    """Smooth finite losses without lag: a Gaussian mean centred on each point.

    Losses above all of the first few, as at the end of a search that diverged, are clipped to the
    highest of those. Otherwise they would hide the valley before them. A single outlier is
    replaced by the median of its neighbours.
    """
    return _smoothed(_tamed(losses), _WIDTH)[0]


def centred_mean(losses: np.ndarray) -> np.ndarray:
    """Smooth the losses of a training without lag: a Gaussian mean centred on each point.

    Its standard deviation is a third of the square root of the number of losses, from 1 to 100
    updates. A loss that is not finite is left as it is, and excluded from the means.
    """
    means = np.array(losses, dtype=np.float64)
    finite = np.isfinite(means)
    if finite.any():
        width = int(np.clip(math.sqrt(len(means)) / 3, 1, 100))
        means[finite] = _smoothed(means[finite], width)[0]
    return means


def _before_not_finite(lrs: np.ndarray, losses: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    finite = np.isfinite(losses)
    count = len(losses) if finite.all() else int(np.argmin(finite))
    return lrs[:count], losses[:count]


def _falls(losses: np.ndarray) -> bool:
    """Return whether losses fall by more than noise, from their mean before half of the fall."""
    losses = _tamed(losses)
    smoothed, errors = _smoothed(losses, 2 * _WIDTH)
    lowest = int(np.argmin(smoothed))
    before = smoothed[: lowest + 1]
    middle = (np.max(before) + smoothed[lowest]) / 2
    high = losses[: np.flatnonzero(before >= middle)[-1] + 1]
    seen = slice(max(lowest + 1, _SHORTEST))
    scatter = math.sqrt(np.mean((losses[seen] - smoothed[seen]) ** 2))
    error = scatter * math.hypot(errors[lowest], 1 / math.sqrt(len(high)))
    return bool(np.mean(high) - smoothed[lowest] > _CLEAR * error)


def _tamed(losses: np.ndarray) -> np.ndarray:
    """Return losses with outliers replaced, clipped to the highest of the first few."""
    # Any rise may follow the end, so a last loss can be too low, but not too high.
    after = np.full(_NEAR, np.inf)
    padded = np.concatenate([np.pad(losses, (_NEAR, 0), mode="reflect"), after])
    windows = [padded[i : i + len(losses)] for i in range(2 * _NEAR + 1)]
    median = np.median(windows, axis=0)
    scatter = 1.4826 / math.sqrt(2) * np.median(np.abs(np.diff(losses, prepend=losses[0])))
    outlying = np.abs(losses - median) > _OUTLYING * scatter
    outlying[:_EARLY] |= np.abs(losses[:_EARLY]) < np.abs(median[:_EARLY]) / _TIMES
    losses = np.where(outlying, median, losses)
    return np.minimum(losses, np.max(losses[:_EARLY]))


def _smoothed(losses: np.ndarray, width: int) -> Tuple[np.ndarray, np.ndarray]:
    """Return Gaussian means, and their standard errors if that of a single loss is 1."""
    reach = np.arange(-3 * width, 3 * width + 1)
    kernel = np.exp(-0.5 * (reach / width) ** 2)
    total = _convolve(np.ones(len(losses)), kernel)
    squares = _convolve(np.ones(len(losses)), kernel**2)
    return _convolve(losses, kernel) / total, np.sqrt(squares) / total


def _convolve(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    margin = len(kernel) // 2
    return np.convolve(values, kernel)[margin : margin + len(values)]

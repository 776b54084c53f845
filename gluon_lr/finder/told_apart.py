"""A significance test: whether settings differ by more than their repeats do."""

import math
from functools import lru_cache
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

# The significance level: the share of comparisons of equal settings that find a difference, if
# losses are normally distributed. For losses of trainings it is one in a hundred more.
_SHARE = 0.03
_DRAWS = 20000


class Verdict(NamedTuple):
    """Which results are significantly above the lowest.

    Attributes
    ----------
    apart : list of bool
        For each result, whether it is.
    margin : float or None
        The least significant difference between two of the others; None if unknown.
    """

    apart: List[bool]
    margin: Optional[float]


def told_apart(
    losses: Sequence[Sequence[float]], unsure: Optional[Sequence[float]] = None
) -> Verdict:
    """Return which means are significantly above the lowest, given the spread of repeats.

    This is Tukey's test of honestly significant differences, at 3 %, in a randomized block design.
    Each repeat is a block, because all values have the same batches in it. Means that differ
    significantly are removed and the rest is tested again, so that a value with a large spread
    hides no difference between others. A mean that is not finite is above all others.

    Tukey, "The Problem of Multiple Comparisons", 1953.

    Parameters
    ----------
    losses : sequence of sequences
        For each value, the losses of its repeats. All values have the same number.
    unsure : sequence of float, optional
        For each value, an error of its losses in addition to random variation, for example from
        its rate. The errors of the lowest value and of the other value are added to the margin.

    >>> apart, margin = told_apart([[1.0, 1.1, 0.9], [1.01, 1.12, 0.9], [2.0, 2.12, 1.89]])
    >>> apart, round(margin, 3)
    ([False, False, True], 0.032)
    """
    table = np.array(losses, dtype=np.float64)
    means = table.mean(axis=1)
    off = np.zeros(len(means)) if unsure is None else np.asarray(unsure)
    left = np.flatnonzero(np.isfinite(means))
    margin = None
    while len(left):
        margin = _margin(table[left])
        if margin is None:
            break
        lowest = left[np.argmin(means[left])]
        near = left[means[left] - means[lowest] <= margin + off[left] + off[lowest]]
        if len(near) == len(left):
            break
        left = near
    if not len(left):
        return Verdict([False] * len(means), None)
    return Verdict([number not in left for number in range(len(means))], margin)


def _margin(table: np.ndarray) -> Optional[float]:
    values, repeats = table.shape
    freedom = (values - 1) * (repeats - 1)
    if not freedom or (table == table[:, :1]).all():  # no repeats, or all repeats equal
        return None
    expected = table.mean(axis=1, keepdims=True) + table.mean(axis=0) - table.mean()
    deviation = math.sqrt(np.square(table - expected).sum() / freedom)
    return _studentized_range(values, freedom) * deviation / math.sqrt(repeats)


@lru_cache(maxsize=None)
def _studentized_range(values: int, freedom: int) -> float:
    """Return the critical value of the studentized range, by simulation."""
    random = np.random.RandomState(0)
    ranges = np.ptp(random.standard_normal((_DRAWS, values)), axis=1)
    deviations = np.sqrt(random.chisquare(freedom, _DRAWS) / freedom)
    return float(np.quantile(ranges / deviations, 1 - _SHARE))

"""Whether results differ by more than their repeats do."""

import math
from functools import lru_cache
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

# of comparisons of equals in which some would be told apart, if losses were normal numbers; of
# those of trainings it is one more in a hundred
_SHARE = 0.03
_DRAWS = 20000


class Verdict(NamedTuple):
    """Which results are above the lowest by more than chance.

    Attributes
    ----------
    apart : list of bool
        Of each, whether it is.
    margin : float or None
        By how much two of those that are left have to differ; None where that is not known.
    """

    apart: List[bool]
    margin: Optional[float]


def told_apart(
    losses: Sequence[Sequence[float]], unsure: Optional[Sequence[float]] = None
) -> Verdict:
    """Tell which means are above the lowest by more than repeats of one and the same differ.

    It is Tukey's test of honestly significant differences, at 3 %, in a layout of values by
    repeats: the repeat is a block, as all values have its batches. What is told apart is left out,
    and the rest is looked at again, so that one that scatters widely hides no other. A mean that
    is not finite is above all others.

    Tukey, "The Problem of Multiple Comparisons", 1953.

    Parameters
    ----------
    losses : sequence of sequences
        Of each value the losses of its repeats, as many of each.
    unsure : sequence of float, optional
        Of each value, how much its losses may be off beside chance, by its rate say. Those of the
        lowest and of the other one are added to the margin.

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
    if not freedom or (table == table[:, :1]).all():  # nothing repeated, or always the same
        return None
    expected = table.mean(axis=1, keepdims=True) + table.mean(axis=0) - table.mean()
    deviation = math.sqrt(np.square(table - expected).sum() / freedom)
    return _studentized_range(values, freedom) * deviation / math.sqrt(repeats)


@lru_cache(maxsize=None)
def _studentized_range(values: int, freedom: int) -> float:
    """Return what the range of so many normal numbers, by a deviation of their own, is below."""
    random = np.random.RandomState(0)
    ranges = np.ptp(random.standard_normal((_DRAWS, values)), axis=1)
    deviations = np.sqrt(random.chisquare(freedom, _DRAWS) / freedom)
    return float(np.quantile(ranges / deviations, 1 - _SHARE))

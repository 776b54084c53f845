"""Rates of many iterations at once. ``_rates(n)`` gets `n` sorted, so parts of it are slices."""

from typing import Any, Callable

import numpy as np

from .. import _check

Rates = Callable[[np.ndarray], np.ndarray]

_PART = 2**16  # numbers per call: half a megabyte
_SHORT = 60  # stretches with fewer numbers than this are faster with np.repeat than with a loop


def evaluate(owner: str, rates: Rates, iterations: Any) -> np.ndarray:
    """Apply `rates` to numbers of at least 0, in any order and shape."""
    if isinstance(iterations, range):
        iterations = np.arange(iterations.start, iterations.stop, iterations.step)
    elif hasattr(iterations, "asnumpy"):  # MXNet's arrays
        iterations = iterations.asnumpy()
    given = np.asarray(iterations)
    if given.size == 0:
        return np.empty(given.shape)
    constraint = "an array of finite numbers of at least 0"
    if given.dtype.kind not in "iuf":
        raise TypeError(_check.message(owner, "iterations", constraint, iterations))
    n = _counts(given.ravel())
    rising = bool(np.all(n[1:] >= n[:-1]))
    if not (n[0] if rising else n.min()) >= 0:
        raise ValueError(_check.message(owner, "iterations", constraint, iterations))
    return (_by_parts(rates, n) if rising else each_once(rates, n)).reshape(given.shape)


def _counts(given: np.ndarray) -> np.ndarray:
    """Return whole numbers as int64 and others as float64; only -1 if one is not below 2^63."""
    if given.dtype.kind == "f":
        if not np.all(given < 2.0**63):
            return np.array([-1])
        if np.any(given % 1):
            return given.astype(np.float64)
    return given.astype(np.int64, copy=False)


def _by_parts(rates: Rates, n: np.ndarray) -> np.ndarray:
    """Apply `rates` to parts of `n` that fit into the CPU cache: this is faster."""
    lrs = np.empty(n.shape)
    for start in range(0, n.size, _PART):
        part = slice(start, start + _PART)
        lrs[part] = rates(n[part])
    return lrs


def each_once(function: Rates, n: np.ndarray) -> np.ndarray:
    """Apply `function` once to each distinct number of `n`; return the results in `n`'s order."""
    low, high = n.min(), n.max()
    if n.dtype.kind == "i" and high - low < n.size:
        return _by_parts(function, np.arange(low, high + 1))[n - low]
    distinct, places = np.unique(n, return_inverse=True)
    return _by_parts(function, distinct)[places]


def join(n: np.ndarray, bound: float, side: Any, first: Rates, second: Rates) -> np.ndarray:
    """Apply `first` to the sorted numbers `n` up to `bound`, and `second` to the others.

    `side` is as in `numpy.searchsorted`: with 'right', `bound` itself belongs to `first`.
    """
    place = int(n.searchsorted(bound, side=side))
    if place == 0:
        return second(n)
    if place == n.size:
        return first(n)
    return np.concatenate([first(n[:place]), second(n[place:])])


def flat(lr: float) -> Rates:
    """Return a function that gives `lr` for every number."""
    return lambda n: np.full(n.shape, lr)


def one_by_one(rate: Callable[[float], float], n: np.ndarray) -> np.ndarray:
    """Call `rate` for each number, for a schedule that cannot be called with an array."""
    return np.array([rate(one) for one in n.tolist()], dtype=np.float64)


def stretches(lrs: np.ndarray, ends: np.ndarray, size: int) -> np.ndarray:
    """Return an array of `size` that repeats each of `lrs` up to its index in `ends`."""
    if size < _SHORT * lrs.size:
        return np.repeat(lrs, np.diff(ends, prepend=0, append=size))
    filled = np.empty(size)
    start = 0
    for lr, end in zip(lrs.tolist(), [*ends.tolist(), size]):
        filled[start:end] = lr
        start = end
    return filled

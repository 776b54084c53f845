"""When a search has seen enough: small criteria over what it has seen, combined by `|` and `&`."""

import math
from functools import cached_property
from typing import Any, Callable, Dict, List, Union

import numpy as np

from .. import _check
from .suggest import exponential_mean

Criterion = Callable[["SearchState"], Any]
CRITERION = "a criterion: callable with a SearchState"


class SearchState:
    """What a search has seen so far. Criteria are asked about it, and keep nothing themselves.

    Attributes
    ----------
    lrs : list of float
        The rate of each iteration.
    losses : list of float
        The loss of each iteration, of the same length.

    >>> state = SearchState()
    >>> for loss in (4, 2, 2):
    ...     state.append(lr=0.1, loss=loss)
    >>> state.smoothed(0.5)
    [4.0, 3.0, 2.5]
    """

    def __init__(self) -> None:
        self.lrs: List[float] = []
        self.losses: List[float] = []
        self._smoothed: Dict[float, List[float]] = {}

    def append(self, lr: float, loss: float) -> None:
        """Take in the rate and the loss of the next iteration."""
        self.lrs.append(float(lr))
        self.losses.append(float(loss))

    def smoothed(self, smoothing: float) -> List[float]:
        """Return m, where m(1) = loss(1), m(n) = (1 - smoothing) loss(n) + smoothing m(n - 1)."""
        means = self._smoothed.setdefault(smoothing, [])
        for loss in self.losses[len(means) :]:
            means.append((1 - smoothing) * loss + smoothing * (means[-1] if means else loss))
        return means


class StoppingCriterion:
    """Base of the criteria: called with a :class:`SearchState`, says whether to stop.

    `first | second` stops where either does, `first & second` where both do. Any function of
    the state can stand in for a criterion.

    >>> Diverged(smoothing=0.5) | MaxIterations(100)
    AnyOf(Diverged(0.5, 20), MaxIterations(100))
    """

    def __call__(self, state: SearchState) -> bool:
        """Say whether to stop after the state's last iteration."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(state)")

    def __or__(self, other: Criterion) -> "StoppingCriterion":
        return AnyOf(self, other) if callable(other) else NotImplemented

    def __ror__(self, other: Criterion) -> "StoppingCriterion":
        return AnyOf(other, self) if callable(other) else NotImplemented

    def __and__(self, other: Criterion) -> "StoppingCriterion":
        return AllOf(self, other) if callable(other) else NotImplemented

    def __rand__(self, other: Criterion) -> "StoppingCriterion":
        return AllOf(other, self) if callable(other) else NotImplemented

    def __repr__(self) -> str:
        settings = [repr(value) for name, value in vars(self).items() if name[0] != "_"]
        return f"{type(self).__name__}({', '.join(settings)})"


class NotFinite(StoppingCriterion):
    """Stop at a loss that is NaN or infinite. Every search does."""

    def __call__(self, state: SearchState) -> bool:
        """Say whether the last loss is not finite."""
        return not math.isfinite(state.losses[-1])


class Diverged(StoppingCriterion):
    """Stop where the smoothed loss has doubled, beyond the noise of the first losses.

        e(n) = m(n) - loss(1)    m the smoothed loss, as `SearchState.smoothed`
        stop at n >= min_iter    where e > max(|loss(1)|, 6 s) at n, n - 1 and n - 2,
                                 or e > max(2 |loss(1)|, 24 s) at n

    s is the standard deviation of the losses 2 to min(min_iter, 20). A steady loss of 1 stops
    it above 3, or above 2 three times in a row. A negative loss has as much room above it, and
    a loss that starts near 0 as much as it scatters: a spike is no divergence.

    Parameters
    ----------
    smoothing : float
        Weight of the past, at least 0 and below 1.
    min_iter : int
        Iterations before the first stop, at least 1.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.
    """

    def __init__(self, smoothing: float = 0.3, min_iter: int = 20) -> None:
        name = type(self).__name__
        self.smoothing = _check.real(name, "smoothing", smoothing, minimum=0, below=1)
        self.min_iter = _check.integer(name, "min_iter", min_iter, 1)

    def __call__(self, state: SearchState) -> bool:
        """Say whether the loss has diverged."""
        if len(state.losses) < self.min_iter:
            return False
        first, early = state.losses[0], state.losses[1 : min(self.min_iter, 20)]
        noise = float(np.std(early)) if early else 0.0
        lately = [mean - first for mean in state.smoothed(self.smoothing)[-3:]]
        lasting = min(lately) > max(abs(first), 6 * noise)
        return lasting or lately[-1] > max(2 * abs(first), 24 * noise)


class AboveBest(StoppingCriterion):
    """Stop where the loss, smoothed as fastai does, is above `factor` times its lowest so far."""

    def __init__(self, factor: float = 4) -> None:
        self.factor = _check.real(type(self).__name__, "factor", factor, above=1)

    def __call__(self, state: Any) -> bool:
        """Say whether to stop."""
        smoothed = exponential_mean(np.asarray(state.losses))
        best = smoothed.min()
        return bool(smoothed[-1] > best + (self.factor - 1) * abs(best))


class MaxIterations(StoppingCriterion):
    """Stop after a number of iterations, at least 1."""

    def __init__(self, count: int) -> None:
        self.count = _check.integer("MaxIterations", "count", count, 1)

    def __call__(self, state: SearchState) -> bool:
        """Say whether that many iterations have been made."""
        return len(state.losses) >= self.count


class MaxLR(StoppingCriterion):
    """Stop after the first iteration at this rate or above it."""

    def __init__(self, lr: float) -> None:
        self.lr = _check.real("MaxLR", "lr", lr, above=0)

    def __call__(self, state: SearchState) -> bool:
        """Say whether that rate has been reached."""
        return state.lrs[-1] >= self.lr


class AnyOf(StoppingCriterion):
    """Stop where one of the criteria does: `first | second`."""

    def __init__(self, *criteria: Criterion) -> None:
        for criterion in criteria:
            _check.is_function(type(self).__name__, "criteria", criterion, CRITERION)
        self.criteria = criteria

    def __call__(self, state: SearchState) -> bool:
        """Say whether one of them stops."""
        return any(criterion(state) for criterion in self.criteria)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.criteria))})"


class AllOf(AnyOf):
    """Stop where all of the criteria do: `first & second`."""

    def __call__(self, state: SearchState) -> bool:
        """Say whether all of them stop."""
        return all(criterion(state) for criterion in self.criteria)


class LRFinderStoppingCriteria(Diverged):
    """:class:`Diverged` with the calls of MXNet's tutorial: told one loss after the other.

    An instance remembers the losses it is told: use a fresh one for each search of your own.
    :meth:`LRFinder.find` takes one as `stop`, and does not touch it.

    >>> stop = LRFinderStoppingCriteria(smoothing=0.5, min_iter=3)
    >>> [stop(loss) for loss in (1, 1, 1, 9)]
    [False, False, False, True]
    """

    @cached_property
    def _told(self) -> SearchState:
        return SearchState()

    def __call__(self, loss: Union[float, SearchState]) -> bool:
        """Take in the loss of the next iteration, or a whole search, and say whether to stop."""
        if isinstance(loss, SearchState):
            return super().__call__(loss)
        self._told.append(math.nan, loss)
        return super().__call__(self._told)

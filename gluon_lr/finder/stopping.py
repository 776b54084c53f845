"""When to stop a search: small criteria on its rates and losses, combined by `|` and `&`."""

import inspect
import math
import statistics
from numbers import Real
from typing import Any, Callable, Dict, List, Optional, Union

import numpy as np

from .. import _check
from ..state import plain
from ..state.holders import content_kept
from .suggest import exponential_mean

Criterion = Callable[[Any], Any]
CRITERION = "a function that takes a SearchState, which is also the last loss"
_FIRST = 5  # losses whose median replaces an outlying first loss
_OUTLYING = 10  # a loss this many times above or below that median is an outlier
_NUMBER = "The search stops when the smoothed loss is above that many times its lowest value."


class SearchState:
    """The rates and losses of a search so far, the argument of a criterion.

    :meth:`LRFinder.find` passes an object that is also the last loss: a float with these
    attributes, new for each iteration. So a criterion may be a function of a loss, as in MXNet's
    tutorial, and may remember losses. It is reset for each sweep of a search: the numbers, lists
    and other plain values that it holds then have their values from before the search.

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
        """Append the rate and the loss of the next iteration."""
        self.lrs.append(float(lr))
        self.losses.append(float(loss))

    def smoothed(self, smoothing: float) -> List[float]:
        """Return m, where m(1) = loss(1), m(n) = (1 - smoothing) loss(n) + smoothing m(n - 1)."""
        means = self._smoothed.setdefault(smoothing, [])
        for loss in self.losses[len(means) :]:
            means.append((1 - smoothing) * loss + smoothing * (means[-1] if means else loss))
        return means


class SeenLoss(float, SearchState):
    """The last loss of a search, with the rates and losses so far."""

    def __init__(self, loss: float) -> None:
        super().__init__()

    @classmethod
    def of(cls, state: SearchState) -> "SeenLoss":
        """Return the last loss of `state`; both share the same lists."""
        seen = cls(state.losses[-1])
        vars(seen).update(vars(state))
        return seen


class StoppingCriterion:
    """Base class of criteria: called with a :class:`SearchState`, returns whether to stop.

    `first | second` stops if either does, `first & second` if both do. Any function of the
    state can be used as a criterion.

    >>> Diverged(smoothing=0.5) | MaxIterations(100)
    AnyOf(Diverged(0.5, 20), MaxIterations(100))
    """

    def __call__(self, state: Any) -> bool:
        """Return whether to stop after the last iteration in `state`."""
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
        arguments = inspect.signature(type(self)).parameters.values()
        held = [(one, vars(self)[one.name]) for one in arguments if one.name in vars(self)]
        settings = [
            f"{one.name}={value!r}" if one.kind is one.KEYWORD_ONLY else repr(value)
            for one, value in held
            if one.kind is not one.KEYWORD_ONLY or value != one.default
        ]
        return f"{type(self).__name__}({', '.join(settings)})"


class NotFinite(StoppingCriterion):
    """Stop at a loss that is NaN or infinite. Every search does so by default."""

    def __call__(self, state: SearchState) -> bool:
        """Return whether the last loss is not finite."""
        return not math.isfinite(state.losses[-1])


class Diverged(StoppingCriterion):
    """Stop when the smoothed loss has doubled, by more than the noise of the first losses.

        e(n) = m(n) - first      m the smoothed loss, as `SearchState.smoothed`
        stop at n >= min_iter    where e > max(rise |first|, 6 s) at n, n - 1 and n - 2,
                                 or e > max(2 rise |first|, 24 s) at n

    first is the first loss. If that is more than ten times the median of the first five losses,
    or less than a tenth of it, first is that median. s is the standard deviation of the losses 2
    to min(min_iter, 20). It excludes the loss farthest from their median, if that is an outlier
    by the same test. So for a steady loss of 1, the search stops above 3, or above 2 three times
    in a row. A negative loss may rise by as much. A loss that starts near 0 may rise within its
    noise, so that a spike does not count as divergence.

    Parameters
    ----------
    smoothing : float
        Weight of the past, at least 0 and below 1.
    min_iter : int
        Iterations before the first stop, at least 1.
    rise : float
        The rise over the first loss, as a fraction of that loss, above 0. For a steady loss of 1,
        the search stops above 1 + 2 rise, or above 1 + rise three times in a row.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.
    """

    def __init__(self, smoothing: float = 0.3, min_iter: int = 20, *, rise: float = 1.0) -> None:
        name = type(self).__name__
        self.smoothing = _check.real(name, "smoothing", smoothing, minimum=0, below=1)
        self.min_iter = _check.integer(name, "min_iter", min_iter, 1)
        self.rise = _check.real(name, "rise", rise, above=0)

    def __call__(self, state: Any) -> bool:
        """Return whether the loss has diverged."""
        if len(state.losses) < self.min_iter:
            return False
        first = _start(state.losses)
        lately = [mean - first for mean in state.smoothed(self.smoothing)[-3:]]
        room = self.rise * abs(first)
        if not lately[-1] > room:
            return False
        early = state.losses[1 : min(self.min_iter, 20)]
        noise = _scatter(early) if early else 0.0
        return min(lately) > max(room, 6 * noise) or lately[-1] > max(2 * room, 24 * noise)


def _start(losses: List[float]) -> float:
    """Return the first loss, or the median of the first few if it is far from that."""
    usual = statistics.median(losses[:_FIRST])
    return usual if _is_far(losses[0], usual) else losses[0]


def _scatter(losses: List[float]) -> float:
    """Return the standard deviation, without the farthest loss if that is an outlier."""
    usual = float(np.median(losses))
    *others, farthest = sorted(losses, key=lambda loss: abs(loss - usual))
    return float(np.std(others if others and _is_far(farthest, usual) else losses))


def _is_far(loss: float, usual: float) -> bool:
    return not abs(usual) / _OUTLYING <= abs(loss) <= abs(usual) * _OUTLYING


class AboveBest(StoppingCriterion):
    """Stop when the loss, smoothed as in fastai, is above `factor` times its lowest so far.

    If the lowest is below 0, the limit is above it by `factor` - 1 times its absolute value.

    Parameters
    ----------
    factor : float
        Above 1; fastai uses 4.

    Raises
    ------
    TypeError, ValueError
        If the factor is outside its bounds.
    """

    def __init__(self, factor: float = 4) -> None:
        self.factor = _check.real(type(self).__name__, "factor", factor, above=1)

    def __call__(self, state: Any) -> bool:
        """Return whether to stop."""
        smoothed = exponential_mean(np.asarray(state.losses))
        best = smoothed.min()
        return bool(smoothed[-1] > best + (self.factor - 1) * abs(best))


class MaxIterations(StoppingCriterion):
    """Stop after a number of iterations, at least 1."""

    def __init__(self, count: int) -> None:
        self.count = _check.integer("MaxIterations", "count", count, 1)

    def __call__(self, state: SearchState) -> bool:
        """Return whether that many iterations have been made."""
        return len(state.losses) >= self.count


class MaxLR(StoppingCriterion):
    """Stop after the first iteration at this rate or above it."""

    def __init__(self, lr: float) -> None:
        self.lr = _check.real("MaxLR", "lr", lr, above=0)

    def __call__(self, state: SearchState) -> bool:
        """Return whether that rate has been reached."""
        return state.lrs[-1] >= self.lr


class AnyOf(StoppingCriterion):
    """Stop if one of the criteria does: `first | second`."""

    def __init__(self, *criteria: Criterion) -> None:
        for criterion in criteria:
            _check.is_function(type(self).__name__, "criteria", criterion, CRITERION)
        self.criteria = criteria

    def __call__(self, state: SearchState) -> bool:
        """Return whether one of them stops."""
        return any(criterion(state) for criterion in self.criteria)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.criteria))})"


class AllOf(AnyOf):
    """Stop if all of the criteria do: `first & second`."""

    def __call__(self, state: SearchState) -> bool:
        """Return whether all of them stop."""
        return all(criterion(state) for criterion in self.criteria)


class LRFinderStoppingCriteria(Diverged):
    """:class:`Diverged` with the calls and attributes of MXNet's tutorial.

    An instance remembers the losses that it is called with. In a search loop of your own, use a
    new instance for each search. As `stop` of :meth:`LRFinder.find`, one instance serves many
    searches.

    Attributes
    ----------
    first_loss : float or None
        The first loss that it was called with; after a call with a whole search, that search's.
    running_mean : float or None
        The smoothed loss of the same losses.
    counter : int
        Their number.

    >>> stop = LRFinderStoppingCriteria(smoothing=0.5, min_iter=3)
    >>> [stop(loss) for loss in (1, 1, 1, 9)]
    [False, False, False, True]
    >>> stop.first_loss, stop.running_mean, stop.counter
    (1.0, 5.0, 4)
    """

    def __init__(self, smoothing: float = 0.3, min_iter: int = 20, *, rise: float = 1.0) -> None:
        super().__init__(smoothing, min_iter, rise=rise)
        self.first_loss: Optional[float] = None
        self.running_mean: Optional[float] = None
        self.counter = 0
        self._told = SearchState()

    def __call__(self, loss: Union[float, SearchState]) -> bool:
        """Return whether to stop, from the loss of the next iteration or from a whole search."""
        if isinstance(loss, SearchState):
            seen = loss
        else:
            seen = self._told
            seen.append(math.nan, loss)
        self.first_loss, self.counter = seen.losses[0], len(seen.losses)
        self.running_mean = seen.smoothed(self.smoothing)[-1]
        return super().__call__(seen)


def read(owner: str, stop: Any) -> Criterion:
    """Return the criterion `stop`; a number means ``AboveBest(number)``.

    Raises
    ------
    TypeError, ValueError
        If `stop` cannot be called, or is a number that is not above 1.
    """
    if isinstance(stop, Real) and not isinstance(stop, bool):
        return AboveBest(_check.real(owner, "stop", stop, above=1, remedy=_NUMBER))
    _check.is_function(owner, "stop", stop, f"{CRITERION}; or a number above 1")
    return stop


def has_diverged(criterion: Criterion, state: SearchState) -> bool:
    """Return whether one of our criteria, alone or in a combination, found divergence."""
    if isinstance(criterion, AnyOf):
        return any(has_diverged(one, state) for one in criterion.criteria)
    return type(criterion) in (AboveBest, Diverged, LRFinderStoppingCriteria) and criterion(state)


def kept(criterion: Criterion) -> Callable[[], None]:
    """Save the state of a criterion, and return a function that restores it at each call.

    The state is its attributes, the plain values in them, and the criteria that it combines.
    """
    attributes = getattr(criterion, "__dict__", {})
    held = [attributes, *filter(plain.is_array, attributes.values())]
    for value in attributes.values():
        held += plain.containers_in(value) or []
    steps = [content_kept(one) for one in held]
    if isinstance(criterion, AnyOf):
        steps += map(kept, criterion.criteria)

    def put_back() -> None:
        for step in steps:
            step()

    return put_back

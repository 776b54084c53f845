"""When a search has seen enough: small criteria over what it has seen, combined by `|` and `&`."""

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
CRITERION = "a criterion: callable with a SearchState, which is the last loss too"
_FIRST = 5  # losses that one outlying first loss is seen against
_OUTLYING = 10  # times the median of these, or a part of it
_NUMBER = "It stops where the smoothed loss is above that many times its lowest."


class SearchState:
    """What a search has seen so far. Criteria are asked about it.

    What :meth:`LRFinder.find` gives them is the last loss as well: a float, made anew for each
    iteration, with these attributes. So a criterion may be a function of a loss, as in MXNet's
    tutorial, and remember what it was told. It begins anew for each sweep of a search: numbers,
    lists and the like, which it holds, are then what they were before the search.

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


class SeenLoss(float, SearchState):
    """The last loss of a search, and what that has seen so far."""

    def __init__(self, loss: float) -> None:
        super().__init__()

    @classmethod
    def of(cls, state: SearchState) -> "SeenLoss":
        """Return the last loss of `state`, of which it shares the lists."""
        seen = cls(state.losses[-1])
        vars(seen).update(vars(state))
        return seen


class StoppingCriterion:
    """Base of the criteria: called with a :class:`SearchState`, says whether to stop.

    `first | second` stops where either does, `first & second` where both do. Any function of
    the state can stand in for a criterion.

    >>> Diverged(smoothing=0.5) | MaxIterations(100)
    AnyOf(Diverged(0.5, 20), MaxIterations(100))
    """

    def __call__(self, state: Any) -> bool:
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
        arguments = inspect.signature(type(self)).parameters.values()
        held = [(one, vars(self)[one.name]) for one in arguments if one.name in vars(self)]
        settings = [
            f"{one.name}={value!r}" if one.kind is one.KEYWORD_ONLY else repr(value)
            for one, value in held
            if one.kind is not one.KEYWORD_ONLY or value != one.default
        ]
        return f"{type(self).__name__}({', '.join(settings)})"


class NotFinite(StoppingCriterion):
    """Stop at a loss that is NaN or infinite. Every search does."""

    def __call__(self, state: SearchState) -> bool:
        """Say whether the last loss is not finite."""
        return not math.isfinite(state.losses[-1])


class Diverged(StoppingCriterion):
    """Stop where the smoothed loss has doubled, beyond the noise of the first losses.

        e(n) = m(n) - first      m the smoothed loss, as `SearchState.smoothed`
        stop at n >= min_iter    where e > max(rise |first|, 6 s) at n, n - 1 and n - 2,
                                 or e > max(2 rise |first|, 24 s) at n

    first is the first loss, or the median of the first five, where it is more than ten times
    that or less than a tenth of it. s is the standard deviation of the losses 2 to
    min(min_iter, 20), without the one farthest from their median where that lies as far off. So
    a steady loss of 1 stops it above 3, or above 2 three times in a row. A negative loss has as
    much room above it, and a loss that starts near 0 as much as it scatters: a spike is no
    divergence.

    Parameters
    ----------
    smoothing : float
        Weight of the past, at least 0 and below 1.
    min_iter : int
        Iterations before the first stop, at least 1.
    rise : float
        How far above the first loss it is to be, as a share of that, above 0. It stops a steady
        loss of 1 above 1 + 2 rise, or above 1 + rise three times in a row.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.
    """

    def __init__(self, smoothing: float = 0.3, min_iter: int = 20, *, rise: float = 1.0) -> None:
        name = type(self).__name__
        self.smoothing = _check.real(name, "smoothing", smoothing, minimum=0, below=1)
        self.min_iter = _check.integer(name, "min_iter", min_iter, 1)
        self.rise = _check.real(name, "rise", rise, above=0)

    def __call__(self, state: Any) -> bool:
        """Say whether the loss has diverged."""
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
    """Return the first loss, or the median of the first few where it lies far from that."""
    usual = statistics.median(losses[:_FIRST])
    return usual if _is_far(losses[0], usual) else losses[0]


def _scatter(losses: List[float]) -> float:
    """Return the standard deviation, without the farthest loss where that lies far off."""
    usual = float(np.median(losses))
    *others, farthest = sorted(losses, key=lambda loss: abs(loss - usual))
    return float(np.std(others if others and _is_far(farthest, usual) else losses))


def _is_far(loss: float, usual: float) -> bool:
    return not abs(usual) / _OUTLYING <= abs(loss) <= abs(usual) * _OUTLYING


class AboveBest(StoppingCriterion):
    """Stop where the loss, smoothed as fastai does, is above `factor` times its lowest so far.

    For losses below 0 that is as far above it: by `factor` - 1 times its size.

    Parameters
    ----------
    factor : float
        Above 1; fastai has 4.

    Raises
    ------
    TypeError, ValueError
        On a factor outside its bounds.
    """

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
    """:class:`Diverged` with the calls and attributes of MXNet's tutorial.

    Told one loss after the other, an instance remembers them: use a fresh one for each search of
    your own. :meth:`LRFinder.find` takes one as `stop`, which serves many searches.

    Attributes
    ----------
    first_loss : float or None
        The first loss that it was told, or of the search that it was asked about last.
    running_mean : float or None
        The smoothed loss, of these losses.
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
        """Take in the loss of the next iteration, or a whole search, and say whether to stop."""
        if isinstance(loss, SearchState):
            seen = loss
        else:
            seen = self._told
            seen.append(math.nan, loss)
        self.first_loss, self.counter = seen.losses[0], len(seen.losses)
        self.running_mean = seen.smoothed(self.smoothing)[-1]
        return super().__call__(seen)


def read(owner: str, stop: Any) -> Criterion:
    """Return the criterion that the argument `stop` is, or the one that a number means.

    Raises
    ------
    TypeError, ValueError
        On what cannot be called, and on a number that is not above 1.
    """
    if isinstance(stop, Real) and not isinstance(stop, bool):
        return AboveBest(_check.real(owner, "stop", stop, above=1, remedy=_NUMBER))
    _check.is_function(owner, "stop", stop, f"{CRITERION}; or a number above 1")
    return stop


def has_diverged(criterion: Criterion, state: SearchState) -> bool:
    """Say whether a criterion of ours, or one that it combines, says that the loss diverged."""
    if isinstance(criterion, AnyOf):
        return any(has_diverged(one, state) for one in criterion.criteria)
    return type(criterion) in (AboveBest, Diverged, LRFinderStoppingCriteria) and criterion(state)


def kept(criterion: Criterion) -> Callable[[], None]:
    """Take what a criterion remembers; what is returned puts that back, each time it is called.

    That is its attributes, the plain values in them, and those of the criteria that it combines.
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

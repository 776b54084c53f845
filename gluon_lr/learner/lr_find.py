"""The search as in fastai: its rates, its stopping rule, its suggestions."""

from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from .. import _check
from ..finder import suggest
from ..finder.bounds import Bounds, groups_of
from ..finder.fastai_search import fastai_stop
from ..finder.finder import LRFinder
from ..finder.result import LRFinderResult
from ..finder.start import trainers_of
from ..hyper.group_rates import Rate
from ..hyper.parameters import HyperParameters
from ..state.transaction import afterwards

SuggestFunc = Union[str, Callable[..., Any]]
SuggestFuncs = Union[SuggestFunc, Sequence[SuggestFunc]]


class SuggestedLRs(Tuple[Optional[float], ...]):
    """The suggestions of a search: a tuple of fastai's values, with our own as attributes.

    The tuple has `lr_min` and `lr_steep`, or the values of the given functions. Each value is also
    an attribute, by its name. Your own function may not have the name of another attribute.

    Attributes
    ----------
    result : LRFinderResult
        The whole search.
    """

    result: LRFinderResult
    _names: Tuple[str, ...]

    @classmethod
    def of(
        cls, result: LRFinderResult, funcs: Optional[Mapping[str, Callable[..., Any]]] = None
    ) -> "SuggestedLRs":
        """Return the suggestions of a search, by fastai's older two rules or by `funcs`."""
        if funcs is None:
            funcs = {"lr_min": suggest.minimum, "lr_steep": suggest.steep}
        window = suggest.fastai_window(
            result.lrs, suggest.exponential_mean(result.losses), result.num_iter
        )
        suggested = cls(_suggested(func, *window, result.num_iter) for func in funcs.values())
        suggested.result = result
        suggested._names = tuple(funcs)
        return suggested

    @property
    def lr_min(self) -> Optional[float]:
        """A tenth of the rate of the lowest loss; None if the curve is too short."""
        return self._named("lr_min", "minimum")

    @property
    def lr_steep(self) -> Optional[float]:
        """The rate at which the loss falls most steeply; None if the curve is too short."""
        return self._named("lr_steep", "steep")

    @property
    def minimum(self) -> Optional[float]:
        """A tenth of the rate of the lowest loss; fastai's newer name for `lr_min`."""
        return self._named("minimum")

    @property
    def steep(self) -> Optional[float]:
        """The rate at which the loss falls most steeply; fastai's newer name for `lr_steep`."""
        return self._named("steep")

    @property
    def valley(self) -> Optional[float]:
        """A rate in the middle of the longest decrease of the loss; fastai's newer default."""
        return self._named("valley")

    @property
    def slide(self) -> Optional[float]:
        """The last rate at which the slope still changes, before the loss rises."""
        return self._named("slide")

    @property
    def suggestion(self) -> Optional[float]:
        """The rate to train at, by our own rule; None if the rule finds none."""
        return self.result.suggestion

    @property
    def interval(self) -> Optional[Tuple[float, float]]:
        """The bounds between which the best rate lies in 4 of 5 trainings; None if unknown."""
        return self.result.interval

    @property
    def usual(self) -> Optional[float]:
        """The rate that usually works best with this optimizer; None if it is not known."""
        return self.result.usual

    def _named(self, name: str, rule: Optional[str] = None) -> Optional[float]:
        """Return the value of the given function of this name, or else of fastai's rule."""
        if name in self._names:
            return self[self._names.index(name)]
        return self.result.suggestions[rule or name]

    def __getattr__(self, name: str) -> Optional[float]:
        names: Tuple[str, ...] = self.__dict__.get("_names", ())
        if name in names:
            return self[names.index(name)]
        raise AttributeError(f"SuggestedLRs has no suggestion {name!r}, only {', '.join(names)}.")

    def __repr__(self) -> str:
        refused = ""
        if self.suggestion is None:
            refused = f", {suggest.why_none(self.result.refusal, self.usual)}"
        values = [f"{name}={_short(value)}" for name, value in zip(self._names, self)]
        return f"SuggestedLRs({', '.join(values)}, suggestion={_short(self.suggestion)}{refused})"


class SuggestionMethod:
    """fastai's name for its rules, for `suggest_funcs`."""

    Minimum = staticmethod(suggest.minimum)
    Steep = staticmethod(suggest.steep)
    Valley = staticmethod(suggest.valley)
    Slide = staticmethod(suggest.slide)


def named_functions(funcs: SuggestFuncs) -> Dict[str, Callable[..., Any]]:
    """Return a dict of functions by name; a string stands for fastai's function of this name.

    Raises
    ------
    TypeError, ValueError
        If one is neither a function nor such a string, or if two have the same name.
    """
    owner, argument = "lr_find", "suggest_funcs"
    several = [funcs] if isinstance(funcs, str) or callable(funcs) else list(funcs)
    named: Dict[str, Callable[..., Any]] = {}
    for one in several:
        function: Any = one
        if isinstance(one, str):
            function = suggest.FASTAI[_check.one_of(owner, argument, one, list(suggest.FASTAI))]
        constraint = "functions of (lrs, losses, num_it), or names of fastai's rules"
        _check.is_function(owner, argument, function, constraint)
        name = getattr(getattr(function, "func", function), "__name__", type(function).__name__)
        if name in named or (hasattr(SuggestedLRs, name) and name not in suggest.FASTAI):
            constraint = "functions with different names that SuggestedLRs does not use"
            raise ValueError(_check.message(owner, argument, constraint, funcs))
        named[name] = function
    return named


def lr_find(
    learn: Any,
    start_lr: Rate = 1e-7,
    end_lr: Rate = 10,
    num_it: int = 100,
    stop_div: Union[bool, float] = True,
    wd: Optional[float] = None,
    *,
    progress: bool = True,
) -> LRFinderResult:
    """Search as fastai does, for any learner that :class:`LRFinder` takes.

        lr(i) = start_lr * (end_lr / start_lr)^(i / num_it)    i = 0 ... num_it - 1

    If the learner has a `recorder`, ``learn.recorder.plot()`` then draws the search.

    Parameters
    ----------
    learn : Learner
        A Learner, or an object with `iteration`, `net` and `trainer`.
    start_lr, end_lr, num_it, stop_div, wd
        As in :meth:`gluon_lr.Learner.lr_find`.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.
    """
    finder = LRFinder(learn)
    num_it = _check.integer("lr_find", "num_it", num_it, 2)
    bounds = Bounds.of("lr_find", learn, "start_lr", start_lr, "end_lr", end_lr)
    hypers = HyperParameters(trainers_of(learn)[0], groups_of(learn) or None)
    with afterwards(hypers.put_back) as again, again:
        if wd is not None:
            hypers["wd"] = _check.real("lr_find", "wd", wd, minimum=0)
        result = finder.find(
            lr_start=start_lr,
            lr_end=bounds.before_end(num_it),
            num_iter=num_it,
            stop=fastai_stop("lr_find", stop_div),
            progress=progress,
        )
    if hasattr(learn, "recorder"):
        learn.recorder.search = result
    return result


def _suggested(
    func: Callable[..., Any], lrs: np.ndarray, losses: np.ndarray, num_it: int
) -> Optional[float]:
    """Return a rule's suggestion: its return value, or the first of several."""
    if not len(losses):
        return None
    found = func(lrs, losses, num_it)
    rate = found[0] if isinstance(found, (tuple, list)) else found
    if rate is None:
        return None
    try:
        return float(_check.single(rate))
    except (TypeError, ValueError):
        constraint = f"functions that return a rate, which {func!r} does not"
        raise TypeError(_check.message("lr_find", "suggest_funcs", constraint, found)) from None


def _short(rate: Optional[float]) -> str:
    return "None" if rate is None else f"{rate:.3g}"

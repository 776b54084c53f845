"""A rate for each parameter group: groups are searched one after the other, from the last."""

from typing import Any, Callable, Dict, Sequence

from .. import _check
from ..training.iteration import IterationLearner
from .bounds import RatesOf, groups_of
from .climb import Measure, Valley, scout
from .policy import CurvesOf
from .result import LRFinderResult

TRIALS = 4  # per group, one of them at its current rate
_STEP = 1.0  # decades between rates


def check_groups(owner: str, learner: Any, without: Dict[str, Any]) -> None:
    """Raise an error if groups cannot be searched in turn.

    Parameters
    ----------
    owner : str
        The caller, for the messages.
    learner : Learner
        It needs several parameter groups.
    without : dict
        By description, the conditions that exclude this; falsy if they are not met.

    Raises
    ------
    TypeError
        If it is a custom learner.
    ValueError
        If there is only one group, or one of the conditions is met.
    """
    if not isinstance(learner, IterationLearner):
        constraint = "False for a custom learner, which has no parameter groups"
        raise TypeError(_check.message(owner, "by_group", constraint, True))
    if len(groups_of(learner)) < 2:
        constraint = "False if all parameters are in one group"
        remedy = "Pass groups to the Learner, for example groups=[net.features, net.output]."
        raise ValueError(_check.message(owner, "by_group", constraint, True, remedy))
    for condition, is_met in without.items():
        if is_met:
            constraint = f"False if {condition}"
            raise ValueError(_check.message(owner, "by_group", constraint, True))


def search_groups(
    result: LRFinderResult,
    search: Callable[[RatesOf, bool], LRFinderResult],
    count: int,
    rest: float,
    refine: bool,
) -> None:
    """Search each group alone, from the last, then all in the proportion found; complete `result`.

    If the other groups train too, a search of one group shows little of its rate, because the
    loss falls by their training. So the others are kept at a low rate, and a last search finds
    the rate for all groups together.

    Parameters
    ----------
    result : LRFinderResult
        The search of all groups at one rate, with a suggestion.
    search : callable
        Takes a function from one rate to the rates of all groups, and whether to refine, and
        returns a result.
    count : int
        The number of groups.
    rest : float
        The low rate of the other groups.
    refine : bool
        Whether to refine the search of all groups together.
    """

    def alone(number: int) -> RatesOf:
        return lambda lr: [lr if number == other else rest for other in range(count)]

    found = [search(alone(number), False) for number in reversed(range(count))]
    result.groups = tuple(reversed(found))
    shares = result.proportions
    result.together = search(lambda lr: [lr * share for share in shares], refine)


def is_trained(group: Sequence[Any]) -> bool:
    """Return whether a parameter group is not frozen."""
    return any(parameter.grad_req != "null" for parameter in group)


def curves_by_group(curves: CurvesOf, rates: Sequence[float]) -> Dict[str, Any]:
    """Return a policy's curves with a separate highest rate for each group."""
    of_each = [curves(rate) for rate in rates]
    return {**of_each[-1], "lr": [one["lr"] for one in of_each]}


def best_factor(measure: Measure, updates: int, began: float) -> float:
    """Return the factor for a group's rate, or 1 if no trial learns.

    Parameters
    ----------
    measure : callable
        Takes a factor and a number of updates, and returns the loss after such a training.
    updates : int
        Updates of each trial.
    began : float
        The loss before a training.
    """
    valley = Valley(measure, updates, began)
    scout(valley, 0.0, TRIALS, _STEP)
    return float(10**valley.lowest) if valley.learns else 1.0

"""A rate for each parameter group: what is tried of one group after the other, from the last."""

from typing import Any, Callable, Dict, Sequence

from .. import _check
from ..training.iteration import IterationLearner
from .bounds import RatesOf, groups_of
from .climb import Measure, Valley, scout
from .policy import CurvesOf
from .result import LRFinderResult

TRIALS = 4  # of a group, one of them at its rate by then
_STEP = 1.0  # decades between rates


def check_groups(owner: str, learner: Any, without: Dict[str, Any]) -> None:
    """Raise where groups cannot be searched in turn.

    Parameters
    ----------
    owner : str
        Who asks, for the messages.
    learner : Learner
        It needs several parameter groups.
    without : dict
        By name, what does not go with it, falsy where that is not given.

    Raises
    ------
    TypeError
        For a learner of one's own.
    ValueError
        Where there is one group only, or one of the arguments.
    """
    if not isinstance(learner, IterationLearner):
        constraint = "left out for a learner of one's own, which has no parameter groups"
        raise TypeError(_check.message(owner, "by_group", constraint, True))
    if len(groups_of(learner)) < 2:
        constraint = "left out where all parameters are in one group"
        remedy = "Give the Learner more: groups=[net.features, net.output], say."
        raise ValueError(_check.message(owner, "by_group", constraint, True, remedy))
    for argument, value in without.items():
        if value:
            constraint = f"left out where there is {argument}"
            raise ValueError(_check.message(owner, "by_group", constraint, True))


def search_groups(
    result: LRFinderResult,
    search: Callable[[RatesOf, bool], LRFinderResult],
    count: int,
    rest: float,
    refine: bool,
) -> None:
    """Search each group alone, from the last, then all in the proportion found; complete `result`.

    A search of one group while the others train shows little of its rate: the loss falls with
    theirs. So they rest meanwhile, and the last search finds what they bear together.

    Parameters
    ----------
    result : LRFinderResult
        Of all groups at one rate, with a suggestion.
    search : callable
        From what makes the rates of all groups out of one, and whether to refine, to a result.
    count : int
        The number of groups.
    rest : float
        The rate of a group that rests.
    refine : bool
        Whether to refine the search of all together.
    """

    def alone(number: int) -> RatesOf:
        return lambda lr: [lr if number == other else rest for other in range(count)]

    found = [search(alone(number), False) for number in reversed(range(count))]
    result.groups = tuple(reversed(found))
    shares = result.proportions
    result.together = search(lambda lr: [lr * share for share in shares], refine)


def is_trained(group: Sequence[Any]) -> bool:
    """Say whether a parameter group is not frozen."""
    return any(parameter.grad_req != "null" for parameter in group)


def curves_by_group(curves: CurvesOf, rates: Sequence[float]) -> Dict[str, Any]:
    """Return a policy's curves where each group has a highest rate of its own."""
    of_each = [curves(rate) for rate in rates]
    return {**of_each[-1], "lr": [one["lr"] for one in of_each]}


def best_factor(measure: Measure, updates: int, began: float) -> float:
    """Return what to multiply a group's rate by, 1 where no trial learns.

    Parameters
    ----------
    measure : callable
        From a factor and a number of updates to the loss after such a training.
    updates : int
        Updates of each trial.
    began : float
        The loss before a training.
    """
    valley = Valley(measure, updates, began)
    scout(valley, 0.0, TRIALS, _STEP)
    return float(10**valley.lowest) if valley.learns else 1.0

"""How long a schedule is: in iterations, or in shares of a training; and at another length."""

import math
from typing import Any, Iterable, List, NamedTuple

from .. import _check

UNKNOWN = math.inf  # what stands for the lengths in a function, or in a user's own class
# the arguments that may be less than an iteration; the others are shares where they are below 1
MAY_BE_LESS = (
    *("after", "at", "by", "cooldown_length", "decay", "iterations", "iterations_per_epoch"),
    *("length", "stable", "start_idx", "warmup", "warmup_steps"),
)


class Extent(NamedTuple):
    """How far a schedule goes: to where it ends, or as far as shows what it does for ever."""

    length: float
    ends: bool

    def after(self, start: float) -> "Extent":
        """Return that of a schedule which begins `start` later."""
        return Extent(start + self.length, self.ends)

    def times(self, factor: float) -> "Extent":
        """Return that of a schedule which is stretched."""
        return Extent(factor * self.length, self.ends)


def longest(extents: Iterable[Extent]) -> Extent:
    """Return that of all together: what ends rules where something does."""
    return max(extents, key=lambda one: (one.ends, one.length))


def flattened(arguments: Iterable[Any]) -> List[float]:
    """Return the lengths among arguments, numbers and lists of them, but for those that are 0."""
    several = [one if isinstance(one, list) else [one] for one in arguments]
    return [length for lengths in several for length in lengths if length]


def times(lengths: Any, factor: float) -> Any:
    """Multiply a length, or a list of them; a whole number that was missed by a rounding is one."""
    if isinstance(lengths, list):
        return [times(one, factor) for one in lengths]
    product = lengths * factor
    whole = round(product)
    return whole if math.isclose(product, whole, rel_tol=1e-12) else product


def are_shares(lengths: List[float]) -> bool:
    """Say whether lengths can only be meant as shares of a training: none is a full iteration."""
    return bool(lengths) and min(lengths) < 1 and max(lengths) <= 1


def is_whole(lengths: List[float], extent: Extent) -> bool:
    """Say whether a schedule ends at 1, all of a training, which no other schedule does."""
    return extent.ends and extent.length == 1 and max(lengths) <= 1


def factor_to(iterations: float, lengths: List[float], extent: Extent, schedule: Any) -> float:
    """Return by what a schedule is stretched to fill a training of so many iterations.

    Raises
    ------
    ValueError
        Where it has no end, nor lengths that are shares of the training.
    """
    if not lengths:
        return iterations
    fills = not extent.ends or extent.length < 1 + 1e-9
    if (are_shares(lengths) and fills) or is_whole(lengths, extent):
        return iterations
    name = type(schedule).__name__
    remedy = "Write all its lengths as shares of the training, which come to 1 at most."
    if min(lengths) < 1:
        constraint = "one with all lengths in iterations, or all as shares of a training"
        raise ValueError(_check.message(name, "scaled_to", constraint, schedule, remedy))
    if not (extent.ends and extent.length):
        constraint = "that of a schedule that ends, as only this tells how long its training is"
        raise ValueError(_check.message(name, "scaled_to", constraint, schedule, remedy))
    return iterations / extent.length


def must_be_scaled(schedule: Any) -> str:
    """Return the message for where a schedule in shares of a training is asked for a rate."""
    constraint = "in iterations to be asked for a rate"
    remedy = "Its lengths are shares of a training: use schedule.scaled_to(iterations)."
    return _check.message(type(schedule).__name__, "schedule", constraint, schedule, remedy)

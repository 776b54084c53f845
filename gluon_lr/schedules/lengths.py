"""The lengths of a schedule, in iterations or as shares of a training, and how to stretch them."""

import math
from typing import Any, Iterable, List, NamedTuple

from .. import _check

UNKNOWN = math.inf  # the length of a function, or of a user's own class
# the arguments that may be less than one iteration; the others, if below 1, must be shares
MAY_BE_LESS = (
    *("after", "at", "by", "cooldown_length", "decay", "iterations", "iterations_per_epoch"),
    *("length", "stable", "start_idx", "warmup", "warmup_steps"),
)


class Extent(NamedTuple):
    """The length of a schedule: up to its end, or enough to show its shape if it never ends."""

    length: float
    ends: bool

    def after(self, start: float) -> "Extent":
        """Return the extent of a schedule that begins `start` iterations later."""
        return Extent(start + self.length, self.ends)

    def times(self, factor: float) -> "Extent":
        """Return the extent of a schedule that is stretched by `factor`."""
        return Extent(factor * self.length, self.ends)


def longest(extents: Iterable[Extent]) -> Extent:
    """Return the longest extent; those that end take precedence over those that do not."""
    return max(extents, key=lambda one: (one.ends, one.length))


def flattened(arguments: Iterable[Any]) -> List[float]:
    """Return all lengths in `arguments`, numbers or lists of numbers, except those that are 0."""
    several = [one if isinstance(one, list) else [one] for one in arguments]
    return [length for lengths in several for length in lengths if length]


def times(lengths: Any, factor: float) -> Any:
    """Multiply a length, or a list of them; round a product that is almost a whole number."""
    if isinstance(lengths, list):
        return [times(one, factor) for one in lengths]
    product = lengths * factor
    whole = round(product)
    return whole if math.isclose(product, whole, rel_tol=1e-12) else product


def are_shares(lengths: List[float]) -> bool:
    """Return whether lengths can only be shares of a training: at most 1, and one is below 1."""
    return bool(lengths) and min(lengths) < 1 and max(lengths) <= 1


def is_whole(lengths: List[float], extent: Extent) -> bool:
    """Return whether a schedule ends at exactly 1: its lengths are then shares of a training."""
    return extent.ends and extent.length == 1 and max(lengths) <= 1


def factor_to(iterations: float, lengths: List[float], extent: Extent, schedule: Any) -> float:
    """Return the factor that stretches a schedule to a training of `iterations`.

    Raises
    ------
    ValueError
        If it has neither an end nor lengths that are shares of the training.
    """
    if not lengths:
        return iterations
    fills = not extent.ends or extent.length < 1 + 1e-9
    if (are_shares(lengths) and fills) or is_whole(lengths, extent):
        return iterations
    name = type(schedule).__name__
    remedy = "Write all its lengths as shares of the training, with a sum of at most 1."
    if min(lengths) < 1:
        constraint = (
            "called on a schedule with all lengths in iterations, or all as shares of a training"
        )
        raise ValueError(_check.message(name, "scaled_to", constraint, schedule, remedy))
    if not (extent.ends and extent.length):
        constraint = "called on a schedule that ends: its end is the length of its training"
        raise ValueError(_check.message(name, "scaled_to", constraint, schedule, remedy))
    return iterations / extent.length


def must_be_scaled(schedule: Any) -> str:
    """Return the error message for a schedule in shares that is called before it is stretched."""
    constraint = "in iterations before it is called"
    remedy = "Use schedule.scaled_to(iterations): its lengths are shares of a training."
    return _check.message(type(schedule).__name__, "schedule", constraint, schedule, remedy)

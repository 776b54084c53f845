"""A fit as data: its curves, its length and its progress."""

import math
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from .. import _check
from ..hyper import annealing
from ..hyper.annealing import over_updates
from ..hyper.scheduling import Curves
from ..schedules import foreign
from ..state import schema
from .callback_states import STATES, States

_LEAVES_IN = 0.1  # share of the remaining updates
_OF_SECONDS = 10_000  # length for schedules in a fit of `seconds`, whose updates are unknown

_PAIR = schema.Schema(
    "a position and its weight",
    lambda one: isinstance(one, list) and len(one) == 2 and all(map(schema.is_number, one)),
)
_FIT = schema.Record(
    n_epoch=schema.POSITIVE,
    iterations_per_epoch=schema.POSITIVE,
    by_passes=schema.FLAG,
    scheds=schema.ByName(schema.ANYTHING),
    frozen_to=schema.Maybe(schema.COUNT),
    epochs_ended=schema.COUNT,
    in_epoch=schema.COUNT,
    batches_per_update=schema.POSITIVE,
    in_pass=schema.FLAG,
    skipped=schema.COUNT,
    begun=schema.FLAG,
    seconds=schema.Maybe(schema.NUMBER),
    used=schema.NUMBER,
    updates=schema.COUNT,
    updates_before=schema.COUNT,
    last_update=schema.Maybe(schema.POSITIVE),
    from_update=schema.POSITIVE,
    from_position=schema.NUMBER,
    left=schema.Several(_PAIR),
    leaving=schema.POSITIVE,
    callbacks=STATES,
)


class Span(NamedTuple):
    """How much to train: a number of epochs, or a time."""

    n_epoch: int
    start_epoch: int = 0
    seconds: Optional[float] = None

    @classmethod
    def checked(
        cls,
        owner: str,
        n_epoch: Optional[int],
        seconds: Optional[float],
        start_epoch: int = 0,
        name: str = "n_epoch",
    ) -> "Span":
        """Return a Span; raise if not exactly one is given. `name` is the epochs' argument."""
        if (n_epoch is None) == (seconds is None):
            raise ValueError(
                f"{owner}: exactly one of `{name}` and `seconds` must be given, got "
                f"{name}={n_epoch!r} and seconds={seconds!r}."
            )
        start_epoch = _check.integer(owner, "start_epoch", start_epoch, 0)
        if seconds is not None:
            if start_epoch:
                constraint = "0 if `seconds` is given"
                raise ValueError(_check.message(owner, "start_epoch", constraint, start_epoch))
            return cls(1, 0, _check.real(owner, "seconds", seconds, above=0))
        n_epoch = _check.integer(owner, name, n_epoch, 1)
        if start_epoch >= n_epoch:
            constraint = f"below `{name}`, which is {n_epoch}"
            raise ValueError(_check.message(owner, "start_epoch", constraint, start_epoch))
        return cls(n_epoch, start_epoch)


def check_no_schedule_counts(owner: str, scheds: Mapping[str, Optional[Curves]]) -> None:
    """Raise a ValueError if a curve is a schedule that needs to know the number of updates."""
    for curves in scheds.values():
        for schedule in _schedules_among(curves):
            if not foreign.goes_with_any_length(schedule):
                constraint = "omitted if a schedule counts updates"
                remedy = (
                    "Or write all lengths of the schedule as shares of the fit, so that it ends at "
                    "1 or before."
                )
                raise ValueError(_check.message(owner, "seconds", constraint, schedule, remedy))


def warn_of_epochs(owner: str, fit: "Fit", lr_scheduler: Any) -> None:
    """Warn of a schedule whose lengths may be meant in epochs, because all are so short.

    Parameters
    ----------
    owner : str
        Name of the fit for the message.
    fit : Fit
        The planned fit.
    lr_scheduler : object
        What gives the rate if no curve does; None for a constant rate.
    """
    own = [] if lr_scheduler is None else [lr_scheduler]
    for schedule in _schedules_among(fit.scheds["lr"]) if "lr" in fit.scheds else own:
        if foreign.goes_with_any_length(schedule):
            continue
        longest = max(foreign.lengths_in(schedule))
        if longest <= fit.n_epoch < fit.length:
            per_epoch = fit.iterations_per_epoch
            _check.warn_caller(
                f"{owner}: the longest length in {foreign.as_ours(schedule)!r} is {longest:g} "
                f"iterations, and the fit has {fit.n_epoch} epochs of {per_epoch} iterations. If "
                f"the lengths are epochs, use EpochSchedule(schedule, {per_epoch})."
            )


def _schedules_among(curves: Optional[Curves]) -> List[Any]:
    """Return the schedules among the curves of a hyper-parameter."""
    several = curves if isinstance(curves, (list, tuple)) else [curves]
    schedules = [getattr(curve, "schedule", None) for curve in several]
    return [one for one in schedules if one is not None]


class Fit:
    """Training along curves for a number of epochs or seconds, and its progress.

    It starts at position 0 of the curves and ends at position 1:

        position = from_position + (1 - from_position) * share

    `share` is the part done since `from_update`, of the updates from there on, or of the seconds.
    Updates are counted by the planned batches and epochs. In a fit that finishes after a number
    of updates, they are counted one by one.

    A nearer end starts a new share at the current position. A farther end moves the position to
    that of a fit planned with this length. The values then reach the new curves along a line,
    within a tenth of the remaining updates.

    Parameters
    ----------
    n_epoch : int
        Epochs; with `seconds`, the expected number.
    iterations_per_epoch : int
        Batches per epoch.
    by_passes : bool
        Whether an epoch is a pass through the data, of any length. Then `iterations_per_epoch`
        is the expected length of the current pass.
    scheds : dict
        Curves by hyper-parameter, over the whole fit; None if a callback moves it, or if no file
        can hold the curves.
    frozen_to : int, optional
        The first group that is trained, if the fit freezes groups.
    start_epoch : int
        The epoch to start from.
    seconds : float, optional
        How long to train, instead of epochs.
    """

    def __init__(
        self,
        n_epoch: int,
        iterations_per_epoch: int,
        by_passes: bool,
        scheds: Mapping[str, Optional[Curves]],
        frozen_to: Optional[int] = None,
        start_epoch: int = 0,
        seconds: Optional[float] = None,
    ) -> None:
        self.n_epoch = n_epoch
        self.iterations_per_epoch = iterations_per_epoch
        self.by_passes = by_passes
        self.scheds = dict(scheds)
        self.frozen_to = frozen_to
        self.epochs_ended = start_epoch
        self.in_epoch = 0  # batches in the current epoch
        self.batches_per_update = 1  # the largest number seen
        self.in_pass = False  # whether the pass of this epoch has started
        self.skipped = 0  # updates skipped by AMP
        self.begun = False
        self.seconds = seconds
        self.used = 0.0  # seconds used so far
        self.updates = 0  # updates made so far
        self.updates_before = 0  # updates made before the current epoch
        self.last_update: Optional[int] = None  # it ends after this one
        self.from_update = 1
        self.from_position = 0.0
        self.left: List[List[float]] = []  # old positions that fade out, and their weights
        self.leaving = 1  # the number of updates in which they fade out
        self.callbacks: States = []  # at the last save or interruption

    @property
    def in_the_data(self) -> bool:
        """Whether it continues in the middle of a pass, not with a new one."""
        return self.begun and (self.in_pass or not self.by_passes)

    @property
    def work(self) -> Tuple[float, float, str]:
        """Work done, total and unit, assuming that all epochs are as long as the current one."""
        if self.seconds is not None:
            return min(self.used, self.seconds), self.seconds, "s"
        in_epoch = min(self.in_epoch, self.iterations_per_epoch)
        done = self.epochs_ended * self.iterations_per_epoch + in_epoch
        if self.last_update is None:
            return done, self.n_epoch * self.iterations_per_epoch, "batch"
        return done, done + self._batches_left, "batch"

    @property
    def is_over(self) -> bool:
        """Whether the fit is done, even in the middle of an epoch."""
        if self.seconds is not None:
            return self.used >= self.seconds
        if self.last_update is not None:
            return self.updates >= self.last_update
        return self.epochs_ended >= self.n_epoch

    @property
    def ends_within_an_epoch(self) -> bool:
        """Whether it may end before the last batch of an epoch."""
        return self.seconds is not None or self.last_update is not None

    @property
    def length(self) -> int:
        """Total updates, if all epochs are as long as the current one."""
        return self.place()[1]

    def place(self, batches: int = 1) -> Tuple[int, int]:
        """Return the number of the next update, from 1, and the total number.

        A batch that is cancelled, or has its own update, moves the curves on as any other.

        Parameters
        ----------
        batches : int
            A lower bound of the batches per update.
        """
        if self.last_update is not None:
            return self.updates + 1, self.last_update
        batches = max(batches, self.batches_per_update)
        per_epoch = math.ceil(self.iterations_per_epoch / batches)
        in_epoch = min(self.in_epoch // batches, per_epoch - 1)
        next_update = max(self.epochs_ended * per_epoch + in_epoch + 1 - self.skipped, 1)
        return next_update, self.n_epoch * per_epoch

    def position_of(self, n: int) -> float:
        """Return the position of update `n`, from 1, on the curves."""
        if self.seconds is not None:
            share = self.used / self.seconds
        else:
            in_all = max(self.length + 1 - self.from_update, 1)
            share = max(n - self.from_update, 0) / in_all
        return self.from_position + (1 - self.from_position) * min(share, 1.0)

    def positions_of(self, n: int) -> List[List[float]]:
        """Return the positions whose values are mixed at update `n`, from 1, with weights."""
        share = max(1 - (n - self.from_update) / self.leaving, 0.0) if self.left else 0.0
        if not share:
            return [[self.position_of(n), 1.0]]
        left = [[position, weight * share] for position, weight in self.left]
        return [[self.position_of(n), 1 - share], *left]

    def finish(self, iterations: int, batches: int) -> None:
        """End after `iterations` more updates, at the end of the curves, unless it ends earlier.

        Parameters
        ----------
        iterations : int
            Updates.
        batches : int
            A lower bound of the batches of the next update.
        """
        n = self._next_one(batches)
        if iterations >= self._updates_left(n):
            return
        self._leave(n, min(self.from_update + self.leaving - n, iterations))
        self.from_position = self.position_of(n)
        self.from_update = self.updates + 1
        self.seconds, self.last_update = None, self.updates + iterations
        self.expect_epochs()

    def extend(self, n_epoch: int, batches: int) -> None:
        """End `n_epoch` epochs later, at the end of the curves; `batches` as in :meth:`finish`."""
        n, before = self._next_one(batches), self.place(batches)[1]
        left, position = self.positions_of(n), self.position_of(n)
        self.n_epoch += n_epoch
        if self.last_update is not None:
            per_epoch = math.ceil(self.iterations_per_epoch / self.batches_per_update)
            self.last_update += n_epoch * per_epoch
        after = self.place(batches)[1]
        self.from_update, self.from_position = n, position * before / after
        self.left, self.leaving = left, math.ceil((after + 1 - n) * _LEAVES_IN)

    def give_length(self, length: int) -> None:
        """Give `length` to schedules among the curves that have no length yet."""
        self.scheds.update(self.curves_over(length))

    def curves_over(self, length: int) -> Dict[str, Curves]:
        """Return the known curves, with schedules over `length` updates."""
        length = length if self.seconds is None else _OF_SECONDS
        return {name: over_updates(curves, length) for name, curves in self.curves.items()}

    def count_update(self, was_made: bool) -> None:
        """Count an update, which AMP may have skipped."""
        self.updates += was_made
        self.skipped += not was_made

    def end_epoch(self) -> None:
        """Count an epoch. One without updates ends a fit for which :meth:`finish` was called."""
        if self.last_update is not None and self.updates == self.updates_before:
            self.last_update = self.updates
        self.updates_before = self.updates
        self.epochs_ended += 1
        self.n_epoch = max(self.n_epoch, self.epochs_ended)
        self.in_epoch, self.in_pass = 0, False

    def expect_epochs(self) -> None:
        """Estimate the number of epochs, if it differs from the plan."""
        if self.last_update is not None:
            batches = self.in_epoch + self._batches_left
            self.n_epoch = self.epochs_ended + math.ceil(batches / self.iterations_per_epoch)
        elif self.seconds is not None and self.epochs_ended and self.used:
            self.n_epoch = math.ceil(self.epochs_ended * self.seconds / self.used)
        self.n_epoch = max(self.n_epoch, self.epochs_ended, 1)

    @property
    def curves(self) -> Dict[str, Curves]:
        """The known curves."""
        return {name: curves for name, curves in self.scheds.items() if curves is not None}

    def _next_one(self, batches: int) -> int:
        """Return the number of the next update, which may be in the next epoch."""
        epoch_is_done = self.in_epoch >= self.iterations_per_epoch and batches == 1
        return self.place(batches)[0] + (epoch_is_done and self.last_update is None)

    def _updates_left(self, n: int) -> float:
        """Return the expected number of updates from update `n` on."""
        if self.seconds is not None:
            left = max(self.seconds - self.used, 0)
            return self.updates * left / self.used if self.used else math.inf
        return self.length + 1 - n

    def _leave(self, n: int, updates: int) -> None:
        """From update `n` on, fade out the old positions within `updates` updates."""
        self.left = self.positions_of(n) if self.left and updates > 0 else []
        self.leaving = max(updates, 1)

    @property
    def _batches_left(self) -> int:
        """The batches of the updates that are left until `last_update`."""
        left = (self.last_update or 0) - self.updates
        return max(left * self.batches_per_update - self.in_epoch % self.batches_per_update, 0)

    def as_data(self) -> Dict[str, Any]:
        """Return the fit as data for `json`; a user's own curves become None."""
        scheds = {name: _as_data(curves) for name, curves in self.scheds.items()}
        return {**vars(self), "scheds": scheds}

    @classmethod
    def from_data(cls, data: Any, place: str) -> "Fit":
        """Return the fit that :meth:`as_data` wrote, or raise a ValueError that names the place."""
        _FIT.check(data, place)
        if data["epochs_ended"] > data["n_epoch"]:
            expected = f"at most n_epoch, {data['n_epoch']}"
            raise schema.astray(f"{place}.epochs_ended", expected, data["epochs_ended"])
        fit = cls(1, 1, False, {})
        vars(fit).update(data)
        fit.scheds = {
            name: _from_data(curves, f"{place}.scheds[{name!r}]")
            for name, curves in data["scheds"].items()
        }
        return fit


def _as_data(curves: Optional[Curves]) -> Any:
    if curves is None:
        return None
    try:
        if isinstance(curves, (list, tuple)):
            return [annealing.to_config(curve) for curve in curves]
        return annealing.to_config(curves)  # type: ignore[arg-type]
    except ValueError:
        return None


def _from_data(data: Any, place: str) -> Any:
    if isinstance(data, list):
        return [_from_data(one, f"{place}[{number}]") for number, one in enumerate(data)]
    if data is None:
        return None
    schema.PLAIN.check(data, place)
    try:
        return annealing.from_config(data)
    except (TypeError, ValueError) as error:
        raise schema.astray(place, "the config of a curve", error) from None

"""What a search found, and why it ended."""

from enum import Enum
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple, Union, overload

import numpy as np

from .. import _check
from . import suggest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class StopReason(Enum):
    """Why a search ended; the value is a sentence."""

    DIVERGED = "the smoothed loss diverged"
    NOT_FINITE = "the loss was not finite"
    REACHED_END = "the search reached its last rate"

    def __str__(self) -> str:
        return self.value


class LRFinderResult(Sequence[Tuple[float, float]]):
    """The (rate, loss) pairs of a search, one an iteration, and what follows from them.

    Attributes
    ----------
    lrs : numpy.ndarray
        The rates, rising, of shape (n,).
    losses : numpy.ndarray
        The training loss of the iteration at each rate, of shape (n,).
    reason : StopReason
        Why the search ended. Where the loss was not finite, the last pair holds it.

    Raises
    ------
    ValueError
        Where rates and losses differ in number.

    >>> result = LRFinderResult([0.1, 0.2], [1.5, 3.5], StopReason.DIVERGED)
    >>> result[1], len(result)
    ((0.2, 3.5), 2)
    >>> result
    LRFinderResult(2 iterations from lr 0.1 to 0.2, the smoothed loss diverged, suggestion None)
    """

    def __init__(self, lrs: Sequence[float], losses: Sequence[float], reason: StopReason) -> None:
        if len(lrs) != len(losses):
            constraint = f"as many as the {len(lrs)} rates"
            raise ValueError(_check.message("LRFinderResult", "losses", constraint, len(losses)))
        self.lrs = np.array(lrs, dtype=np.float64)
        self.losses = np.array(losses, dtype=np.float64)
        self.reason = reason

    @property
    def suggestion(self) -> Optional[float]:
        """The rate to train at, or None where the curve does not show one.

        It lies half way, in log rate, between where the smoothed loss falls fastest and where
        it is lowest. A curve that is flat, only rises, or has too few points shows none.
        """
        return suggest.middle_of_descent(self.lrs, self.losses)

    def plot(self, ax: "Optional[Axes]" = None) -> "Axes":
        """Draw the losses over the rates, with the suggestion marked, and return the Axes."""
        from ..plotting import plot_lr_find

        return plot_lr_find(self, ax)

    @overload
    def __getitem__(self, index: int) -> Tuple[float, float]: ...

    @overload
    def __getitem__(self, index: slice) -> List[Tuple[float, float]]: ...

    def __getitem__(
        self, index: Union[int, slice]
    ) -> Union[Tuple[float, float], List[Tuple[float, float]]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return float(self.lrs[index]), float(self.losses[index])

    def __len__(self) -> int:
        return len(self.lrs)

    def __repr__(self) -> str:
        if len(self) == 0:
            return f"LRFinderResult(0 iterations, {self.reason})"
        suggestion = None if self.suggestion is None else f"{self.suggestion:.3g}"
        return (
            f"LRFinderResult({len(self)} iterations from lr {self.lrs[0]:.3g} to "
            f"{self.lrs[-1]:.3g}, {self.reason}, suggestion {suggestion})"
        )

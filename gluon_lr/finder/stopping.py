"""When a search has seen enough."""

from typing import Optional

from .. import _check


class LRFinderStoppingCriteria:
    """Stop when the smoothed loss has doubled.

        m(1) = loss(1),  m(n) = (1 - smoothing) * loss(n) + smoothing * m(n - 1)
        stop at n        where m(n) > loss(1) + |loss(1)| and n >= min_iter

    For a positive first loss the limit is twice that; for a negative one it is 0. An instance
    remembers what it was called with: use a fresh one for each search.

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

    >>> stop = LRFinderStoppingCriteria(smoothing=0.5, min_iter=3)
    >>> [stop(loss) for loss in (1, 9, 1, 9)]
    [False, False, True, True]
    """

    def __init__(self, smoothing: float = 0.3, min_iter: int = 20) -> None:
        name = type(self).__name__
        self.smoothing = _check.real(name, "smoothing", smoothing, minimum=0, below=1)
        self.min_iter = _check.integer(name, "min_iter", min_iter, 1)
        self.first_loss: Optional[float] = None
        self.running_mean: Optional[float] = None
        self.counter = 0

    def __call__(self, loss: float) -> bool:
        """Take in the loss of the next iteration and say whether to stop after it."""
        self.counter += 1
        if self.first_loss is None or self.running_mean is None:
            self.first_loss = self.running_mean = loss
        else:
            self.running_mean = (1 - self.smoothing) * loss + self.smoothing * self.running_mean
        limit = self.first_loss + abs(self.first_loss)
        return self.counter >= self.min_iter and self.running_mean > limit

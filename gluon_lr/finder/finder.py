"""The learning-rate range test."""

import math
from typing import TYPE_CHECKING, Any, List, Optional

from tqdm.auto import tqdm

from .. import _check
from ..training.learner import waits_for_shapes
from ..training.snapshot import preserved
from .result import LRFinderResult, StopReason
from .stopping import LRFinderStoppingCriteria

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class LRFinder:
    """Find the rate to train at: train briefly at rising rates, watch the loss, put all back.

        lr(i) = lr_start * lr_multiplier^(i - 1)    iteration i = 1, 2, ... while lr(i) <= lr_end

    Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
    https://arxiv.org/abs/1506.01186.

    Parameters
    ----------
    learner : Learner
        Or any object with `iteration(lr) -> float`, `net` and `trainer`. Where its net waits
        for its shapes, `iteration(take_step=False)` is called once first.

    Raises
    ------
    TypeError
        Where the learner lacks one of these.
    """

    def __init__(self, learner: Any) -> None:
        for name in ("iteration", "net", "trainer"):
            if not hasattr(learner, name):
                constraint = "an object with `iteration`, `net` and `trainer`"
                raise TypeError(_check.message("LRFinder", "learner", constraint, learner))
        self.learner = learner
        self.result: Optional[LRFinderResult] = None

    def find(
        self,
        lr_start: float = 1e-6,
        lr_multiplier: float = 1.1,
        smoothing: float = 0.3,
        lr_end: float = 10,
        progress: bool = True,
    ) -> LRFinderResult:
        """Search, put net and trainer back as they were, and return what was found.

        The search ends where the smoothed loss has doubled (:class:`LRFinderStoppingCriteria`),
        where the loss is not finite, and at `lr_end`. However it ends, after an exception or
        Ctrl-C too, net and trainer are put back (:func:`gluon_lr.preserved`); a trainer's
        lr_scheduler rests meanwhile. The batches it used are gone from the learner's data.

        Parameters
        ----------
        lr_start : float
            First rate, above 0.
        lr_multiplier : float
            Factor from one iteration's rate to the next, above 1.
        smoothing : float
            Weight of the past in the loss that decides on the stop, at least 0 and below 1.
        lr_end : float
            Highest rate, above `lr_start`.
        progress : bool
            Whether to show a progress bar.

        Raises
        ------
        TypeError, ValueError
            On an argument outside its bounds.
        """
        owner = "LRFinder.find"
        lr_start = _check.real(owner, "lr_start", lr_start, above=0)
        lr_multiplier = _check.real(owner, "lr_multiplier", lr_multiplier, above=1)
        lr_end = _check.real(owner, "lr_end", lr_end, above=lr_start)
        criterion = LRFinderStoppingCriteria(smoothing)

        steps = math.log(lr_end / lr_start) / math.log(lr_multiplier)
        rates = [lr_start * lr_multiplier**i for i in range(math.floor(steps + 1e-9) + 1)]
        losses: List[float] = []
        if waits_for_shapes(self.learner.net):
            self._infer_shapes()
        trainer = self.learner.trainer
        with preserved(self.learner.net, trainer):
            trainer.optimizer.lr_scheduler = None
            reason = self._search(rates, losses, criterion, progress)
        self.result = LRFinderResult(rates[: len(losses)], losses, reason)
        return self.result

    def plot(self, ax: "Optional[Axes]" = None) -> "Axes":
        """Draw the last search, with its suggestion marked, and return the Axes.

        Raises
        ------
        RuntimeError
            Before the first search.
        """
        if self.result is None:
            raise RuntimeError("LRFinder: nothing to plot yet; call find() first.")
        return self.result.plot(ax)

    def _infer_shapes(self) -> None:
        # Another learner has no way to that but an iteration, which moves running statistics.
        if hasattr(self.learner, "infer_shapes"):
            self.learner.infer_shapes()
        else:
            self.learner.iteration(take_step=False)

    def _search(
        self,
        rates: List[float],
        losses: List[float],
        criterion: LRFinderStoppingCriteria,
        progress: bool,
    ) -> StopReason:
        with tqdm(rates, desc="Finding a learning rate", disable=not progress) as bar:
            for lr in bar:
                loss = float(self.learner.iteration(lr))
                losses.append(loss)
                bar.set_postfix(lr=f"{lr:.2g}", loss=f"{loss:.3g}", refresh=False)
                if not math.isfinite(loss):
                    return StopReason.NOT_FINITE
                if criterion(loss):
                    return StopReason.DIVERGED
        return StopReason.REACHED_END

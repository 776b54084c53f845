"""The gradient noise scale: how much the gradients of single samples differ."""

import math
from typing import Any, List, NamedTuple, Optional, Tuple

import numpy as np

from .. import _check
from .._trainer import scale_of
from ..distributed.workers import Workers
from ..events import Callback
from .gradients import gradients_on, squared_norms, weighted_sums
from .losses import LATE


class GradientNoiseScale(Callback):
    """Measure the gradient noise scale: the number of samples that an update can use well.

        noise scale = tr(Sigma) / |G|^2

    G is the gradient of the expected loss, and Sigma the covariance of the gradients of single
    samples. With far fewer samples, an update is mostly noise, and twice the samples bring nearly
    twice the progress. With far more, additional samples hardly help. The scale changes during a
    training. Both quantities are estimated without bias from the parts of each update on its
    contexts and workers: k parts of n_i samples with gradients g_i, N samples with gradient g::

        tr(Sigma) ~ (sum of n_i |g_i|^2 - N |g|^2) / (k - 1)
        |G|^2     ~ |g|^2 - tr(Sigma) / N

    Each is averaged over the updates of the fit, and then the averages are divided. One update
    says little: its ``|G|^2`` may be below 0, so the mean of the ratios would not converge.

    Two contexts are enough, also on one CPU: ``ctx=[mx.cpu(0), mx.cpu(1)]``. Several batches that
    are added up in one update count as one. Updates with non-finite gradients, or with only one
    part, are left out. Workers exchange their gradients for this in each update. As a callback of
    the Learner itself it also measures in a search. A search restores it at its end, so read it
    at ``after_step``.

    McCandlish, Kaplan, Amodei et al., "An Empirical Model of Large-Batch Training", 2018,
    https://arxiv.org/abs/1812.06162, appendix A.1.

    Raises
    ------
    ValueError
        At the start of a fit on one context, in one process.

    >>> import mxnet as mx
    >>> from gluon_lr import GradientNoiseScale, Learner
    >>> data = mx.nd.random.normal(shape=(64, 3)), mx.nd.ones((64, 1))
    >>> two = [mx.cpu(0), mx.cpu(1)]
    >>> learner = Learner(mx.gluon.nn.Dense(1), [data], ctx=two, loss=mx.gluon.loss.L2Loss())
    >>> noise = GradientNoiseScale()
    >>> with learner.no_bar():
    ...     learner.fit(3, 0.1, cbs=noise)
    >>> noise.value > 0
    True
    """

    order = 99  # after callbacks that may cancel the update

    def __init__(self) -> None:
        self.take_data(None)

    def as_data(self) -> Any:
        """Return the sums so far."""
        self._read(0)
        return {"updates": self._updates, "noise": self._noise, "gradient": self._gradient}

    def take_data(self, data: Any) -> None:
        """Continue with these sums, or start anew for None."""
        data = data or {"updates": 0, "noise": 0.0, "gradient": 0.0}
        self._updates, self._noise, self._gradient = (
            data[name] for name in ("updates", "noise", "gradient")
        )
        self._batches: List[List[Tuple[float, int]]] = []  # parts of each batch of the next update
        self._pending: List[_Pending] = []

    @property
    def value(self) -> Optional[float]:
        """The noise scale, in samples; None if too little is known."""
        self._read(0)
        return self._noise / self._gradient if self._gradient > 0 else None

    def check_fit(self, learner: Any) -> None:
        """Check that there is more than one part of each batch."""
        learner.workers.join()
        if len(_contexts_of(learner)) * learner.workers.count == 1:
            constraint = "a list of two or more contexts, unless there are several workers"
            remedy = "Make the Learner with ctx=[mx.cpu(0), mx.cpu(1)], which works on one CPU."
            raise ValueError(
                _check.message(type(self).__name__, "ctx", constraint, learner.ctx, remedy)
            )

    def after_loss(self, learner: Any) -> None:
        """Store the sizes of the parts of the batch."""
        del self._batches[learner.batches_in_update :]
        self._batches.append(learner.parts_of_batch)

    def before_step(self, learner: Any) -> None:
        """Measure the gradients, while each context and worker still has its own."""
        if len(self._batches) != learner.batches_in_update:
            return  # some batches came before this callback was added
        contexts = _contexts_of(learner)
        numbers, samples = np.zeros((2, len(contexts)))
        for parts in self._batches:
            for n, part in enumerate(parts):
                numbers[n], samples[n] = numbers[n] + part[0], samples[n] + part[1]
        samples[numbers <= 0] = 0  # these parts have no mean
        each = np.flatnonzero(samples)
        if learner.workers.count == 1 and len(each) < 2:
            return
        to_mean = np.zeros(len(contexts))  # factors from a part's sum to its mean
        to_mean[each] = scale_of(learner.trainer) / numbers[each]
        shares = to_mean * samples
        unit = shares.max() or 1.0  # usually equal to all shares, so that no gradient is multiplied
        gradients = [gradients_on(learner.trainer, context) for context in contexts]
        squares = [squared_norms(gradients[n]) for n in each]
        sums = weighted_sums(gradients, shares / unit)
        weights = samples[each] * to_mean[each] ** 2
        if learner.workers.count > 1:
            self._add(*_of_all(learner.workers, samples[each], weights, squares, unit, sums))
            return
        of_sum = squared_norms(sums)
        self._pending.append(_Pending(samples[each], weights, squares, unit, of_sum))
        self._read(LATE)

    def _read(self, left: int) -> None:
        """Wait for the measurements, except the last `left` of them."""
        while len(self._pending) > left:
            self._add(*self._pending.pop(0).read())

    def _add(self, parts: int, samples: float, of_parts: float, of_sum: float) -> None:
        """Add the estimates of an update.

        Parameters
        ----------
        parts : int
            The number of parts.
        samples : float
            The number of samples of all parts.
        of_parts : float
            The sum of the squared norms of the parts' mean gradients, each times its samples.
        of_sum : float
            The squared norm of the sum of these gradients, each times the part's samples.
        """
        if parts < 2 or not math.isfinite(of_parts + of_sum):
            return
        noise = (of_parts - of_sum / samples) / (parts - 1)
        self._noise += noise
        self._gradient += of_sum / samples**2 - noise / samples
        self._updates += 1

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Pending(NamedTuple):
    """Arguments of :meth:`GradientNoiseScale._add`, as arrays that may still be computed."""

    samples: np.ndarray
    weights: np.ndarray
    squares: List[Any]
    unit: float
    of_sum: Any

    def read(self) -> Tuple[int, float, float, float]:
        """Wait for the arrays and return the arguments."""
        squares = [_total(array.asnumpy()) for array in self.squares]
        of_sum = self.unit**2 * _total(self.of_sum.asnumpy())
        return len(squares), float(self.samples.sum()), float(self.weights @ squares), of_sum


def _of_all(
    workers: Workers,
    samples: np.ndarray,
    weights: np.ndarray,
    squares: List[Any],
    unit: float,
    sums: List[Any],
) -> Tuple[int, float, float, float]:
    """Return the arguments of :meth:`GradientNoiseScale._add` for the parts of all workers."""
    values = workers.read_all([*squares, *sums])
    of_parts = weights @ [_total(one) for one in values[: len(squares)]]
    known = np.array([len(squares), samples.sum(), of_parts])
    gradient = [unit * one.astype(np.float64).ravel() for one in values[len(squares) :]]
    own = np.concatenate([known, *gradient])
    total = workers.sum(own, "gradients for a noise scale")
    parts, count, of_parts = total[:3].tolist()
    return int(parts), count, of_parts, float(np.square(total[3:]).sum())


def _total(array: np.ndarray) -> float:
    return float(array.sum(dtype=np.float64))


def _contexts_of(learner: Any) -> List[Any]:
    return learner.ctx if isinstance(learner.ctx, list) else [learner.ctx]

"""Averages of the weights, for validation and for the net after a fit."""

import contextlib
from typing import Any, ContextManager, Dict, List, Union

import numpy as np

from ... import _check
from ..._interrupts import uninterrupted
from ..._mxnet import mx, named_parameters, nd
from ...events import Callback
from ...state import net as nets
from ...state.transaction import Transaction

Arrays = Dict[str, List[Any]]  # by parameter, one array per context


class WeightAverage(Callback):
    """The base class for averages of weights.

    A validation uses the averages; after it the net has the trained weights again. At the end of
    the fit the net gets the averages. Running statistics are averaged like weights. float16
    arrays are averaged in float32.
    """

    order = 50

    def __init__(self) -> None:
        self._averages: Arrays = {}
        self._count = 0  # how many sets of weights are averaged
        self._epochs = 0  # the number of epochs up to the last one averaged

    def as_data(self) -> Any:
        """Return the averages so far, and how many sets of weights they average."""
        if not self._averages:
            return None
        averages = {
            name: [array.asnumpy() for array in arrays] for name, arrays in self._averages.items()
        }
        return {"count": self._count, "epochs": self._epochs, "averages": averages}

    def take_data(self, data: Any) -> None:
        """Continue from these averages, or start without any."""
        if data is None:
            data = {"count": 0, "epochs": 0, "averages": {}}
        self._count, self._epochs = data["count"], data["epochs"]
        self._averages = {
            name: [nd.array(one, dtype=one.dtype) for one in values]
            for name, values in data["averages"].items()
        }

    def check_fit(self, learner: Any) -> None:
        """Raise a ValueError if weights are stored by rows, which cannot be averaged."""
        for name, weights in _weights_of(learner.net).items():
            if any(weight.stype != "default" for weight in weights):
                constraint = "a net without sparse weights"
                remedy = "Create the Embedding with sparse_grad=False."
                owner = type(self).__name__
                raise ValueError(_check.message(owner, "net", constraint, name, remedy))

    def before_fit(self, learner: Any) -> None:
        """Copy the averages to the contexts of the weights."""
        for name, weights in _weights_of(learner.net).items():
            averages = self._averages.get(name)
            if averages is not None:
                one_each = averages * len(weights) if len(averages) == 1 else averages
                self._averages[name] = [
                    average.as_in_context(weight.context)
                    for average, weight in zip(one_each, weights)
                ]

    @uninterrupted
    def average(self, learner: Any, share: float) -> None:
        """Move the averages towards the weights by `share` of the difference."""
        self._count += 1
        for name, weights in _weights_of(learner.net).items():
            averages = self._averages.get(name)
            if averages is None:
                self._averages[name] = [weight.astype(_kind_of(weight)) for weight in weights]
                continue
            for average, weight in zip(averages, weights):
                average += share * (weight.astype(average.dtype, copy=False) - average)

    def after_train(self, learner: Any) -> None:
        """Give all workers the mean of their averages of running statistics."""
        for name, parameter in named_parameters(learner.net).items():
            if not parameter._differentiable:
                learner.workers.give_mean(self._averages.get(name, []))

    def during_validation(self, learner: Any) -> ContextManager[Any]:
        """Return a block in which the net has the averages."""
        if not self._averages or not learner.is_fitting:
            return contextlib.nullcontext()
        return _Exchanged(_weights_of(learner.net), self._averages)

    def after_fit(self, learner: Any) -> None:
        """Give the net the averages."""
        if self._averages and not learner.is_searching:
            _write(_weights_of(learner.net), self._averages)
            nets.hand_over(learner.trainer)
            self._averages = {}


class EMA(WeightAverage):
    """Average the weights of all updates, the last ones most: an exponential moving average.

        average(n) = sum of decay^(n - i) * weights(i) / sum of decay^(n - i)    i = 1 ... n

    So the first weights do not count too much, even if the decay is close to 1. The last
    1 / (1 - decay) updates make up most of the average.

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992,
    https://doi.org/10.1137/0330046.

    Parameters
    ----------
    decay : float
        Above 0 and below 1.

    Raises
    ------
    TypeError, ValueError
        If the decay is outside its bounds; at the start of a fit with weights stored by rows.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__()
        self.decay = _check.real(type(self).__name__, "decay", decay, above=0, below=1)

    def after_step(self, learner: Any) -> None:
        """Add the weights of an update to the average."""
        if learner.is_fitting:
            weight_of_all = 1 - self.decay ** (self._count + 1)
            self.average(learner, (1 - self.decay) / weight_of_all)

    def __repr__(self) -> str:
        return f"EMA({self.decay!r})"


class SWA(WeightAverage):
    """Average the weights at the ends of epochs equally: stochastic weight averaging.

    Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018,
    https://arxiv.org/abs/1803.05407. In the paper the rate is high and constant during the
    averaging, as in ``fit(n_epoch, lr, cbs=SWA(0.75))``.

    Parameters
    ----------
    start : int or float
        An int is the first epoch, from 0, whose weights are averaged. A float below 1 is the part
        of the fit before the first average.

    Raises
    ------
    TypeError, ValueError
        If the start is outside its bounds; at the start of a fit with weights stored by rows.
    """

    def __init__(self, start: Union[int, float] = 0.75) -> None:
        super().__init__()
        name = type(self).__name__
        if isinstance(start, (int, np.integer)):
            self.start: Union[int, float] = _check.integer(name, "start", start, 0)
        else:
            self.start = _check.real(name, "start", start, minimum=0, below=1)

    def after_train(self, learner: Any) -> None:
        """Add the weights of an epoch to the average."""
        done, total, _ = learner.work_of_fit
        epoch = learner.epoch
        begins = done > self.start * total if isinstance(self.start, float) else epoch >= self.start
        is_new = epoch >= self._epochs  # False for an epoch that was averaged before a resume
        if begins and is_new and not learner.is_searching:
            self._epochs = epoch + 1
            self.average(learner, 1 / (self._count + 1))
        super().after_train(learner)

    def after_fit(self, learner: Any) -> None:
        """Give the net the averages, and warn if there are none."""
        if not self._averages and learner.is_fitting:
            _check.warn_caller(
                f"SWA: no weights were averaged, because start={self.start} is after the last "
                f"epoch, {learner.epoch - 1}. The net keeps the weights of the last update."
            )
        super().after_fit(learner)

    def __repr__(self) -> str:
        return f"SWA({self.start!r})"


class _Exchanged(Transaction):
    """A block in which the weights have other values."""

    def __init__(self, weights: Arrays, others: Arrays) -> None:
        self._weights = weights
        self._others = others

    def take(self) -> None:
        self._own = {name: [one.copy() for one in arrays] for name, arrays in self._weights.items()}

    def begin(self) -> None:
        _write(self._weights, self._others)

    def put_back(self) -> None:
        _write(self._weights, self._own)


def _write(weights: Arrays, values: Arrays) -> None:
    for name, arrays in weights.items():
        for array, of_context in zip(arrays, values[name]):
            array[:] = of_context.astype(array.dtype, copy=False)


def _weights_of(net: mx.gluon.Block) -> Arrays:
    parameters = named_parameters(net).items()
    return {name: one._data for name, one in parameters if one._data is not None}


def _kind_of(weight: Any) -> Any:
    is_short = np.dtype(weight.dtype).itemsize == 2
    return np.float32 if is_short else weight.dtype

"""A task trained as quickly as MXNet does it: without a Learner, all small weights as one array.

It is `make_problem`'s training: the same data, split, weights, batches and updates.
"""

import math
from itertools import islice
from typing import Any, Callable, Iterator, List, Tuple

import numpy as np

from gluon_lr import OneCycleSchedule
from gluon_lr._mxnet import mx

from .tasks import Task, drawn, make_net, order_seed, shuffled

Arrays = List[mx.nd.NDArray]
BY_LAYER = ("lamb", "nadam")  # theirs is not one update of all weights together
NOT_AT_0 = ("ftml", "ftrl")  # MXNet divides by the rate
AT_ONCE = 25  # updates between two looks at the loss


class Training(mx.gluon.HybridBlock):
    """A net and its loss as one graph."""

    def __init__(self, net: mx.gluon.Block, loss: mx.gluon.loss.Loss) -> None:
        super().__init__()
        self.net, self.loss = net, loss

    def hybrid_forward(self, F: Any, data: Any, label: Any) -> Any:  # noqa: N803
        """Return the losses."""
        return self.loss(self.net(data), label)


def one_cycle(lr: float, length: int) -> OneCycleSchedule:
    """Make the 1-cycle of a highest rate above 0 and at least 10 updates."""
    return OneCycleSchedule(lr / 10, lr, round(0.9 * length), round(0.1 * length), 0)


def held_out_loss(task: Task, seed: int, order: int, lr: float, length: int) -> float:
    """Train by a 1-cycle; return the held-out loss, infinite where it diverged."""
    return loss_under(one_cycle(lr, length), task, seed, order, length)


def loss_under(
    schedule: Callable[[int], float], task: Task, seed: int, order: int, length: int
) -> float:
    """Train by a schedule; return the held-out loss, infinite where it diverged.

    Parameters
    ----------
    schedule : callable
        From an update to its rate.
    task : Task
        What to train.
    seed : int
        What data, split and weights are drawn from.
    order : int
        Which order of the batches.
    length : int
        Updates.
    """
    trained, held = drawn(task.data, seed)
    training, updater, weights, gradients = made(task, seed, trained[0][:1])
    keys = list(range(len(weights)))
    updates = length - 1 if task.optimizer in NOT_AT_0 else length
    orders = shuffled(len(trained[0]), task.batch_size, order_seed(seed, order))
    for n, (data, label) in enumerate(batches(trained, islice(orders, updates)), start=1):
        with mx.autograd.record():
            losses = training(data, label)
        losses.backward()
        updater.optimizer.set_learning_rate(schedule(n))
        updater(keys, gradients, weights)
        if n % AT_ONCE == 0 and not math.isfinite(mean(losses)):
            return math.inf
    loss = mean(training(*map(mx.nd.array, held)))
    return loss if math.isfinite(loss) else math.inf


def batches(
    trained: Tuple[np.ndarray, np.ndarray], orders: Iterator[np.ndarray]
) -> Iterator[Tuple[mx.nd.NDArray, mx.nd.NDArray]]:
    """Yield batches, many of them gathered at once."""
    data, label = map(mx.nd.array, trained)
    for indices in iter(lambda: list(islice(orders, AT_ONCE)), []):
        together = mx.nd.array(np.stack(indices))
        yield from zip(data.take(together), label.take(together))


def mean(losses: mx.nd.NDArray) -> float:
    """Wait for the mean loss."""
    return float(losses.mean().asscalar())


def made(
    task: Task, seed: int, sample: np.ndarray
) -> Tuple[Training, mx.optimizer.Updater, Arrays, Arrays]:
    """Make net and loss, what updates weights, the weights and their gradients."""
    net = make_net(task, seed)
    net(mx.nd.array(sample))  # to know the shapes
    parameters = [p for p in net.collect_params().values() if p.grad_req != "null"]
    # MKL-DNN lays the weights of convolutions out anew, which parts of an array do not allow
    apart = [p for p in parameters if task.optimizer in BY_LAYER or len(p.shape) > 2]
    weights, gradients = [p.data() for p in apart], [p.grad() for p in apart]
    together = [p for p in parameters if p not in apart]
    if together:
        weight, gradient = joined(together)
        weights.append(weight)
        gradients.append(gradient)
    training = Training(net, task.loss)
    training.hybridize(static_alloc=True, static_shape=True)
    optimizer = mx.optimizer.create(
        task.optimizer, rescale_grad=1 / task.batch_size, **(task.optimizer_params or {})
    )
    return training, mx.optimizer.get_updater(optimizer), weights, gradients


def joined(parameters: List[mx.gluon.Parameter]) -> Tuple[mx.nd.NDArray, mx.nd.NDArray]:
    """Make the parameters' weights parts of one array, and their gradients of another."""
    weight = mx.nd.concat(*(p.data().reshape(-1) for p in parameters), dim=0)
    gradient = mx.nd.zeros_like(weight)
    start = 0
    for parameter in parameters:
        end = start + math.prod(parameter.shape)
        parts = [array[start:end].reshape(parameter.shape) for array in (weight, gradient)]
        parameter._data, parameter._grad = [parts[0]], [parts[1]]
        mx.autograd.mark_variables([parts[0]], [parts[1]])
        start = end
    return weight, gradient

"""Training as one would write it by hand: what searches and fits are measured beside."""

import itertools
from typing import Any, Callable, Iterable, Sequence, Tuple

from gluon_lr._mxnet import mx

Batch = Tuple[Any, Any]
Moves = Tuple[float, float]  # the rate and the momentum of an update


def bare_loop(
    net: Callable[[Any], Any],
    loss: Callable[[Any, Any], Any],
    trainer: mx.gluon.Trainer,
    batches: Sequence[Batch],
    updates: int,
    moves: Iterable[Moves] = (),
    frozen: Callable[[Any], Any] = lambda data: data,
    workers: int = 1,
) -> None:
    """Train on the batches in turn, without reading the loss.

    Parameters
    ----------
    net, loss, trainer
        What to train.
    batches : sequence of (data, label)
        Given again after the last.
    updates : int
        How many.
    moves : iterable of (float, float), optional
        The rate and the momentum to set for each update.
    frozen : callable, optional
        What makes the net's input of the data, and is not trained.
    workers : int
        How many train so, each on its part of the batches.
    """
    steps = zip(range(updates), itertools.cycle(batches), moves or itertools.repeat(None))
    for _, (data, label), move in steps:
        inputs = frozen(data)
        with mx.autograd.record():
            losses = loss(net(inputs), label)
        losses.backward()
        if move is not None:
            trainer.set_learning_rate(move[0])
            trainer.optimizer.momentum = move[1]
        trainer.step(workers * len(label))
    mx.nd.waitall()

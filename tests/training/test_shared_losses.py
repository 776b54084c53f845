"""Losses that workers tell each other, here with another worker that has the same."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from gluon_lr._mxnet import mx, nd
from gluon_lr.training import losses as of_training
from gluon_lr.training.losses import Losses, SharedLosses


class Twin:
    """Two workers that give the same."""

    def __init__(self):
        self.calls = []

    def sum(self, values, what):
        self.calls.append((what, len(values)))
        return 2 * values

    def read_all(self, arrays):
        return [array.asnumpy() for array in arrays]


def batch(n, weights=None):
    losses = nd.array([n, n + 2.0])
    return [Losses([losses], None if weights is None else [nd.array(weights)])]


def of_batches(shared, count):
    return [shared.of_batch(batch(n), 2)[0] for n in range(count)]


def test_losses_are_told_eight_together_and_two_updates_late_at_the_soonest():
    workers = Twin()
    losses = of_batches(SharedLosses(workers), 21)
    told = [size - 2 for _, size in workers.calls]
    assert told == [0] * 10 + [8] + [0] * 7 + [8] + [0] * 2
    asked = len(workers.calls)
    for n, loss in enumerate(losses[: 21 - loss_late(losses)]):
        assert float(loss) == n + 1
    assert len(workers.calls) == asked


def loss_late(losses):
    return losses[0].late


def test_one_that_is_asked_for_before_is_told_with_those_before_it():
    workers = Twin()
    losses = of_batches(SharedLosses(workers), 5)
    assert float(losses[3]) == 4
    assert workers.calls[5:] == [("losses", 4)]
    assert [float(loss) for loss in losses[:4]] == [1, 2, 3, 4]
    assert workers.calls[6:] == []
    assert float(losses[4]) == 5


def test_all_are_told_at_once_and_nothing_where_nothing_is_untold():
    workers = Twin()
    shared = SharedLosses(workers)
    losses = of_batches(shared, 3)
    shared.tell()
    shared.tell()
    assert workers.calls[3:] == [("losses", 3)]
    assert [float(loss) for loss in losses] == [1, 2, 3]


def test_the_mean_is_by_weights_and_the_divisors_are_added_up():
    shared = SharedLosses(Twin())
    loss, divisor = shared.of_batch(batch(1.0, [3.0, 1.0]), 7)
    assert divisor == 14
    assert float(loss) == pytest.approx((3 * 1 + 1 * 3) / 4)


def test_a_batch_without_weight_has_no_mean_and_does_not_stop_the_others():
    shared = SharedLosses(Twin())
    none, divisor = shared.of_batch(batch(1.0, [0.0, 0.0]), 0)
    assert divisor == 0
    assert math.isnan(float(none))
    assert [float(loss) for loss in of_batches(shared, 20)] == list(range(1, 21))


def test_large_losses_are_not_kept(monkeypatch):
    monkeypatch.setattr(of_training, "_FEW", 10)
    large = nd.array(np.arange(60).reshape(3, 20), dtype="float16")
    loss, _ = SharedLosses(Twin()).of_batch([Losses([large, nd.ones((4,))], None)], 64)
    assert [one.size for one in loss.own] == [1, 4]
    assert float(loss) == pytest.approx((large.asnumpy().sum(dtype=float) + 4) / 64)


def test_the_loss_of_an_update_of_no_batches_is_none():
    empty = of_training.PendingUpdate()
    assert empty.loss.late == of_training.LATE


def test_two_contexts():
    workers = SimpleNamespace(sum=lambda values, what: values, read_all=Twin().read_all)
    own = [Losses([nd.array([1.0, 2.0], ctx=mx.cpu(n))], None) for n in range(2)]
    loss, divisor = SharedLosses(workers).of_batch(own, 4)
    assert (float(loss), divisor) == (1.5, 4)

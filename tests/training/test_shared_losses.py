"""Losses that workers tell each other, here with another worker that has the same."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from gluon_lr._mxnet import mx, nd
from gluon_lr.training import losses as of_training
from gluon_lr.training.losses import Losses, SharedLosses

ALONE = 4  # numbers of a message about a batch without losses


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
    told = [size - ALONE for _, size in workers.calls]
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
    assert workers.calls[5:] == [("losses", 1 + 4)]
    assert [float(loss) for loss in losses[:4]] == [1, 2, 3, 4]
    assert workers.calls[6:] == []
    assert float(losses[4]) == 5


def test_all_are_told_at_once_and_nothing_where_nothing_is_untold():
    workers = Twin()
    shared = SharedLosses(workers)
    losses = of_batches(shared, 3)
    shared.tell()
    shared.tell()
    assert workers.calls[3:] == [("losses", 1 + 3)]
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


def test_samples_that_all_have_one_loss_need_no_message_but_each_eighth():
    workers = Twin()
    shared = SharedLosses(workers)
    told = [shared.of_batch(batch(n), 2, (2, 4)) for n in range(21)]
    assert [divisor for _, divisor in told] == [4] * 21
    assert [size - ALONE for _, size in workers.calls] == [0, 8, 8]
    assert [float(loss) for loss, _ in told[:16]] == list(range(1, 17))


class Alone(Twin):
    """A worker whose others have a loss less."""

    def sum(self, values, what):
        total = super().sum(values, what)
        total[0] -= values[0] > 0
        return total


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(None, id="of unknown number"),
        pytest.param((1, 2), id="with two losses each"),
        pytest.param((4, 8), id="with half a loss each"),
    ],
)
def test_other_samples_are_asked_for_at_each_batch(samples):
    workers = Twin()
    shared = SharedLosses(workers)
    assert [shared.of_batch(batch(n), 2, samples)[1] for n in range(5)] == [4] * 5
    assert len(workers.calls) == 5


def test_a_batch_of_one_sample_does_not_show_that_there_is_one_loss_for_each():
    workers = Twin()
    shared = SharedLosses(workers)
    one = [Losses([nd.array([1.0])], None)]
    for _ in range(3):
        shared.of_batch(one, 1, (1, 2))
    assert len(workers.calls) == 3
    shared.of_batch(batch(1), 2, (2, 4))
    for _ in range(3):
        assert shared.of_batch(one, 1, (1, 2))[1] == 2
    assert len(workers.calls) == 4


def test_losses_that_are_others_by_now_are_asked_for_again():
    workers = Twin()
    shared = SharedLosses(workers)
    shared.of_batch(batch(1), 2, (2, 4))
    scalar = [Losses([nd.array([1.0])], None)]
    assert [shared.of_batch(scalar, 1, (2, 4))[1] for _ in range(3)] == [2] * 3
    assert len(workers.calls) == 4


@pytest.mark.parametrize("asked", [False, True])
def test_other_batches_on_another_worker_are_refused(asked):
    shared = SharedLosses(Alone())
    shared.of_batch(batch(1), 2, (2, 4))
    loss, _ = shared.of_batch(batch(1), 2, (2, 4))
    with pytest.raises(ValueError, match="4 samples here, but 3 samples on all"):
        if asked:
            float(loss)
        else:
            of_batches(shared, 10)


def test_the_loss_of_an_update_of_no_batches_is_none():
    empty = of_training.PendingUpdate()
    assert empty.loss.late == of_training.LATE


def test_two_contexts():
    workers = SimpleNamespace(sum=lambda values, what: values, read_all=Twin().read_all)
    own = [Losses([nd.array([1.0, 2.0], ctx=mx.cpu(n))], None) for n in range(2)]
    loss, divisor = SharedLosses(workers).of_batch(own, 4)
    assert (float(loss), divisor) == (1.5, 4)

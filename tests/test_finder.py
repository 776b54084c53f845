"""Searches on learners of every kind, and what they leave behind."""

import os

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, make_dataset, make_learner, make_net, weights

from gluon_lr import FactorScheduler, Learner, LRFinder, LRFinderResult, StopReason
from gluon_lr._mxnet import mx


class Scripted:
    """A learner whose losses are written down; its net and trainer are real."""

    def __init__(self, losses, error=None):
        inner = make_learner(learning_rate=0.1)
        self.net, self.trainer = inner.net, inner.trainer
        self._inner, self._losses, self._error = inner, iter(losses), error
        self.lrs = []

    def iteration(self, lr=None, take_step=True):
        if not take_step:
            return 0.0
        self._inner.iteration(lr)
        self.lrs.append(lr)
        loss = next(self._losses, None)
        if loss is None:
            raise self._error
        return loss


def find(learner, **settings):
    return LRFinder(learner).find(progress=False, **settings)


def test_finds_a_rate_that_trains():
    result = find(make_learner(finite=True))
    assert isinstance(result, LRFinderResult)
    assert 0.01 < result.suggestion < 5
    learner = make_learner()
    first = np.mean([learner.iteration(result.suggestion) for _ in range(4)])
    for _ in range(32):
        learner.iteration(result.suggestion)
    assert np.mean([learner.iteration(0) for _ in range(4)]) < first / 2


@pytest.mark.parametrize("ctx", [ONE, TWO])
@pytest.mark.parametrize("before", [0, 3])
def test_training_goes_on_as_if_it_had_never_searched(ctx, before):
    learners = [make_learner(ctx, learning_rate=0.1, momentum=0.9) for _ in range(2)]
    for learner in learners:
        for _ in range(before):
            learner.iteration()
    searched, straight = learners
    used = len(find(searched, lr_start=1e-4, lr_end=1))
    for _ in range(-used % 4):  # the search used the data: bring both to the same batch
        searched._next_batch()
    assert [searched.iteration() for _ in range(20)] == [straight.iteration() for _ in range(20)]
    assert_same_arrays(weights(searched), weights(straight))


def test_twice_in_a_row_finds_the_same():
    finder = LRFinder(make_learner(learning_rate=0.1))
    first = finder.find(lr_start=1e-4, lr_end=0.3, lr_multiplier=1.2, progress=False)
    for _ in range(-len(first) % 4):
        finder.learner._next_batch()
    second = finder.find(lr_start=1e-4, lr_end=0.3, lr_multiplier=1.2, progress=False)
    assert list(first) == list(second)
    assert finder.result is second


def test_works_from_a_net_whose_shapes_are_not_known_yet():
    loader = mx.gluon.data.DataLoader(make_dataset(), 16)
    mx.random.seed(1)
    learner = Learner(make_net(), loader)
    result = find(learner, lr_end=0.1)
    statistics = learner.net[1].running_mean.data().asnumpy()
    assert len(result) > 100
    assert (statistics == 0).all()


def test_a_trainer_with_a_scheduler_keeps_it():
    schedule = FactorScheduler(1, 0.5, base_lr=0.4)
    learner = make_learner(
        trainer=lambda net: mx.gluon.Trainer(
            net.collect_params(), "adam", {"lr_scheduler": schedule}
        )
    )
    schedule.base_lr = 0.4
    result = find(learner, lr_start=1e-3, lr_end=0.1)
    assert learner.trainer.optimizer.lr_scheduler is schedule
    assert result.lrs[0] == 1e-3
    learner.iteration()
    learner.iteration()
    assert learner.trainer.learning_rate == 0.2


def test_rates_rise_geometrically_up_to_lr_end():
    learner = Scripted([1.0] * 100)
    result = find(learner, lr_start=1e-3, lr_multiplier=10, lr_end=1)
    np.testing.assert_allclose(result.lrs, [1e-3, 1e-2, 1e-1, 1], rtol=1e-12)
    np.testing.assert_array_equal(learner.lrs, result.lrs)
    assert result.reason is StopReason.REACHED_END
    assert result.suggestion is None


def test_ends_where_the_loss_diverges():
    losses = [1.0] * 30 + [5.0] * 100
    result = find(Scripted(losses))
    assert result.reason is StopReason.DIVERGED
    assert list(result.losses) == losses[:31]


@pytest.mark.parametrize("at", [1, 2, 15, 30])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_ends_where_the_loss_is_not_finite(at, value):
    learner = Scripted([1.0] * (at - 1) + [value] + [1.0] * 100)
    before = weights(learner)
    result = find(learner)
    assert result.reason is StopReason.NOT_FINITE
    assert len(result) == at
    assert_same_arrays(weights(learner), before)


@pytest.mark.parametrize("error", [KeyError("loader"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", [0, 1, 25])
def test_puts_back_what_an_exception_leaves(error, at):
    learner = Scripted([1.0] * at, error)
    before = weights(learner)
    with pytest.raises(type(error)):
        find(learner)
    assert_same_arrays(weights(learner), before)
    assert learner.trainer.learning_rate == 0.1


def test_negative_losses_do_not_stop_it():
    assert find(Scripted([-2.0] * 200)).reason is StopReason.REACHED_END


def test_writes_no_file():
    find(make_learner(), lr_end=1e-4)
    assert os.listdir(".") == []


def test_shows_a_progress_bar_that_can_be_turned_off(capsys):
    finder = LRFinder(make_learner())
    finder.find(lr_end=1e-5, progress=False)
    assert capsys.readouterr().err == ""
    finder.find(lr_end=1e-5)
    assert "Finding a learning rate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr_start": 0}, r"LRFinder.find: `lr_start` must be a finite number above 0, got 0\."),
        ({"lr_multiplier": 1}, "`lr_multiplier` must be a finite number above 1"),
        ({"lr_start": 1, "lr_end": 0.1}, "`lr_end` must be a finite number above 1, got 0.1"),
        ({"smoothing": 1}, "LRFinderStoppingCriteria: `smoothing`"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(settings, message):
    learner = Scripted([1.0])
    with pytest.raises(ValueError, match=message):
        find(learner, **settings)
    assert learner.lrs == []


def test_a_learner_must_look_like_one():
    with pytest.raises(TypeError, match="LRFinder: `learner` must be an object with `iteration`"):
        LRFinder(make_net())


def test_nothing_to_plot_before_the_first_search():
    with pytest.raises(RuntimeError, match=r"call find\(\) first"):
        LRFinder(make_learner()).plot()


def test_a_result_of_nothing_prints_and_one_of_unequal_parts_is_refused():
    empty = LRFinderResult([], [], StopReason.REACHED_END)
    assert repr(empty) == "LRFinderResult(0 iterations, the search reached its last rate)"
    with pytest.raises(ValueError, match="`losses` must be as many as the 2 rates, got 1"):
        LRFinderResult([0.1, 0.2], [3], StopReason.REACHED_END)


def test_a_result_is_a_sequence_of_pairs():
    result = LRFinderResult([0.1, 0.2, 0.4], [3, 2, 1], StopReason.REACHED_END)
    assert list(result) == [(0.1, 3.0), (0.2, 2.0), (0.4, 1.0)]
    assert result[-1] == (0.4, 1.0)
    assert result[1:] == [(0.2, 2.0), (0.4, 1.0)]
    assert (0.2, 2.0) in result
    assert [lr for lr, _ in result] == [0.1, 0.2, 0.4]
    with pytest.raises(IndexError):
        result[3]

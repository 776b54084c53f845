"""What users of other finders expect: of pytorch-lr-finder's, ignite's and Lightning's."""

import functools
import json
import pickle

import numpy as np
import pytest
from conftest import assert_same_arrays, make_dataset, make_learner, weights

from gluon_lr import (
    AboveBest,
    Diverged,
    GradientAccumulation,
    Learner,
    LRFinder,
    LRFinderResult,
    LRFinderStoppingCriteria,
    MaxIterations,
    Refusal,
    StopReason,
    one_cycle,
)
from gluon_lr._mxnet import mx, nd

LRS = 1e-6 * 1.1 ** np.arange(150)
LOSSES = 2.3 - 2 / (1 + (0.01 / LRS) ** 2) + (LRS / 0.3) ** 4


class Written:
    """A learner whose losses are written down, sweep after sweep; its net stays as it is."""

    def __init__(self, losses):
        self._inner = make_learner(learning_rate=0.1)
        self.net, self.trainer = self._inner.net, self._inner.trainer
        self._losses = losses
        self._first_lr = None

    def iteration(self, lr):
        if self._first_lr is None or lr <= self._first_lr:
            self._first_lr, self._rest = lr, iter(self._losses)
        return next(self._rest)


def linear(dataset, batch_size=16, cbs=None):
    mx.random.seed(1)
    net = mx.gluon.nn.Dense(3, in_units=5)
    return Learner(net, mx.gluon.data.DataLoader(dataset, batch_size), cbs=cbs)


def find(learner, **settings):
    return LRFinder(learner).find(progress=False, **settings)


def result_of(losses, reason=StopReason.DIVERGED, **settings):
    return LRFinderResult(LRS[: len(losses)], losses, reason, **settings)


# -- the sweep -------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_net_rate_and_optimizer_are_as_before(optimizer):
    searched, straight = (make_learner(optimizer=optimizer, learning_rate=0.05) for _ in range(2))
    for learner in (searched, straight):
        learner.iteration()
    find(searched, num_iter=30)
    assert searched.trainer.learning_rate == 0.05
    for learner in (searched, straight):
        learner.iteration()
    assert_same_arrays(weights(searched), weights(straight))


@pytest.mark.parametrize("num_iter", [2, 5, 50])
@pytest.mark.parametrize("end", [0.5, 3])
@pytest.mark.parametrize(("mode", "space"), [("geometric", np.geomspace), ("linear", np.linspace)])
def test_both_modes_reach_the_last_rate_in_as_many_steps(mode, space, end, num_iter):
    result = find(Written([1.0] * 60), lr_start=0.01, lr_end=end, num_iter=num_iter, mode=mode)
    np.testing.assert_allclose(result.lrs, space(0.01, end, num_iter))
    assert result.reason is StopReason.REACHED_END


def test_a_search_goes_on_past_the_end_of_a_loader_of_few_batches():
    loader = mx.gluon.data.DataLoader(make_dataset(40), 16)
    assert len(find(Learner(make_learner().net, loader), num_iter=30, lr_end=0.1)) == 30


def test_adding_up_two_batches_is_one_of_twice_the_size():
    halves = linear(make_dataset(128), 16, cbs=GradientAccumulation(batches=2))
    wholes = linear(make_dataset(128), 32)
    added_up, at_once = (
        find(learner, num_iter=30, lr_start=1e-3, lr_end=1) for learner in (halves, wholes)
    )
    np.testing.assert_allclose(added_up.losses, at_once.losses, rtol=1e-4)


def test_held_out_data_is_watched_instead():
    held_out = [(nd.ones((4, 5)), nd.array([0, 1, 2, 0]))]
    learner = linear(make_dataset(64))
    result = find(learner, num_iter=10, lr_start=1e-9, lr_end=1e-8, validation=held_out)
    np.testing.assert_allclose(result.losses, learner.validate(held_out)["valid_loss"], rtol=1e-4)


# -- the threshold ---------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [1.5, 4, np.float32(4)])
def test_a_number_is_how_many_times_the_best_ends_the_search(threshold):
    losses = [1.0] * 20 + [2.0, 4, 8, 16, 32, 64, 128, 256, 512]
    by_number, by_name = (
        find(Written(losses), num_iter=len(losses), stop=stop)
        for stop in (threshold, AboveBest(float(threshold)))
    )
    assert list(by_number) == list(by_name)
    assert by_number.reason is StopReason.DIVERGED
    assert by_number.losses[-1] == (8 if threshold == 1.5 else 64)


def test_without_a_threshold_that_is_met_the_search_ends_at_its_last_rate():
    result = find(Written([1.0] * 20 + [50.0] * 10), num_iter=30, stop=1e9)
    assert (len(result), result.reason) == (30, StopReason.REACHED_END)


@pytest.mark.parametrize(("rise", "at"), [(0.2, 23), (1, 25), (4, 27)])
def test_diverged_takes_a_share_of_the_first_loss(rise, at):
    losses = [1.0] * 20 + [1.0 + 0.2 * 2.0**n for n in range(10)]
    result = find(Written(losses), num_iter=30, stop=Diverged(smoothing=0, rise=rise))
    assert (len(result), result.reason) == (at, StopReason.DIVERGED)


# -- criteria of one's own -------------------------------------------------------------------------


class OfATutorial:
    """A criterion in the way of MXNet's tutorial: told losses, with a memory."""

    def __init__(self, times=2, min_iter=10):
        self.times, self.min_iter = times, min_iter
        self.first_loss, self.counter, self.told = None, 0, []

    def __call__(self, loss):
        self.counter += 1
        self.told.append(float(loss))
        if self.first_loss is None:
            self.first_loss = loss
        return loss > self.times * self.first_loss and self.counter >= self.min_iter


class OursOfALoss(LRFinderStoppingCriteria):
    def __call__(self, loss):
        return super().__call__(loss) or loss > 5


class OursOfAState(Diverged):
    def __call__(self, state):
        return len(state.lrs) > 14 and state.losses[-1] > 5


RISING = [4.0, 3.0, 2.0, 1.0] * 3 + [3.0, 7.0, 4.0] + [9.0] * 15


@pytest.mark.parametrize(
    ("stop", "at"),
    [
        (OfATutorial(), 16),
        (OfATutorial() | MaxIterations(13), 13),
        (OfATutorial() & MaxIterations(18), 18),
        (lambda loss: loss > 5, 14),
        (lambda state: sum(state.losses) > 35, 14),
        (OursOfALoss(), 14),
        (OursOfAState(), 16),
    ],
)
def test_a_criterion_is_asked_with_a_loss_that_is_a_state(stop, at):
    assert len(find(Written(RISING), num_iter=30, stop=stop)) == at


def test_a_criterion_with_a_memory_begins_anew_in_each_sweep_and_keeps_the_last():
    alone, combined = OfATutorial(), OfATutorial()
    told = combined.told
    for stop in (alone, combined | MaxIterations(25)):
        result = find(Written(RISING), num_iter=30, stop=stop, repeats=3)
        assert [len(run) for run in result.runs] == [16, 16, 16]
    for criterion in (alone, combined):
        assert (criterion.counter, criterion.first_loss) == (16, 4)
    assert combined.told is told
    assert told == RISING[:16]


def test_a_loss_that_was_kept_can_be_pickled():
    stop = OfATutorial()
    find(Written(RISING), num_iter=30, stop=stop)
    again = pickle.loads(pickle.dumps(stop))
    assert (again.first_loss, again.first_loss.losses) == (4, RISING[:16])


# -- what comes of it ------------------------------------------------------------------------------


def test_results_are_a_list_of_pairs():
    finder = LRFinder(make_learner())
    with pytest.raises(RuntimeError, match=r"LRFinder: no results yet; call find\(\) first"):
        _ = finder.results
    result = finder.find(num_iter=10, lr_end=0.1, progress=False)
    assert finder.results == list(result)
    assert [tuple(pair) for pair in json.loads(json.dumps(finder.results))] == finder.results
    lrs, losses = zip(*finder.results)
    assert (lrs, losses) == (tuple(result.lrs), tuple(result.losses))


@pytest.mark.parametrize("length", [None, 1000])
def test_a_suggestion_without_points_at_the_ends(length):
    result = result_of(LOSSES, length=length)
    assert result.suggest() == result.suggestion
    shorter = LRFinderResult(LRS[5:-30], LOSSES[5:-30], StopReason.STOPPED, length=length)
    assert result.suggest(skip_begin=5, skip_end=30) == pytest.approx(shorter.suggestion)
    assert result.suggest(5, 30) != result.suggestion
    assert result.suggest(70, 70) is None
    assert result.suggest(1000, 1000) is None


def test_points_to_skip_are_those_of_the_search_that_suggests():
    refined = result_of(LOSSES)
    result = result_of(np.ones(150), refined=refined)
    assert result.suggest(3, 9) == refined.suggest(3, 9)


@pytest.mark.parametrize("name", ["skip_begin", "skip_end"])
def test_points_to_skip_are_counted(name):
    with pytest.raises(ValueError, match=f"LRFinderResult.suggest: `{name}` must be .* got -1"):
        result_of(LOSSES).suggest(**{name: -1})
    with pytest.raises(TypeError, match=f"`{name}` must be an integer of at least 0, got 0.5"):
        result_of(LOSSES).suggest(**{name: 0.5})


def test_a_plot_leaves_out_points_at_the_ends_and_can_be_shown(monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(True))
    finder = LRFinder(make_learner())
    result = finder.result = result_of(LOSSES)
    _, ax = plt.subplots()
    assert finder.plot(ax=ax, skip_start=10, skip_end=5) is ax
    for line in ax.lines[:2]:
        np.testing.assert_array_equal(line.get_xdata(), LRS[10:-5])
    assert not shown
    result.plot(show=True)
    assert shown == [True]
    assert not len(result.plot(skip_start=200).lines[0].get_xdata())
    with pytest.raises(ValueError, match=r"plot: `skip_end` must be an integer of at least 0"):
        finder.plot(skip_end=-1)
    plt.close("all")


# -- losses that are not finite --------------------------------------------------------------------


def with_a_bad_batch(every_batch=False):
    data, label = make_dataset(80)[:]
    data = np.array(data)
    data[slice(None) if every_batch else 20] = np.nan
    return linear(mx.gluon.data.ArrayDataset(data, label))


def test_a_bad_batch_ends_a_search_or_is_skipped():
    result = find(with_a_bad_batch(), num_iter=60)
    assert (len(result), result.refusal) == (2, Refusal.NOT_FINITE_SOON)
    skipped = find(with_a_bad_batch(), num_iter=120, not_finite="skip")
    bad = np.isnan(skipped.losses)
    assert np.flatnonzero(bad).tolist() == list(range(1, len(skipped), 5))
    without = LRFinderResult(skipped.lrs[~bad], skipped.losses[~bad], skipped.reason, 120)
    assert skipped.suggestion is not None
    assert skipped.suggestions == without.suggestions
    assert LRFinderResult.from_json(skipped.to_json()).suggestions == without.suggestions


def test_a_search_that_skipped_refines_what_it_found():
    result = find(with_a_bad_batch(), num_iter=120, not_finite="skip", refine=True)
    assert np.isnan(result.refined.losses).any()


@pytest.mark.parametrize(("losses", "count"), [([1.0], 9), ([np.nan] * 2, 2)])
def test_two_losses_in_a_row_that_are_not_finite_end_it_all_the_same(losses, count):
    learner = Written([*losses, np.nan, 1.0, np.inf, 1.0, np.nan, 1.0, np.nan, np.inf, 1.0])
    asked = []
    result = find(learner, num_iter=11, not_finite="skip", stop=lambda loss: asked.append(loss))
    assert (len(result), result.reason) == (count, StopReason.NOT_FINITE)
    assert np.isfinite(asked).all()


def test_skipping_changes_nothing_where_all_losses_are_finite():
    plain, skipping = (find(make_learner(), not_finite=way) for way in ("stop", "skip"))
    assert plain == skipping


# -- refusals --------------------------------------------------------------------------------------


def test_a_loss_that_was_never_finite_is_told_from_a_short_search():
    result = find(with_a_bad_batch(every_batch=True))
    assert result.refusal is Refusal.NOT_FINITE
    assert "the loss was not finite from the first iteration" in repr(result)


@pytest.mark.parametrize(
    ("settings", "refusal", "reason"),
    [
        ({"stop": lambda loss: True}, Refusal.STOPPED_SOON, StopReason.STOPPED),
        ({"stop": 1.5}, Refusal.TOO_SHORT, StopReason.DIVERGED),
        ({"stop": 1e9, "num_iter": 9}, Refusal.TOO_SHORT, StopReason.REACHED_END),
    ],
)
def test_a_short_search_blames_the_callers_criterion_only_where_there_was_one(
    settings, refusal, reason
):
    result = find(Written([1.0, 9.0] * 30), **settings)
    assert (result.refusal, result.reason) == (refusal, reason)


def test_a_trained_net_is_not_told_to_look_at_its_labels():
    trained = result_of(0.01 + np.r_[np.zeros(100), np.linspace(0, 1, 50) ** 2])
    assert trained.refusal is Refusal.RISING
    assert "already trained" in repr(trained)
    assert "a fraction of the rate" in trained._repr_html_()


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (
            "the criterion given as `stop` ended the search before 20 points",
            Refusal.STOPPED_SOON,
        ),
        (
            "the loss rises and has not fallen before, as where a net is trained already",
            Refusal.RISING,
        ),
        ("the loss falls by no more than it scatters", Refusal.NOISE),
        ("no trial ended below the loss that it began at", Refusal.NOT_LEARNT),
    ],
)
def test_the_words_of_0_1_0_are_read(words, refusal):
    assert Refusal(words) is refusal
    with pytest.raises(ValueError, match="is not a valid Refusal"):
        Refusal(f"not {words}")


@pytest.mark.parametrize("refusal", Refusal)
def test_each_refusal_has_a_remedy(refusal):
    assert refusal.remedy.endswith(".")


# -- noise -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [300, 20, 1e-3])
@pytest.mark.parametrize("at", range(10))
def test_one_outlying_loss_at_the_start_moves_a_search_little(at, times):
    noise = 1 + 0.02 * np.random.RandomState(0).randn(150)
    plain = find(Written(LOSSES * noise), lr_end=LRS[-1])
    losses = LOSSES * noise
    losses[at] *= times
    moved = find(Written(losses), lr_end=LRS[-1])
    assert moved.reason is plain.reason is StopReason.DIVERGED
    assert abs(np.log10(moved.suggestion / plain.suggestion)) < 0.1


# -- a tune ----------------------------------------------------------------------------------------


class Steeper:
    def __call__(self, rate):
        return one_cycle(rate, div=100, moms=())


@pytest.mark.parametrize(
    ("policy", "name"),
    [(functools.partial(one_cycle, div=100, moms=()), "one_cycle"), (Steeper(), "Steeper")],
)
def test_a_tune_takes_what_can_be_called_as_its_policy(policy, name):
    results = [
        LRFinder(make_learner()).tune(20, 40, policy=one, progress=False)
        for one in (policy, Steeper())
    ]
    assert results[0].policy == name
    assert results[0].suggestion == results[1].suggestion


def test_a_tune_has_no_points_to_skip():
    finder = LRFinder(make_learner())
    finder.tune(20, 0, progress=False)
    with pytest.raises(ValueError, match="`skip_end` must be 0 after a tune"):
        finder.plot(skip_end=5)

"""ParamScheduler and LRFinder as fastai has them: callbacks of a fit, to be overridden."""

import warnings

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, weights
from fits import BATCHES, StopAfter, assert_same_state, make_learner, state
from test_no_trace import after_training, assert_the_same, make, train, without

from gluon_lr import (
    Callback,
    CancelBatchException,
    CosineScheduler,
    EarlyStoppingCallback,
    GradientAccumulation,
    LRFinder,
    ParamScheduler,
    SchedCos,
    SchedExp,
    SchedLin,
)

CURVES = {"lr": SchedLin(0.1, 0.2), "mom": SchedCos(0.95, 0.85)}


class Passing(ParamScheduler):
    """Does what its base does, written as on fastai's pages."""

    def before_fit(self):
        super().before_fit()
        self.seen = [self.learn.n_epoch]

    def before_batch(self):
        super().before_batch()
        self.seen.append(round(self.learn.pct_train, 6))

    def after_batch(self):
        super().after_batch()

    def after_fit(self):
        super().after_fit()


class Halving(ParamScheduler):
    """Gives half of what the curves say, written as ours."""

    def before_batch(self, learner=None):
        super().before_batch(learner)
        learner.opt.set_hyper("lr", learner.trainer.learning_rate / 2)


class At(ParamScheduler):
    """Overrides what is no event."""

    def at(self, n):
        return {"lr": 0.01 * n}


class OfARate(ParamScheduler):
    """Overrides nothing: makes its own curves."""

    def __init__(self, lr):
        super().__init__({"lr": SchedLin(0, lr)})


def trained(cbs, n_epoch=2, **more):
    """Return a learner after a fit, and its state then."""
    learner = make_learner(**more)
    learner.fit(n_epoch, cbs=cbs)
    return learner, state(learner)


# -- ParamScheduler ----------------------------------------------------------------------------


def test_what_overrides_and_passes_on_trains_as_what_does_not():
    own = Passing(CURVES)
    learner, ended = trained(own)
    assert own.seen == [2, *(n / 8 for n in range(8))]
    assert own.hps["lr"] == learner.recorder.lrs.tolist()
    assert_same_state(ended, trained(ParamScheduler(CURVES))[1])
    assert own.learn is None


def test_it_can_be_given_to_fit_after_fit():
    ended = []
    for scheduler in (Passing(CURVES), ParamScheduler(CURVES)):
        learner = make_learner()
        learner.fit(1, cbs=scheduler)
        learner.fit(1, cbs=scheduler)
        ended.append(state(learner))
    assert_same_state(*ended)


def test_what_an_override_gives_is_what_the_trainer_uses():
    ended = trained(Halving({"lr": SchedLin(0.1, 0.2)}))[1]
    assert_same_state(ended, trained(ParamScheduler({"lr": SchedLin(0.05, 0.1)}))[1])


def test_an_override_of_something_else_counts_too():
    learner = trained(At({"lr": SchedLin(0, 0)}))[0]
    np.testing.assert_allclose(learner.recorder.lrs, 0.01 * np.arange(1, 9))


def test_a_class_that_only_makes_its_curves_is_remembered():
    learner = make_learner()
    with pytest.raises(KeyboardInterrupt):
        learner.fit(2, cbs=[OfARate(0.4), StopAfter(3)])
    learner.resume()
    np.testing.assert_allclose(learner.recorder.lrs, [0.05 * n for n in range(8)])


def test_each_group_has_its_own_curve():
    curves = {"lr": [SchedLin(0.1, 0.2), SchedLin(0.2, 0.4)]}
    learner, ended = trained(Passing(curves))
    assert_same_state(ended, trained(ParamScheduler(curves))[1])
    assert np.ptp(learner.recorder.group_hps["lr"][0]) > 0


def test_momentum_is_corrected_where_the_learner_asks_for_it():
    more = {"momentum_correction": True}
    ended = trained(Passing(CURVES), **more)[1]
    assert_same_state(ended, trained(ParamScheduler(CURVES), **more)[1])
    assert not np.array_equal(ended[0][0], trained(Passing(CURVES))[1][0][0])


def test_batches_that_are_added_up_share_a_value():
    rates = trained([GradientAccumulation(2), Passing(CURVES)], 4)[0].recorder.lrs
    assert len(rates) == 2 * BATCHES
    np.testing.assert_allclose(rates[1:], (0.1 + 0.1 * np.arange(8) / 8)[1:])


def test_the_trainer_has_its_own_values_afterwards():
    learner = make_learner()
    own = learner.trainer.learning_rate, learner.trainer.optimizer.momentum

    class Breaks(Passing):
        def after_batch(self):
            raise KeyError("mine")

    for scheduler in (Passing(CURVES), Breaks(CURVES)):
        try:
            learner.fit(1, cbs=scheduler)
        except KeyError:
            assert isinstance(scheduler, Breaks)
        assert (learner.trainer.learning_rate, learner.trainer.optimizer.momentum) == own


def test_a_fit_that_was_interrupted_asks_for_it_again(tmp_path):
    straight = trained(Passing(CURVES), 3)[1]
    learner = make_learner()
    with pytest.raises(KeyboardInterrupt):
        learner.fit(3, cbs=[Passing(CURVES), StopAfter(6)])
    learner.save(tmp_path / "run")
    for one in (learner, make_learner()):
        one.load(tmp_path / "run")
        with pytest.raises(RuntimeError, match="has not kept its curves for lr, mom"):
            one.resume()
        with pytest.raises(ValueError, match="that do not set wd, for which the fit has"):
            more = {**CURVES, "wd": SchedLin(0, 0)}
            one.resume(cbs=ParamScheduler(more))
        one.resume(cbs=Passing(CURVES))
        assert_same_state(state(one), straight)


def test_curves_that_no_file_can_hold_are_given_again(tmp_path):
    curve = {"lr": lambda position: 0.1 + 0.1 * position}
    straight = trained(ParamScheduler(curve), 3)[1]
    learner = make_learner()
    with pytest.raises(KeyboardInterrupt):
        learner.fit(3, cbs=[ParamScheduler(curve), StopAfter(6)])
    learner.save(tmp_path / "run")
    other = make_learner()
    other.load(tmp_path / "run")
    other.resume(cbs=ParamScheduler(curve))
    assert_same_state(state(other), straight)


@pytest.mark.parametrize(
    ("cbs", "message"),
    [
        ([Passing(CURVES), ParamScheduler(CURVES)], "of which only one sets lr, mom"),
        ([LRFinder(), Passing(CURVES)], "of which only one sets lr,"),
        (Passing(CURVES, length=3), "with curves only"),
        (Passing({"beta1": SchedLin(0, 1)}), "a hyper-parameter of SGD"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_done(cbs, message):
    learner = make_learner()
    before = weights(learner)
    with pytest.raises(ValueError, match=message):
        learner.fit(1, cbs=cbs)
    with pytest.raises(ValueError, match="callbacks that do not set lr, which fit sets"):
        learner.fit(1, 0.1, cbs=LRFinder())
    assert_same_arrays(weights(learner), before)


# -- LRFinder ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ctx", [ONE, TWO])
@pytest.mark.parametrize(("optimizer", "before"), [("momentum", 0), ("momentum", 3), ("adam", 3)])
def test_a_search_by_a_fit_leaves_no_trace(ctx, optimizer, before):
    settings = {"ctx": ctx, "optimizer": optimizer}
    learner = make(**settings)
    learner.progress = False
    train(learner, before)
    learner.fit(9, cbs=LRFinder(num_it=30))
    assert_the_same(after_training(learner), without(before, **settings))


def test_an_override_that_forgets_its_base_is_told():
    class Forgets(LRFinder):
        def before_fit(self):
            self.mine = 1

    class ForgetsToo(ParamScheduler):
        def before_fit(self):
            self.mine = 1

    for cbs in (Forgets(), ForgetsToo(CURVES)):
        with pytest.raises(RuntimeError, match=r"call super\(\)\.before_fit\(\) in"):
            make_learner().fit(1, cbs=cbs)


def test_no_fit_is_resumed_as_a_search():
    learner = make_learner()
    with pytest.raises(KeyboardInterrupt):
        learner.fit(2, cbs=[Passing(CURVES), StopAfter(3)])
    with pytest.raises(ValueError, match="callbacks without an LRFinder, which turns a fit"):
        learner.resume(cbs=LRFinder())


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [1, 5])
def test_nor_does_one_that_is_broken_off(error, at):
    class Breaks(Callback):
        left = at

        def after_batch(self):
            self.left -= 1
            if not self.left:
                raise error

    learner = make()
    learner.progress = False
    train(learner, 3)
    recorder = learner.recorder
    with pytest.raises(error):
        learner.fit(9, cbs=[LRFinder(num_it=30), Breaks()])
    assert learner.recorder is recorder
    assert_the_same(after_training(learner), without(3))


def test_it_finds_what_lr_find_finds():
    learner, other = make_learner(data="endless"), make_learner(data="endless")
    finder = LRFinder(1e-5, 1, 40, False)
    learner.fit(20, cbs=finder)
    result = other.lr_find(1e-5, 1, 40, False, show_plot=False).result
    np.testing.assert_allclose(finder.result.lrs, result.lrs, rtol=1e-12)
    np.testing.assert_allclose(finder.result.losses, result.losses, rtol=1e-6)
    assert finder.result.reason == result.reason
    assert finder.result.interval == pytest.approx(result.interval, rel=1e-3)
    assert finder.result.usual == result.usual
    assert learner.recorder.search is finder.result
    assert learner.recorder.lrs.tolist() == [SchedExp(1e-5, 1)(i / 40) for i in range(40)]
    assert len(learner.recorder.values[0]) == 1  # nothing was validated
    assert finder.plot().lines


def test_it_ends_where_the_loss_diverges_and_with_the_epochs():
    learner = make_learner()
    finder = LRFinder(1e-3, 1e6, 40)
    learner.fit(20, cbs=finder)
    assert len(finder.result) < 40
    short = LRFinder(num_it=100)
    learner.fit(2, cbs=short)
    assert len(short.result) == 2 * BATCHES
    assert short.result.num_iter == 100


def test_its_events_are_overridden_as_on_the_page():
    class Warmer(LRFinder):
        def before_batch(self):
            super().before_batch()
            self.learn.opt.set_hyper("lr", 2 * self.learn.trainer.learning_rate)

        def before_validate(self):
            self.left_out = True
            super().before_validate()

    learner, finder = make_learner(), Warmer(1e-4, 1e-2, 12, False)
    learner.fit(9, cbs=finder)
    np.testing.assert_allclose(
        finder.result.lrs, [2 * SchedExp(1e-4, 1e-2)(i / 12) for i in range(12)]
    )
    assert finder.left_out


def test_an_interrupted_fit_goes_on_after_a_search():
    straight = make_learner()
    straight.fit_one_cycle(3, 0.1)
    ended = state(straight)
    learner = make_learner()
    with pytest.raises(KeyboardInterrupt):
        learner.fit_one_cycle(3, 0.1, cbs=StopAfter(6))
    losses = learner.recorder.losses
    learner.fit(2, cbs=LRFinder(num_it=8))
    assert len(learner.recorder.losses) == 8  # those of the search, until training goes on
    learner.lr_find(num_it=10, show_plot=False)
    assert len(learner.recorder.lrs) == 10
    assert_same_arrays([np.array(learner.recorder.last_losses(6))], [losses])
    learner.resume()
    assert_same_state(state(learner), ended)


def test_a_finder_is_made_of_a_learner_or_of_rates():
    learner = make_learner()
    assert LRFinder(learner).learner is LRFinder(learner=learner).learner is learner
    assert LRFinder(1e-3).start_lr == LRFinder(start_lr=1e-3).start_lr == 1e-3
    assert LRFinder([1e-3, 1e-2], [1, 10]).end_lr == [1, 10]
    with pytest.raises(RuntimeError, match=r"LRFinder\(learner\)\.find\(\), or as in fastai"):
        LRFinder(num_it=100).find()
    with pytest.raises(RuntimeError, match="no learner to search with"):
        LRFinder().tune(10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_it": 1}, "`num_it` must be an integer of at least 2"),
        ({"stop_div": 1}, "`stop_div` must be a finite number above 1"),
        ({"stop_div": "no"}, "`stop_div` must be a finite number above 1"),
        ({"start_lr": "a"}, "`start_lr` must be"),
        ({"start_lr": 0}, "`start_lr` must be a finite number above 0"),
        ({"start_lr": 1, "end_lr": 0.5}, "`end_lr` must be a finite number above 1"),
        ({"start_lr": [1e-3, 1e-3, 1e-3]}, "one number for each of 2 groups"),
    ],
)
def test_bad_bounds_are_refused(arguments, message):
    learner = make_learner()
    before = weights(learner)
    with pytest.raises((TypeError, ValueError), match=message):
        learner.fit(1, cbs=LRFinder(**arguments))
    with pytest.raises((TypeError, ValueError), match=message):
        learner.lr_find(**arguments)
    assert_same_arrays(weights(learner), before)


@pytest.mark.parametrize(
    ("start", "end"), [([1e-8, 1e-7], [1, 10]), (slice(1e-8, 1e-7), slice(1, 10))]
)
def test_each_group_has_bounds_of_its_own(start, end):
    learner = make_learner()
    learner.fit(20, cbs=LRFinder(start, end, 40, False))
    by_group = learner.recorder.group_hps["lr"]
    for group, (first, last) in enumerate([(1e-8, 1), (1e-7, 10)]):
        expected = [SchedExp(first, last)(i / 40) for i in range(40)]
        np.testing.assert_allclose(by_group[:, group], expected, rtol=1e-12)
    result = make_learner().lr_find(start, end, 40, False, show_plot=False).result
    np.testing.assert_allclose(result.lrs, by_group[:, 1], rtol=1e-9)
    np.testing.assert_allclose(result.losses, learner.recorder.losses, rtol=1e-5)
    found = LRFinder(make_learner()).find(lr_start=start, lr_end=end, num_iter=40, progress=False)
    np.testing.assert_allclose(found.lrs[[0, -1]], [1e-7, 10])


def test_in_a_linear_search_too():
    seen = []

    class Noting(type(make_learner())):
        def _stepped(self, loss):
            seen.append([one.lr_mult * self.trainer.learning_rate for one in self.trainer._params])
            super()._stepped(loss)

    learner = make_learner()
    learner.__class__ = Noting
    own = [one.lr_mult for one in learner.trainer._params]
    settings = {"num_iter": 5, "mode": "linear", "progress": False}
    LRFinder(learner).find(lr_start=[0.1, 0.2], lr_end=[0.5, 1.0], **settings)
    first, last = np.unique(seen[0]), np.unique(seen[-1])
    np.testing.assert_allclose(first, [0.1, 0.2])
    np.testing.assert_allclose(last, [0.5, 1.0])
    np.testing.assert_allclose(np.unique(seen[2]), [0.3, 0.6])
    assert [one.lr_mult for one in learner.trainer._params] == own


# -- how callbacks are told --------------------------------------------------------------------


def test_events_are_written_with_the_learner_or_without():
    heard = []

    class Ours(Callback):
        def after_epoch(self, learner):
            heard.append((learner, self.learn))

    class Fastais(Callback):
        def after_epoch(self):
            heard.append((None, self.learn))

    class Any(Callback):
        def after_epoch(self, *learner):
            heard.append((*learner, self.learn))

    learner = make_learner()
    learner.fit(1, cbs=[Ours(), Fastais(), Any()])
    assert heard == [(learner, learner), (None, learner), (learner, learner)]


def test_a_search_at_an_event_of_the_same_callback_is_told_apart():
    class Searching(Callback):
        events = ()

        def after_epoch(self):
            with warnings.catch_warnings():
                self.events += (self.learn,)
                LRFinder(self.learn).find(num_iter=3, progress=False)
                self.events += (self.learn,)

    learner, callback = make_learner(), Searching()
    learner.fit(1, cbs=callback)
    assert callback.events == (learner, learner)


# -- what others move, or call off -------------------------------------------------------------


def test_a_rate_that_the_fit_moves_is_not_set_in_silence():
    class Sets(Callback):
        def before_batch(self):
            self.learn.opt.set_hyper("lr", 0.5)

    learner = make_learner()
    with pytest.raises(RuntimeError, match="the running fit sets lr before each update"):
        learner.fit(1, 0.1, cbs=Sets())
    assert learner.trainer.learning_rate == 0.01
    learner.fit(1, cbs=Sets())
    assert set(learner.recorder.lrs) == {0.5}


@pytest.mark.parametrize("event", ["before_fit", "before_epoch", "before_batch"])
def test_the_own_rate_is_that_of_before_the_fit(event):
    class Sets(Callback):
        pass

    setattr(Sets, event, lambda self, learner: learner.trainer.set_learning_rate(0.5))
    learner = make_learner()
    learner.fit(1, 0.1, cbs=Sets())
    assert learner.trainer.learning_rate == 0.01


def test_unfreezing_in_a_fit_keeps_the_count_of_a_scheduler_that_rests():
    class Unfreezes(Callback):
        def before_epoch(self):
            self.learn.unfreeze()

    learner = make_learner()
    learner.trainer.optimizer.lr_scheduler = CosineScheduler(100, base_lr=0.1)
    learner.fit(2)
    learner.fit(1, 0.1, cbs=Unfreezes())
    assert learner.trainer.optimizer.num_update == 3 * BATCHES


@pytest.mark.parametrize("searches", [False, True])
def test_what_is_frozen_while_gradients_are_added_up_writes_them_again(searches):
    class Freezes(Callback):
        def before_epoch(self):
            if len(self.learn.recorder.epochs) == 1:
                self.learn.freeze()

    learner = make_learner()
    own = [one.grad_req for one in learner.trainer._params]
    search = [LRFinder(num_it=10)] if searches else []
    learner.fit(3, cbs=[*search, Freezes(), GradientAccumulation(2)])
    learner.unfreeze()
    assert [one.grad_req for one in learner.trainer._params] == own


def test_a_search_that_notes_no_loss_rises_and_ends_all_the_same():
    class Blind(LRFinder):
        rates = ()

        def after_batch(self):
            self.rates += (self.learn.trainer.learning_rate,)

    learner, blind = make_learner(), Blind(1e-4, 1e-2, 20)
    learner.fit(3, cbs=blind)
    np.testing.assert_allclose(blind.rates, [SchedExp(1e-4, 1e-2)(i / 20) for i in range(12)])
    np.testing.assert_allclose(learner.recorder.lrs, blind.rates)


def test_a_search_whose_batches_are_called_off_ends():
    class Skips(Callback):
        def before_batch(self):
            raise CancelBatchException

    learner, finder = make_learner(), LRFinder(num_it=5)
    learner.fit(3, cbs=[finder, Skips()])
    assert len(finder.result) == 0


def test_curves_of_ones_own_make_the_search():
    class Linear(LRFinder):
        def __init__(self):
            super().__init__(1e-3, 1, 10, False)
            self.scheds = {"lr": SchedLin(1e-3, 1)}

    learner = make_learner()
    learner.fit(9, cbs=Linear())
    expected = [SchedLin(1e-3, 1)(i / 10) for i in range(10)]
    np.testing.assert_allclose(learner.recorder.lrs, expected)


def test_a_search_is_not_ended_early_and_tells_who_ended_it():
    stop = EarlyStoppingCallback(patience=1)
    learner = make_learner(cbs=stop)
    learner.fit(9, cbs=LRFinder(1e-9, 1e-8, 30))
    assert len(learner.recorder.lrs) == 30
    finder = LRFinder(1e-9, 1e-8, 30)
    learner.fit(2, cbs=finder)
    assert str(finder.result.reason) == "the fit ended"


class Noting(Callback):
    def after_epoch(self, learner):
        learner.noted = getattr(learner, "noted", 0) + 1


class Both(ParamScheduler, Noting):
    """Has an event of another base."""


def test_events_of_other_bases_and_of_the_object_itself_are_called():
    learner = make_learner()
    learner.fit(2, cbs=Both(CURVES))
    own = ParamScheduler(CURVES)
    own.after_epoch = lambda learner: Noting.after_epoch(None, learner)
    learner.fit(1, cbs=own)
    assert learner.noted == 3


@pytest.mark.parametrize("event", ["before_train", "after_pred", "after_cancel_fit"])
def test_events_that_are_none_here_are_refused(event):
    mine = type("Mine", (Callback,), {event: lambda self: None})
    with pytest.raises(ValueError, match=f"a callback without {event}, which gluon_lr does not"):
        make_learner().fit(1, cbs=mine())


@pytest.mark.parametrize("batches", [2, 4])
def test_a_curve_begins_at_its_start_where_batches_are_added_up(batches):
    for scheduler in (ParamScheduler, Passing):
        learner = make_learner()
        curves = scheduler({"lr": SchedLin(1, 0)})
        learner.fit(2, cbs=[curves, GradientAccumulation(batches)])
        updates = 2 * BATCHES // batches
        np.testing.assert_allclose(learner.recorder.lrs, 1 - np.arange(updates) / updates)

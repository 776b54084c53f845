"""A Learner by the names of fastai's pages, in the order of their arguments."""

import contextlib
import functools
import inspect

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, weights
from fits import BATCHES, assert_same_state, make_learner, state
from hypothesis import given, settings
from hypothesis import strategies as st

import gluon_lr
from gluon_lr import (
    FactorScheduler,
    Learner,
    LRFinder,
    LRFinderResult,
    ParamScheduler,
    SchedLin,
    StopReason,
    SuggestedLRs,
    one_cycle,
)
from gluon_lr._mxnet import mx, nd
from gluon_lr.finder.suggest import minimum, slide, steep, valley


def one_group(**more):
    net = mx.gluon.nn.Dense(3, in_units=5)
    batches = [(nd.array(np.random.randn(8, 5).astype("float32")), nd.zeros(8)) for _ in range(3)]
    learner = Learner(net, batches, **more)
    learner.progress = False
    return learner


# -- what it is read by ------------------------------------------------------------------------


@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_a_batch_to_look_at_moves_nothing_on(ctx):
    following = make_learner(ctx).iteration()
    learner = make_learner(ctx)
    inputs, labels = learner.dls.one_batch()
    assert inputs.shape == (16, 5)
    assert inputs.context == mx.cpu(0)
    loss = learner.loss_func(learner.model(inputs), labels)
    assert loss.shape in ((1,), ())
    expected = learner.loss(learner.net(inputs), labels).asnumpy().mean()
    assert float(loss.asnumpy()) == pytest.approx(expected)
    assert learner.iteration() == following


def test_the_data_are_the_learners_own():
    learner = make_learner()
    assert learner.dls.train is learner.data_loader
    assert learner.dls.valid is learner.valid_loader
    assert len(learner.dls.train) == BATCHES
    assert repr(learner.dls).startswith("DataLoaders(train=")


def test_a_loss_that_is_assigned_is_trained_with():
    learner, other = make_learner(), make_learner(loss=mx.gluon.loss.HingeLoss())
    for name in ("loss_func", "loss_fn"):
        setattr(learner, name, other.loss)
        assert learner.loss is learner.loss_fn is other.loss
    with pytest.raises(TypeError, match="`loss_fn` must be callable"):
        learner.loss_fn = 3
    assert learner.loss is other.loss
    own = one_group(compute_loss=lambda net, batch: net(batch[0]))
    for name in ("loss_func", "loss_fn"):
        with pytest.raises(ValueError, match="unchanged if compute_loss is given"):
            setattr(own, name, other.loss)


def test_the_rate_is_that_of_the_learner_while_a_fit_moves_it():
    class Noting(gluon_lr.Callback):
        seen = ()

        def after_batch(self):
            self.seen += ((self.learn.lr, self.learn.trainer.learning_rate),)

    learner, noting = make_learner(), Noting()
    assert learner.lr == 0.01
    learner.fit(1, 0.3, cbs=noting)
    assert noting.seen == ((0.01, 0.3),) * BATCHES
    assert learner.lr == 0.01


def test_epochs_and_the_place_in_a_fit():
    learner = make_learner()
    assert learner.n_epoch == 0
    with pytest.raises(RuntimeError, match="no fit is running"):
        learner.pct_train  # noqa: B018
    with learner.no_logging():
        assert not learner.progress
        learner.fit_sgdr(3, 1)
    assert learner.n_epoch == 7


def test_values_are_those_of_the_epochs():
    learner = make_learner()
    learner.fit(2)
    epochs = learner.recorder.epochs
    expected = [[one["train_loss"], one["valid_loss"], one["accuracy"]] for one in epochs]
    assert learner.recorder.values == expected


# -- the optimizer -----------------------------------------------------------------------------


def test_the_state_is_that_of_each_parameter():
    learner = make_learner(optimizer="adam")
    count = len(learner.trainer._params)
    assert learner.opt.state_dict()["state"] == [{}] * count
    learner.fit(1)
    states = learner.opt.state_dict()["state"]
    trained = [one for one in states if one]
    assert {frozenset(one) for one in trained} == {frozenset(["grad_avg", "sqr_avg", "step"])}
    assert {one["step"] for one in trained} == {BATCHES}
    updater = learner.trainer._updaters[0]
    for index, one in enumerate(states):
        if one:
            mean, squares = updater.states[index]
            assert_same_arrays(
                [one["grad_avg"].asnumpy(), one["sqr_avg"].asnumpy()],
                [mean.asnumpy(), squares.asnumpy()],
            )


def test_the_state_of_another_optimizer_goes_by_numbers():
    learner = make_learner()
    learner.fit(1)
    assert {tuple(one) for one in learner.opt.state_dict()["state"] if one} == {("state_0",)}
    plain = one_group()
    plain.fit(1)
    assert plain.opt.state_dict()["state"] == [{}, {}]


def test_hyper_parameters_are_read_and_set():
    learner = make_learner()
    assert [one["lr"] for one in learner.opt.hypers] == [0.01, 0.01]
    assert learner.opt.state_dict()["hypers"] == learner.opt.hypers
    learner.opt.set_hyper("mom", 0.5)
    assert learner.trainer.optimizer.momentum == 0.5
    with pytest.raises(ValueError, match="a hyper-parameter of SGD"):
        learner.opt.set_hyper("beta1", 0.5)
    assert "SGD" in repr(learner.opt)


def test_rates_by_group_are_set_in_place_of_each_other():
    learner = make_learner()
    own = [one.lr_mult for one in learner.trainer._params]
    for rates in ([0.1, 0.2], [0.3, 0.0], [0.1, 0.4]):
        learner.opt.set_hyper("lr", rates)
        assert [one["lr"] for one in learner.opt.hypers] == pytest.approx(rates)
        used = {round(one.lr_mult * learner.trainer.learning_rate, 9) for one in trained(learner)}
        assert used == set(rates)
    learner.fit(1, slice(0.01, 0.02))
    assert [one["lr"] for one in learner.opt.hypers] == pytest.approx([0.1, 0.4])
    learner.opt.set_hyper("lr", 0.5)
    assert [one.lr_mult for one in learner.trainer._params] == own


def trained(learner):
    return [one for one in learner.trainer._params if one.grad_req != "null"]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "nadam", "rmsprop"])
@pytest.mark.parametrize("ctx", [ONE, TWO])
@pytest.mark.parametrize("way", ["reset_opt", "clear_state"])
def test_an_optimizer_that_begins_anew_is_as_a_new_one(optimizer, ctx, way):
    learner = make_learner(ctx, optimizer)
    learner.fit(2, 0.05)
    fresh = make_learner(ctx, optimizer)
    for own, other in zip(learner.trainer._params, fresh.trainer._params):
        for array, value in zip(other.list_data(), own.list_data()):
            array[:] = value
    if way == "clear_state":
        learner.opt.clear_state()
    np.random.seed(0)
    learner.fit(1, 0.05, reset_opt=way == "reset_opt")
    np.random.seed(0)
    fresh.fit(1, 0.05)
    for own, other in zip(learner.trainer._params, fresh.trainer._params):
        if own.grad_req != "null":  # what is none begins with the first context's on both
            assert_same_arrays([own.data().asnumpy()], [other.data().asnumpy()])
    assert learner.trainer.optimizer.num_update == fresh.trainer.optimizer.num_update == BATCHES


FITS = ["fit", "fit_one_cycle", "fit_flat_cos", "fit_sgdr", "fine_tune"]


@pytest.mark.parametrize("name", FITS)
def test_each_fit_takes_reset_opt(name):
    learner = make_learner(optimizer="adam")
    learner.fit(2)
    epochs = (2, 1) if name == "fit_sgdr" else (3,)
    getattr(learner, name)(*epochs, reset_opt=True)
    assert learner.trainer.optimizer.num_update == 3 * BATCHES
    with pytest.raises(TypeError, match="`reset_opt` must be True or False, got 2"):
        getattr(learner, name)(*epochs, reset_opt=2)
    assert learner.trainer.optimizer.num_update == 3 * BATCHES


# -- freezing ----------------------------------------------------------------------------------


def states_of(learner):
    return learner.trainer._updaters[0].states


@pytest.mark.parametrize("action", ["freeze", "unfreeze"])
def test_freezing_clears_what_the_optimizer_remembers_as_fastai_does(action):
    learner = make_learner(optimizer="adam")
    learner.fit(1)
    assert states_of(learner)
    getattr(learner, action)()
    assert not states_of(learner)
    assert learner.trainer.optimizer.num_update == 0


def test_but_not_where_an_lr_scheduler_counts():
    schedule = FactorScheduler(100, 0.5, base_lr=0.1)
    learner = one_group(optimizer="adam", optimizer_params={"lr_scheduler": schedule})
    learner.fit(1)
    learner.unfreeze()
    assert states_of(learner)
    assert learner.trainer.optimizer.num_update == 3


def test_with_one_group_nothing_is_frozen_and_one_warning_says_so():
    learner = one_group()
    with pytest.warns(UserWarning, match="nothing is frozen, because all parameters") as caught:
        learner.freeze()
    assert [one.filename for one in caught] == [__file__]
    assert {one.grad_req for one in learner.trainer._params} == {"write"}
    before = weights(learner)
    with pytest.warns(UserWarning, match="nothing is frozen") as caught:
        learner.fine_tune(1)
    assert [one.filename for one in caught if "frozen" in str(one.message)] == [__file__]
    assert not np.array_equal(weights(learner)[0], before[0])
    assert len(learner.recorder) == 3


def test_fine_tune_without_a_frozen_part_is_its_second_part():
    learner = make_learner()
    learner.fine_tune(2, freeze_epochs=0)
    by_hand = make_learner()
    by_hand.fit_one_cycle(2, slice(1e-3 / 100, 1e-3), div=5, pct_start=0.3)
    assert_same_arrays(weights(learner), weights(by_hand))
    own = make_learner()
    own.fine_tune(2, freeze_epochs=0, lr_max=[0.1, 0.2])
    np.testing.assert_allclose(own.recorder.group_hps["lr"].max(axis=0), [0.1, 0.2], rtol=0.1)
    with pytest.raises(ValueError, match="`lr_max` must be a number, a slice, or one number for"):
        own.fine_tune(1, lr_max=[0.1])


def test_fine_tune_begins_each_part_with_an_optimizer_anew():
    learner = make_learner(optimizer="adam")
    learner.fit(1)
    learner.fine_tune(2)
    assert learner.trainer.optimizer.num_update == 2 * BATCHES
    parts = make_learner(optimizer="adam")
    parts.fit(1)
    parts.freeze()
    parts.fit_one_cycle(1, slice(2e-3), pct_start=0.99)
    parts.unfreeze()
    parts.fit_one_cycle(2, slice(1e-3 / 100, 1e-3), div=5, pct_start=0.3)
    assert_same_arrays(weights(learner), weights(parts))


# -- the order of arguments --------------------------------------------------------------------

ORDERS = {
    "fit": "n_epoch lr wd cbs reset_opt start_epoch",
    "fit_one_cycle": "n_epoch lr_max div div_final pct_start wd moms cbs reset_opt start_epoch",
    "fit_flat_cos": "n_epoch lr div_final pct_start wd cbs reset_opt start_epoch",
    "fit_sgdr": "n_cycles cycle_len lr_max cycle_mult cbs reset_opt wd start_epoch",
    "fine_tune": "epochs base_lr freeze_epochs lr_mult pct_start div lr_max div_final wd moms cbs "
    "reset_opt",
    "lr_find": "start_lr end_lr num_it stop_div show_plot suggestions wd suggest_funcs",
}


@pytest.mark.parametrize("name", ORDERS)
def test_arguments_are_in_fastais_order(name):
    names = [*inspect.signature(getattr(Learner, name)).parameters][1:]
    assert " ".join(one for one in names if one != "seconds") == ORDERS[name]


def test_what_another_version_has_at_a_place_is_refused():
    learner = make_learner()
    with pytest.raises(TypeError, match=r"`show_plot` must be True or False, got 0.01. .*wd="):
        learner.lr_find(1e-7, 10, 100, True, 0.01)
    with pytest.raises(TypeError, match="`show_plot` must be True or False, got None"):
        learner.lr_find(1e-7, 10, 100, True, None)
    with pytest.raises(TypeError, match="`wd` must be a finite number"):
        gluon_lr.finder.lr_find(learner, 1e-7, 10, 100, True, False)
    with pytest.raises(TypeError, match="`cbs` must be a Callback"):
        learner.fit_sgdr(1, 1, 0.1, 2, 0.01)
    with pytest.raises(TypeError, match="positional"):
        learner.recorder.plot_lr_find(5, True)
    found = learner.lr_find(1e-5, 10, 60, False, False, (valley, slide))
    assert found._names == ("valley", "slide")


# -- lr_find -----------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def curve():
    lrs = np.logspace(-6, 1, 100)
    losses = 1 / (1 + (lrs / 0.01) ** 2) + (lrs / 1) ** 2 + 0.01 * np.sin(np.arange(100))
    return LRFinderResult(lrs, losses, StopReason.DIVERGED)


RULES = {"minimum": minimum, "steep": steep, "valley": valley, "slide": slide}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(sorted(RULES)), min_size=1, unique=True), st.booleans())
def test_the_rules_that_are_asked_for_are_there_by_name(asked, by_text):
    from gluon_lr.learner.lr_find import named_functions

    functions = asked if by_text else [RULES[name] for name in asked]
    found = SuggestedLRs.of(curve(), named_functions(functions))
    expected = curve().suggestions
    assert tuple(found) == tuple(expected[name] for name in asked)
    for name in RULES:
        assert getattr(found, name) == expected[name]
    assert (found.lr_min, found.lr_steep) == (expected["minimum"], expected["steep"])
    assert repr(found).startswith(f"SuggestedLRs({asked[0]}=")


def test_two_values_by_default_and_the_newer_names_beside():
    found = SuggestedLRs.of(curve())
    lr_min, lr_steep = found
    assert (lr_min, lr_steep) == (found.minimum, found.steep) == (found.lr_min, found.lr_steep)
    assert found.valley == curve().suggestions["valley"]
    with pytest.raises(AttributeError, match="no suggestion 'middle', only lr_min, lr_steep"):
        found.middle  # noqa: B018


def middle(lrs, losses, num_it):
    """Suggest as fastai's own functions do: a rate, and its point."""
    place = len(lrs) // 2
    return lrs[place], (lrs[place], losses[place])


def test_a_rule_of_ones_own_is_asked_as_fastai_asks():
    learner = make_learner()
    found = learner.lr_find(num_it=60, show_plot=False, suggest_funcs=(valley, middle))
    window = found.result.lrs[6:-5]
    assert found.middle == found[1] == window[len(window) // 2]
    single = make_learner().lr_find(num_it=60, show_plot=False, suggest_funcs=middle)
    assert len(single) == 1


@pytest.mark.parametrize(
    ("funcs", "message"),
    [
        ("best", "`suggest_funcs` must be one of 'minimum', 'steep', 'valley', 'slide'"),
        (3, "not iterable"),
        ([3], "`suggest_funcs` must be functions of"),
        ([valley, "valley"], "functions with different names"),
    ],
)
def test_bad_rules_are_refused_before_the_search(funcs, message):
    learner = make_learner()
    before = learner.recorder
    with pytest.raises((TypeError, ValueError), match=message):
        learner.lr_find(suggest_funcs=funcs)
    assert learner.recorder is before
    assert before.search is None


def test_a_number_for_stop_div_is_how_many_times_the_best():
    ends = []
    for stop_div in (1.5, True, 8, False):
        result = make_learner().lr_find(1e-2, 1e2, 60, stop_div, show_plot=False).result
        ends.append(len(result))
    assert ends[0] < ends[1] <= ends[2] < ends[3]


def test_the_function_tells_the_recorder_and_takes_a_weight_decay():
    learner = make_learner()
    by_method = make_learner().lr_find(1e-4, 1, 30, wd=0.3, show_plot=False).result
    result = gluon_lr.finder.lr_find(learner, 1e-4, 1, 30, True, 0.3, progress=False)
    assert result == by_method == learner.recorder.search
    plain = make_learner().lr_find(1e-4, 1, 30, show_plot=False).result
    assert result != plain
    assert learner.trainer.optimizer.wd == 0


# -- pictures ----------------------------------------------------------------------------------


def test_pictures_of_a_search_by_fastai_1(capsys, monkeypatch):
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    learner = make_learner()
    learner.lr_find(num_it=60, show_plot=False, stop_div=False)
    axes = learner.recorder.plot()
    assert len(axes.lines[0].get_xdata()) == 60 - 15
    assert capsys.readouterr().out == ""
    learner.recorder.plot(skip_start=2, skip_end=1, suggestion=True, show=True)
    rate = learner.recorder.min_grad_lr
    assert capsys.readouterr().out == f"Min numerical gradient: {rate:.2E}\n"
    assert shown == [1]
    learner.fit(1, cbs=ParamScheduler({"lr": SchedLin(0, 1)}))
    (ax,) = learner.recorder.plot_sched("lr", show=True)
    assert ax.get_ylabel() == "lr" or ax.get_title() == "lr"
    assert shown == [1, 1]


# -- MXNet's tutorial --------------------------------------------------------------------------


class OfTutorial(Learner):
    """A learner as the tutorial writes one: its iteration reads, trains and steps itself."""

    def iteration(self, lr=None, take_step=True):
        if lr and lr != self.trainer.learning_rate:
            self.trainer.set_learning_rate(lr)
        data, label = next(self.data_loader_iter)
        with mx.autograd.record():
            loss = self.loss_fn(self.net(data), label)
        loss.backward()
        if take_step:
            self.trainer.step(data.shape[0])
        self.iteration_loss = float(loss.mean().asnumpy())
        return self.iteration_loss


def of_tutorial(cls):
    mx.random.seed(0)
    np.random.seed(0)
    batches = [
        (nd.array(np.random.randn(8, 5).astype("float32")), nd.ones(8) * (n % 3)) for n in range(3)
    ]
    net = mx.gluon.nn.Dense(3, in_units=5)
    learner = cls(net=net, data_loader=batches, ctx=mx.cpu())
    learner.progress = False
    return learner


def test_an_iteration_written_as_in_the_tutorial_trains_as_ours():
    own, ours = of_tutorial(OfTutorial), of_tutorial(Learner)
    for _ in range(4):
        assert own.iteration(0.1) == pytest.approx(ours.iteration(0.1))
        assert own.iteration_loss == pytest.approx(ours.iteration_loss)
    results = [LRFinder(one).find(num_iter=20, progress=False) for one in (own, ours)]
    np.testing.assert_allclose(results[0].losses, results[1].losses, rtol=1e-5)
    for one in (own, ours):
        one.fit(2, cbs=ParamScheduler({"lr": SchedLin(0.1, 0.2)}))
    np.testing.assert_allclose(weights(own)[0], weights(ours)[0], rtol=1e-5)
    np.testing.assert_allclose(own.recorder.losses, ours.recorder.losses, rtol=1e-5)
    own.data_loader_iter.shutdown()
    with pytest.raises(RuntimeError, match="closed"):
        next(own.data_loader_iter)


def test_an_iterator_of_ones_own_may_be_assigned():
    learner = of_tutorial(OfTutorial)
    learner.data_loader_iter = iter([(nd.ones((2, 5)), nd.zeros(2))])
    learner.iteration(0.1)
    with contextlib.suppress(StopIteration):
        learner.iteration(0.1)
        pytest.fail("there is no second batch")


def test_tune_takes_what_has_been_trained_by_fits_with_reset_opt():
    learner = make_learner()
    learner.fit(1)
    learner.fit_one_cycle(1, "tune", reset_opt=True)
    assert learner.trainer.optimizer.num_update == BATCHES
    straight = make_learner()
    straight.fit(1)
    curves = one_cycle(learner.tuned.suggestion, moms=(0.95, 0.85, 0.95))
    straight.fit(1, cbs=ParamScheduler(curves), reset_opt=True)
    assert_same_arrays(weights(learner), weights(straight))


def test_a_fit_with_an_optimizer_anew_is_one_of_a_new_learner():
    learner = make_learner()
    learner.fit(1, reset_opt=True)
    ended = state(learner)
    straight = make_learner()
    straight.fit(1)
    assert_same_state(ended, state(straight))


# -- what is assigned --------------------------------------------------------------------------


def test_a_loss_that_was_read_may_be_wrapped_and_put_back():
    learner = make_learner()
    own, mean = learner.loss, learner.loss_func
    learner.loss_func = mean
    assert learner.loss is own
    learner.loss_func = lambda output, label: mean(output, label) + 1
    wrapped = learner.iteration(take_step=False)
    assert wrapped == pytest.approx(make_learner().iteration(take_step=False) + 1, rel=1e-5)
    with pytest.raises(RuntimeError, match="compute_loss computes the losses"):
        one_group(compute_loss=lambda net, batch: net(batch[0])).loss_func  # noqa: B018


def test_other_data_that_are_assigned_are_trained_on():
    learner = make_learner()
    learner.fit(1)
    learner.data_loader = [(nd.ones((3, 5)), nd.ones(3))] * 5
    learner.fit(1)
    assert learner.batch[0].shape == (3, 5)
    assert len(learner.recorder) == len(learner.dls.train) == 5
    with pytest.raises(TypeError, match="`data_loader` must be"):
        learner.data_loader = 3
    assert len(learner.data_loader) == 5


def test_a_class_may_assign_its_parts_before_it_is_made():
    class Assigns(Learner):
        def __init__(self):
            self.net = mx.gluon.nn.Dense(2)
            self.ctx = mx.cpu()
            self.data_loader = [(nd.ones((3, 5)), nd.ones(3))]
            super().__init__(self.net, self.data_loader, self.ctx)

    learner = Assigns()
    learner.iteration()
    assert learner.batch[0].shape == (3, 5)


@pytest.mark.parametrize("name", ["net", "trainer", "ctx"])
def test_what_cannot_be_exchanged_is_refused(name):
    learner, other = one_group(), make_learner(TWO)
    with pytest.raises(AttributeError, match=f"`{name}` must be the one that the Learner"):
        setattr(learner, name, getattr(other, name))
    setattr(learner, name, getattr(learner, name))


def test_an_iterator_is_assigned_where_it_is_read():
    with pytest.raises(ValueError, match=r"Assign learner\.data_loader = batches"):
        make_learner().data_loader_iter = iter([])


def test_the_loss_of_a_class_is_the_loss():
    class WithLoss(Learner):
        loss_fn = mx.gluon.loss.L2Loss()

    class WithMethod(Learner):
        def loss_fn(self, output, label):
            return (output.sum(axis=1) - label) ** 2

    class Assigns(Learner):
        def __init__(self, *args, **kwargs):
            self.loss_fn = mx.gluon.loss.L1Loss()
            super().__init__(*args, **kwargs)

    batches = [(nd.ones((2, 5)), nd.ones(2))]
    for cls, kind in ((WithLoss, mx.gluon.loss.L2Loss), (Assigns, mx.gluon.loss.L1Loss)):
        assert isinstance(cls(mx.gluon.nn.Dense(1), batches).loss, kind)
    learner = WithMethod(mx.gluon.nn.Dense(1, weight_initializer="zeros"), batches)
    assert learner.iteration(take_step=False) == 1


def test_callbacks_that_an_iteration_of_ones_own_never_tells_are_named():
    learner = of_tutorial(OfTutorial)
    with pytest.warns(UserWarning, match="never calls before_step of GradientClip"):
        learner.fit(1, 0.1, cbs=gluon_lr.GradientClip(1))


# -- names of rules, and groups in a search ----------------------------------------------------


def test_a_name_is_that_of_the_function_that_was_given():
    near = functools.partial(slide, lr_diff=3, thresh=0.5)
    found = make_learner().lr_find(num_it=60, show_plot=False, suggest_funcs=near)
    assert found.slide == found[0] != found.result.suggestions["slide"]
    method = gluon_lr.SuggestionMethod
    functions = (method.Minimum, method.Steep, method.Valley, method.Slide)
    found = make_learner().lr_find(num_it=60, show_plot=False, suggest_funcs=functions)
    assert found._names == ("minimum", "steep", "valley", "slide")
    with pytest.raises(
        TypeError, match=r"functions that return a rate, which .*nothing.* does not"
    ):
        make_learner().lr_find(num_it=60, show_plot=False, suggest_funcs=nothing_useful)


def nothing_useful(lrs, losses, num_it):
    return "high"


def test_one_rate_and_one_decay_are_those_of_all_groups():
    seen = []

    class Notes(gluon_lr.Callback):
        def before_step(self):
            seen.append([(one["lr"], one["wd"]) for one in self.learn.opt.hypers])

    learner = make_learner(cbs=Notes())
    learner.opt.set_hyper("wd", [0.1, 0.2])
    learner.opt.set_hyper("lr", [0.01, 0.1])
    for search in (
        lambda: learner.lr_find(1e-7, 1, wd=0.5, num_it=20, show_plot=False),
        lambda: LRFinder(learner).find(lr_start=1e-7, num_iter=20, progress=False),
        lambda: learner.fit(9, cbs=LRFinder(1e-7, 1, 20)),
    ):
        seen.clear()
        search()
        assert {lr for lr, _ in seen[0]} == {1e-7}
    assert [one["wd"] for one in learner.opt.hypers] == [0.1, 0.2]
    seen.clear()
    learner.lr_find(wd=0.5, num_it=20, show_plot=False)
    assert {wd for _, wd in seen[0]} == {0.5}


def test_what_is_only_read_cannot_be_set():
    with pytest.raises(TypeError, match="does not support item assignment"):
        make_learner().opt.hypers[-1]["lr"] = 0.7


def test_a_batch_of_a_data_iter_unpacks():
    batches = mx.io.NDArrayIter(np.ones((8, 5), "float32"), np.zeros(8), 4)
    learner = Learner(mx.gluon.nn.Dense(2), batches)
    data, label = learner.dls.one_batch()
    assert (data.shape, label.shape) == ((4, 5), (4,))

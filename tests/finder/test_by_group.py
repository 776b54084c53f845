"""Rates by parameter group: what they are, what they leave, and how a result tells them."""

import json
from functools import lru_cache, partial

import numpy as np
import pytest
from conftest import ONE, TWO
from fits import assert_same_state, make_learner, state
from interruptions import Interrupted, pressed, raised
from test_no_trace import Failing, FailingLoss, after_training, assert_the_same, train

from gluon_lr import (
    Callback,
    Learner,
    LRFinder,
    LRFinderResult,
    TuneResult,
    one_cycle,
)
from gluon_lr._mxnet import mx, nd

LENGTH = 8  # two epochs of fits.make_learner


def find(learner, **more):
    settings = {"lr_start": 1e-4, "num_iter": 40, "progress": False, **more}
    return LRFinder(learner).find(by_group=True, **settings)


def tune(learner, length=LENGTH, **more):
    return LRFinder(learner).tune(length, progress=False, by_group=True, **more)


@lru_cache(maxsize=None)
def found(search):
    """Return a result that is only looked at."""
    return search(make_learner())


SEARCHES = [find, tune]


# -- the rates ---------------------------------------------------------------------------------


class Valleys(mx.gluon.Block):
    """Two weights, for one of which the loss is 100 times as curved."""

    def __init__(self):
        super().__init__()
        self.steep = mx.gluon.nn.Dense(1, use_bias=False, in_units=1)
        self.flat = mx.gluon.nn.Dense(1, use_bias=False, in_units=1)

    def forward(self, x):
        return self.steep(x) * nd.array([[10, 0]]) + self.flat(x) * nd.array([[0, 1]])


def of_valleys():
    np.random.seed(0)
    net = Valleys()
    net.initialize(mx.init.One())
    data = np.random.choice([-1.0, 1.0], (400, 1)).astype("float32")
    pairs = mx.gluon.data.ArrayDataset(data, np.zeros((400, 2), "float32"))
    learner = Learner(
        net,
        mx.gluon.data.DataLoader(pairs, 20, shuffle=True),
        loss=lambda output, label: ((output - label) ** 2).sum(axis=1) / 2,
        groups=[net.steep, net.flat],
        valid_loader=[(nd.ones((2, 1)), nd.zeros((2, 2)))],
    )
    learner.progress = False
    return learner


@pytest.mark.parametrize(("search", "epochs"), [(find, 5), (partial(tune, length=20), 1)])
def test_each_group_has_the_rate_of_its_own_curvature(search, epochs):
    result = search(of_valleys())
    steep, flat = result.by_group
    # a weight is multiplied by 1 - rate * curvature at each update
    assert 0.001 < steep < 2 / 100
    assert 0.1 < flat < 2
    losses = []
    for rate in (result.suggestion, result.by_group):
        learner = of_valleys()
        learner.fit_one_cycle(epochs, rate)
        losses.append(learner.validate(learner.valid_loader)["valid_loss"])
    assert losses[1] < losses[0] / 3


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_fit_takes_them(search, optimizer):
    learner = make_learner(optimizer=optimizer)
    rates = search(learner).by_group
    assert len(rates) == 2
    assert all(isinstance(rate, float) and rate > 0 for rate in rates)
    learner.fit_one_cycle(2, rates)
    highest = learner.recorder.group_hps["lr"].max(axis=0)
    assert highest.tolist() == pytest.approx(rates, rel=0.2)


def test_a_trial_is_the_fit_at_its_rates():
    learner = make_learner()
    result = tune(learner)
    first = result.groups[1][-1]
    last = result.groups[0][-1]
    for rates, trial in (
        ([result.suggestion, first.rate], first),
        ([last.rate, result.by_group[1]], last),
    ):
        learner = make_learner()
        learner.fit_one_cycle(2, rates)
        assert learner.recorder.epochs[-1]["valid_loss"] == pytest.approx(trial.loss, rel=1e-4)


def test_any_policy():
    for policy in ("constant", lambda rate: one_cycle(rate, div=100, moms=())):
        assert len(tune(make_learner(), policy=policy).by_group) == 2


def test_the_others_rest_while_a_group_is_searched_alone():
    seen = []

    class Sees(Learner):
        def update(self, lr=None):
            loss = super().update(lr)
            own = [self.trainer.optimizer.learning_rate * p.lr_mult for p, *_ in self.groups]
            seen.append(own)
            return loss

    made = make_learner()
    learner = Sees(made.net, made.data_loader, trainer=made.trainer, groups=made.groups)
    result = find(learner)
    seen = np.array(seen)
    for group, other in ((0, 1), (1, 0)):
        alone = seen[np.isclose(seen[:, other], 1e-4) & (seen[:, group] > 1.01e-4)]
        lrs = result.groups[group].lrs[1:]
        assert alone[: len(lrs), group] == pytest.approx(lrs)
    together = seen[-len(result.together) :]
    assert together[:, 0] / together[:, 1] == pytest.approx(result.proportions[0])
    assert result.by_group[0] / result.by_group[1] == pytest.approx(result.proportions[0])


def test_of_a_group_that_is_frozen():
    learner = make_learner()
    learner.freeze()
    result = find(learner)
    assert result.groups[0].suggestion is None
    assert result.by_group is not None
    result = tune(learner)
    assert [len(group) > 0 for group in result.groups] == [False, True]
    assert result.by_group[0] == result.suggestion


def test_budgets():
    result = tune(make_learner(), length=16, budget=0)
    assert result.by_group == [result.usual] * 2
    short = tune(make_learner(), length=16, budget=31 * 3)
    assert short.groups == ()
    assert short.by_group == [short.usual] * 2
    for budget in (150, None):
        result = tune(make_learner(), length=16, budget=budget)
        assert result.cost <= (result.budget if budget is None else budget)
        tried = [one for group in result.groups for one in group]
        assert result.cost == sum(len(one.losses) for one in [*result.trials, *tried])
        assert {one.length for one in tried} == {
            12 if budget == 150 else min(result.budget // 12, 32)
        }
    assert result.budget == 3 * 4 * 16


@pytest.mark.parametrize("search", SEARCHES)
def test_nothing_learns(search):
    learner = make_learner(loss=lambda output, label: (output - output).sum(axis=1) + 1)
    result = search(learner)
    assert result.suggestion is result.by_group is None
    assert result.groups == ()


def test_not_asked_for():
    learner = make_learner()
    for result in (
        LRFinder(learner).find(progress=False),
        LRFinder(learner).tune(4, progress=False),
    ):
        assert result.by_group is None
        assert result.groups == ()
        assert "by group" not in repr(result) + result._repr_html_()


@pytest.mark.parametrize("more", [{"refine": True}, {"repeats": 2, "length": 1000}])
def test_with_what_else_a_search_has(more):
    result = find(make_learner(), **more)
    assert len(result.by_group) == 2
    assert all(group.refined is None for group in result.groups)
    assert (result.together.refined is not None) == ("refine" in more)


# -- what they leave ---------------------------------------------------------------------------


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    ("ctx", "optimizer", "update_on_kvstore"),
    [(ONE, "sgd", None), (TWO, "adam", False)],
)
def test_no_trace(search, ctx, optimizer, update_on_kvstore):
    def made():
        learner = make_learner(ctx, optimizer, update_on_kvstore=update_on_kvstore)
        train(learner, 3)
        return learner

    straight = after_training(made())
    learner = made()
    first, second = search(learner), search(learner)
    assert first.by_group == second.by_group
    assert first.by_group is not None
    assert_the_same(after_training(learner), straight)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    ("at", "ctx", "error"), [(40, ONE, KeyboardInterrupt), (130, TWO, KeyError)]
)
def test_no_trace_of_an_exception(search, at, ctx, error):
    learner = make_learner(ctx)
    learner.loss = FailingLoss()
    learner.loss.failing = Failing(at, error)
    with pytest.raises(error, match="on purpose"):
        search(learner)
    learner.loss.failing = None
    assert_the_same(after_training(learner), after_training(make_learner(ctx)))


@pytest.mark.parametrize(("search", "interrupt"), [(find, raised), (tune, pressed)])
def test_ctrl_c_at_any_line(search, interrupt):
    settings = {"length": 2, "budget": 24} if search is tune else {"num_iter": 25}
    straight = after_training(make_learner())
    sweep = Interrupted(lambda: search(make_learner(), **settings), search.__name__)
    places = sweep.places()
    for place in np.random.RandomState(1).choice(places[len(places) // 2 :], 2, replace=False):
        learner = make_learner()
        Interrupted(lambda learner=learner: search(learner, **settings), search.__name__).at(
            place, interrupt
        )
        assert_the_same(after_training(learner), straight)


# -- calls that cannot be meant ----------------------------------------------------------------


class Own:
    """A learner of one's own."""

    def __init__(self):
        learner = make_learner()
        self.net, self.trainer, self.iteration = learner.net, learner.trainer, learner.iteration


@pytest.mark.parametrize("search", SEARCHES)
def test_a_learner_without_groups(search):
    name = f"LRFinder.{search.__name__}"
    with pytest.raises(
        TypeError, match=rf"^{name}: `by_group` must be False for a custom learner, "
    ):
        search(Own())
    made = make_learner()
    learner = Learner(made.net, made.data_loader)
    message = rf"^{name}: `by_group` must be False if all parameters .* groups=\[net.feat"
    with pytest.raises(ValueError, match=message):
        search(learner)


@pytest.mark.parametrize(
    ("search", "more", "what"),
    [
        (find, {"lr_start": slice(1e-6, 1e-5)}, "each group has its own bounds"),
        (find, {"lr_end": [1, 10]}, "each group has its own bounds"),
        (tune, {"keep": True}, "`keep` is True"),
        (tune, {"checkpoint": "tune.file"}, "`checkpoint` is given"),
    ],
)
def test_what_does_not_go_with_it(search, more, what):
    learner = make_learner()
    message = rf"^LRFinder.{search.__name__}: `by_group` must be False if {what}, got"
    with pytest.raises(ValueError, match=message):
        search(learner, **more)
    assert_same_state(state(learner), state(make_learner()))


def test_it_is_true_or_false():
    for call in (LRFinder(make_learner()).find, LRFinder(make_learner()).tune):
        with pytest.raises(TypeError, match="`by_group` must be True or False, got 2"):
            call(length=LENGTH, by_group=2)


# -- how a result tells them -------------------------------------------------------------------


@pytest.mark.parametrize(("search", "kind"), [(find, LRFinderResult), (tune, TuneResult)])
def test_json(search, kind):
    result = found(search)
    text = result.to_json()
    again = kind.from_json(text)
    assert again == result
    assert again.by_group == result.by_group == json.loads(text)["by_group"]
    assert again.groups == result.groups
    assert again.to_json() == text
    old = json.loads(text)
    for key in ("by_group", "groups", "together"):
        old.pop(key, None)
    before = kind.from_json(json.dumps(old))
    assert before.by_group is None
    assert before.groups == ()
    assert before.suggestion == result.suggestion
    assert before != result


@pytest.mark.parametrize("search", SEARCHES)
def test_told_and_drawn(search):
    result = found(search)
    body, head = result.by_group
    assert f"by group {body:.3g}, {head:.3g}" in repr(result)
    html = result._repr_html_()
    assert f"{body:.3g}, {head:.3g}" in html
    ax = result.plot()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {f"group 0, {body:.2g}", f"group 1, {head:.2g}"} <= set(labels)
    assert any(label in ("of group 0", "group 0 alone") for label in labels)
    if search is tune:
        assert f"{result.groups[1][0].rate:.3g} of group 1" in html


def test_callbacks_take_part():
    updates = []

    class Counts(Callback):
        def after_batch(self, learner):
            updates.append(1)

    result = tune(make_learner(), cbs=Counts())
    assert len(updates) == result.cost

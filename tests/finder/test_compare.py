"""A comparison of settings: what it tells apart, what it tries, and that it leaves no trace."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import ONE, TWO, make_dataset
from fits import assert_same_state, make_learner, state
from interruptions import Interrupted, pressed
from test_no_trace import Failing, FailingLoss, after_training, assert_the_same, train, without
from test_no_trace import make as make_plain

from gluon_lr import Callback, Learner, LRFinder
from gluon_lr._mxnet import mx, nd
from gluon_lr.finder import Compared, Comparison, LRFinderResult, StopReason, TuneResult

LENGTH = 8  # two epochs of fits.make_learner
VALID = [(nd.array(part[:21]), nd.array(label[:21])) for part, label in [make_dataset()[:]]]


def compare(learner, values, **more):
    if not more.get("tune"):
        more = {"lr_start": 1e-4, "lr_end": 1, "num_iter": 25, **more}
    return LRFinder(learner).compare(values, progress=False, **more)


def race(learner, values, length=LENGTH, **more):
    return compare(learner, values, tune=True, length=length, **more)


def settings(result):
    return [row.setting for row in result]


def make_other_net(width=7):
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(width, activation="relu"), mx.gluon.nn.Dense(3))
    return net


# -- what is compared --------------------------------------------------------------------------


def test_one_by_one_and_in_a_grid():
    values = {"wd": [0, 0.1], "mom": [0.8, 0.9]}
    each = compare(make_learner(), values, repeats=1)
    assert settings(each) == [{"wd": 0}, {"wd": 0.1}, {"mom": 0.8}, {"mom": 0.9}]
    grid = compare(make_learner(), values, repeats=1, grid=True)
    assert settings(grid) == [
        {"wd": wd, "mom": mom} for wd, mom in itertools.product([0, 0.1], [0.8, 0.9])
    ]
    assert all(isinstance(row.result, LRFinderResult) for row in grid)


@pytest.mark.parametrize("name", ["wd", "mom"])
def test_a_sweep_is_that_of_a_learner_made_so(name):
    params = {"momentum": 0.9, "learning_rate": 0.01}
    value = {"wd": 0.3, "mom": 0.5}[name]
    result = compare(make_learner(), {name: [0.1, value]}, repeats=1)
    for row, one in zip(result, (0.1, value)):
        learner = make_learner()
        optimizer = mx.optimizer.create(
            "sgd", **{**params, {"wd": "wd", "mom": "momentum"}[name]: one}
        )
        own = Learner(learner.net, learner.data_loader, optimizer=optimizer)
        alone = LRFinder(own).find(1e-4, lr_end=1, num_iter=25, progress=False)
        np.testing.assert_array_equal(row.result.losses, alone.losses)
        assert row.momentum == (one if name == "mom" else 0.9)
        assert row.steps == pytest.approx(1 / (1 - row.momentum))


def test_an_optimizer_begins_as_one_of_its_own():
    sgd = ("sgd", {"learning_rate": 0.1, "momentum": 0.9})
    result = compare(make_learner(), {"optimizer": ["adam", sgd, "adagrad"]}, repeats=1)
    labels = [row.setting["optimizer"] for row in result]
    assert labels == ["adam", "sgd learning_rate 0.1 momentum 0.9", "adagrad"]
    for row, optimizer in zip(result, ["adam", mx.optimizer.create(sgd[0], **sgd[1]), "adagrad"]):
        learner = make_learner()
        own = Learner(learner.net, learner.data_loader, optimizer=optimizer)
        alone = LRFinder(own).find(1e-4, lr_end=1, num_iter=25, progress=False)
        np.testing.assert_array_equal(row.result.losses, alone.losses)


def test_a_batch_size_is_that_of_another_loader():
    result = compare(make_learner(), {"batch_size": [8, 32]}, repeats=1)
    for row, size in zip(result, (8, 32)):
        learner = make_learner()
        learner.data_loader = mx.gluon.data.DataLoader(make_dataset(), size, shuffle=True)
        alone = LRFinder(learner).find(1e-4, lr_end=1, num_iter=25, progress=False)
        np.testing.assert_array_equal(row.result.losses, alone.losses)
    assert result.best is None
    assert "pass tune=True" in result.reason


def test_trials_of_batch_sizes_have_the_same_samples():
    result = race(make_learner(), {"batch_size": [8, 16, 64]}, length=40)
    assert [row.result.length for row in result] == [80, 40, 10]


@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_trials_of_batch_sizes_tell_the_noise_scale_where_batches_have_parts(ctx):
    result = race(make_learner(ctx), {"batch_size": [8, 32]})
    assert Comparison.from_json(result.to_json()) == result
    known = [row.noise_scale is not None and row.noise_scale > 0 for row in result]
    assert any(known) == (ctx is TWO)
    assert ("noise scale" in repr(result)) == (ctx is TWO)


def test_a_function_makes_the_loaders():
    made = []

    def make_loader(batch_size):
        made.append(batch_size)
        return mx.gluon.data.DataLoader(make_dataset(), batch_size, shuffle=True)

    data, label = make_dataset()[:]
    batches = [(nd.array(data[n : n + 16]), nd.array(label[n : n + 16])) for n in range(0, 64, 16)]
    net = make_other_net()
    learner = Learner(net, batches, valid_loader=VALID)
    values = {"batch_size": [8, 32]}
    with pytest.raises(TypeError, match=r"`make_loader` must be given if `data_loader` is not"):
        compare(learner, values)
    result = race(learner, values, length=16, make_loader=make_loader)
    assert made == [8, 32]
    assert [row.result.length for row in result] == [32, 8]


def test_nets_are_made_by_functions():
    learner = make_plain()
    result = compare(learner, {"net": {"7": make_other_net, "20": lambda: make_other_net(20)}})
    assert [row.name for row in result] == ["net 7", "net 20"]
    assert len({row.loss for row in result}) == 2
    with pytest.raises(TypeError, match="`net` must be functions that make a new net"):
        compare(learner, {"net": [make_other_net()]})


def test_nets_begin_alike_by_a_seed():
    learner = make_plain()
    values = {"net": {"one": make_other_net, "other": make_other_net}}
    first, second = (compare(learner, values, seed=3) for _ in range(2))
    assert [row.losses for row in first] == [row.losses for row in second]


def test_nets_read_an_iterator_without_a_trace():
    data, label = make_dataset()[:]

    def batches():
        for n in itertools.count():
            chosen = np.arange(n, n + 8) % 64
            yield nd.array(data[chosen]), nd.array(label[chosen])

    values = {"net": {"one": make_other_net, "other": lambda: make_other_net(9)}}
    learner = make_plain(loader=batches())
    train(learner, 3)
    compare(learner, values, num_iter=4)
    straight = make_plain(loader=batches())
    assert train(learner, 3) == train(straight, 6)[3:]


def test_a_learner_of_another_net_is_as_this_one():
    def compute_loss(net, batch):
        return (net(batch[0]) - 1) ** 2

    class Own(Learner):
        pass

    optimizer = mx.optimizer.create("adam", beta1=0.8, wd=0.1)
    cbs = [Callback()]
    learner = Own(
        make_other_net(),
        mx.gluon.data.DataLoader(make_dataset(), 16),
        TWO,
        optimizer=optimizer,
        compute_loss=compute_loss,
        iterations_per_epoch=3,
        metrics="mse",
        cbs=cbs,
    )
    learner.iteration()
    other = learner.of_net(make_other_net(9))
    assert type(other) is Own
    assert other.ctx == TWO
    assert other.compute_loss is learner.compute_loss
    assert other.iterations_per_epoch == 3
    assert (other.metrics, other.cbs) == ("mse", cbs)
    own = other.trainer.optimizer
    assert own is not optimizer
    assert (own.beta1, own.wd, own.num_update) == (0.8, 0.1, 0)
    assert set(own.param_dict.values()) == set(other.net.collect_params().values())
    assert (optimizer.num_update, len(optimizer.param_dict)) == (1, 4)


@pytest.mark.parametrize("tune", [False, True])
def test_each_order_has_a_net_of_other_weights(tune):
    made = []

    def make_net():
        made.append(make_other_net())
        return made[-1]

    values = {"net": {"one": make_net, "other": make_net}}
    if tune:
        learner = make_plain()
        learner.valid_loader = VALID
        result = race(learner, values)
        assert result.best is None
        assert len(made) == 2 * max(len(row.losses) for row in result)
    else:
        compare(make_plain(), values)
        assert len(made) == 2 * 3
    first = [net[0].weight.data(ONE).asnumpy() for net in made]
    for one, other in itertools.combinations(first, 2):
        assert not np.array_equal(one, other)


def test_an_optimizer_by_name_has_the_learners_decay_clipping_and_precision():
    seen = []

    class Seen(Callback):
        def before_step(self, learner):
            own = learner.trainer.optimizer
            seen.append((own.wd, own.clip_gradient, own.multi_precision))

    params = {"wd": 0.3, "clip_gradient": 0.5, "multi_precision": True}
    loader = mx.gluon.data.DataLoader(make_dataset(), 16, shuffle=True)
    learner = Learner(make_other_net(), loader, optimizer_params=params, cbs=Seen())
    values = {"optimizer": ["adam", ("nag", {"wd": 0.1})]}
    compare(learner, values, repeats=1)
    assert set(seen) == {(0.3, 0.5, True), (0.1, 0.5, True)}


def test_momentum_correction_goes_with_sgd_alone():
    learner = make_learner(momentum_correction=True)
    with pytest.raises(ValueError, match="`optimizer` must be SGD or NAG if the Learner has"):
        race(learner, {"optimizer": ["nag", "adam"]})


@pytest.mark.parametrize("what", ["groups", "also", "class", "frozen", "part"])
def test_what_is_bound_to_its_net_is_refused(what):
    learner = make_learner() if what == "groups" else make_plain()
    if what == "also":
        other = make_other_net()
        other.initialize()
        learner.also = [(other, mx.gluon.Trainer(other.collect_params(), "sgd"))]
    elif what == "frozen":
        learner.net[0].weight.grad_req = "null"
    elif what == "part":
        part = mx.gluon.Trainer(learner.net[2].collect_params(), "sgd")
        learner = Learner(learner.net, learner.data_loader, trainer=part)
    elif what == "class":

        class Own(Learner):
            def __init__(self):
                super().__init__(make_other_net(), [])

        learner = Own()
    with pytest.raises((TypeError, ValueError), match="of another net"):
        learner.of_net(make_other_net())


def test_groups_have_one_value_in_a_comparison():
    seen = []

    class Seen(Callback):
        def before_step(self, learner):
            seen.append(
                {one.wd_mult * learner.trainer.optimizer.wd for one in learner.trainer._params}
            )

    learner = make_learner(cbs=Seen())
    from gluon_lr import HyperParameters

    hypers = HyperParameters(learner.trainer, learner.groups)
    hypers["wd"] = [0.1, 0.4]
    compare(learner, {"wd": [0.2, 0.3]}, repeats=1)
    assert {frozenset(one) for one in seen} == {frozenset([0.2]), frozenset([0.3])}
    assert hypers["wd"] == [0.1, 0.4]


def test_a_learner_of_ones_own():
    from test_tune import PAIRS, Quadratic

    learner = Quadratic()
    result = race(learner, {"wd": [0, 0.5]}, 40, validation=PAIRS, policy="constant")
    assert all(0.05 < row.suggestion < 1 for row in result)
    assert float(learner.net.weight.data().asnumpy()) == 1
    swept = compare(Quadratic(), {"wd": [0, 0.5]}, repeats=2)
    assert [len(row.losses) for row in swept] == [2, 2]
    with pytest.raises(TypeError, match="must be hyper-parameters of the optimizer for a custom"):
        compare(Quadratic(), {"batch_size": [1, 2]})


# -- the race ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"mom": [0.5, 0.7]},
        {"momentum": [0.5, 0.7]},
        {"optimizer": [("sgd", {"momentum": 0.5}), ("nag", {"momentum": 0.7})]},
    ],
)
def test_trials_keep_what_is_compared_where_it_is(values):
    seen = set()

    class Seen(Callback):
        def before_step(self, learner):
            seen.add(learner.trainer.optimizer.momentum)

    result = race(make_learner(), values, cbs=Seen())
    assert seen == {0.5, 0.7}
    assert [row.momentum for row in result] == [0.5, 0.7]
    assert all(isinstance(row.result, TuneResult) for row in result)
    assert all(row.result.policy == "one_cycle" for row in result)


def test_a_trial_is_a_fit_of_a_learner_made_so():
    values = {"wd": [0.0, 0.3]}
    result = race(make_learner(), values, policy="flat_cos")
    for row, wd in zip(result, values["wd"]):
        trial = next(one for one in row.result.trials if one.length == LENGTH)
        learner = make_learner()
        learner.fit_flat_cos(2, trial.rate, wd=wd)
        np.testing.assert_array_equal(learner.recorder.losses, trial.losses)
        assert learner.recorder.epochs[-1]["valid_loss"] == trial.loss


def test_settings_that_are_alike_are_not_told_apart():
    result = race(make_learner(), {"optimizer": {"one": "adam", "other": "adam"}})
    assert result.best is None
    assert result.apart == (False, False)


def test_it_tells_apart_what_is_apart():
    result = race(make_learner(), {"wd": [0, 30, 60]}, length=40)
    assert result.best.setting == {"wd": 0}
    assert result.best.suggestion == result[0].suggestion
    assert result.lowest is result[0]
    assert "wd 0 is the best" in result.best.reason


def test_a_budget_is_kept_to():
    values = {"wd": [0, 1e-3, 1e-2, 0.1]}
    narrow = race(make_learner(), values, length=40, budget=8 * 40)
    usual = race(make_learner(), values, length=40)
    assert narrow.updates <= 8 * 40 < usual.updates <= (0.25 * 13 + 12) * 40
    assert sum(row.dropped for row in usual) >= 1
    with pytest.raises(ValueError, match="`budget` must be an integer of at least"):
        race(make_learner(), values, length=40, budget=100)


def test_nothing_is_learnt():
    def of_ones(output, label):
        return (output - output).sum(axis=1) + 1

    result = race(make_learner(loss=of_ones), {"wd": [0, 0.1]})
    assert [row.suggestion for row in result] == [None, None]
    assert result.best is None
    assert "no trial ended with a lower loss" in repr(result)


# -- chance ------------------------------------------------------------------------------------


REFUSED = LRFinderResult([1e-3, 1e-2, 1e-1], [2.0, 2.1, 1.9], StopReason.REACHED_END)
FOUND = LRFinderResult(np.geomspace(1e-4, 1, 60), np.linspace(2, 0.3, 60), StopReason.REACHED_END)


def rows_of(*results_and_losses):
    return Comparison(
        [
            Compared({"wd": number / 10}, result, losses, 60, 0.1)
            for number, (result, losses) in enumerate(results_and_losses)
        ],
        tuned=False,
    )


def test_a_search_that_refuses_leaves_no_winner_by_chance():
    assert REFUSED.suggestion is None is not FOUND.suggestion
    alone = rows_of((FOUND, (0.7,)), (REFUSED, (0.8,)))
    assert alone.best is None
    assert "the random variation is unknown" in alone.reason
    alike = rows_of((FOUND, (0.7, 0.8, 0.75)), (REFUSED, (0.8, 0.7, 0.74)))
    assert alike.best is None
    assert alike.apart == (False, False)


def test_it_is_above_where_its_losses_are():
    result = rows_of((FOUND, (0.7, 0.8, 0.75)), (REFUSED, (1.7, 1.8, 1.74)))
    assert result.best.setting == {"wd": 0}
    assert result.apart == (False, True)
    assert "1.747 (worse)" in repr(result)


def test_what_has_no_rate_to_train_at_does_not_win():
    result = rows_of((FOUND, (1.7, 1.8, 1.74)), (REFUSED, (0.7, 0.8, 0.75)))
    assert result.best is None
    assert result.apart == (True, False)
    reason = "wd 0.1 has the lowest loss, 0.75, the others 1.747 or more, but no suggestion"
    assert reason in result.reason


def test_losses_that_are_not_finite_need_no_repeats():
    result = rows_of((FOUND, (0.7,)), (REFUSED, (np.inf,)))
    assert result.best.setting == {"wd": 0}
    assert "the others diverged" in result.reason


def test_one_sweep_each_tells_nothing_apart():
    result = compare(make_learner(), {"wd": [0, 0.5]}, repeats=1)
    assert result.best is None
    assert "the random variation is unknown" in result.reason


def test_repeats_have_other_batches_which_are_the_same_for_all():
    seen = []

    class Seen(Callback):
        def before_step(self, learner):
            seen.append(learner.batch[0].asnumpy())

    learner = make_learner(cbs=Seen())
    compare(learner, {"wd": [0, 1e-9]}, repeats=3)
    seen = np.array(seen).reshape(2, 3, 25, -1)
    np.testing.assert_array_equal(seen[0], seen[1])
    for one, other in itertools.combinations(seen[0], 2):
        assert not np.array_equal(one, other)


def test_data_in_one_order_tell_nothing_of_chance():
    data, label = make_dataset()[:]
    batches = [(nd.array(data[n : n + 16]), nd.array(label[n : n + 16])) for n in range(0, 64, 16)]
    result = compare(make_plain(loader=batches), {"wd": [0, 5]})
    assert result.best is None
    assert "shuffle the data" in result.reason


def test_an_iterator_goes_on_from_repeat_to_repeat():
    data, label = make_dataset()[:]
    draw = np.random.RandomState(1)

    def endless():
        while True:
            chosen = draw.randint(0, 64, 16)
            yield nd.array(data[chosen]), nd.array(label[chosen])

    result = compare(make_plain(loader=endless()), {"wd": [0, 50]})
    assert len(set(result[0].losses)) == 3


# -- what it leaves ----------------------------------------------------------------------------

SWEPT = {"wd": [0, 0.1], "mom": [0.5, 0.9]}


@pytest.mark.parametrize(
    ("data", "kind", "ctx"),
    [
        ("endless", "sweeps", ONE),
        ("endless", "race", TWO),
        ("augmented", "sweeps", TWO),
        ("augmented", "race", ONE),
    ],
)
def test_no_trace(data, kind, ctx):
    def trained(between):
        learner = make_learner(ctx, data=data)
        learner.fit_one_cycle(1, 0.1)
        between(learner)
        learner.fit_one_cycle(1, 0.1)
        return state(learner)

    def between(learner):
        if kind == "race":
            race(learner, SWEPT, 4, grid=True)
        else:
            compare(learner, SWEPT, num_iter=6)

    assert_same_state(trained(between), trained(lambda learner: None))


@pytest.mark.parametrize(
    ("optimizer", "update_on_kvstore", "before"),
    [("adam", True, 0), ("schedule", False, 3)],
)
def test_no_trace_of_other_optimizers_nets_and_batch_sizes(optimizer, update_on_kvstore, before):
    made = {"optimizer": optimizer, "ctx": TWO, "update_on_kvstore": update_on_kvstore}
    learner = make_plain(**made)
    learner.valid_loader = VALID
    train(learner, before)
    own = learner.trainer.optimizer, learner.data_loader
    values = {
        "optimizer": ["adagrad", ("adam", {"beta1": 0.5})],
        "batch_size": [4, 16],
        "net": {"other": make_other_net, "wide": lambda: make_other_net(30)},
    }
    compare(learner, values, repeats=2, num_iter=6)
    race(learner, values, 8)
    assert (learner.trainer.optimizer, learner.data_loader) == own
    assert_the_same(after_training(learner), without(before, **made))


@pytest.mark.parametrize("at", [1, 20, 70])
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_no_trace_of_an_exception(at, error):
    learner = make_plain()
    learner.loss = FailingLoss()
    learner.valid_loader = VALID
    train(learner, 3)
    for values in ({"mom": [0.1, 0.9]}, {"optimizer": ["adam", "adagrad"]}):
        learner.loss.failing = Failing(at, error)
        with pytest.raises(error, match="on purpose"):
            race(learner, values)
    learner.loss.failing = None
    assert_the_same(after_training(learner), without(3))


@pytest.mark.parametrize("tune", [False, True])
def test_ctrl_c_at_any_line(tune):
    values = {"optimizer": ["adam", "adagrad"]} if tune else {"batch_size": [4, 16]}

    def made():
        learner = make_plain()
        learner.valid_loader = VALID
        train(learner, 3)
        return learner

    def act(learner):
        if tune:
            race(learner, values, 4, policy="constant")
        else:
            compare(learner, values, num_iter=2, repeats=2)

    straight = after_training(made())
    places = Interrupted(lambda: act(made()), "compare").places()
    for place in sorted(np.random.RandomState(1).choice(places, 3 if tune else 6, replace=False)):
        learner = made()
        assert Interrupted(lambda one=learner: act(one), "compare").at(place, pressed)
        assert_the_same(after_training(learner), straight)


def test_two_comparisons_alike():
    learner = make_learner()
    for call in (compare, race):
        first, second = (call(learner, {"mom": [0.5, 0.9]}) for _ in range(2))
        assert [row.losses for row in first] == [row.losses for row in second]
        assert [row.suggestion for row in first] == [row.suggestion for row in second]
        assert first.reason == second.reason


# -- what cannot be meant ----------------------------------------------------------------------

MISUSED = {
    "no dict": ([0, 1], {}, TypeError, "values"),
    "nothing": ({}, {}, TypeError, "values"),
    "one number": ({"wd": 0.1}, {}, TypeError, "values"),
    "no values": ({"wd": []}, {}, ValueError, "values"),
    "one setting": ({"wd": [0.1]}, {}, ValueError, "values"),
    "the rate": ({"lr": [0.1, 0.2]}, {}, ValueError, "values"),
    "twice": ({"wd": [0.1, 0.1]}, {}, ValueError, "values"),
    "a text": ({"wd": ["0.1", "0.2"]}, {}, TypeError, "wd"),
    "below 0": ({"wd": [0.1, -1]}, {}, ValueError, "wd"),
    "no such name": ({"beta3": [0.1, 0.2]}, {}, ValueError, "values"),
    "no such name in one": ({"wd": [0, 1], "beta1": [0, 0.5]}, {}, ValueError, "values"),
    "a momentum of 1": ({"mom": [0.9, 1]}, {}, ValueError, "mom"),
    "no such optimizer": ({"optimizer": ["adma", "sgd"]}, {}, ValueError, "optimizer"),
    "no such parameter": (
        {"optimizer": [("adam", {"beta_1": 0.5}), "sgd"]},
        {},
        TypeError,
        "optimizer",
    ),
    "no net": ({"net": [lambda: 3, make_other_net]}, {}, TypeError, "net"),
    "a batch of more than there are": ({"batch_size": [16, 99]}, {}, ValueError, "batch_size"),
    "no loader": (
        {"batch_size": [8, 16]},
        {"make_loader": lambda size: None},
        TypeError,
        "make_loader",
    ),
    "a policy of sweeps": ({"wd": [0, 1]}, {"policy": "one_cycle"}, ValueError, "policy"),
    "a bound of trials": (
        {"wd": [0, 1]},
        {"tune": True, "length": 8, "lr_end": 1},
        ValueError,
        "lr_end",
    ),
    "no batch size": ({"batch_size": [0, 2]}, {}, ValueError, "batch_size"),
    "an optimizer's class": ({"optimizer": [mx.optimizer.Adam, "sgd"]}, {}, TypeError, "optimizer"),
    "repeats": ({"wd": [0, 1]}, {"repeats": 0}, ValueError, "repeats"),
    "grid": ({"wd": [0, 1]}, {"grid": "yes"}, TypeError, "grid"),
    "a budget of sweeps": ({"wd": [0, 1]}, {"budget": 100}, ValueError, "budget"),
    "no length": ({"wd": [0, 1]}, {"tune": True}, ValueError, "length"),
    "length": ({"wd": [0, 1]}, {"tune": True, "length": 0}, ValueError, "length"),
    "policy": ({"wd": [0, 1]}, {"tune": True, "length": 8, "policy": "x"}, ValueError, "policy"),
    "make_loader": ({"batch_size": [4, 8]}, {"make_loader": 3}, TypeError, "make_loader"),
    "a loader of no size": ({"wd": [0, 1]}, {"make_loader": list}, ValueError, "make_loader"),
    "validation": ({"wd": [0, 1]}, {"validation": 3}, TypeError, "validation"),
}


@pytest.mark.parametrize("name", MISUSED)
def test_a_call_that_cannot_be_meant_changes_nothing(name):
    values, more, error, argument = MISUSED[name]
    learner = make_learner()
    with pytest.raises(error, match=rf"`{argument}` must be "):
        compare(learner, values, **more)
    assert_same_state(state(learner), state(make_learner()))


def test_what_judges_nets_is_not_to_be_trained_on():
    learner = make_plain()
    with pytest.raises(ValueError, match="`validation` must be given if nets or batch sizes"):
        race(learner, {"batch_size": [4, 8]})
    result = race(learner, {"mom": [0.1, 0.5]})
    assert result[0].result.began > 0


# -- the result --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results():
    learner = make_learner()
    return [compare(learner, SWEPT), race(learner, SWEPT, 40, grid=True)]


def test_json_goes_round(results):
    for result in results:
        again = Comparison.from_json(result.to_json())
        assert again == result
        assert (again.reason, again.best, again.apart) == (result.reason, result.best, result.apart)
    with pytest.raises(ValueError, match=r"^Comparison.from_json: `text` must be the output"):
        Comparison.from_json("{}")


def test_it_is_a_sequence_of_rows(results):
    for result in results:
        assert len(result) == len(list(result)) == 4
        assert result[1:3] == [result[1], result[2]]
        assert result.updates == sum(row.updates for row in result)


def test_it_prints_as_a_table(results):
    for result in results:
        lines = repr(result).splitlines()
        assert lines[0].split()[0] == "setting"
        assert lines[-1] == result.reason
        assert all(row.name in line for row, line in zip(result, lines[1:]))
        html = result._repr_html_()
        assert html.count("<tr>") == 5


@pytest.mark.parametrize("effective", [False, True])
def test_the_picture_has_a_curve_and_a_name_for_each(results, effective):
    for result in results:
        ax = result.plot(effective=effective)
        names = [text.get_text() for text in ax.texts]
        assert sorted(names) == sorted(row.name for row in result)
        dots = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
        expected = [row.effective_lr if effective else row.suggestion for row in result]
        assert dots == pytest.approx(expected)
        heights = sorted(text.get_position()[1] for text in ax.texts)
        assert 0 <= heights[0] <= heights[-1] <= 1
        assert min(np.diff(heights)) > 0.05
        plt.close("all")


def test_a_finder_draws_what_it_compared(results):
    finder = LRFinder(make_learner())
    finder.result = results[0]
    assert len(finder.plot().texts) == 4
    with pytest.raises(ValueError, match=r"0 after a tune\(\) or a compare"):
        finder.plot(skip_start=1)
    with pytest.raises(RuntimeError, match="call find"):
        list(finder.results)
    plt.close("all")

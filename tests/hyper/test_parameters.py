"""Hyper-parameters by name and by group, against trainers of one group each."""

import pickle

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays
from grouped import backward, make_net, make_trainer, weights

from gluon_lr import HyperParameters, Learner
from gluon_lr._mxnet import MXNET_2, mx, nd

nn = mx.gluon.nn
GROUPS = 3


@pytest.mark.parametrize(
    ("optimizer", "attributes"),
    [
        (mx.optimizer.SGD(momentum=0.5), {"mom": "momentum"}),
        (mx.optimizer.NAG(momentum=0.5), {"mom": "momentum"}),
        (mx.optimizer.Signum(), {"mom": "momentum"}),
        (mx.optimizer.Adam(), {"mom": "beta1", "sqr_mom": "beta2", "eps": "epsilon"}),
        (mx.optimizer.Nadam(), {"mom": "beta1", "sqr_mom": "beta2", "eps": "epsilon"}),
        (mx.optimizer.LAMB(), {"mom": "beta1", "sqr_mom": "beta2", "eps": "epsilon"}),
        (mx.optimizer.Adamax(), {"mom": "beta1", "sqr_mom": "beta2", "eps": "epsilon"}),
        (mx.optimizer.FTML(), {"mom": "beta1", "sqr_mom": "beta2", "eps": "epsilon"}),
        (mx.optimizer.RMSProp(), {"sqr_mom": "gamma1 rho", "eps": "epsilon"}),
        (
            mx.optimizer.RMSProp(centered=True),
            {"mom": "gamma2 momentum", "sqr_mom": "gamma1 rho", "eps": "epsilon"},
        ),
        (mx.optimizer.AdaDelta(), {"sqr_mom": "rho", "eps": "epsilon"}),
        (mx.optimizer.AdaGrad(), {"eps": "float_stable_eps epsilon"}),
        (mx.optimizer.LARS(), {"mom": "momentum", "eps": "eps epsilon"}),
        (mx.optimizer.SGLD(), {}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else None,
)
def test_names_are_mapped_for_each_optimizer(optimizer, attributes):
    # the first is what MXNet 1.9 calls it, the second what 2.0 does; 1.9's Adamax has no epsilon
    attributes = {
        name: attribute
        for name, calls in attributes.items()
        for attribute in calls.split()
        if attribute in vars(optimizer)
    }
    hypers = HyperParameters(make_trainer(make_net(), optimizer))
    assert hypers.names[: len(attributes) + 2] == ["lr", "wd", *attributes]
    for name, attribute in attributes.items():
        before = getattr(optimizer, attribute)
        assert hypers[name] == [before]
        hypers[name] = 0.25
        assert getattr(optimizer, attribute) == 0.25
    hypers["wd"], hypers["lr"] = 0.125, 0.5
    assert (optimizer.wd, optimizer.lr) == (0.125, 0.5)
    for name in {"mom", "sqr_mom", "eps"} - set(attributes):
        with pytest.raises(ValueError, match=f"of {type(optimizer).__name__}: one of lr, wd"):
            hypers[name] = 0.1


def test_any_attribute_goes_by_its_own_name():
    trainer = make_trainer(make_net(), "lamb", lower_bound=0.5)
    hypers = HyperParameters(trainer)
    hypers["lower_bound"], hypers["clip_gradient"], hypers["beta1"] = 0.25, 3, 0.5
    optimizer = trainer.optimizer
    assert (optimizer.lower_bound, optimizer.clip_gradient, optimizer.beta1) == (0.25, 3, 0.5)
    hypers.put_back()
    assert (optimizer.lower_bound, optimizer.clip_gradient, optimizer.beta1) == (0.5, None, 0.9)


@pytest.mark.parametrize("name", ["rescale_grad", "num_update", "lazy_update", "nonsense"])
def test_what_is_no_hyper_parameter_is_refused_with_what_there_is(name):
    hypers = HyperParameters(make_trainer(make_net(), "adam"))
    message = "a hyper-parameter of Adam: one of lr, wd, mom, sqr_mom, eps"
    with pytest.raises(ValueError, match=message):
        hypers[name] = 1


CASES = {
    "sgd": ({"momentum": 0.9}, {"lr": [0.01, 0.1, 0.3], "mom": [0.5, 0.95, 0.9]}),
    "nag": ({"momentum": 0.9}, {"mom": [0.0, 0.95, 0.9], "wd": [0.0, 0.1, 0.2]}),
    "adam": ({}, {"mom": [0.5, 0.9, 0.8], "sqr_mom": [0.9, 0.99, 0.9], "eps": [1e-8, 0.1, 1e-3]}),
    "rmsprop": ({"centered": True}, {"mom": [0.5, 0.9, 0.8], "lr": [0.1, 0, 0.01]}),
    "lamb": ({}, {"mom": [0.5, 0.9, 0.8], "wd": [0.1, 0.0, 0.2]}),
}


@pytest.mark.parametrize("update_on_kvstore", [None, False])
@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("optimizer", CASES)
def test_each_group_trains_as_with_a_trainer_of_its_own(optimizer, ctx, update_on_kvstore):
    params, values = CASES[optimizer]
    together, apart = make_net(ctx), make_net(ctx)
    trainer = make_trainer(together, optimizer, update_on_kvstore, **params)
    hypers = HyperParameters(trainer, groups=list(together))
    trainers = [make_trainer(block, optimizer, update_on_kvstore, **params) for block in apart]
    for batch in range(4):
        for name, by_group in values.items():
            moved = [value * (1 - 0.1 * batch) for value in by_group]
            hypers[name] = moved
            np.testing.assert_allclose(hypers[name], moved, rtol=1e-15)
            for one, value in zip(trainers, moved):
                HyperParameters(one)[name] = value
        backward(together, ctx, batch % 4)
        backward(apart, ctx, batch % 4)
        trainer.step(16)
        for one in trainers:
            one.step(16)
    for left, right in zip(weights(together), weights(apart)):
        np.testing.assert_allclose(left, right, rtol=2e-6, atol=1e-7)


def test_a_momentum_that_comes_later_makes_its_states():
    grown, given = make_net(), make_net()
    trainers = [make_trainer(grown), make_trainer(given, momentum=0.9)]
    for trainer, net in zip(trainers, (grown, given)):
        hypers = HyperParameters(trainer)
        for batch, momentum in enumerate([0, 0, 0.9, 0.9]):
            hypers["mom"] = momentum
            backward(net, ONE, batch)
            trainer.step(16)
    states = trainers[0]._updaters[0].states
    assert all(state is not None for state in states.values())
    # the one that had states from the start has filled them in no step without momentum
    assert_same_arrays(weights(grown), weights(given))


def test_own_multipliers_stay_and_all_is_put_back():
    net = make_net()
    net[0].bias.lr_mult, net[2].weight.wd_mult = 2.0, 0.0
    trainer = make_trainer(net, momentum=0.9, wd=0.01, learning_rate=0.3)
    own = dict(vars(trainer.optimizer))
    hypers = HyperParameters(trainer, groups=list(net))
    hypers["lr"] = [0.1, 0.2, 0.4]
    hypers["wd"] = [0.1, 0.2, 0.4]
    hypers["mom"] = [0.1, 0.2, 0.4]
    assert (net[0].weight.lr_mult, net[0].bias.lr_mult) == (0.25, 0.5)
    assert net[2].weight.wd_mult == 0
    assert trainer.learning_rate == 0.4
    hypers["lr"] = [0.0, 0.0, 0.0]
    assert hypers["lr"] == [0.0, 0.0, 0.0]
    hypers.put_back()
    assert vars(trainer.optimizer) == own
    multipliers = [(p.lr_mult, p.wd_mult) for p in net.collect_params().values()]
    assert multipliers == [(1, 1), (2, 1), (1, 1), (1, 1), (1, 0), (1, 1)]


def test_an_optimizer_with_values_by_group_is_pickled_and_copied():
    net = make_net()
    trainer = make_trainer(net, momentum=0.9)
    HyperParameters(trainer, groups=list(net))["mom"] = [0.5, 0.6, 0.7]
    backward(net, ONE, 0)
    trainer.step(16)
    trainer.save_states("states")
    backward(net, ONE, 1)
    trained = weights(net)
    trainer.step(16)
    expected = weights(net)
    for parameter, value in zip(net.collect_params().values(), trained):
        parameter.set_data(nd.array(value))
    trainer.load_states("states")
    backward(net, ONE, 1)
    trainer.step(16)
    assert_same_arrays(weights(net), expected)
    assert pickle.loads(pickle.dumps(trainer.optimizer)).momentum == 0.7


@pytest.mark.parametrize(
    "groups",
    [
        lambda net: [net[0], net[1], net[2]],
        pytest.param(
            lambda net: [f"{net[i].prefix}.*" for i in range(3)],
            marks=pytest.mark.skipif(MXNET_2, reason="MXNet 2.0 removed prefixes"),
        ),
        lambda net: [list(net[0].collect_params().values()), net[1].collect_params(), [net[2]]],
        lambda net: [[net[0].weight, net[0].bias], [net[1]], net[2]],
    ],
)
def test_groups_are_blocks_patterns_or_lists(groups):
    net = make_net()
    hypers = HyperParameters(make_trainer(net), groups(net))
    expected = [[net[i].weight, net[i].bias] for i in range(3)]
    assert [{id(p) for p in group} for group in hypers.groups] == [
        {id(p) for p in group} for group in expected
    ]


def test_a_learner_knows_the_names_of_its_net():
    net = make_net()
    names = list(net.collect_params())
    groups = ["|".join(names[i : i + 2]) for i in (0, 2, 4)]
    learner = Learner(net, [], groups=groups)
    assert learner.groups == [[net[i].weight, net[i].bias] for i in range(3)]


class Shared(nn.Block):
    """One layer in two places, under two names."""

    def __init__(self):
        super().__init__()
        self.first = self.again = nn.Dense(5, in_units=5)
        self.last = nn.Dense(3, in_units=5)

    def forward(self, x):
        return self.last(self.again(self.first(x)))


@pytest.mark.parametrize("update_on_kvstore", [True, False])
def test_shared_parameters_have_the_rates_of_their_group(update_on_kvstore):
    def make():
        mx.random.seed(5)
        net = Shared()
        net.initialize(mx.init.Xavier(), ctx=TWO)
        return net, make_trainer(net, "sgd", update_on_kvstore, momentum=0.9)

    together, trainer = make()
    hypers = HyperParameters(trainer, groups=[together.first, together.last])
    hypers["lr"], hypers["mom"] = [0.1, 0.3], [0.5, 0.9]
    apart, _ = make()
    trainers = [make_trainer(block, momentum=0.9) for block in (apart.first, apart.last)]
    for one, lr, momentum in zip(trainers, (0.1, 0.3), (0.5, 0.9)):
        HyperParameters(one)["lr"], HyperParameters(one)["mom"] = lr, momentum
    for batch in range(3):
        for net, steps in ((together, [trainer]), (apart, trainers)):
            backward(net, TWO, batch)
            for one in steps:
                one.step(16)
    for left, right in zip(weights(together), weights(apart)):
        np.testing.assert_allclose(left, right, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        (lambda net: [net[0]], ValueError, r"in exactly one group, got '.* in no group"),
        (
            lambda net: [net, net[0]],
            ValueError,
            "in exactly one group, got '.* in several groups",
        ),
        (
            lambda net: [net, "no such name"],
            ValueError,
            "each group has a parameter of the trainer, got",
        ),
        (lambda net: net, TypeError, "`groups` must be a list whose items are each an mx"),
        (lambda net: "dense", TypeError, "`groups` must be a list"),
        (lambda net: [3], TypeError, "`groups` must be a list"),
    ],
)
def test_bad_groups_are_refused(groups, error, message):
    net = make_net()
    with pytest.raises(error, match=message):
        HyperParameters(make_trainer(net), groups(net))


@pytest.mark.parametrize("values", [-1, np.nan, [0.1, 0.2], [0.1, 0.2, np.inf]])
def test_bad_values_change_nothing(values):
    net = make_net()
    trainer = make_trainer(net)
    hypers = HyperParameters(trainer, groups=list(net))
    with pytest.raises(ValueError, match="HyperParameters: `lr` must be"):
        hypers["lr"] = values
    assert trainer.learning_rate == 0.01


def test_a_trainer_with_an_lr_scheduler_keeps_it():
    scheduler = mx.lr_scheduler.FactorScheduler(10, 0.5, base_lr=0.3)
    hypers = HyperParameters(make_trainer(make_net(), lr_scheduler=scheduler))
    assert hypers["lr"] == [0.3]
    with pytest.raises(ValueError, match="`trainer` must be a trainer without an lr_scheduler"):
        hypers["lr"] = 0.1
    hypers["mom"] = 0.5

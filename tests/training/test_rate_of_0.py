"""A rate of 0: no update for most optimizers, no finite weights with some, which is refused."""

import numpy as np
import pytest
from conftest import assert_same_arrays, make_learner, weights

from gluon_lr import CosineScheduler, Learner, LRFinder, ParamScheduler
from gluon_lr._mxnet import MXNET_2, mx
from gluon_lr._trainer import arrays_in
from gluon_lr.annealing import SchedLin

REFUSING = ("ftml", "ftrl", "sgld")
refusing = pytest.mark.parametrize("name", REFUSING)
REFUSAL = r"`lr` must be above 0 for all parameters, because (FTML|Ftrl|SGLD) .* got 0\.0\. "


def learner_of(name, **params):
    learner = make_learner(optimizer=name, finite=True, **params)
    learner.progress = False
    return learner


def trained(learner):
    """Return what an update changes: the weights, and the states of the optimizer."""
    parameters = [one for one in learner.trainer._params if one.grad_req != "null"]
    states = learner.trainer._updaters[0].states
    arrays = [one.data() for one in parameters]
    arrays += arrays_in(states[number] for number in sorted(states))
    return [array.asnumpy() for array in arrays]


def assert_refused(learner, action, match=REFUSAL):
    before, counts = trained(learner), dict(learner.trainer.optimizer._index_update_count)
    with pytest.raises(ValueError, match=match):
        action()
    mx.nd.waitall()
    assert_same_arrays(trained(learner), before)
    assert learner.trainer.optimizer._index_update_count == counts


@refusing
def test_an_iteration_at_0_is_refused_before_anything_has_changed(name):
    def run(tries):
        learner = learner_of(name)
        learner.iteration(0.01)
        for _ in range(tries):
            assert_refused(learner, lambda: learner.iteration(0))
        mx.random.seed(8)  # SGLD draws
        learner.iteration()
        return [learner.trainer.learning_rate], *weights(learner)

    assert_same_arrays(run(tries=1), run(tries=0))


@refusing
def test_a_gradient_can_be_computed_at_0(name):
    learner = learner_of(name)
    learner.iteration(0, take_step=False)
    assert_refused(learner, lambda: learner.make_update(0))


@refusing
def test_a_schedule_that_ends_at_0_is_refused_there(name):
    learner = learner_of(name, lr_scheduler=CosineScheduler(4, base_lr=0.01))
    for _ in range(3):
        learner.iteration()
    assert_refused(learner, learner.iteration)


@refusing
def test_a_parameter_with_a_rate_of_0_is_refused_unless_it_is_frozen(name):
    learner = learner_of(name)
    (parameter,) = learner.net[2].collect_params(".*bias").values()
    parameter.lr_mult = 0
    assert_refused(learner, learner.iteration)
    parameter.grad_req = "null"
    learner.iteration()


@refusing
def test_a_fit_with_a_group_at_0_is_refused(name):
    learner = learner_of(name)
    groups = [[learner.net[0], learner.net[1]], learner.net[2]]
    learner = Learner(learner.net, learner.data_loader, trainer=learner.trainer, groups=groups)
    learner.progress = False
    rate = learner.trainer.learning_rate
    assert_refused(learner, lambda: learner.fit(1, [0, 0.01]))
    assert learner.trainer.learning_rate == rate


@refusing
def test_a_curve_that_begins_at_0_is_refused_by_a_trainer_of_ones_own(name):
    learner = learner_of(name)
    scheduler = ParamScheduler({"lr": SchedLin(0, 0.01)}, learner.trainer, length=4)
    assert_refused(learner, scheduler.step)


@refusing
def test_a_search_with_a_parameter_at_0_is_refused(name):
    learner = learner_of(name)
    learner.net[0].weight.lr_mult = 0
    assert_refused(learner, lambda: LRFinder(learner).find(num_iter=5, progress=False))


def test_each_remedy_is_of_use():
    with pytest.raises(ValueError, match=r"schedule\.clip\(low=1e-8\)"):
        learner_of("ftml").iteration(0)
    schedule = CosineScheduler(4, base_lr=0.01).clip(low=1e-8)
    learner = learner_of("ftml", lr_scheduler=schedule)
    losses = [learner.iteration() for _ in range(6)]
    assert np.isfinite(losses).all()
    with pytest.raises(ValueError, match="Keep the rate constant: Ftrl's weights"):
        learner_of("ftrl").iteration(0)


def test_the_weights_of_ftrl_are_in_proportion_to_its_rate():
    learner = learner_of("ftrl")
    sizes = []
    for lr in (0.1, 1e-2, 1e-4, 1e-8):
        learner.iteration(lr)
        sizes.append(np.abs(weights(learner)[0]).max())
    assert sizes[0] > 0.1
    assert sizes[-1] < 1e-6


@pytest.mark.parametrize("name", sorted({*mx.optimizer.Optimizer.opt_registry} - {"test"}))
def test_an_update_at_0_is_refused_or_leaves_finite_weights(name):
    if name == "groupadagrad":
        pytest.skip("MXNet has it for weights of rows, without a weight decay")
    learner = learner_of(name)
    if name in REFUSING:
        assert_refused(learner, lambda: learner.iteration(0))
        return
    before = trained(learner)  # it has no states yet
    learner.iteration(0)
    after = trained(learner)[: len(before)]
    assert all(np.isfinite(one).all() for one in after)
    if name != "adadelta" or MXNET_2:  # 1.9's has no rate
        assert_same_arrays(after, before)

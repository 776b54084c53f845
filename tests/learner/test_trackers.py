"""Callbacks that watch a value of the epochs."""

import numpy as np
import pytest
from conftest import TWO, assert_same_arrays, weights
from fits import Plays, StopAfter, assert_same_state, make_learner, state

from gluon_lr import (
    Callback,
    CheckpointCallback,
    CosineScheduler,
    EarlyStoppingCallback,
    PlateauScheduler,
    ReduceLROnPlateau,
    SaveModelCallback,
)
from gluon_lr._mxnet import metric, mx, nd
from gluon_lr.training.metrics import direction_of

UP = ["Accuracy", "TopKAccuracy", "F1", "MCC", "PearsonCorrelation", "PCC"]
DOWN = ["MAE", "MSE", "RMSE", "CrossEntropy", "NegativeLogLikelihood", "Perplexity", "Loss"]


# -- directions --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in UP + DOWN if hasattr(metric, name)])
def test_the_direction_of_mxnets_metrics_is_known(name):
    arguments = {"TopKAccuracy": {"top_k": 3}, "Perplexity": {"ignore_label": None}}
    one = getattr(metric, name)(**arguments.get(name, {}))
    assert direction_of(one.name) == ("max" if name in UP else "min")


@pytest.mark.parametrize("name", ["train_loss", "valid_loss", "error_rate", "my_rmse", "my-loss"])
def test_losses_and_errors_go_down(name):
    assert direction_of(name) == "min"


@pytest.mark.parametrize(
    "name", ["iou", "bleu", "lossless", "accuracy_loss", "amazement", "neg_mse", "negative_loss"]
)
@pytest.mark.parametrize("kind", [EarlyStoppingCallback, SaveModelCallback, ReduceLROnPlateau])
def test_an_unknown_direction_is_asked_for(kind, name):
    with pytest.raises(ValueError, match=f"{kind.__name__}: `mode` must be 'min' or 'max', be"):
        kind(name)
    assert kind(name, mode="max").mode == "max"


def test_early_stopping_on_rmse_goes_on_while_it_falls():
    learner = make_learner()
    plays = Plays([5.0, 4.0, 3.0, 2.0, 1.0], "rmse")
    learner.metrics = metric.create(lambda label, output: 0.0)
    learner.metrics.name = "rmse"
    learner.fit(5, 0.1, cbs=[plays, EarlyStoppingCallback("rmse")])
    assert len(learner.recorder.epochs) == 5


@pytest.mark.parametrize("kind", [EarlyStoppingCallback, SaveModelCallback, ReduceLROnPlateau])
def test_a_value_that_no_epoch_will_have_is_refused_before_the_first(kind):
    learner = make_learner()
    before = weights(learner)
    with pytest.raises(ValueError, match=f"{kind.__name__}: `monitor` must be one of 'train_loss'"):
        learner.fit(2, 0.1, cbs=kind("f1"))
    assert_same_arrays(weights(learner), before)
    with pytest.raises(TypeError, match="`monitor` must be the name of a value"):
        kind(lambda: 0)


def test_what_ends_a_fit_says_so(capsys):
    learner = make_learner()
    learner.progress = True
    cbs = [Plays([2.0, 1.0, 1.5, 1.25]), EarlyStoppingCallback(patience=2)]
    learner.fit(9, 0.1, cbs=cbs)
    assert (
        "EarlyStoppingCallback: the fit ends; valid_loss was best in epoch 1: 1."
    ) in capsys.readouterr().out


def test_the_epochs_of_an_earlier_fit_do_not_count():
    learner = make_learner()
    learner.fit(2, 0.1, cbs=Plays([0.1, 0.1]))
    learner.fit(3, 0.1, cbs=[Plays([3.0, 2.0, 1.0]), EarlyStoppingCallback()])
    assert [epoch["fit"] for epoch in learner.recorder.epochs] == [0, 0, 1, 1, 1]


def test_all_are_told_of_the_epoch_at_which_one_ends_the_fit():
    learner = make_learner()
    seen = []

    class Late(Callback):
        order = 99

        def after_epoch(self, learner):
            seen.append(len(learner.recorder.epochs))

    learner.fit(4, 0.1, cbs=[Late(), Plays([1.0, 2.0]), EarlyStoppingCallback()])
    assert seen == [1, 2]


# -- the best model ----------------------------------------------------------------------------


class Keeps(Callback):
    """Keeps the weights of each epoch."""

    def __init__(self):
        self.weights = []

    def after_epoch(self, learner):
        self.weights.append(weights(learner))


@pytest.mark.parametrize("ctx", [mx.cpu(), TWO])
@pytest.mark.parametrize("to_file", [False, True])
def test_the_weights_of_the_best_epoch_are_there_at_the_end(to_file, ctx):
    learner, keeps = make_learner(ctx), Keeps()
    saves = SaveModelCallback("accuracy", path="best.params" if to_file else None)
    values = [0.2, 0.7, 0.7, 0.5]
    learner.fit_one_cycle(4, 0.1, cbs=[keeps, Plays(values, "accuracy"), saves])
    assert_same_arrays(weights(learner), keeps.weights[1])
    if to_file:
        other = make_learner(ctx)
        other.net.load_parameters("best.params", ctx=ctx)
        data = nd.ones((3, 5), ctx=ctx[0] if isinstance(ctx, list) else ctx)
        found, expected = other.net(data), learner.net(data)
        np.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), atol=0.3)


def test_they_may_be_left_out_of_the_net():
    learner, keeps = make_learner(), Keeps()
    saves = SaveModelCallback(path="best.params", restore=False)
    learner.fit(3, 0.1, cbs=[keeps, Plays([1.0, 2.0, 3.0]), saves])
    assert_same_arrays(weights(learner), keeps.weights[-1])
    learner.load_params("best.params")
    assert_same_arrays(weights(learner), keeps.weights[0])


def test_a_fit_that_never_has_a_value_keeps_its_last_weights():
    learner, keeps = make_learner(), Keeps()
    learner.fit(2, 0.1, cbs=[keeps, Plays([np.nan, np.nan]), SaveModelCallback()])
    assert_same_arrays(weights(learner), keeps.weights[-1])


@pytest.mark.parametrize("at", [5, 9, 11])
def test_a_resumed_fit_has_the_best_weights_of_before(at):
    values = [0.5, 0.4, 2.0, 3.0]
    straight = make_learner()
    straight.fit(4, 0.1, cbs=[Plays(values), SaveModelCallback()])
    expected = state(straight)
    stopped = make_learner()
    with pytest.raises(KeyboardInterrupt):
        cbs = [Plays(values), SaveModelCallback(), CheckpointCallback("run", 1), StopAfter(at)]
        stopped.fit(4, 0.1, cbs=cbs)
    stopped.resume(cbs=[Plays(values), SaveModelCallback()])
    assert_same_state(state(stopped), expected)
    loaded = make_learner()
    loaded.load("run")
    if at > 5:
        with pytest.raises(
            ValueError, match="`cbs` must be callbacks that include SaveModelCallback"
        ):
            loaded.resume()
    loaded.resume(cbs=[Plays(values), SaveModelCallback()])
    assert_same_state(state(loaded), expected)


# -- plateaus ----------------------------------------------------------------------------------

VALUES = [5.0, 4.0, 4.5, 4.4, 4.3, 3.0, 3.5, 3.6, 3.7, 3.8]


def shares_of(learner):
    """Return what the first update of each epoch has of the rate."""
    return learner.recorder.lrs[::4]


@pytest.mark.parametrize("patience", [0, 1, 2])
@pytest.mark.parametrize("rate", [0.1, None])
def test_the_rate_is_reduced_by_the_schedules_rule(patience, rate):
    learner = make_learner()
    rule = PlateauScheduler(0.5, patience, threshold=0, base_lr=rate or 0.01, stop_factor_lr=0)
    expected = []
    for value in VALUES:
        expected.append(rule.lr)
        rule.observe(value)
    reduces = ReduceLROnPlateau("valid_loss", patience, 0.5)
    learner.fit(len(VALUES), rate, cbs=[Plays(VALUES), reduces])
    np.testing.assert_allclose(shares_of(learner), expected, rtol=1e-12)
    assert learner.trainer.learning_rate == 0.01


def test_fastais_factor_divides_and_there_is_a_lowest_rate():
    learner = make_learner()
    reduces = ReduceLROnPlateau(patience=0, factor=10, min_lr=5e-4)
    learner.fit(5, slice(0.01, 0.1), cbs=[Plays([1.0] * 5), reduces])
    rates = learner.recorder.group_hps["lr"][::4]
    np.testing.assert_allclose(rates[:, 1], [0.1, 0.1, 0.01, 0.001, 5e-4])
    np.testing.assert_allclose(rates[:, 0], [0.01, 0.01, 0.001, 5e-4, 5e-4])


def test_each_group_may_have_a_lowest_rate():
    learner = make_learner()
    reduces = ReduceLROnPlateau(patience=0, factor=0.1, min_lr=np.array([2e-3, 1e-4]))
    assert reduces.min_lr == [2e-3, 1e-4]
    learner.fit(5, slice(0.01, 0.1), cbs=[Plays([1.0] * 5), reduces])
    rates = learner.recorder.group_hps["lr"][::4]
    np.testing.assert_allclose(rates[:, 1], [0.1, 0.1, 0.01, 0.001, 1e-4])
    np.testing.assert_allclose(rates[:, 0], [0.01, 0.01, 2e-3, 2e-3, 2e-3])
    with pytest.raises(ValueError, match="`min_lr` must be one rate, or one for each of 2 groups"):
        learner.fit(1, 0.1, cbs=ReduceLROnPlateau(min_lr=[0.1]))
    with pytest.raises(ValueError, match="ReduceLROnPlateau: `min_lr` must be a finite number of"):
        ReduceLROnPlateau(min_lr=[0.1, -1])


def test_an_improvement_must_exceed_min_delta():
    learner = make_learner()
    reduces = ReduceLROnPlateau(patience=0, factor=0.5, min_delta=0.2)
    learner.fit(3, 1e-3, cbs=[Plays([1.0, 0.9, 0.7]), reduces])
    np.testing.assert_allclose(shares_of(learner), [1e-3, 1e-3, 5e-4])


def test_a_curve_is_scaled_and_a_resumed_fit_goes_on():
    def cbs():
        return [Plays([1.0, 2.0, 3.0]), ReduceLROnPlateau(patience=0, factor=0.5)]

    plain = make_learner()
    plain.fit_one_cycle(3, 0.1)
    straight = make_learner()
    straight.fit_one_cycle(3, 0.1, cbs=cbs())
    shares = np.repeat([1, 1, 0.5], 4)
    np.testing.assert_allclose(straight.recorder.lrs, plain.recorder.lrs * shares, rtol=1e-12)
    expected = state(straight)
    stopped = make_learner()
    with pytest.raises(KeyboardInterrupt):
        stopped.fit_one_cycle(3, 0.1, cbs=[*cbs(), CheckpointCallback("run", 1), StopAfter(9)])
    loaded = make_learner()
    loaded.load("run")
    loaded.resume(cbs=cbs())
    expected_losses, found = straight.recorder.losses, loaded.recorder.losses
    np.testing.assert_array_equal(found, expected_losses)
    assert_same_arrays(weights(loaded), expected[0][: len(weights(loaded))])


def test_a_rate_that_a_scheduler_moves_is_not_reduced():
    learner = make_learner()
    learner.trainer.optimizer.lr_scheduler = CosineScheduler(100, base_lr=0.1)
    with pytest.raises(ValueError, match="ReduceLROnPlateau: `trainer` must be without an lr_sch"):
        learner.fit(2, cbs=ReduceLROnPlateau())
    learner.fit(1, 0.1, cbs=ReduceLROnPlateau())


@pytest.mark.parametrize("factor", [0, 1, -2, float("nan")])
def test_bad_factors(factor):
    with pytest.raises(ValueError, match="ReduceLROnPlateau: `factor` must be"):
        ReduceLROnPlateau(factor=factor)

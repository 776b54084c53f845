"""A tune: what it finds, what it leaves, and the training that it keeps."""

import itertools
import math
import random
import sys

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, make_dataset, weights
from fits import assert_same_state, make_learner, state
from interruptions import Interrupted, pressed, raised
from loaders import LOADERS, ended
from loaders import make as make_loading
from test_no_trace import Failing, FailingLoss, after_training, assert_the_same, train, without
from test_no_trace import make as make_net

from gluon_lr import (
    Callback,
    CheckpointCallback,
    CosineScheduler,
    EarlyStoppingCallback,
    GradientClip,
    Learner,
    LRFinder,
    OneCycleSchedule,
    PlateauScheduler,
    Refusal,
    one_cycle,
)
from gluon_lr._mxnet import MXNET_2, mx, nd
from gluon_lr.finder.usual import usual_rate

LENGTH = 8  # two epochs of fits.make_learner
BUDGET = 4 * LENGTH


def tune(learner, length=LENGTH, budget=BUDGET, **more):
    return LRFinder(learner).tune(length, budget, progress=False, **more)


# -- what it finds -----------------------------------------------------------------------------


def test_a_budget_of_0_is_the_usual_rate():
    learner = make_learner(optimizer="adam")
    result = tune(learner, length=LENGTH, budget=0)
    passes = LENGTH / len(learner.data_loader)
    assert result.suggestion == usual_rate(learner.trainer.optimizer, LENGTH, passes)
    assert (result.cost, result.trials, result.refusal) == (0, (), None)
    assert result.interval[0] < result.suggestion < result.interval[1]


def test_an_optimizer_without_a_usual_rate():
    learner = make_learner(optimizer="adadelta")
    result = tune(learner, budget=0)
    assert (result.suggestion, result.usual, result.interval) == (None, None, None)
    assert result.refusal is Refusal.NOT_KNOWN
    assert tune(learner, length=64, budget=64).suggestion is not None


class Quadratic:
    """A learner of one's own: a weight that falls by its gradient, lr, and noise-free."""

    def __init__(self, judges=True):
        self.net = mx.gluon.nn.Dense(1, use_bias=False, in_units=1)
        self.net.initialize(mx.init.One())
        self.trainer = mx.gluon.Trainer(self.net.collect_params(), "sgd")
        self.rates = []
        if judges:
            self.validate = self._validate

    def iteration(self, lr):
        self.rates.append(lr)
        with mx.autograd.record():
            loss = self.net(nd.ones((1, 1))) ** 2
        loss.backward()
        self.trainer.set_learning_rate(lr)
        self.trainer.step(1)
        return loss

    def _validate(self, batches, metrics):
        assert metrics == ()
        losses = [float((self.net(data) ** 2).mean().asnumpy()) for data, _ in batches]
        return {"valid_loss": np.mean(losses)}


PAIRS = [(nd.ones((2, 1)), nd.zeros((2,)))]


@pytest.mark.parametrize("validation", [PAIRS, None])
def test_a_learner_of_ones_own(validation):
    learner = Quadratic(judges=validation is not None)
    weight = float(learner.net.weight.data().asnumpy())
    result = tune(learner, length=40, budget=200, validation=validation, policy="constant")
    # the weight is multiplied by 1 - 2 lr at each update: 0.5 is best, and 1 diverges
    assert 0.1 < result.suggestion < 0.9
    assert float(learner.net.weight.data().asnumpy()) == weight
    assert result.cost <= 200
    assert len(learner.rates) == result.cost + (validation is None)


def test_a_learner_of_ones_own_follows_the_policys_rates():
    learner = Quadratic()
    result = tune(learner, length=40, budget=200, validation=PAIRS)
    last = result.trials[-1]
    curve = one_cycle(last.rate)["lr"]
    assert learner.rates[-last.length :] == [curve(n / last.length) for n in range(last.length)]


@pytest.mark.parametrize("argument", [{"keep": True}, {"checkpoint": "x"}, {"cbs": [Callback()]}])
def test_what_a_learner_of_ones_own_cannot_have(argument):
    with pytest.raises(TypeError, match=r"^LRFinder.tune: `\w+` must be omitted for a custom"):
        tune(Quadratic(), validation=PAIRS, **argument)


@pytest.mark.parametrize("policy", ["one_cycle", "flat_cos", "sgdr", "constant"])
def test_each_policy(policy):
    learner = make_learner()
    result = tune(learner, policy=policy)
    assert result.suggestion is not None
    assert result.policy == policy


def test_a_schedule_is_scaled_and_stretched():
    schedule = OneCycleSchedule(0.1, 1, 18, 2, 0.01)
    learner = Quadratic()
    result = tune(learner, length=20, budget=80, validation=PAIRS, policy=schedule)
    whole = result.trials[-1]
    assert whole.length == 20
    expected = [whole.rate * schedule(n) for n in range(1, 21)]
    assert learner.rates[-20:] == pytest.approx(expected)


def test_the_shape_of_a_schedule_stays_in_short_trials():
    learner = Quadratic()
    schedule = CosineScheduler(40, base_lr=3)
    result = tune(learner, length=40, budget=80, validation=PAIRS, policy=schedule)
    assert {trial.length for trial in result.trials} == {20}
    first = result.trials[0]
    assert learner.rates[:20] == pytest.approx(
        [first.rate * schedule(n) / 3 for n in range(1, 41, 2)], rel=1e-2
    )


def test_a_function_from_the_rate_to_curves():
    def steeper(rate):
        return one_cycle(rate, div=100, moms=())

    result = tune(make_learner(), policy=steeper)
    assert result.policy == "steeper"


MISUSED = {
    "length": ({"length": 0}, ValueError, "length"),
    "a length in epochs": ({"length": 1.5}, TypeError, "length"),
    "budget": ({"budget": -1}, ValueError, "budget"),
    "a budget too small to keep": ({"budget": LENGTH - 1, "keep": True}, ValueError, "budget"),
    "policy": ({"policy": "cosine"}, ValueError, "policy"),
    "a class": ({"policy": CosineScheduler}, TypeError, "policy"),
    "a schedule of MXNet": (
        {"policy": mx.lr_scheduler.FactorScheduler(1)},
        TypeError,
        "policy",
    ),
    "a schedule that waits": ({"policy": PlateauScheduler()}, TypeError, "policy"),
    "a schedule of 0": ({"policy": CosineScheduler(10, base_lr=0)}, ValueError, "policy"),
    "curves without a rate": ({"policy": lambda rate: {"wd": abs}}, ValueError, "policy"),
    "validation": ({"validation": 3}, TypeError, "validation"),
    "seed": ({"seed": -1}, ValueError, "seed"),
}


@pytest.mark.parametrize("name", MISUSED)
def test_a_call_that_cannot_be_meant_changes_nothing(name):
    arguments, error, argument = MISUSED[name]
    learner = make_learner()
    with pytest.raises(error, match=rf"^LRFinder.tune: `{argument}` must be "):
        tune(learner, **arguments)
    assert_same_state(state(learner), state(make_learner()))


def test_nothing_learns():
    learner = make_learner(loss=lambda output, label: (output - output).sum(axis=1) + 1)
    before = weights(learner)
    result = tune(learner, keep=True)
    assert result.suggestion is result.interval is None
    assert result.refusal is Refusal.NOT_LEARNT
    assert not result.kept
    assert result.usual == usual_rate(learner.trainer.optimizer, LENGTH, 2)
    assert_same_arrays(weights(learner), before)
    assert "no suggestion: no trial ended with a lower loss" in repr(result)
    with pytest.raises(RuntimeError, match=r"^fit_one_cycle: no rate was found"):
        learner.fit_one_cycle(2, "tune")


def test_a_trial_that_diverges_ends_there():
    learner = make_learner()
    losses = []

    def loss(output, label):
        losses.append(1)
        value = mx.gluon.loss.SoftmaxCrossEntropyLoss()(output, label)
        return value * (np.nan if learner.trainer.learning_rate > 0.3 else 1)

    learner.loss = loss
    result = tune(learner, length=64, budget=256, policy="constant")
    ended = [one for one in result.trials if one.rate > 0.3]
    assert ended
    for trial in ended:
        assert trial.loss == math.inf
        assert len(trial.losses) < 5
    assert result.suggestion <= 0.3
    assert result.cost == sum(len(one.losses) for one in result.trials)


def test_callbacks_take_part_in_the_trials():
    norms = []

    class Norm(Callback):
        def before_step(self, learner):
            norms.append(learner.gradient_norm())

    result = tune(make_learner(), cbs=[GradientClip(1e-3), Norm()])
    assert len(norms) == result.cost
    assert max(norms) == pytest.approx(1e-3, rel=1e-3)


def test_two_tunes_alike():
    learner = make_learner()
    first, second = tune(learner), tune(learner)
    assert [one[:3] for one in first.trials] == [one[:3] for one in second.trials]
    assert first.suggestion == second.suggestion


# -- what it leaves ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "optimizer", "ctx", "update_on_kvstore"),
    [
        ("norm", "momentum", ONE, None),
        ("deferred", "adam", TWO, None),
        ("shared", "schedule", TWO, False),
        ("add", "momentum", ONE, False),
        ("frozen", "adam", TWO, True),
        ("dropout", "plain", ONE, None),
    ],
)
@pytest.mark.parametrize("before", [0, 3])
def test_no_trace(name, optimizer, ctx, update_on_kvstore, before):
    settings = {
        "name": name,
        "optimizer": optimizer,
        "ctx": ctx,
        "update_on_kvstore": update_on_kvstore,
    }
    learner = make_net(**settings)
    train(learner, before)
    seed = 3 if name == "dropout" else None
    data = [(nd.array(part[:9]), nd.array(label[:9])) for part, label in [make_dataset()[:]]]
    result = tune(learner, length=10, budget=40, validation=data, seed=seed)
    assert len({one.length for one in result.trials}) == 1
    assert_the_same(after_training(learner), without(before, seed, **settings))


@pytest.mark.parametrize(("at", "ctx"), [(1, ONE), (5, TWO), (30, ONE), (60, TWO)])
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
@pytest.mark.parametrize("keep", [False, True])
def test_no_trace_of_an_exception_at_any_trial(at, ctx, error, keep):
    learner = make_net(ctx=ctx)
    learner.loss = FailingLoss()
    learner.valid_loader = PAIRS_OF_5
    train(learner, 3)
    learner.loss.failing = Failing(at, error)
    with pytest.raises(error, match="on purpose"):
        tune(learner, length=10, budget=60, keep=keep)
    learner.loss.failing = None
    assert_the_same(after_training(learner), without(3, ctx=ctx))


PAIRS_OF_5 = [(nd.array(part[:9]), nd.array(label[:9])) for part, label in [make_dataset()[:]]]


@pytest.mark.parametrize("interrupt", [raised, pressed])
@pytest.mark.parametrize("keep", [False, True])
def test_ctrl_c_at_any_line_leaves_the_start_or_the_whole(interrupt, keep):
    def made():
        learner = make_net()
        learner.valid_loader = PAIRS_OF_5
        train(learner, 3)
        return learner

    straight = after_training(made())
    kept = made()
    tune(kept, length=4, budget=8, keep=keep)
    whole = after_training(kept)
    sweep = Interrupted(lambda: tune(made(), length=4, budget=8, keep=keep), "tune")
    places = sweep.places()
    chosen = np.random.RandomState(0).choice(places, 10, replace=False)
    for place in sorted(chosen):
        learner = made()
        action = Interrupted(lambda one=learner: tune(one, length=4, budget=8, keep=keep), "tune")
        assert action.at(place, interrupt) or keep
        after = after_training(learner)
        if keep and after[0] == whole[0]:
            assert_the_same(after, whole)
        else:
            assert_the_same(after, straight)


# -- the training that it keeps ----------------------------------------------------------------


@pytest.mark.parametrize("ctx", [ONE, TWO])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("data", ["shuffled", "endless", "augmented"])
def test_it_is_a_plain_fit_bit_for_bit(ctx, optimizer, data):
    learner = make_learner(ctx, optimizer, data)
    result = tune(learner, keep=True)
    assert result.kept
    kept = state(learner)
    plain = make_learner(ctx, optimizer, data)
    plain.fit_one_cycle(2, result.suggestion)
    assert_same_state(kept, state(plain))


def assert_kept_is_plain(made, n_epoch):
    """Compare a fit at 'tune' with one at its rate, and what comes after each."""
    learner = made()
    learner.fit_one_cycle(n_epoch, "tune")
    kept = after_a_fit(learner)
    plain = made()
    plain.fit_one_cycle(n_epoch, learner.tuned.suggestion)
    expected = after_a_fit(plain)
    assert_same_state(kept[0], expected[0])
    assert kept[1] == expected[1]
    assert_same_state(kept[2], expected[2])


def after_a_fit(learner):
    """Return all there is after the fit, and after more of them."""
    one = state(learner)
    losses = [learner.iteration() for _ in range(7)]
    learner.fit_one_cycle(1, 0.01)
    return one, losses, ended(learner)


@pytest.mark.parametrize(("name", "before"), list(zip(LOADERS, itertools.cycle([0, 3]))))
def test_the_place_in_the_data_is_that_after_the_fit(name, before):
    if MXNET_2 and name == "threads":
        pytest.skip("MXNet 2.0 reads ahead in threads of its own")

    def made():
        learner = make_loading(name)
        train(learner, before)
        return learner

    assert_kept_is_plain(made, n_epoch=3)


ONE_PASS = {
    "an iterator": lambda: iter(list(map(nd_pair, batches_of(100)))),
    "a DataIter": lambda: mx.io.NDArrayIter(
        *(nd.array(np.concatenate(parts)) for parts in zip(*batches_of(8))), 16
    ),
}


def batches_of(count):
    draw = np.random.RandomState(4)
    for _ in range(count):
        data = draw.randn(8, 5).astype("float32")
        yield data, data[:, :3].argmax(axis=1).astype("float32")


def nd_pair(pair):
    return tuple(map(nd.array, pair))


@pytest.mark.parametrize("name", ONE_PASS)
def test_the_place_in_what_has_one_pass(name):
    def made():
        random.seed(2)
        np.random.seed(2)
        mx.random.seed(2)
        net = mx.gluon.nn.Dense(3, in_units=5)
        net.initialize()
        more = {"iterations_per_epoch": 4} if name == "an iterator" else {}
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"momentum": 0.9})
        learner = Learner(net, ONE_PASS[name](), trainer=trainer, **more)
        learner.progress = False
        learner.valid_loader = list(map(nd_pair, batches_of(2)))
        learner.iteration()
        return learner

    assert_kept_is_plain(made, n_epoch=2)


FITS = {
    "fit": lambda learner, lr: learner.fit(2, lr),
    "fit_one_cycle": lambda learner, lr: learner.fit_one_cycle(2, lr, wd=0.1, pct_start=0.5),
    "fit_flat_cos": lambda learner, lr: learner.fit_flat_cos(2, lr, cbs=[GradientClip(1)]),
    "fit_sgdr": lambda learner, lr: learner.fit_sgdr(1, 2, lr),
}


@pytest.mark.parametrize("name", FITS)
def test_each_fit_at_tune(name):
    learner = make_learner()
    FITS[name](learner, "tune")
    kept = state(learner)
    plain = make_learner()
    FITS[name](plain, learner.tuned.suggestion)
    assert_same_state(kept, state(plain))
    assert learner.tuned.policy == name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda one: one.fit_one_cycle(2, "tuned"),
            "fit_one_cycle: `lr_max` must be a rate, or 'tune'",
        ),
        (lambda one: one.fit_one_cycle(2, "tune", start_epoch=1), "`start_epoch` must be 0 if"),
        (lambda one: one.fit_one_cycle(0, "tune"), "`n_epoch` must be an integer of at least 1"),
    ],
)
def test_a_fit_at_tune_that_cannot_be_meant(call, message):
    learner = make_learner()
    with pytest.raises(ValueError, match=message):
        call(learner)
    assert_same_state(state(learner), state(make_learner()))


def test_a_training_that_is_kept_holds_nothing_out():
    learner = make_learner()
    learner.valid_loader = None
    with pytest.raises(ValueError, match="`validation` must be given if `keep` is True"):
        learner.fit_one_cycle(2, "tune")


def test_a_length_that_is_no_whole_epochs_is_one_epoch():
    learner = make_learner()
    result = tune(learner, length=10, budget=40, keep=True)
    assert len(learner.recorder) == 10
    assert len(learner.recorder.epochs) == 1
    assert result.suggestion == pytest.approx(learner.recorder.lrs.max(), rel=0.1)


@pytest.mark.parametrize("name", ["own loader", "too short", "too long", "uneven"])
def test_one_epoch_is_a_pass_however_long_that_is(name):
    assert_kept_is_plain(lambda: make_loading(name), n_epoch=1)


def test_early_stopping_sees_the_validation_of_each_trial():
    learner = make_learner()
    result = tune(learner, keep=True, cbs=[EarlyStoppingCallback(patience=5)])
    assert result.kept


def test_checkpoints_are_of_the_training_that_is_kept(tmp_path):
    path = tmp_path / "run.checkpoint"
    learner = make_learner()
    learner.fit_one_cycle(2, "tune", cbs=[CheckpointCallback(path, iterations=1)])
    other = make_learner()
    other.load(path)
    assert_same_arrays(weights(other), weights(learner))


def test_a_rate_that_was_set_meanwhile_is_no_difference(recwarn):
    learner = make_learner()
    learner.trainer.set_learning_rate(0.123)
    tune(learner, keep=True)
    assert learner.trainer.learning_rate == 0.123
    assert [str(one.message) for one in recwarn.list if one.category is UserWarning] == []


# -- a file of the trials ----------------------------------------------------------------------


class Dies(Callback):
    def __init__(self, updates):
        self.left = updates

    def after_step(self, learner):
        self.left -= 1
        if self.left == 0:
            raise OSError("the process dies")


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("at", [18, 30])
def test_a_killed_tune_goes_on(tmp_path, keep, at):
    path = tmp_path / "tune"
    length, budget = 16, 96
    whole = make_learner()
    expected = tune(whole, length, budget, keep=keep)
    killed = make_learner()
    with pytest.raises(OSError, match="the process dies"):
        tune(killed, length, budget, keep=keep, checkpoint=path, cbs=Dies(at))
    another = make_learner()
    another.net[0].weight.set_data(nd.ones((16, 5)))  # another start, which the file's replaces
    result = tune(another, length, budget, keep=keep, checkpoint=path)
    assert [one[:3] for one in result.trials] == [one[:3] for one in expected.trials]
    assert result.suggestion == expected.suggestion
    assert_same_arrays(weights(another), weights(whole))
    assert another.recorder.losses.tolist() == whole.recorder.losses.tolist()


def test_what_is_done_is_not_done_again(tmp_path):
    path = tmp_path / "tune"
    learner = make_learner()
    result = tune(learner, checkpoint=path, keep=True)
    kept = weights(learner)
    again = make_learner()
    updates = []

    class Counts(Callback):
        def after_step(self, learner):
            updates.append(1)

    assert tune(again, checkpoint=path, keep=True, cbs=Counts()).trials == result.trials
    assert not updates
    assert_same_arrays(weights(again), kept)


@pytest.mark.parametrize(
    "asked", [{"length": 2 * LENGTH}, {"policy": "constant"}, {"keep": True}], ids=str
)
def test_a_file_of_another_tune(tmp_path, asked):
    path = tmp_path / "tune"
    tune(make_learner(), checkpoint=path)
    learner = make_learner()
    with pytest.raises(ValueError, match="`checkpoint` must be a file of a tune with"):
        tune(learner, checkpoint=path, **asked)
    assert_same_state(state(learner), state(make_learner()))


def test_a_file_of_what_holds_out(tmp_path):
    path = tmp_path / "tune"
    learners = [make_learner() for _ in range(3)]
    for learner in learners:
        learner.valid_loader = None
    expected = tune(learners[0], 40, 160)
    with pytest.raises(OSError, match="the process dies"):
        tune(learners[1], 40, 160, checkpoint=path, cbs=Dies(30))
    result = tune(learners[2], 40, 160, checkpoint=path)
    assert [one[:3] for one in result.trials] == [one[:3] for one in expected.trials]


class Remembers:
    """Held-out data with a generator of its own."""

    def __init__(self):
        self.random = np.random.RandomState(1)

    def __iter__(self):
        data, label = make_dataset()[:]
        chosen = self.random.permutation(len(data))[:20]
        return iter([(nd.array(data[chosen]), nd.array(label[chosen]))])


def test_held_out_data_remember_nothing_of_it():
    validation = Remembers()
    before = validation.random.get_state()[1].tolist()
    result = tune(make_learner(), validation=validation)
    assert len({one.loss for one in result.trials}) == len(result.trials)
    assert validation.random.get_state()[1].tolist() == before


def test_a_file_that_is_none(tmp_path):
    path = tmp_path / "tune"
    path.write_text("nothing")
    with pytest.raises(ValueError, match="must be a tune of gluon_lr"):
        tune(make_learner(), checkpoint=path)


# -- progress ----------------------------------------------------------------------------------


def test_the_bar_tells_the_trials_left(capsys):
    learner = make_learner()
    learner.progress = True
    LRFinder(learner).tune(LENGTH, BUDGET)
    shown = capsys.readouterr().err
    assert "trial=1 of at most 3" in shown
    assert "100%" in shown
    assert shown.count("Tuning the learning rate") and "epochs=" not in shown


def test_no_bar(capsys):
    tune(make_learner())
    assert not capsys.readouterr().err


def test_the_finder_draws_its_last_tune(tmp_path):
    finder = LRFinder(make_learner())
    result = finder.tune(LENGTH, BUDGET, progress=False)
    assert finder.result is result
    ax = finder.plot()
    assert ax.get_xscale() == "log"
    assert len(ax.figure.axes) == 2


def test_python_s_frames_do_not_hold_the_learner():
    learner = make_learner()
    tune(learner)
    count = sys.getrefcount(learner)
    tune(learner)
    assert sys.getrefcount(learner) == count

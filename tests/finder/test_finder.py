"""Searches on learners of every kind, and what they leave behind."""

import contextlib
import os

import numpy as np
import pytest
from conftest import assert_same_arrays, make_dataset, make_learner, make_net, weights

from gluon_lr import (
    Diverged,
    FactorScheduler,
    Learner,
    LRFinder,
    LRFinderResult,
    LRFinderStoppingCriteria,
    MaxIterations,
    Refusal,
    StopReason,
    preserved,
)
from gluon_lr._mxnet import mx, nd
from gluon_lr.finder import SuggestedLRs, lr_find
from gluon_lr.finder.usual import usual_rate
from gluon_lr.training.iteration import PendingLoss


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


def test_twice_in_a_row_finds_the_same():
    finder = LRFinder(make_learner(learning_rate=0.1))
    first = finder.find(lr_start=1e-4, lr_end=0.3, lr_multiplier=1.2, progress=False)
    second = finder.find(lr_start=1e-4, lr_end=0.3, lr_multiplier=1.2, progress=False)
    assert first == second
    assert finder.result is second


def test_works_from_a_net_whose_shapes_are_not_known_yet():
    loader = mx.gluon.data.DataLoader(make_dataset(), 16)
    mx.random.seed(1)
    learner = Learner(make_net(), loader)
    result = find(learner, lr_end=0.1)
    statistics = learner.net[1].running_mean.data().asnumpy()
    assert len(result) > 100
    assert (statistics == 0).all()


class Tutorials:
    """A learner as in MXNet's tutorial, over a net that waits for its shapes."""

    def __init__(self):
        mx.random.seed(1)
        self.net = make_net()
        self.net.initialize()
        self.trainer = mx.gluon.Trainer(self.net.collect_params(), "sgd")
        self.batches = mx.gluon.data.DataLoader(make_dataset(), 16)

    def iteration(self, lr):
        data, label = next(iter(self.batches))
        with mx.autograd.record():
            loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()(self.net(data), label)
        loss.backward()
        self.trainer.set_learning_rate(lr)
        self.trainer.step(16)
        return loss.asnumpy().mean()


def test_a_learner_of_ones_own_needs_no_more_than_iteration_net_and_trainer():
    searched = Tutorials()
    assert find(searched).suggestion is not None
    losses = [searched.iteration(0.1) for _ in range(5)]
    straight = Tutorials()
    assert losses == [straight.iteration(0.1) for _ in range(5)]


def test_fastais_search_needs_no_more_either():
    lr_min, lr_steep = found = SuggestedLRs.of(lr_find(Tutorials(), progress=False))
    assert 1e-7 < lr_min < 10
    assert 1e-7 < lr_steep < 10
    assert (found.interval, found.usual) == (found.result.interval, 0.45)
    assert found.result.num_iter == 100


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


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({"lr_start": 1e-3, "lr_multiplier": 10, "lr_end": 1}, [1e-3, 1e-2, 1e-1, 1]),
        ({"lr_start": 1e-3, "lr_multiplier": 10, "lr_end": 0.5}, [1e-3, 1e-2, 1e-1, 0.5]),
        ({"lr_start": 1, "lr_multiplier": 10, "lr_end": 2}, [1, 2]),
        ({"lr_start": 1e-3, "lr_end": 1, "num_iter": 4}, [1e-3, 1e-2, 1e-1, 1]),
        ({"lr_start": 1, "lr_end": 3, "num_iter": 5, "mode": "linear"}, [1, 1.5, 2, 2.5, 3]),
    ],
)
def test_the_rates_end_at_lr_end(settings, rates):
    learner = Scripted([1.0] * 100)
    result = find(learner, **settings)
    np.testing.assert_allclose(result.lrs, rates, rtol=1e-12)
    np.testing.assert_array_equal(learner.lrs, result.lrs)
    assert result.lrs[-1] == settings["lr_end"]
    assert result.reason is StopReason.REACHED_END
    assert result.num_iter == len(rates)
    assert result.refusal is Refusal.TOO_SHORT


def test_the_default_takes_170_iterations_and_a_linear_search_100():
    assert len(find(Scripted([1.0] * 200))) == 171
    assert len(find(Scripted([1.0] * 200), mode="linear")) == 100


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


def test_the_caller_may_say_when_to_stop():
    result = find(Scripted([1.0] * 200), stop=MaxIterations(30) | Diverged())
    assert (len(result), result.reason, result.num_iter) == (30, StopReason.STOPPED, 171)
    result = find(Scripted([1.0] * 30 + [9.0] * 99), stop=MaxIterations(90) | Diverged())
    assert (len(result), result.reason) == (31, StopReason.DIVERGED)
    seen = []
    result = find(Scripted([3.0, 2.0, 1.0] * 9), stop=lambda state: seen.append(state) or seen[4:])
    assert len(result) == 5
    assert seen[-1].lrs == result.lrs.tolist()
    assert seen[-1].losses == [3, 2, 1, 3, 2]


def test_the_tutorials_criterion_serves_more_than_one_search():
    criterion = LRFinderStoppingCriteria(smoothing=0, min_iter=40)
    for _ in range(2):
        result = find(Scripted([1.0] * 30 + [9.0] * 99), stop=criterion)
        assert (len(result), result.reason) == (40, StopReason.DIVERGED)


def test_the_progress_bar_ends_full(capsys):
    LRFinder(Scripted([1.0] * 400)).find(stop=MaxIterations(30), refine=True)
    assert "100%" in capsys.readouterr().err


def test_losses_are_read_late_and_what_came_after_the_stop_is_cut_away(monkeypatch):
    learner = make_learner(learning_rate=0.1)
    events = []
    enqueue, wait = learner.enqueue, PendingLoss.__float__
    monkeypatch.setattr(learner, "enqueue", lambda lr: events.append("train") or enqueue(lr))

    def read(loss):
        if "computing" in repr(loss):
            events.append("read")
        return wait(loss)

    monkeypatch.setattr(PendingLoss, "__float__", read)
    result = find(learner, stop=MaxIterations(3))
    assert events == ["train", "train", "train", "read", "train", "read", "train", "read"]
    assert len(result) == 3


def test_a_search_repeated_is_the_median_of_searches_on_other_batches():
    net = make_learner().net
    np.random.seed(7)
    shuffled = mx.gluon.data.DataLoader(make_dataset(), 16, shuffle=True)
    result = find(Learner(net, shuffled), repeats=3)
    assert len(result.runs) == 3
    assert len(result) == min(len(run) for run in result.runs)
    losses = [run.losses[: len(result)] for run in result.runs]
    np.testing.assert_array_equal(result.losses, np.median(losses, axis=0))
    assert (losses[0] != losses[1]).any()
    low, high = result.spread
    assert low <= result.suggestion <= high * 1.5
    assert {run.suggestion for run in result.runs} >= {low, high}
    assert find(make_learner()).spread is None


def test_a_refining_search_goes_slowly_around_the_suggestion():
    plain = find(make_learner(learning_rate=0.1))
    result = find(make_learner(learning_rate=0.1), refine=True)
    assert list(result) == list(plain)
    refined = result.refined
    assert refined.lrs[0] == pytest.approx(plain.suggestion / 30)
    assert refined.num_iter == len(plain)
    assert result.suggestion == refined.suggestion
    assert result.suggestion / plain.suggestion == pytest.approx(1, abs=0.9)


def held_out(count):
    return list(mx.gluon.data.DataLoader(make_dataset(16 * count), 16))


class Patient:
    """Eight batches, and an error for who asks for more."""

    def __init__(self, batches):
        self.batches = batches[:8]

    def __iter__(self):
        yield from self.batches
        raise AssertionError


@pytest.mark.parametrize("by", ["valid_loader", "validation"])
def test_a_refining_search_watches_held_out_data_where_there_is_any(by, monkeypatch):
    batches = held_out(9)
    learner, settings = make_learner(learning_rate=0.1), {}
    if by == "validation":
        batches = batches[:2]
        settings["validation"] = batches
        learner.valid_loader = [None]
    else:
        learner.valid_loader = Patient(batches)
        batches = batches[:8]
    watched, validate = [], Learner.validate

    def watch(learner, given, metrics):
        watched.append((given, validate(learner, given, metrics)["valid_loss"]))
        return {"valid_loss": watched[-1][1]}

    monkeypatch.setattr(Learner, "validate", watch)
    before = weights(learner)
    result = find(learner, refine=True, **settings)
    assert_same_arrays(weights(learner), before)
    refined = result.refined
    first = LRFinderResult(result.lrs, result.losses, result.reason).suggestion
    assert (result.held_out, refined.held_out) == (False, True)
    assert refined.lrs[0] == pytest.approx(first / 20)
    assert refined.lrs[-1] <= first * 5 * 1.001
    assert refined.num_iter == len(result)
    assert result.suggestion == refined.suggestion
    given, losses = zip(*watched[-len(refined) :])
    assert losses == tuple(refined.losses)
    assert all(one is given[0] for one in given)
    for one, expected in zip(given[0], batches):
        assert_same_arrays([part.asnumpy() for part in one], [part.asnumpy() for part in expected])
    assert len(given[0]) == len(batches)
    if by == "valid_loader":
        assert list(result) == list(find(make_learner(learning_rate=0.1)))


def test_held_out_batches_that_come_once_are_left_to_the_training():
    learner = make_learner(learning_rate=0.1)
    learner.valid_loader = iter(held_out(3))
    assert not find(learner, refine=True).refined.held_out
    assert len(list(learner.valid_loader)) == 3


@pytest.mark.parametrize(
    ("length", "factor"), [(None, 1), (250, 1), (60, (250 / 60) ** 0.35), (1000, 4**-0.47)]
)
def test_is_for_a_length(length, factor):
    learner = make_learner(finite=True, learning_rate=0.1)
    result = find(learner, length=length)
    plain = LRFinderResult(result.lrs, result.losses, result.reason)
    assert result.suggestion == pytest.approx(plain.suggestion * factor)
    assert result.length == length
    assert result.passes == (length or 250) / 4
    optimizer = learner.trainer.optimizer
    assert result.usual == usual_rate(optimizer, length or 250, result.passes)


def test_a_refining_search_goes_around_the_same_rate_for_any_length():
    results = [find(make_learner(learning_rate=0.1), refine=True, length=n) for n in (250, 25_000)]
    assert results[0].refined.lrs.tolist() == results[1].refined.lrs.tolist()
    assert results[1].suggestion == pytest.approx(results[0].suggestion * 100**-0.47)


def test_knows_the_usual_rate_and_the_passes_where_they_can_be_known():
    endless = find(make_learner(optimizer="adam"), num_iter=5)
    assert (endless.passes, endless.usual) == (None, 0.025)
    own = find(Scripted([1.0] * 5), num_iter=5, length=60)
    assert (own.passes, own.length) == (None, 60)
    assert own.usual == pytest.approx(0.45 * (250 / 60) ** (1 / 3))
    assert find(make_learner(optimizer="adadelta"), num_iter=5).usual is None


def test_what_suggests_nothing_is_not_refined():
    learner = Scripted([1.0] * 400)
    result = find(learner, refine=True)
    assert result.refined is None
    assert len(learner.lrs) == len(result)


def test_the_validation_loss_can_be_watched():
    held = [(nd.ones((8, 5)), nd.zeros(8)), (nd.ones((4, 5)), nd.ones(4))]
    result = find(make_learner(), lr_start=1e-3, lr_end=0.1, num_iter=9, validation=iter(held))
    plain = make_learner()
    expected = []
    for lr in result.lrs:
        plain.iteration(lr)
        losses = [plain.loss(plain.net(data), label).asnumpy() for data, label in held]
        expected.append(np.concatenate(losses).mean())
    np.testing.assert_allclose(result.losses, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "kind", ["tuple", "list", "NumPy", "dict", "nested", "list of one", "DataBatch"]
)
def test_one_batch_is_taken_for_one(kind):
    data, label = nd.ones((8, 5)), nd.zeros(8)
    given = {
        "tuple": (data, label),
        "list": [data, label],
        "NumPy": (data.asnumpy(), label.asnumpy()),
        "dict": {"data": data, "label": label},
        "nested": ((data,), label),
        "list of one": [(data, label)],
        "DataBatch": mx.io.DataBatch([data], [label]),
    }[kind]
    learner = Scripted([1.0] * 5)
    seen = []
    learner.validate = lambda batches, metrics: seen.append(batches) or {"valid_loss": 3.0}
    assert find(learner, validation=given, num_iter=5).losses.tolist() == [3.0] * 5
    assert isinstance(seen[0], list)
    assert seen[0][0] is (given[0] if kind == "list of one" else given)
    assert len(seen[0]) == 1


def test_one_batch_is_watched_as_a_list_of_it_is():
    batch = held_out(1)[0]
    one, several = (
        find(make_learner(), num_iter=5, validation=given) for given in (batch, [batch])
    )
    assert one == several


@pytest.mark.parametrize("kind", ["nothing to learn", "random labels, small rates"])
def test_refuses_where_nothing_is_learned(kind):
    mx.random.seed(1)
    random = np.random.RandomState(0)
    data = random.randn(2000, 5).astype("float32")
    label = random.randint(0, 3, 2000).astype("float32")
    loader = mx.gluon.data.DataLoader(mx.gluon.data.ArrayDataset(data, label), 16)
    learner = Learner(make_net(), loader)
    settings = {"lr_end": 1e-4}
    if kind == "nothing to learn":
        learner.loss = lambda output, label: (output * 0).mean(axis=1) + 1
        settings = {}
    result = find(learner, **settings)
    assert result.suggestion is None
    assert result.refusal is (Refusal.NOISE if settings else Refusal.FLAT)
    assert result.reason is StopReason.REACHED_END


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
        ({"smoothing": 1}, "Diverged: `smoothing` must be a finite number"),
        ({"num_iter": 1}, "LRFinder.find: `num_iter` must be an integer of at least 2, got 1"),
        ({"mode": "exp"}, "LRFinder.find: `mode` must be one of 'geometric', 'linear', got 'exp'"),
        ({"repeats": 0}, "LRFinder.find: `repeats` must be an integer of at least 1"),
        ({"length": 0}, "LRFinder.find: `length` must be an integer of at least 1, got 0"),
        ({"length": 2.5}, "LRFinder.find: `length` must be an integer of at least 1, got 2.5"),
        ({"seed": -1}, "LRFinder.find: `seed` must be an integer of at least 0, got -1"),
        ({"stop": "3"}, "LRFinder.find: `stop` must be a function that takes a SearchState"),
        ({"stop": 1}, "LRFinder.find: `stop` must be a finite number above 1, got 1. The search"),
        ({"not_finite": "go"}, "`not_finite` must be one of .stop., .skip., got .go."),
        ({"validation": []}, "LRFinder.find: `validation` must be omitted if the learner has no"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(settings, message):
    learner = Scripted([1.0])
    finder = LRFinder(learner)
    with pytest.raises((ValueError, TypeError), match=message):
        finder.find(progress=False, **settings)
    assert learner.lrs == []
    assert finder.result is None


def test_validation_data_must_be_iterable():
    with pytest.raises(TypeError, match=r"`validation` must be an iterable of batches"):
        find(make_learner(), validation=3)


def test_a_learner_must_look_like_one():
    with pytest.raises(
        TypeError, match=r"LRFinder: `learner` must be .* LRFinder\(Learner\(net, lo"
    ):
        LRFinder(make_net())


def test_a_criterion_is_not_its_class():
    with pytest.raises(TypeError, match=r"`stop` must be a function .* Make one .* Diverged\("):
        find(make_learner(), stop=Diverged)


def test_nothing_to_plot_before_the_first_search():
    with pytest.raises(RuntimeError, match=r"call find\(\) first"):
        LRFinder(make_learner()).plot()


@pytest.mark.parametrize(
    "returned",
    [
        2.0,
        np.float32(2),
        np.array(2.0),
        np.array([1.0, 3.0]),
        np.full(3, 2, "float16"),
        mx.nd.array([2.0]),
        mx.nd.full((8,), 2),
        mx.nd.full((4, 2), 2),
        mx.nd.full((4,), 2, dtype="float16"),
        mx.np.array(2.0),
        mx.np.array([1.0, 3.0]),
    ],
    ids=lambda one: f"{type(one).__module__}-{getattr(one, 'shape', '')}",
)
def test_a_loss_is_a_number_or_an_array_whose_mean_it_is(returned):
    result = find(Scripted([returned] * 30), num_iter=12)
    assert result.losses.tolist() == [2.0] * 12


@pytest.mark.parametrize("returned", [None, "2", [1.0, 2.0]])
def test_what_is_no_loss_is_refused(returned):
    learner = Scripted([])
    learner.iteration = lambda lr: returned
    before = weights(learner)
    message = "LRFinder: `iteration` must be a function that returns its loss, a number or an arr"
    with pytest.raises(TypeError, match=message):
        find(learner)
    assert_same_arrays(weights(learner), before)


def all_arrays(*learners):
    """Return the weights of nets, and the momenta of their trainers."""
    momenta = [
        mx.nd.zeros(1) if state is None else state
        for one in learners
        for updater in one.trainer._updaters
        for _, state in sorted(updater.states.items())
    ]
    return [one for learner in learners for one in weights(learner)] + [
        momentum.asnumpy() for momentum in momenta
    ]


def make_rival():
    """Return a learner with an lr_scheduler and momentum, after three updates."""

    def trainer(net):
        params = {"momentum": 0.9, "lr_scheduler": FactorScheduler(1, 0.5, base_lr=0.4)}
        return mx.gluon.Trainer(net.collect_params(), "sgd", params, update_on_kvstore=False)

    learner = make_learner(trainer=trainer)
    for _ in range(3):
        learner.iteration()
    return learner


class TwoAtOnce:
    """A learner of one's own, with two nets and a trainer for each."""

    def __init__(self, error_at=None):
        self.inner = [make_rival(), make_rival()]
        self.net = [one.net for one in self.inner]
        self.trainer = tuple(one.trainer for one in self.inner)
        self.updates, self.error_at, self.schedulers = 0, error_at, []

    def iteration(self, lr):
        self.updates += 1
        if self.updates == self.error_at:
            raise KeyError("loader")
        self.schedulers += [one.optimizer.lr_scheduler for one in self.trainer]
        for one in self.trainer:
            one.set_learning_rate(lr)
        return sum(one.iteration() for one in self.inner)


@pytest.mark.parametrize(
    ("settings", "error_at"),
    [({}, None), ({}, 4), ({"repeats": 2}, 20), ({"repeats": 2, "refine": True}, None)],
)
def test_two_nets_with_two_trainers_are_both_put_back(settings, error_at):
    learner, untouched = TwoAtOnce(error_at), TwoAtOnce()
    before = all_arrays(*learner.inner)
    schedulers = [one.optimizer.lr_scheduler for one in learner.trainer]
    with contextlib.nullcontext() if error_at is None else pytest.raises(KeyError):
        find(learner, lr_start=1e-3, lr_end=1, num_iter=12, **settings)
    assert learner.schedulers == [None] * len(learner.schedulers)
    assert len(learner.schedulers) >= 6
    assert [one.optimizer.lr_scheduler for one in learner.trainer] == schedulers
    assert_same_arrays(all_arrays(*learner.inner), before)
    for one, other in zip(learner.inner, untouched.inner):
        assert one.trainer.optimizer.num_update == other.trainer.optimizer.num_update
        assert one.trainer.learning_rate == other.trainer.learning_rate


def make_gan():
    """Return two learners; the loss of the first trains the other's net first, by its trainer."""
    other = make_rival()

    def compute_loss(net, batch):
        data, label = batch
        other.loss(other.net(data), label).backward()
        with mx.autograd.pause():
            other.trainer.step(len(data))
            against = other.net(data)
        return loss(net(data) + against, label)

    inner, loss = make_learner(finite=True), mx.gluon.loss.SoftmaxCrossEntropyLoss()
    params = {"momentum": 0.9, "lr_scheduler": FactorScheduler(1, 0.5, base_lr=0.4)}
    trainer = mx.gluon.Trainer(inner.net.collect_params(), "sgd", params, update_on_kvstore=False)
    learner = Learner(
        inner.net,
        inner.data_loader,
        trainer=trainer,
        compute_loss=compute_loss,
        also=[(other.net, other.trainer)],
    )
    for _ in range(3):
        learner.iteration()
    return learner, other


@pytest.mark.parametrize(
    ("settings", "error_at"),
    [({}, None), ({}, 4), ({"repeats": 2}, 20), ({"repeats": 2, "refine": True}, None)],
)
def test_what_a_learner_trains_also_is_put_back(settings, error_at):
    (learner, other), (straight, straight_other) = make_gan(), make_gan()
    before = all_arrays(learner, other)
    schedulers = [one.trainer.optimizer.lr_scheduler for one in (learner, other)]
    states = []

    def stop(state):
        states.append(state)
        if len(states) == error_at:
            raise KeyError("loader")
        return False

    with contextlib.nullcontext() if error_at is None else pytest.raises(KeyError):
        find(learner, lr_start=1e-3, lr_end=1, num_iter=12, stop=stop, **settings)
    assert_same_arrays(all_arrays(learner, other), before)
    assert [one.trainer.optimizer.lr_scheduler for one in (learner, other)] == schedulers
    assert [learner.iteration() for _ in range(5)] == [straight.iteration() for _ in range(5)]
    assert_same_arrays(all_arrays(learner, other), all_arrays(straight, straight_other))


def test_preserved_takes_both_nets_of_a_gan():
    learner, other = make_gan()
    before = all_arrays(learner, other)
    with preserved([learner.net, other.net], [learner.trainer, other.trainer]):
        for _ in range(3):
            learner.iteration(0.1)
        assert (all_arrays(learner, other)[0] != before[0]).any()
    assert_same_arrays(all_arrays(learner, other), before)


@pytest.mark.parametrize(
    "act",
    [
        lambda finder, length: finder.find(num_iter=5, length=length, progress=False),
        lambda finder, length: finder.tune(length, progress=False),
        lambda finder, length: finder.compare(
            {"wd": [0, 0.1]}, tune=True, length=length, progress=False
        ),
    ],
    ids=["find", "tune", "compare"],
)
def test_a_length_that_seems_to_be_epochs_brings_a_warning(act, recwarn):
    finder = LRFinder(make_learner(finite=True))  # four batches
    for length in (3, 4):
        act(finder, length)
    told = [one for one in recwarn if "If you mean epochs, pass length=3 * 4." in str(one.message)]
    assert [one.filename for one in told] == [__file__]

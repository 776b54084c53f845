"""What a script states anew holds against a checkpoint, whole; what it states again goes on."""

import copy
import warnings
from functools import partial

import numpy as np
import pytest
from conftest import stated

import gluon_lr
from gluon_lr import (
    AnnealedSchedule,
    ClippedSchedule,
    ConstantSchedule,
    ConstantWarmUp,
    CosineAnnealingSchedule,
    CosineScheduler,
    CosineWarmUp,
    CyclicalSchedule,
    EpochSchedule,
    ExponentialScheduler,
    FactorScheduler,
    InverseSqrtScheduler,
    Learner,
    LinearCoolDown,
    LinearWarmUp,
    MultiFactorScheduler,
    OneCycleSchedule,
    PlateauScheduler,
    PolyScheduler,
    ScaledSchedule,
    SequentialSchedule,
    TriangularSchedule,
    annealing,
    load_checkpoint,
    save_checkpoint,
)
from gluon_lr._mxnet import mx, nd
from gluon_lr.schedules.foreign import as_ours

DONE = 5  # updates before the file is written
COUNTS = [*range(DONE, 40), 60, 100, 1000]
OTHER = ConstantSchedule(0.123)


class Halving(mx.lr_scheduler.LRScheduler):
    """A user's own, which counts how often it was asked."""

    def __init__(self, every=4, base_lr=0.2, floor=0.001):
        super().__init__(base_lr)
        self.every = every
        self.floor = floor
        self.asked = 0

    def __call__(self, num_update):
        self.asked += 1
        return max(self.base_lr * 0.5 ** (num_update // self.every), self.floor)

    def __repr__(self):
        return f"Halving({self.every}, {self.base_lr}, {self.floor})"


class Stairs(gluon_lr.Schedule):
    """A user's own, made on ours."""

    def __init__(self, height=0.1, base_lr=0.4):
        super().__init__(base_lr)
        self.height = height

    def _rate(self, n):
        return max(self.base_lr - self.height * (n // 5), 0.0)


class Listening(PlateauScheduler):
    """A user's own plateau."""


WARM_UP = {"base_lr": 0.4, "warmup_steps": 2, "warmup_begin_lr": 0.1}
PLATEAU = {"factor": 0.5, "patience": 1, "threshold": 0.1, "cooldown": 1, "stop_factor_lr": 0.01}
POLY = partial(PolyScheduler, 30, base_lr=0.3)
LEAVES = {
    FactorScheduler: {"step": 3, "factor": 0.5, "stop_factor_lr": 0.01, **WARM_UP},
    MultiFactorScheduler: {"step": [4, 9], "factor": 0.5, **WARM_UP},
    PolyScheduler: {"max_update": 30, "pwr": 0.5, "final_lr": 0.01, **WARM_UP},
    CosineScheduler: {"max_update": 30, "final_lr": 0.01, **WARM_UP},
    ExponentialScheduler: {"step": 3, "factor": 0.5, "stop_factor_lr": 0.01, **WARM_UP},
    InverseSqrtScheduler: WARM_UP,
    PlateauScheduler: {**PLATEAU, **WARM_UP},
    Listening: {**PLATEAU, **WARM_UP},
    ConstantSchedule: {"lr": 0.3},
    TriangularSchedule: {"min_lr": 0.1, "max_lr": 0.4, "cycle_length": 30, "inc_fraction": 0.5},
    CosineAnnealingSchedule: {"min_lr": 0.1, "max_lr": 0.4, "cycle_length": 30},
    OneCycleSchedule: {
        "start_lr": 0.1,
        "max_lr": 0.4,
        "cycle_length": 20,
        "cooldown_length": 10,
        "finish_lr": 0.01,
    },
    CyclicalSchedule: {
        "schedule_class": TriangularSchedule,
        "cycle_length": 8,
        "cycle_length_decay": 1.5,
        "cycle_magnitude_decay": 0.5,
        "min_lr": 0.1,
        "max_lr": 0.4,
    },
    mx.lr_scheduler.FactorScheduler: {"step": 3, "factor": 0.5, "stop_factor_lr": 0.01, **WARM_UP},
    mx.lr_scheduler.MultiFactorScheduler: {"step": [4, 9], "factor": 0.5, **WARM_UP},
    mx.lr_scheduler.PolyScheduler: {"max_update": 30, "pwr": 3, "final_lr": 0.01, **WARM_UP},
    mx.lr_scheduler.CosineScheduler: {"max_update": 30, "final_lr": 0.01, **WARM_UP},
    Halving: {"every": 4, "base_lr": 0.2, "floor": 0.001},
    Stairs: {"height": 0.1, "base_lr": 0.4},
    AnnealedSchedule: {"curve": annealing.combined_cos(0.3, 0.1, 0.4, 0.0), "length": 30},
}


def name_of(cls):
    return f"{cls.__module__.split('.')[0]}.{cls.__name__}"


def changed_number(value):
    """Return another number of the kind that is within the same bounds."""
    if isinstance(value, list):
        return [one + 1 for one in value]
    return value + 1 if isinstance(value, int) else value * 0.75


def changes_of(make, arguments):
    """Return what another script may make instead, by what is changed."""
    changes = {
        name: partial(make, **{**arguments, name: changed_number(value)})
        for name, value in arguments.items()
        if isinstance(value, (int, float, list))
    }
    return {**changes, "class": lambda: copy.deepcopy(OTHER), "left out": lambda: None}


def compounds_of(make, arguments):
    """Return compounds over a schedule: each as a way to make it and its own changes."""
    inner = partial(make, **arguments)
    others = changes_of(make, arguments)
    some = [name for name in others if name not in ("class", "left out")][-1]
    other = others.get(some, others["class"])
    over = {
        LinearWarmUp: {"start_lr": 0.05, "length": 3},
        ConstantWarmUp: {"start_lr": 0.05, "length": 3},
        CosineWarmUp: {"start_lr": 0.05, "length": 3},
        LinearCoolDown: {"finish_lr": 0.01, "start_idx": 15, "length": 10},
        ScaledSchedule: {"factor": 0.5},
        ClippedSchedule: {"low": 0.05, "high": 0.35},
    }
    if not isinstance(inner(), Halving):
        over[EpochSchedule] = {"iterations_per_epoch": 2}
    for cls, words in over.items():
        changes = {
            name: lambda cls=cls, words=words, name=name: cls(
                inner(), **{**words, name: changed_number(words[name])}
            )
            for name in words
        }
        changes["the inner one"] = lambda cls=cls, words=words: cls(other(), **words)
        changes["unwrapped"] = inner
        yield cls.__name__, lambda cls=cls, words=words: cls(inner(), **words), changes
    changes = {
        "first": lambda: SequentialSchedule(other(), POLY(), 12),
        "second": lambda: SequentialSchedule(inner(), PolyScheduler(31, base_lr=0.3), 12),
        "after": lambda: SequentialSchedule(inner(), POLY(), 13),
        "left out": lambda: None,
    }
    yield "SequentialSchedule", lambda: SequentialSchedule(inner(), POLY(), 12), changes


class Script:
    """A net, its trainer with a scheduler, and a bare loop."""

    def __init__(self, scheduler, optimizer="sgd", **params):
        mx.random.seed(1)
        self.net = mx.gluon.nn.Dense(2, in_units=3)
        self.net.initialize(mx.init.Xavier())
        if scheduler is not None:
            params["lr_scheduler"] = scheduler
        self.scheduler = scheduler
        params = stated(optimizer, params)
        self.trainer = mx.gluon.Trainer(self.net.collect_params(), optimizer, params)

    def train(self, updates=1):
        for _ in range(updates):
            with mx.autograd.record():
                loss = (self.net(nd.ones((4, 3))) ** 2).sum()
            loss.backward()
            self.trainer.step(4)
        return self

    def save(self):
        save_checkpoint("run", self.net, self.trainer)
        return self

    def load(self):
        """Load the file, and return the warnings."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            load_checkpoint("run", self.net, self.trainer)
        return [str(one.message) for one in caught if one.category is UserWarning]


class LearnersScript(Script):
    """The same by a Learner."""

    def __init__(self, *arguments, **params):
        super().__init__(*arguments, **params)
        self.learner = Learner(
            self.net,
            [(nd.ones((4, 3)), nd.zeros((4, 2)))],
            loss=lambda output, label: ((output - label) ** 2).sum(axis=1),
            trainer=self.trainer,
        )

    def train(self, updates=1):
        for _ in range(updates):
            self.learner.iteration()
        return self

    def save(self):
        self.learner.save("run")
        return self

    def load(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.learner.load("run")
        return [str(one.message) for one in caught if one.category is UserWarning]


def rates(scheduler):
    asked = copy.deepcopy(scheduler)
    return [asked(count) for count in COUNTS]


def assert_states_its_own(make_script, make, changes):
    """Check that after loading a file of `make` each changed schedule is as a fresh one."""
    make_script(make()).train(DONE).save()
    for what, make_other in changes.items():
        other = make_other()
        script = make_script(other)
        fresh = make_script(make_other()).scheduler
        told = script.load()
        assert len(told) == 1, (what, told)
        assert told[0].count("lr_scheduler is ") == 1, (what, told)
        if other is None:
            assert script.trainer.optimizer.lr_scheduler is None
            assert "lr_scheduler is none, not " in told[0]
            continue
        assert script.trainer.optimizer.lr_scheduler is other
        assert_equal(other, fresh, what)
        own, saved = told[0].split("lr_scheduler is ")[1].split(", not ")
        assert own != saved, what
        assert own.startswith(type(as_ours(other)).__name__)
        assert saved.startswith(type(as_ours(make())).__name__)


def assert_equal(scheduler, fresh, what=""):
    expected = rates(fresh)
    assert rates(scheduler) == expected, what
    assert all(type(rate) is float and rate >= 0 for rate in expected)
    if isinstance(scheduler, gluon_lr.Schedule):
        assert repr(scheduler) == repr(fresh)
        np.testing.assert_array_equal(scheduler.values(COUNTS), fresh.values(COUNTS))


@pytest.mark.parametrize("cls", LEAVES, ids=name_of)
def test_a_schedule_that_is_stated_otherwise_is_the_scripts(cls):
    changes = changes_of(cls, LEAVES[cls])
    make = partial(cls, **LEAVES[cls])
    assert_states_its_own(Script, make, changes)
    some = dict(list(changes.items())[-3:])
    assert_states_its_own(LearnersScript, make, some)
    Script(None).train(DONE).save()
    script = Script(make())
    (told,) = script.load()
    assert "lr_scheduler is " in told
    assert ", not none" in told
    assert_equal(script.scheduler, Script(make()).scheduler)


def some_compounds_of(cls):
    """Return each third compound over a leaf, so that each is over leaves of all kinds."""
    return list(compounds_of(cls, LEAVES[cls]))[list(LEAVES).index(cls) % 3 :: 3]


@pytest.mark.parametrize("cls", LEAVES, ids=name_of)
def test_so_is_a_compound_over_it(cls):
    for _, make, changes in some_compounds_of(cls):
        assert_states_its_own(Script, make, changes)


def all_ways(cls):
    yield "alone", partial(cls, **LEAVES[cls])
    for name, make, _ in some_compounds_of(cls):
        yield name, make


@pytest.mark.parametrize("cls", LEAVES, ids=name_of)
def test_a_schedule_that_is_stated_again_goes_on_as_it_would_have(cls):
    for name, make in all_ways(cls):
        straight = Script(make()).save()
        set_base_lr(straight.scheduler)
        observe(straight.scheduler)
        straight.train(DONE).save()
        script = Script(make())
        assert script.load() == [], name
        assert script.load() == [], name
        assert_equal(script.scheduler, straight.scheduler, name)
        script.train().save()
        again = Script(make())
        assert again.load() == [], name
        assert_equal(again.scheduler, straight.train().scheduler, name)


def set_base_lr(scheduler):
    """Assign another rate, where that is taken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler.base_lr = 0.15


def observe(part):
    """Show metrics to the plateau schedules in it."""
    if isinstance(part, PlateauScheduler):
        for metric in (3.0, 3.0, 3.0, 3.0):
            part.observe(metric)
    for name in ("schedule", "first", "second"):
        if hasattr(part, name):
            observe(getattr(part, name))


def test_loading_in_the_process_that_saved_goes_back():
    plateau = PlateauScheduler(patience=0, factor=0.5, base_lr=0.4)
    script = Script(LinearWarmUp(plateau, 0.0, 2)).train(DONE)
    observe(plateau)
    expected = rates(script.scheduler)
    script.save()
    observe(plateau)
    plateau.base_lr = 0.1
    assert rates(script.scheduler) != expected
    assert script.load() == []
    assert rates(script.scheduler) == expected


def test_a_plateau_in_a_changed_compound_goes_on():
    def make(length, **words):
        return LinearWarmUp(PlateauScheduler(**{**PLATEAU, "base_lr": 0.4, **words}), 0.0, length)

    straight = Script(make(2)).train(DONE)
    observe(straight.scheduler)
    straight.save()
    longer, other = Script(make(20)), Script(make(20, patience=2))
    for script in (longer, other, longer, other):
        (told,) = script.load()
        assert "length=20), not LinearWarmUp" in told
    assert longer.scheduler.schedule.state == straight.scheduler.schedule.state is not None
    assert other.scheduler.schedule.state is None
    assert longer.scheduler(1000) < other.scheduler(1000)
    assert rates(other.scheduler) == rates(make(20, patience=2))
    longer.save()
    again = Script(make(20))
    assert again.load() == []
    assert_equal(again.scheduler, longer.scheduler)


def test_two_plateaus_alike_keep_their_own_states():
    def make(after):
        first, second = (PlateauScheduler(patience=0, base_lr=0.4) for _ in range(2))
        return SequentialSchedule(first, second, after)

    straight = Script(make(10))
    straight.scheduler.first.observe(3.0)
    straight.scheduler.second.observe(2.0)
    straight.save()
    for after in (10, 11):
        script = Script(make(after))
        assert len(script.load()) == after - 10
        assert script.scheduler.first.state["best"] == 3
        assert script.scheduler.second.state["best"] == 2


WORDS = [  # an optimizer, its argument, where it is kept, and two values
    ("sgd", "learning_rate", "lr", 0.1, 0.05),
    ("sgd", "wd", "wd", 1e-4, 1e-3),
    ("sgd", "momentum", "momentum", 0.9, 0.8),
    ("sgd", "clip_gradient", "clip_gradient", None, 2.0),
    ("sgd", "clip_gradient", "clip_gradient", 2.0, None),
    ("adam", "beta1", "beta1", 0.9, 0.8),
    ("adam", "epsilon", "epsilon", 1e-8, 1e-6),
    ("nag", "momentum", "momentum", 0.9, 0.8),
]


@pytest.mark.parametrize("make_script", [Script, LearnersScript])
@pytest.mark.parametrize(("optimizer", "word", "field", "value", "other"), WORDS)
def test_a_number_of_the_optimizer(make_script, optimizer, word, field, value, other):
    def make(value):
        return make_script(None, optimizer, **{word: value})

    def kept(script):
        return getattr(script.trainer.optimizer, field)

    straight = make(value).save().train(DONE)
    setattr(straight.trainer.optimizer, field, 0.07)
    straight.save()
    for _ in range(2):
        again = make(value)
        assert again.load() == []
        assert again.load() == []
        assert kept(again) == 0.07
        again.train().save()
    changed = make(other)
    for _ in range(2):
        (told,) = changed.load()
        assert f"{word} is {other!r}, not {value!r}." in told
        assert kept(changed) == other
    changed.train().save()
    same_again, first_again = make(other), make(value)
    assert same_again.load() == []
    assert kept(same_again) == other
    assert len(first_again.load()) == 1
    assert kept(first_again) == value


def test_a_rate_set_on_the_trainer_is_the_files():
    straight = Script(None, learning_rate=0.1).save().train(DONE)
    straight.trainer.set_learning_rate(0.01)
    straight.save()
    straight.trainer.set_learning_rate(0.3)
    assert straight.load() == []
    script = Script(None, learning_rate=0.1)
    assert script.load() == []
    assert script.trainer.learning_rate == straight.trainer.learning_rate == 0.01


def test_several_changes_are_told_at_once():
    Script(POLY(), momentum=0.9, wd=0.1).train(DONE).save()
    script = Script(PolyScheduler(60, base_lr=0.3), momentum=0.8, wd=0.2)
    (told,) = script.load()
    for words in ("momentum is 0.8, not 0.9", "wd is 0.2, not 0.1", "lr_scheduler is Poly"):
        assert words in told

"""Who moves a schedule's `base_lr`: a user without a word, an optimizer's default with one."""

import copy
import gc
import pickle
import warnings

import pytest

from gluon_lr import (
    ConstantSchedule,
    CosineScheduler,
    FactorScheduler,
    LinearWarmUp,
    PolyScheduler,
    Schedule,
)
from gluon_lr._mxnet import mx


def warned(act):
    """Return what `act` gives, and the warnings at this file's lines."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        given = act()
    assert all(one.filename == __file__ for one in caught)
    return given, [str(one.message) for one in caught]


class Own(Schedule):
    def _rate(self, n):
        return self.base_lr


STATED = [
    lambda: FactorScheduler(10, 0.5, base_lr=0.1),
    lambda: LinearWarmUp(PolyScheduler(10, base_lr=0.1), 0, 5),
    lambda: LinearWarmUp(mx.lr_scheduler.PolyScheduler(10, base_lr=0.1), 0, 5),
    lambda: CosineScheduler(10, base_lr=0.1).then(PolyScheduler(10, base_lr=0.1), 5),
    lambda: 0.5 * CosineScheduler(10, base_lr=0.1).clip(0.01).in_epochs(3),
    lambda: Own(0.1),
]


@pytest.mark.parametrize("make", STATED)
def test_a_default_rate_over_a_stated_one_warns_once(make):
    schedule = make()
    _, texts = warned(lambda: mx.optimizer.Adam(lr_scheduler=schedule))
    assert len(texts) == 1
    assert "`base_lr` changes from 0.1 to 0.001, the default learning_rate of Adam. " in texts[0]
    assert texts[0].endswith("pass learning_rate=0.1 to Adam.")
    assert schedule.base_lr == 0.001


@pytest.mark.parametrize("make", STATED)
def test_a_rate_given_to_the_optimizer_moves_it_without_a_word(make):
    schedule = make()
    given, texts = warned(lambda: mx.optimizer.Adam(learning_rate=0.3, lr_scheduler=schedule))
    assert (schedule.base_lr, texts) == (0.3, [])
    schedule = make()
    given, texts = warned(lambda: mx.optimizer.Adam(learning_rate=0.1, lr_scheduler=schedule))
    assert (schedule.base_lr, texts) == (0.1, [])
    assert given.lr_scheduler is schedule


def test_nothing_stated_is_moved_without_a_word():
    schedule = FactorScheduler(10)
    _, texts = warned(lambda: mx.optimizer.Adam(lr_scheduler=schedule))
    assert (schedule.base_lr, texts) == (0.001, [])


@pytest.mark.parametrize("base_lr", [0.01, 0.1])
def test_a_user_assigns_without_a_word_and_has_stated_it(base_lr):
    schedule = FactorScheduler(10)

    def assign():
        schedule.base_lr = base_lr

    assert warned(assign)[1] == []
    _, texts = warned(lambda: mx.optimizer.Adam(lr_scheduler=schedule))
    assert len(texts) == 1
    assert f"pass learning_rate={base_lr:g} to Adam" in texts[0]
    assert warned(assign)[1] == []
    assert schedule.base_lr == base_lr


@pytest.mark.parametrize("stated", [{}, {"base_lr": 0.3}])
def test_a_second_optimizer_that_moves_the_first_ones_schedule_warns_once(stated):
    schedule = FactorScheduler(10, **stated)
    first, texts = warned(lambda: mx.optimizer.Adam(learning_rate=0.2, lr_scheduler=schedule))
    assert texts == []
    _, texts = warned(lambda: mx.optimizer.RMSProp(learning_rate=0.5, lr_scheduler=schedule))
    assert len(texts) == 1
    assert "from 0.2 to 0.5, the learning_rate of a second optimizer, RMSProp" in texts[0]
    assert (
        "of the first optimizer, Adam. Pass each optimizer its own copy: copy.copy(schedule)"
        in texts[0]
    )
    own = copy.copy(schedule)
    assert warned(lambda: mx.optimizer.SGD(learning_rate=0.7, lr_scheduler=own))[1] == []
    assert first.lr_scheduler.base_lr == 0.5


def test_after_the_first_optimizer_is_gone_the_next_one_is_no_second():
    schedule = FactorScheduler(10)
    mx.optimizer.Adam(learning_rate=0.2, lr_scheduler=schedule)
    gc.collect()
    assert warned(lambda: mx.optimizer.RMSProp(lr_scheduler=schedule))[1] == []


def test_a_subclass_of_an_optimizer_has_the_default_of_its_base():
    class Mine(mx.optimizer.Adam):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)

    schedule = FactorScheduler(10, base_lr=0.1)
    _, texts = warned(lambda: Mine(lr_scheduler=schedule))
    assert len(texts) == 1
    assert texts[0].endswith("pass learning_rate=0.1 to Mine.")


def test_it_warns_at_the_line_that_makes_a_trainer():
    net = mx.gluon.nn.Dense(1, in_units=1)
    net.initialize()
    params, settings = net.collect_params(), {"lr_scheduler": FactorScheduler(9, base_lr=0.1)}
    _, texts = warned(lambda: mx.gluon.Trainer(params, "adam", settings))
    assert len(texts) == 1


def test_who_assigned_it_is_in_no_copy_and_no_pickle():
    schedule, untouched = FactorScheduler(10), FactorScheduler(10, base_lr=0.2)
    optimizer = mx.optimizer.Adam(learning_rate=0.2, lr_scheduler=schedule)
    assert schedule == untouched
    assert repr(schedule) == repr(untouched)
    assert pickle.dumps(schedule) == pickle.dumps(untouched)
    assert vars(copy.deepcopy(optimizer).lr_scheduler).keys() == vars(untouched).keys()
    assert (schedule.then(ConstantSchedule(1), 3)).to_config() == (
        untouched.then(ConstantSchedule(1), 3).to_config()
    )

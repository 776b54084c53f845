"""What holds for every schedule: as a function, as data, in an Optimizer."""

import copy
import pickle

import numpy as np
import pytest
from conftest import TWO, assert_same_arrays, make_learner, weights
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_lr import (
    CosineAnnealingSchedule,
    CosineScheduler,
    CyclicalSchedule,
    FactorScheduler,
    LinearCoolDown,
    LinearWarmUp,
    MultiFactorScheduler,
    OneCycleSchedule,
    PolyScheduler,
    Schedule,
    TriangularSchedule,
)
from gluon_lr._mxnet import mx

rates = st.floats(0.001, 10)
lengths = st.integers(1, 300)
bounds = st.tuples(rates, rates).map(sorted)
drop_ins = st.one_of(
    st.builds(FactorScheduler, lengths, st.floats(0, 1), base_lr=rates, warmup_steps=lengths),
    st.builds(
        MultiFactorScheduler,
        st.sets(lengths, min_size=1).map(sorted),
        st.floats(0, 1),
        base_lr=rates,
    ),
    st.builds(PolyScheduler, lengths, base_lr=rates, pwr=st.floats(0, 4), final_lr=rates),
    st.builds(CosineScheduler, lengths, base_lr=rates, final_lr=rates),
)
bounded = st.one_of(
    st.builds(lambda b, n, f: TriangularSchedule(*b, n, f), bounds, lengths, st.floats(0, 1)),
    st.builds(lambda b, n: CosineAnnealingSchedule(*b, n), bounds, lengths),
    st.builds(lambda b, n, c, f: OneCycleSchedule(*b, n, c, f), bounds, lengths, lengths, rates),
    st.builds(
        lambda cls, n, grow, shrink, b: CyclicalSchedule(
            cls, n, grow, shrink, min_lr=b[0], max_lr=b[1]
        ),
        st.sampled_from([TriangularSchedule, CosineAnnealingSchedule]),
        lengths,
        st.floats(0.5, 2),
        st.floats(0.5, 1),
        bounds,
    ),
)
schedules = st.recursive(
    st.one_of(drop_ins, bounded),
    lambda inner: st.one_of(
        st.builds(LinearWarmUp, inner, rates, lengths),
        st.builds(LinearCoolDown, inner, rates, lengths, lengths),
    ),
    max_leaves=3,
)


@settings(max_examples=150, deadline=None)
@given(schedules, st.lists(st.integers(0, 2000), min_size=2, max_size=30))
def test_a_schedule_is_a_pure_function_and_a_value(schedule, counts):
    answers = {n: schedule(n) for n in sorted(counts)}
    assert [schedule(n) for n in counts] == [answers[n] for n in counts]
    assert all(np.isfinite(rate) and 0 <= rate <= 10 * (1 + 1e-12) for rate in answers.values())

    copies = [copy.deepcopy(schedule), *(pickle.loads(pickle.dumps(schedule, p)) for p in (0, 2))]
    copies.append(eval(repr(schedule)))
    for one in copies:
        assert one == schedule
        assert [one(n) for n in counts] == [answers[n] for n in counts]


def test_schedules_differ_where_their_arguments_or_types_do():
    assert FactorScheduler(10) != FactorScheduler(11)
    assert PolyScheduler(10) != CosineScheduler(10)
    assert TriangularSchedule(0, 1, 10) != "TriangularSchedule(0, 1, 10)"


@pytest.mark.parametrize(
    ("count", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError), ("1", TypeError)]
)
def test_a_count_is_a_whole_number_from_0(count, error):
    with pytest.raises(
        error, match="FactorScheduler: `num_update` must be an integer of at least 0"
    ):
        FactorScheduler(10)(count)


def test_a_count_may_be_numpys():
    assert FactorScheduler(10, 0.5, base_lr=1)(np.int64(11)) == 0.5


def test_a_schedule_of_ones_own_needs_only_its_rate():
    class Square(Schedule):
        def __init__(self, base_lr, length):
            super().__init__(base_lr)
            self.length = length

        def _rate(self, n):
            return self.base_lr if n % (2 * self.length) < self.length else 0.0

    schedule = Square(0.5, length=2)
    assert [schedule(n) for n in range(5)] == [0.5, 0.5, 0, 0, 0.5]
    assert repr(schedule) == "Square(base_lr=0.5, length=2)"
    assert isinstance(schedule, mx.lr_scheduler.LRScheduler)


def every_schedule():
    return [
        FactorScheduler(3, 0.5, base_lr=0.1, warmup_steps=2),
        MultiFactorScheduler([2, 5], 0.5, base_lr=0.1),
        PolyScheduler(8, base_lr=0.1),
        CosineScheduler(8, base_lr=0.1),
        TriangularSchedule(0.01, 0.1, 8),
        CosineAnnealingSchedule(0.01, 0.1, 8),
        LinearWarmUp(FactorScheduler(3, 0.5, base_lr=0.1), 0, 3),
        LinearCoolDown(FactorScheduler(3, 0.5, base_lr=0.1), 0, 3, 4),
        OneCycleSchedule(0.01, 0.1, 6, 4, 0.001),
        CyclicalSchedule(CosineAnnealingSchedule, 4, 2, 0.5, min_lr=0.01, max_lr=0.1),
    ]


def in_the_optimizer(schedule, ctx, name="sgd", **params):
    def trainer(net):
        settings = {"lr_scheduler": schedule, **params}
        return mx.gluon.Trainer(net.collect_params(), name, settings)

    return make_learner(ctx, trainer=trainer)


@pytest.mark.parametrize("ctx", [mx.cpu(), TWO])
@pytest.mark.parametrize("schedule", every_schedule(), ids=lambda one: type(one).__name__)
def test_in_an_optimizer_it_gives_the_weights_of_a_manual_loop(schedule, ctx):
    automatic, manual = in_the_optimizer(schedule, ctx), make_learner(ctx, learning_rate=0.5)
    assert automatic.trainer.learning_rate == schedule(0)
    for n in range(1, 11):
        automatic.iteration()
        manual.trainer.set_learning_rate(schedule(n))
        manual.iteration()
        assert automatic.trainer.learning_rate == schedule(n)
    assert_same_arrays(weights(automatic), weights(manual))


def test_a_learning_rate_given_to_the_optimizer_moves_a_decay():
    schedule = PolyScheduler(10, base_lr=0.5, pwr=1, warmup_steps=2)
    learner = in_the_optimizer(schedule, mx.cpu(), learning_rate=0.1)
    seen = []
    for _ in range(6):
        learner.iteration()
        seen.append(learner.trainer.learning_rate)
    np.testing.assert_allclose(seen, [0.05, 0.1, 0.0875, 0.075, 0.0625, 0.05])


@pytest.mark.parametrize(
    ("optimizer", "default"),
    [
        ("sgd", None),
        ("nag", None),
        ("adam", 0.001),
        ("rmsprop", 0.001),
        ("lamb", 0.001),
        ("nadam", 0.001),
        ("adamax", 0.002),
        ("signum", 0.01),
    ],
)
@pytest.mark.parametrize("given", [None, 0.3, 0.5])
def test_a_decay_starts_from_the_rate_of_its_optimizer(optimizer, default, given):
    schedule = LinearWarmUp(PolyScheduler(10, base_lr=0.5, warmup_steps=4), 0, 2)
    params = {} if given is None else {"learning_rate": given}
    mx.optimizer.create(optimizer, lr_scheduler=schedule, **params)
    base_lr = given or default or 0.5
    assert schedule.base_lr == base_lr
    assert schedule(2 + 4) == base_lr


def test_an_optimizers_default_rate_does_not_move_stated_bounds():
    schedule = TriangularSchedule(0.1, 2, 10)
    with pytest.warns(UserWarning, match=r"stays 2, .* 0\.001 is not used") as caught:
        mx.optimizer.Adam(lr_scheduler=schedule)
    assert [one.filename for one in caught] == [__file__]
    assert schedule(5) == 2


@pytest.mark.parametrize("schedule", every_schedule(), ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("ctx", [mx.cpu(), TWO])
def test_saved_and_loaded_states_go_on_where_they_were(schedule, ctx, tmp_path):
    states = str(tmp_path / "trainer.states")
    straight = in_the_optimizer(schedule, ctx)
    expected = []
    for _ in range(10):
        straight.iteration()
        expected.append(straight.trainer.learning_rate)
    resumed = in_the_optimizer(copy.deepcopy(schedule), ctx)
    actual = []
    for n in range(10):
        if n == 4:
            resumed.trainer.save_states(states)
            resumed.trainer.load_states(states)
        resumed.iteration()
        actual.append(resumed.trainer.learning_rate)
    assert actual == expected


@pytest.mark.parametrize("schedule", every_schedule(), ids=lambda one: type(one).__name__)
def test_in_module_fit(schedule):
    data = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3)
    module = mx.mod.Module(mx.sym.SoftmaxOutput(data, name="softmax"))
    random = np.random.RandomState(0)
    batches = mx.io.NDArrayIter(random.randn(64, 5), random.randint(0, 3, 64), batch_size=16)
    seen = []
    module.fit(
        batches,
        num_epoch=2,
        optimizer="sgd",
        optimizer_params={"lr_scheduler": schedule, "rescale_grad": 1 / 16},
        batch_end_callback=lambda _: seen.append(module._optimizer.learning_rate),
    )
    assert seen == [schedule(n) for n in range(1, 9)]

"""The state of a recurrent net that goes from batch to batch, wherever its user keeps it."""

import itertools
import random
import warnings
from collections import deque

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, make_dataset

from gluon_lr import Learner, LRFinder
from gluon_lr._mxnet import MXNET_2, mx, nd

nn = mx.gluon.nn
TIMES, SAMPLES, FEATURES, UNITS, BATCHES = 3, 4, 2, 4, 5


class ListAnew:
    first = staticmethod(lambda: [None, None])

    @staticmethod
    def advance(states, number, new):
        return [*states[:number], new, *states[number + 1 :]]


class Tuple:
    first = staticmethod(lambda: (None, None))

    @staticmethod
    def advance(states, number, new):
        return (*states[:number], tuple(new), *states[number + 1 :])


class FirstNone:
    first = staticmethod(lambda: None)

    @staticmethod
    def advance(states, number, new):
        return {**(states or {}), number: new}


class FirstAbsent(FirstNone):
    first = None


class FirstEmpty(FirstNone):
    first = staticmethod(list)

    @staticmethod
    def advance(states, number, new):
        return [*states[:number], new, *states[number + 1 :]]


class ByContext:
    first = staticmethod(dict)

    @staticmethod
    def advance(states, number, new):
        states[mx.cpu(number)] = new
        return states


class InPlace:
    @staticmethod
    def first():
        return [[nd.zeros((1, SAMPLES, UNITS), ctx=mx.cpu(n))] for n in range(2)]

    @staticmethod
    def advance(states, number, new):
        (kept,), (one,) = states[number], new
        kept[:, : one.shape[1]] = one
        return states


class LastTwo:
    first = staticmethod(lambda: deque(maxlen=2))

    @staticmethod
    def advance(states, number, new):
        states.append(new)
        return states


class OfNumPysKind(FirstNone):
    @staticmethod
    def advance(states, number, new):
        return {**(states or {}), number: [one.as_np_ndarray() for one in new]}


class EachSecondNone(FirstNone):
    first = InPlace.first

    @staticmethod
    def advance(states, number, new):
        return None if states else {number: new}


STYLES = [
    ListAnew,
    Tuple,
    FirstNone,
    FirstAbsent,
    FirstEmpty,
    ByContext,
    InPlace,
    LastTwo,
    OfNumPysKind,
    EachSecondNone,
]


def state_of(states, number, samples, context):
    """Return what a context carries on with; zeros at first."""
    if isinstance(states, dict):
        state = states.get(number, states.get(mx.cpu(number)))
    else:
        state = states[number] if states and len(states) > number else None
    if state is None:
        return [nd.zeros((1, samples, UNITS), ctx=context)]
    return [_as_nets_take_it(one)[:, :samples] for one in state]


def _as_nets_take_it(array):
    is_other_kind = isinstance(array, mx.np.ndarray) and not MXNET_2
    return array.as_nd_ndarray() if is_other_kind else array


class Net(nn.Block):
    def __init__(self):
        super().__init__()
        self.gru = mx.gluon.rnn.GRU(UNITS, input_size=FEATURES)
        self.output = nn.Dense(1, in_units=UNITS, flatten=False)

    def forward(self, x, state):
        outputs, state = self.gru(x, state)
        return self.output(outputs), [one.detach() for one in state]


class KeepingNet(Net):
    """Keeps the state itself."""

    def __init__(self, style):
        super().__init__()
        self.style = style
        if style.first is not None:
            self.states = style.first()

    def forward(self, x):
        number, states = x.context.device_id, getattr(self, "states", None)
        outputs, new = super().forward(x, state_of(states, number, x.shape[1], x.context))
        with mx.autograd.pause():
            self.states = self.style.advance(states, number, new)
        return outputs


def by_block(style):
    net = KeepingNet(style)
    return net, lambda net, batch: (net(batch[0]) - batch[1]) ** 2


def by_closure(style):
    states = style.first()

    def compute_loss(net, batch):
        nonlocal states
        x, y = batch
        number = x.context.device_id
        outputs, new = net(x, state_of(states, number, x.shape[1], x.context))
        with mx.autograd.pause():
            states = style.advance(states, number, new)
        return (outputs - y) ** 2

    return Net(), compute_loss


class LossOf:
    def __init__(self, style):
        self.style = style
        if style.first is not None:
            self.states = style.first()

    def __call__(self, net, batch):
        x, y = batch
        number, states = x.context.device_id, getattr(self, "states", None)
        outputs, new = net(x, state_of(states, number, x.shape[1], x.context))
        with mx.autograd.pause():
            self.states = self.style.advance(states, number, new)
        return (outputs - y) ** 2


def by_object(style):
    return Net(), LossOf(style)


KEEPERS = [by_block, by_closure, by_object]
CASES = [(keeper, style, TWO) for keeper, style in zip(itertools.cycle(KEEPERS), STYLES)]
CASES += [(keeper, style, ONE) for keeper, style in itertools.product(KEEPERS, [ListAnew, InPlace])]
CASES = [
    pytest.param(*case, id="-".join([case[0].__name__, case[1].__name__, str(case[2])]))
    for case in CASES
]


def make(keeper, style, ctx=ONE):
    """Build the same learner each time."""
    for seed in (mx.random.seed, np.random.seed, random.seed):
        seed(3)
    net, compute_loss = keeper(style)
    net.initialize(mx.init.Uniform(0.5), ctx=ctx)
    for context in ctx if isinstance(ctx, list) else [ctx]:  # 2.0 initialises a GRU at its call
        state = [nd.zeros((1, 1, UNITS), ctx=context)]
        net.gru(nd.zeros((1, 1, FEATURES), ctx=context), state)
    numbers = np.random.RandomState(7)
    shapes = (TIMES, SAMPLES, FEATURES), (TIMES, SAMPLES, 1)
    loader = [tuple(nd.array(numbers.randn(*one)) for one in shapes) for _ in range(BATCHES)]
    learner = Learner(
        net,
        loader,
        ctx,
        optimizer_params={"learning_rate": 0.1},
        compute_loss=compute_loss,
        batch_axis=1,
    )
    learner.progress = False
    return learner


def losses(learner, count=7):
    return [learner.iteration() for _ in range(count)]


def search(learner, **settings):
    LRFinder(learner).find(lr_start=1e-2, lr_end=1, num_iter=5, progress=False, **settings)


@pytest.mark.parametrize(("keeper", "style", "ctx"), CASES)
def test_a_search_leaves_it(keeper, style, ctx):
    searched, straight = make(keeper, style, ctx), make(keeper, style, ctx)
    search(searched)
    assert losses(searched, 3) == losses(straight, 3)
    search(searched, repeats=2)
    assert losses(searched) == losses(straight)


@pytest.mark.parametrize(("keeper", "style", "ctx"), CASES)
def test_a_file_has_it(keeper, style, ctx):
    saved, loaded = make(keeper, style, ctx), make(keeper, style, ctx)
    for done in (2, 1):
        losses(saved, done)
        saved.save("run.checkpoint")
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            loaded.load("run.checkpoint")
        assert losses(loaded) == losses(saved)


@pytest.mark.parametrize(("keeper", "style", "ctx"), CASES)
def test_a_file_of_the_beginning_puts_the_first_one_back(keeper, style, ctx):
    if style is FirstAbsent:
        pytest.skip("what the file does not know stays, and a warning names it")
    learner = make(keeper, style, ctx)
    learner.save("run.checkpoint")
    first = losses(learner)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        learner.load("run.checkpoint")
    assert losses(learner) == first


@pytest.mark.parametrize("keeper", KEEPERS)
def test_a_tune_leaves_it_and_keeps_it_with_a_training(keeper):
    def made():
        learner = make(keeper, ListAnew)
        learner.valid_loader = learner.data_loader
        learner.iteration()
        return learner

    learner, plain = made(), made()
    LRFinder(learner).tune(10, progress=False)
    assert losses(learner, 1) == losses(plain, 1)
    learner.fit_one_cycle(2, "tune")
    plain.fit_one_cycle(2, learner.tuned.suggestion)
    assert losses(learner) == losses(plain)


def learner_over(hidden):
    mx.random.seed(1)
    net = mx.gluon.rnn.RNN(4, input_size=5)
    net.initialize(mx.init.Normal(0.3))

    def compute_loss(net, batch):
        states = [one.detach() for one in hidden] or net.begin_state(1)
        output, hidden[:] = net(batch[0].reshape((-1, 1, 5)), states)
        return output * output

    loader = mx.gluon.data.DataLoader(make_dataset(32), 8)
    return Learner(net, loader, optimizer="adam", compute_loss=compute_loss)


def test_it_is_loaded_into_the_list_that_is_there_full_or_empty():
    hidden, loaded_hidden = [], []
    learner, loaded = learner_over(hidden), learner_over(loaded_hidden)
    learner.save("empty.checkpoint")
    learner.iteration(0.1)
    learner.save("full.checkpoint")
    loaded.load("full.checkpoint")
    assert_same_arrays(*([one.asnumpy() for one in each] for each in (loaded_hidden, hidden)))
    assert loaded.iteration(0.1) == learner.iteration(0.1)
    loaded.load("empty.checkpoint")
    assert loaded_hidden == []


class Counting(Learner):
    """A Learner of a user's own, whose step keeps a state in it."""

    def __init__(self, *arguments, **settings):
        self.first = nd.zeros((1, 1))
        super().__init__(*arguments, **settings)
        self.steps = nd.zeros((1, 1))

    def compute_loss(self, net, batch):
        self.first[:] += 1
        self.steps = self.steps + 1
        return net(batch[0]) * self.steps * self.first


def test_it_may_be_in_a_learner_of_ones_own():
    def make():
        mx.random.seed(1)
        net = nn.Dense(1, in_units=5)
        net.initialize()
        return Counting(net, mx.gluon.data.DataLoader(make_dataset(32), 8))

    searched, straight = make(), make()
    for learner in (searched, straight):
        learner.iteration(0.1)
    LRFinder(searched).find(num_iter=5, repeats=2, progress=False)
    expected = [straight.iteration(0.1) for _ in range(3)]
    searched.save("own.checkpoint")
    assert [searched.iteration(0.1) for _ in range(3)] == expected
    loaded = make()
    loaded.load("own.checkpoint")
    assert [loaded.iteration(0.1) for _ in range(3)] == expected

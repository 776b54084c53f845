"""Batches pass after pass, and a place in them that is kept."""

import itertools
import random
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import let_workers_finish, make_dataset

from gluon_lr import ContinuousBatchSampler, Learner
from gluon_lr._mxnet import MXNET_2, mx, nd
from gluon_lr.data.batches import Batches

NUMBERS = np.arange(10, dtype=np.float32)


def values(batches, count):
    return [batches.next().batch[0].asnumpy().tolist() for _ in range(count)]


def dataset():
    return mx.gluon.data.ArrayDataset(NUMBERS, NUMBERS)


def shuffled(**settings):
    return mx.gluon.data.DataLoader(dataset(), 3, shuffle=True, **settings)


def continuous():
    sampler = ContinuousBatchSampler(mx.gluon.data.RandomSampler(10), 4)
    return mx.gluon.data.DataLoader(dataset(), batch_sampler=sampler)


class OwnSampler(mx.gluon.data.Sampler):
    """Draws by a generator of its own, which lives from pass to pass."""

    def __init__(self):
        self.random = random.Random(3)

    def __iter__(self):
        return iter(self.random.sample(range(10), 10))

    def __len__(self):
        return 10


class Uncopyable(OwnSampler):
    """Holds what cannot be copied."""

    def __init__(self):
        super().__init__()
        self.source = (i for i in range(10))


class OwnLoader:
    """An iterable of its own kind, with a generator deep inside."""

    def __init__(self):
        self.parts = Parts()

    def __iter__(self):
        for _ in range(3):
            batch = nd.array(self.parts.generator.random(2))
            yield batch, batch


class Parts:
    def __init__(self):
        self.generator = np.random.default_rng(1)


def generator():
    while True:
        batch = nd.array([np.random.rand(), random.random()])
        yield batch, batch


class Endless:
    """An iterator that is no generator."""

    def __init__(self):
        self.count = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.count += 1
        return nd.array([self.count]), nd.array([0])


class Sliced:
    """Each pass is the next part of one stream, as GluonTS's training data are."""

    def __init__(self, length):
        self.stream = ((nd.array([n]), nd.array([0])) for n in itertools.count())
        self.length = length

    def __iter__(self):
        return itertools.islice(self.stream, self.length)


LOADERS = {
    "shuffled": shuffled,
    "rollover": lambda: shuffled(last_batch="rollover"),
    "discard": lambda: shuffled(last_batch="discard"),
    "continuous": continuous,
    "begun ahead": lambda: shuffled(**({} if MXNET_2 else {"auto_reload": True})),
    "worker": lambda: shuffled(num_workers=1),
    "threads": lambda: shuffled(num_workers=2, thread_pool=True),
    "own sampler": lambda: mx.gluon.data.DataLoader(dataset(), 3, sampler=OwnSampler()),
    "uncopyable": lambda: mx.gluon.data.DataLoader(dataset(), 3, sampler=Uncopyable()),
    "own loader": OwnLoader,
    "generator": generator,
    "iterator": Endless,
    "sliced": lambda: Sliced(4),
    "list": lambda: [(nd.array([i]), nd.array([0])) for i in range(5)],
}


ALONE = SimpleNamespace(count=1, rank=0)


def seed():
    mx.random.seed(6)  # the workers of MXNet 2.0 draw by MXNet's generator
    np.random.seed(6)
    random.seed(6)


@pytest.mark.parametrize("taken", [0, 1, 7])
@pytest.mark.parametrize("before", [0, 2, 5])
@pytest.mark.parametrize("name", LOADERS)
def test_the_place_is_kept(name, before, taken):
    def run(look_ahead):
        seed()
        loader = LOADERS[name]()
        batches = Batches(loader, ALONE)
        values(batches, before)
        for _ in range(look_ahead):
            state = np.random.get_state(), random.getstate()
            with batches.place_kept():
                values(batches, taken)
            np.random.set_state(state[0])  # as preserved() does
            random.setstate(state[1])
        following = values(batches, 9)
        batches.close()
        let_workers_finish(loader)
        return following, np.random.rand(), random.random()

    straight = run(look_ahead=0)
    assert run(look_ahead=1) == straight
    assert run(look_ahead=2) == straight


def test_the_place_is_kept_within_a_block_too():
    batches = Batches(generator(), ALONE)
    with batches.place_kept():
        first = values(batches, 1)
        with batches.place_kept():
            second = values(batches, 2)
        assert values(batches, 3)[:2] == second
    assert values(batches, 3) == first + second


def test_an_iterator_gives_the_kept_batches_only_once_more():
    batches = Batches(Endless(), ALONE)
    with batches.place_kept():
        assert values(batches, 3) == [[1], [2], [3]]
    with batches.place_kept():
        assert values(batches, 4) == [[1], [2], [3], [4]]
    assert values(batches, 6) == [[1], [2], [3], [4], [5], [6]]


def test_a_pass_ends_where_its_batches_come_again_too():
    seed()
    loader = shuffled(num_workers=1)
    batches = Batches(loader, ALONE)
    values(batches, 1)
    with batches.place_kept():
        counts = []
        for _ in range(2):
            batches.start_pass()
            counts.append(0)
            while batches.has_more():
                batches.next()
                counts[-1] += 1
    batches.close()
    let_workers_finish(loader)
    assert counts in ([4, 4], [3, 4])  # MXNet 2.0 takes what the pass has left


def test_a_loader_keeps_its_sampler():
    loader = shuffled()
    sampler = loader._batch_sampler
    batches = Batches(loader, ALONE)
    with pytest.raises(KeyError), batches.place_kept():
        batches.next()
        raise KeyError
    assert loader._batch_sampler is sampler


def test_a_learner_forgets_the_loss_of_what_it_tried():
    learner = Learner(mx.gluon.nn.Dense(2), [(nd.ones((2, 3)), nd.zeros(2))])
    with learner.place_kept():
        learner.iteration()
    assert learner.iteration_loss is None


@pytest.mark.skipif(not MXNET_2, reason="MXNet 1.9 reads in Python")
def test_workers_cannot_split_what_is_drawn_outside_python():
    loader = mx.gluon.data.DataLoader(make_dataset(), 4, shuffle=True, num_workers=1)
    batches = Batches(loader, SimpleNamespace(count=2, rank=0))
    with pytest.raises(ValueError, match=r"draw the same batches, got .*try_nopython"):
        batches.next()

"""Loaders of many kinds, each with another memory, and a learner that trains on one of them."""

import functools
import itertools
import random

import numpy as np
from conftest import let_workers_finish, make_dataset
from fits import state

from gluon_lr import ContinuousBatchSampler, Learner
from gluon_lr._mxnet import mx, nd

nn = mx.gluon.nn
gluon_data = mx.gluon.data
SAMPLES, BATCH_SIZE = 20, 4
global_generator = random.Random(3)


class Data(gluon_data.Dataset):
    """The samples; reading fails where `failures` says so."""

    def __init__(self):
        self.samples = make_dataset(SAMPLES)
        self.failures = itertools.repeat(False)

    def __getitem__(self, index):
        if next(self.failures):
            raise OSError("cannot read")
        return self.samples[index]

    def __len__(self):
        return SAMPLES


DATA = Data()


class Sampler(gluon_data.Sampler):
    """Yields what `order` returns."""

    def __iter__(self):
        return iter([int(index) for index in self.order()])

    def __len__(self):
        return SAMPLES


class OwnGenerator(Sampler):
    def __init__(self):
        self.generator = np.random.RandomState(3)

    def order(self):
        return self.generator.permutation(SAMPLES)


class Alternating(Sampler):
    def __init__(self):
        self.forwards = False

    def order(self):
        self.forwards = not self.forwards
        return range(SAMPLES) if self.forwards else range(SAMPLES - 1, -1, -1)


class ListInPlace(Sampler):
    def __init__(self):
        self.indices = list(range(SAMPLES))

    def order(self):
        random.shuffle(self.indices)
        return self.indices


class ArrayInPlace(Sampler):
    def __init__(self):
        self.indices = np.arange(SAMPLES)

    def order(self):
        np.random.shuffle(self.indices)
        return self.indices


class Rebound(Sampler):
    def __init__(self):
        self.indices = list(range(SAMPLES))

    def order(self):
        self.indices = self.indices[3:] + self.indices[:3]
        return self.indices


class Lazy(Sampler):
    def order(self):
        if not hasattr(self, "indices"):
            self.indices = list(range(SAMPLES))
        self.indices.append(self.indices.pop(0))
        return self.indices


class LazyGenerator(OwnGenerator):
    def __init__(self):
        self.generator = None

    def order(self):
        if self.generator is None:
            self.generator = np.random.RandomState(3)
        return super().order()


class BatchSampler:
    def __init__(self):
        self.generator = np.random.default_rng(3)

    def __iter__(self):
        order = self.generator.permutation(SAMPLES).tolist()
        return (order[i : i + BATCH_SIZE] for i in range(0, SAMPLES, BATCH_SIZE))

    def __len__(self):
        return SAMPLES // BATCH_SIZE


class Noise(nn.Block):
    def __init__(self):
        super().__init__()
        self.generator = np.random.RandomState(3)

    def forward(self, x):
        return x * np.float32(self.generator.rand())


class Counting(gluon_data.Dataset):
    def __init__(self):
        self.count = 0

    def __getitem__(self, index):
        self.count += 1
        data, label = DATA[index]
        return data * np.float32(1 + self.count % 7), label

    def __len__(self):
        return SAMPLES


class OwnLoader:
    """A user's own class, which has `lengths` in turn, and says of each `error` more."""

    def __init__(self, lengths=(5,), error=0):
        self.generator = random.Random(3)
        self.indices = list(range(SAMPLES))
        self.lengths = list(lengths)
        self.error = error

    def __iter__(self):
        self.generator.shuffle(self.indices)
        length = self.lengths[0]
        self.lengths.append(self.lengths.pop(0))
        for batch in range(length):
            start = batch * BATCH_SIZE % SAMPLES
            yield [nd.array(part) for part in DATA[self.indices[start : start + BATCH_SIZE]]]

    def __len__(self):
        return self.lengths[0] + self.error


def multiplied(generator, x):
    return x * np.float32(generator.random())


def in_closure():
    generator = random.Random(3)
    return lambda x: multiplied(generator, x)


def in_list():
    generators = [random.Random(3), random.Random(4)]
    return lambda x: multiplied(generators[1], multiplied(generators[0], x))


def in_globals():
    global_generator.seed(3)
    return lambda x: multiplied(global_generator, x)


def drifting(drift, x):
    drift += 1
    return x + drift


def in_compose():
    return gluon_data.vision.transforms.Compose([Noise(), Noise()])


def sampled(sampler, **settings):
    return gluon_data.DataLoader(DATA, BATCH_SIZE, sampler=sampler, **settings)


def shuffled(dataset=DATA, batch_size=BATCH_SIZE, **settings):
    return gluon_data.DataLoader(dataset, batch_size, shuffle=True, **settings)


def transformed(function):
    return shuffled(DATA.transform_first(function))


def continuous():
    batches = ContinuousBatchSampler(OwnGenerator(), BATCH_SIZE)
    return gluon_data.DataLoader(DATA, batch_sampler=batches)


LOADERS = {
    "own generator": lambda: sampled(OwnGenerator()),
    "batch sampler": lambda: gluon_data.DataLoader(DATA, batch_sampler=BatchSampler()),
    "rollover": lambda: shuffled(batch_size=3, last_batch="rollover"),
    "rollover, own generator": lambda: gluon_data.DataLoader(
        DATA, 3, sampler=OwnGenerator(), last_batch="rollover"
    ),
    "alternating": lambda: sampled(Alternating()),
    "list in place": lambda: sampled(ListInPlace()),
    "array in place": lambda: sampled(ArrayInPlace()),
    "rebound": lambda: sampled(Rebound()),
    "lazy": lambda: sampled(Lazy()),
    "lazy generator": lambda: sampled(LazyGenerator()),
    "closure": lambda: transformed(in_closure()),
    "partial": lambda: transformed(functools.partial(multiplied, random.Random(3))),
    "array in a partial": lambda: transformed(functools.partial(drifting, np.zeros(5, "float32"))),
    "list of generators": lambda: transformed(in_list()),
    "globals": lambda: transformed(in_globals()),
    "compose": lambda: transformed(in_compose()),
    "counting": lambda: shuffled(Counting()),
    "own loader": OwnLoader,
    "uneven": lambda: OwnLoader(lengths=(4, 6, 5)),
    "too short": lambda: OwnLoader(error=-2),
    "too long": lambda: OwnLoader(error=2),
    "list of batches": lambda: list(shuffled()),
    "continuous": continuous,
    "threads": lambda: sampled(OwnGenerator(), num_workers=2, thread_pool=True),
}


def make(name, failures=(), loader=None):
    """Build a learner with a kind of loader, the same each time; reading fails at those numbers."""
    last = max(failures, default=0)
    fails = [number in failures for number in range(last + 1)]
    DATA.failures = itertools.chain(fails, itertools.repeat(False))
    mx.random.seed(3)
    np.random.seed(3)
    random.seed(3)
    net = nn.Dense(3, in_units=5)
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"momentum": 0.9})
    length = 5 if name == "continuous" else None
    learner = Learner(
        net,
        LOADERS[name]() if loader is None else loader,
        trainer=trainer,
        valid_loader=OwnLoader(lengths=(2, 3)),
        iterations_per_epoch=length,
    )
    learner.progress = False
    return learner


def train(learner, cbs=None):
    """Run the fit of these tests: three epochs."""
    learner.fit_one_cycle(3, 0.1, cbs=cbs)


@functools.lru_cache(maxsize=None)
def straight(name):
    """Return the state after a fit that nothing has stopped."""
    learner = make(name)
    train(learner)
    return ended(learner)


def ended(learner):
    """Return all that a training has to have as the uninterrupted one; it goes no further."""
    end = state(learner)
    let_workers_finish(learner.data_loader)
    return end

"""A share of the data is held out: never trained on in the block, and there again after it."""

import itertools
import json
import random
from types import SimpleNamespace

import loaders
import numpy as np
import pytest
from conftest import assert_same_arrays, let_workers_finish, weights
from interruptions import Interrupted, pressed

from gluon_lr import ContinuousBatchSampler, preserved
from gluon_lr._mxnet import MXNET_2, mx, nd
from gluon_lr.data.batches import Batches

gluon_data = mx.gluon.data
ALONE = SimpleNamespace(count=1, rank=0)


def dataset(samples):
    """Return samples that tell their number."""
    return gluon_data.ArrayDataset(np.arange(samples, dtype=np.float32))


def numbers(batch):
    return (batch[0] if isinstance(batch, (list, tuple)) else batch).asnumpy().ravel().tolist()


class Block:
    """Batches with what they hold out, in a block, and the numbers of the samples in both."""

    def __init__(self, loader, share=0.2, most=1000, workers=ALONE):
        self.batches = Batches(loader, workers)
        held, batches = self.batches.find_held_out(share, most)
        self.held = [numbers(batch) for batch in batches]
        self._parts = [self.batches.place_kept(), self.batches.held_out(held)]

    def __enter__(self):
        for part in self._parts:
            part.__enter__()
        return self

    def __exit__(self, *error):
        for part in reversed(self._parts):
            part.__exit__(*error)

    def take(self, count):
        return [numbers(self.batches.next().batch) for _ in range(count)]

    def take_pass(self):
        self.batches.start_pass()
        taken = []
        while self.batches.has_more():
            taken += self.take(1)
        return taken


def flat(batches):
    return [number for batch in batches for number in batch]


def shuffled(samples, batch_size, **settings):
    return gluon_data.DataLoader(dataset(samples), batch_size, shuffle=True, **settings)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("last_batch", ["keep", "discard", "rollover"])
@pytest.mark.parametrize(("samples", "batch_size"), [(2, 1), (20, 3), (21, 4), (20, 16), (64, 8)])
def test_no_pass_has_a_sample_that_is_held_out_and_batches_keep_their_size(
    samples, batch_size, last_batch, share
):
    with Block(shuffled(samples, batch_size, last_batch=last_batch), share) as block:
        count = max(1, round(share * samples))
        assert len(flat(block.held)) == len(set(flat(block.held))) == count
        trained = set()
        for _ in range(6):
            taken = block.take_pass()
            trained |= set(flat(taken))
            sizes = [len(batch) for batch in taken]
            assert set(sizes[:-1]) <= {batch_size}
            if last_batch != "rollover":
                assert len(block.batches) == len(taken)
            if last_batch == "keep":
                assert sum(sizes) == samples - count
            elif samples - count >= batch_size:
                assert sizes[-1] == batch_size
        assert not trained & set(flat(block.held))
        assert trained | set(flat(block.held)) <= set(range(samples))


def test_the_same_samples_are_held_out_in_each_search():
    loader = shuffled(50, 8)
    held = [Block(loader).held for _ in range(2)] + [Block(shuffled(50, 8)).held]
    assert held[0] == held[1] == held[2]
    assert [len(batch) for batch in held[0]] == [8, 2]


def test_no_more_samples_are_held_out_than_asked_for():
    with Block(shuffled(50, 8), most=3) as block:
        assert [len(batch) for batch in block.held] == [3]
        assert len(flat(block.take_pass())) == 47


def test_only_what_the_sampler_draws_is_held_out():
    sampler = gluon_data.FilterSampler(lambda number: number % 2, dataset(40))
    with Block(gluon_data.DataLoader(dataset(40), 4, sampler=sampler)) as block:
        seen = sorted(flat(block.held) + flat(block.take_pass()))
    assert seen == list(range(1, 40, 2))


def test_a_sampler_without_end_holds_out_too():
    sampler = ContinuousBatchSampler(gluon_data.RandomSampler(20), 6)
    with Block(gluon_data.DataLoader(dataset(20), batch_sampler=sampler)) as block:
        taken = block.take(40)
        assert {len(batch) for batch in taken} == {6}
        assert sorted({*flat(taken)} | {*flat(block.held)}) == list(range(20))
        assert not {*flat(taken)} & {*flat(block.held)}


def test_batches_of_a_sampler_of_its_own_kind_are_not_mixed():
    buckets = [list(range(n, n + 5)) for n in range(0, 40, 5)]
    with Block(gluon_data.DataLoader(dataset(40), batch_sampler=buckets)) as block:
        taken = block.take_pass()
        assert len(block.batches) == len(taken)
    left = [[one for one in bucket if one not in flat(block.held)] for bucket in buckets]
    assert taken == [bucket for bucket in left if bucket]


@pytest.mark.skipif(MXNET_2, reason="MXNet 2.0 begins no pass ahead")
def test_a_pass_that_was_begun_ahead_is_not_of_the_block():
    loader = shuffled(20, 3, num_workers=1, auto_reload=True)
    with Block(loader) as block:
        taken = flat(block.take_pass() + block.take_pass())
        assert not {*taken} & {*flat(block.held)}
        block.batches.close()
    let_workers_finish(loader)


@pytest.mark.parametrize("thread_pool", [False, True])
def test_workers_read_what_is_held_out(thread_pool):
    in_python = {"try_nopython": False} if MXNET_2 else {}
    loader = shuffled(20, 3, num_workers=1, thread_pool=thread_pool, **in_python)
    with Block(loader) as block:
        taken = block.take_pass() + block.take_pass()
        block.batches.close()
    let_workers_finish(loader)
    assert sorted(flat(taken)) == sorted(2 * sorted({*range(20)} - {*flat(block.held)}))


def batches(count, size=2):
    return [nd.array(np.arange(n * size, n * size + size)) for n in range(count)]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25, 0.5])
@pytest.mark.parametrize("count", [2, 5, 11, 23])
def test_of_a_list_each_nth_batch_is_held_out(count, share):
    every = [numbers(batch) for batch in batches(count)]
    held = every[1 :: round(1 / share)]
    with Block(batches(count), share) as block:
        assert block.held == held
        for _ in range(3):
            assert len(block.batches) == len(every) - len(held)
            assert block.take_pass() == [batch for batch in every if batch not in held]


def test_not_all_that_is_held_out_is_judged_by():
    with Block(batches(21), most=3) as block:
        assert block.held == [[2, 3], [12, 13]]
        assert not {*range(2, 42, 10)} & {*flat(block.take_pass())}


class Shuffled:
    """A loader of its own kind, in another order in each pass."""

    def __init__(self):
        self.random = random.Random(2)

    def __iter__(self):
        return iter(self.random.sample(batches(12), 12))


def test_a_loader_that_shuffles_holds_out_in_its_first_pass():
    loader = Shuffled()
    with Block(loader) as block:
        assert sorted(flat(block.held + block.take_pass())) == list(range(24))
    assert numbers(next(iter(loader))) == numbers(next(iter(Shuffled())))


def data_iter():
    return mx.io.NDArrayIter(np.arange(20, dtype=np.float32), batch_size=2)


def in_a_row(batch):
    return numbers(batch.data) if isinstance(batch, mx.io.DataBatch) else numbers(batch)


ONE_PASS = {
    "iterator": lambda: iter(batches(40)),
    "generator": lambda: (one for one in batches(40)),
    "endless": lambda: (nd.array([n]) for n in itertools.count()),
    "data iter": data_iter,
}


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("name", ONE_PASS)
def test_what_has_one_pass_holds_out_of_what_comes_next_and_gives_it_again(name, before):
    straight = Batches(ONE_PASS[name](), ALONE)
    expected = [in_a_row(straight.next().batch) for _ in range(40)]
    again = Batches(ONE_PASS[name](), ALONE)
    for _ in range(before):
        again.next()
    held, found = again.find_held_out(0.2, 4)
    found = [in_a_row(batch) for batch in found]
    places = [n for n in range(before, 40) if n % 5 == 1]
    assert found == [expected[n] for n in places[: len(found)]]
    assert len(found) == (4 if name == "endless" else 2)
    for _ in range(2):
        with again.place_kept(), again.held_out(held):
            trials = []
            for _ in range(2):
                with again.place_kept():
                    trials.append([in_a_row(again.next().batch) for _ in range(6)])
        left = [one for n, one in enumerate(expected) if n >= before and n % 5 != 1]
        assert trials == [left[:6]] * 2
    assert [in_a_row(again.next().batch) for _ in range(40 - before)] == expected[before:]


@pytest.mark.parametrize("loader", [batches(1), shuffled(1, 4), iter(batches(1))])
def test_of_one_batch_alone_nothing_can_be_held_out(loader):
    with pytest.raises(ValueError, match="`validation` must be given"):
        Block(loader)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"share": 0}, ValueError),
        ({"share": 0.6}, ValueError),
        ({"share": "all"}, TypeError),
        ({"most": 0}, ValueError),
        ({"most": 2.5}, TypeError),
    ],
)
def test_arguments_out_of_bounds(settings, error):
    (name,) = settings
    with pytest.raises(error, match=f"Learner.hold_out: `{name}` must be"):
        loaders.make("list in place").hold_out(**settings)


def through_json(data):
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("make_loader", [lambda: shuffled(32, 4), lambda: batches(9, 4)])
def test_workers_that_split_batches_hold_out_the_same(make_loader):
    def of_worker(rank, count=2):
        workers = SimpleNamespace(
            count=count,
            rank=rank,
            of_first_if_unlike=lambda what, digest, data: through_json(data()),
        )
        np.random.seed(4)
        with Block(make_loader(), workers=workers) as block:
            return block.held, block.take_pass()

    held, alone = of_worker(0, count=1)
    first, second = of_worker(0), of_worker(1)
    assert first[0] == second[0] == held
    assert [one + other for one, other in zip(first[1], second[1])] == alone


def search(learner, trials=2, iterations=7):
    """Do what a search by held-out data does; return the losses."""
    losses = []
    with learner.place_kept() as place, place, learner.hold_out() as held, held:
        for _ in range(trials):
            with preserved(learner.net, learner.trainer), learner.place_kept():
                for _ in range(iterations):
                    learner.enqueue(0.1)
                losses.append(learner.validate(held.batches)["valid_loss"])
    return losses


def after(learner, iterations=12):
    """Train on; return what came, and all there is then."""
    seen = []
    for _ in range(iterations):
        learner.iteration()
        seen.append(learner.batch[0].asnumpy())
    learner.close()
    let_workers_finish(learner.data_loader)
    return seen + weights(learner) + [np.random.rand(2), np.array(random.random())]


def without(name, before=3):
    learner = loaders.make(name)
    for _ in range(before):
        learner.iteration()
    return after(learner)


@pytest.mark.parametrize(("name", "before"), list(zip(loaders.LOADERS, itertools.cycle([0, 3]))))
def test_all_is_as_before_after_it(name, before):
    learner = loaders.make(name)
    for _ in range(before):
        learner.iteration()
    losses = search(learner)
    assert losses[0] == losses[1]
    assert search(learner) == losses
    assert_same_arrays(after(learner), without(name, before))


@pytest.mark.parametrize("name", ["own generator", "own loader", "counting", "list of batches"])
def test_a_fit_in_the_block_ends_its_passes_where_the_loader_does(name):
    learner = loaders.make(name)
    length = learner.iterations_per_epoch
    with learner.hold_out() as held, held:
        left = learner.iterations_per_epoch
        learner.fit(3, 0.1)
        assert len(learner.recorder) == 3 * left
        assert left == length - 1
    assert learner.iterations_per_epoch == length


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("name", ["own generator", "own loader", "rollover"])
def test_all_is_as_before_after_an_error_in_the_block(name, error):
    learner = loaders.make(name)
    for _ in range(3):
        learner.iteration()
    kept = preserved(learner.net, learner.trainer)
    with pytest.raises(error), kept, learner.hold_out() as held, held:
        for _ in range(7):
            learner.iteration(0.1)
        raise error
    assert_same_arrays(after(learner), without(name))


@pytest.mark.parametrize("at", [0, 9, 13, 22, 31])
def test_all_is_as_before_after_an_error_of_the_loader(at):
    learner = loaders.make("own generator")
    fails = [False] * (12 + at) + [True]
    loaders.DATA.failures = itertools.chain(fails, itertools.repeat(False))
    for _ in range(3):
        learner.iteration()
    with pytest.raises(OSError, match="cannot read"):
        search(learner)
    assert_same_arrays(after(learner), without("own generator"))


def endless():
    for n in itertools.count():
        yield [nd.array(part) for part in loaders.DATA[[n % 20, (n + 1) % 20]]]


def of_iterator():
    learner = loaders.make("iterator", loader=endless())
    for _ in range(3):
        learner.iteration()
    return learner


@pytest.mark.parametrize("name", ["own generator", "own loader", "iterator"])
def test_ctrl_c_anywhere(name):
    def make():
        if name == "iterator":
            return of_iterator()
        learner = loaders.make(name)
        for _ in range(3):
            learner.iteration()
        return learner

    def interrupted(learner):
        def action():
            kept = preserved(learner.net, learner.trainer)
            with kept as again, again, learner.hold_out(most=2) as held, held:
                for _ in range(3):
                    learner.enqueue(0.1)

        return Interrupted(action, "hold_out")

    expected = after(make())
    places = interrupted(make()).places()
    for place in np.random.RandomState(1).choice(places, 12, replace=False):
        learner = make()
        assert interrupted(learner).at(place, pressed)
        assert_same_arrays(after(learner), expected)

"""MXNet's data iterators as loaders."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, weights

from gluon_lr import Callback, Learner, LRFinder
from gluon_lr._mxnet import MXNET_2, mx, nd

SAMPLES, BATCH_SIZE = 22, 4


def make_iter(**settings):
    x = np.arange(SAMPLES * 3, dtype=np.float32).reshape(SAMPLES, 3) / 50
    y = (np.arange(SAMPLES) % 2).astype(np.float32)
    return mx.io.NDArrayIter(x, y, BATCH_SIZE, **settings)


def make_learner(data, ctx=ONE, **more):
    mx.random.seed(1)
    net = mx.gluon.nn.Dense(2, in_units=3)
    net.initialize(mx.init.Xavier(), ctx=ctx)
    learner = Learner(net, data, optimizer_params={"learning_rate": 0.1, "momentum": 0.9}, **more)
    learner.progress = False
    return learner


def first_of(learner, count):
    """Return the first number of each of the next batches."""
    seen = []
    for _ in range(count):
        learner.iteration()
        seen.append(learner.batch.data[0].asnumpy()[0, 0])
    return seen


def seeded(**settings):
    np.random.seed(5)
    return make_iter(**settings)


@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("last", ["pad", "discard", "roll_over"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_trains_as_a_loop_over_it_does_without_its_padding(ctx, last, shuffle):
    learner = make_learner(seeded(shuffle=shuffle, last_batch_handle=last), ctx)
    learner.fit(3, 0.1)
    data = seeded(shuffle=shuffle, last_batch_handle=last)
    batches = []
    for _ in range(3):
        data.reset()
        for batch in data:
            kept = BATCH_SIZE - (batch.pad if last == "pad" else 0)
            batches.append((batch.data[0][:kept], batch.label[0][:kept]))
    other = make_learner(batches, ctx)
    for _ in batches:
        other.iteration(0.1)
    assert len(learner.recorder) == len(batches)
    assert_same_arrays(weights(learner), weights(other))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("last", ["pad", "roll_over"])
def test_a_search_keeps_the_place(shuffle, last):
    searched, untouched = (
        make_learner(seeded(shuffle=shuffle, last_batch_handle=last)) for _ in range(2)
    )
    for learner in (searched, untouched):
        np.random.seed(6)
        first_of(learner, 2)
        if learner is searched:
            LRFinder(learner).find(num_iter=17, progress=False)
        seen = first_of(learner, 9)
        if learner is searched:
            expected = seen
    assert seen == expected
    assert_same_arrays(weights(searched), weights(untouched))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("last", ["pad", "discard", "roll_over"])
@pytest.mark.parametrize("before", [3, 5, 13])
def test_goes_on_from_a_file_with_the_next_batch(shuffle, last, before):
    settings = {"shuffle": shuffle, "last_batch_handle": last}
    straight = make_learner(seeded(**settings))
    first_of(straight, before)
    straight.save("iter.checkpoint")
    expected = first_of(straight, 8)
    loaded = make_learner(seeded(**settings))
    np.random.seed(99)
    loaded.load("iter.checkpoint")
    assert first_of(loaded, 8) == expected
    assert_same_arrays(weights(loaded), weights(straight))


def test_it_tells_the_length_of_an_epoch_or_is_told():
    assert make_learner(make_iter()).iterations_per_epoch == 6
    assert make_learner(make_iter(last_batch_handle="discard")).iterations_per_epoch == 5
    resized = mx.io.ResizeIter(make_iter(), 3)
    with pytest.raises(ValueError, match="`iterations_per_epoch` must be given"):
        make_learner(resized).fit(1)
    learner = make_learner(resized, iterations_per_epoch=3)
    learner.fit(2)
    assert len(learner.recorder) == 6


def test_validation_data_may_be_one_too():
    data = make_iter()
    learner = make_learner(make_iter(), valid_loader=data, metrics="acc")
    learner.fit(1, 0.1)
    whole = [(data.data[0][1], data.label[0][1])]
    expected = learner.validate(whole, "acc")
    assert learner.recorder.epochs[-1]["valid_loss"] == pytest.approx(expected["valid_loss"])
    assert learner.recorder.epochs[-1]["accuracy"] == expected["accuracy"]


def test_batches_of_an_iterator_in_c_come_again_after_a_search(tmp_path):
    rows = np.arange(60, dtype=np.float32).reshape(20, 3)
    np.savetxt(tmp_path / "data.csv", rows, delimiter=",")
    np.savetxt(tmp_path / "label.csv", rows[:, 0] % 2, delimiter=",")

    def make():
        return mx.io.CSVIter(
            data_csv=str(tmp_path / "data.csv"),
            data_shape=(3,),
            label_csv=str(tmp_path / "label.csv"),
            label_shape=(1,),
            batch_size=4,
        )

    def loss(output, label):
        return mx.gluon.loss.SoftmaxCrossEntropyLoss()(output, label.reshape((-1,)))

    searched, untouched = (make_learner(make(), loss=loss) for _ in range(2))
    expected = [*first_of(untouched, 2), *first_of(untouched, 7)]
    found = first_of(searched, 2)
    LRFinder(searched).find(num_iter=8, progress=False)
    assert [*found, *first_of(searched, 7)] == expected


class OwnBatches(mx.io.DataIter):
    """One whose batches are no DataBatches."""

    def reset(self):
        self.numbers = iter(range(3))

    def next(self):
        return SimpleNamespace(number=next(self.numbers))


def test_it_may_give_batches_of_its_own():
    def compute_loss(net, batch):
        seen.append(batch.number)
        return net(nd.ones((1, 3)))

    seen = []
    learner = make_learner(OwnBatches(), compute_loss=compute_loss, iterations_per_epoch=3)
    learner.fit(2)
    assert seen == [0, 1, 2, 0, 1, 2]


class SearchAndSave(Callback):
    """Search after a number of batches, beyond the end of the pass, and save what comes then."""

    def __init__(self, number):
        self.left = number

    def after_batch(self, learner):
        self.left -= 1
        if self.left == 0:
            LRFinder(learner).find(num_iter=9, progress=False)
            learner.save("searched.checkpoint")


@pytest.mark.parametrize("last", ["pad", "discard", "roll_over"])
@pytest.mark.parametrize("number", [2, 5, 6, 9])
def test_a_search_beyond_the_end_of_a_pass_takes_nothing_from_a_fit(last, number):
    def make():
        return make_learner(seeded(shuffle=True, last_batch_handle=last))

    straight = make()
    straight.fit(3, 0.1)
    searched = make()
    searched.fit(3, 0.1, cbs=SearchAndSave(number))
    assert_same_arrays(weights(searched), weights(straight))
    resumed = make()
    np.random.seed(99)
    resumed.load("searched.checkpoint")
    resumed.resume()
    assert_same_arrays(weights(resumed), weights(straight))
    assert resumed.recorder.losses.tolist() == straight.recorder.losses.tolist()


class Adapter:
    """A loader as one writes it over an iterator."""

    def __init__(self, data_iter):
        self.data_iter = data_iter

    def __iter__(self):
        self.data_iter.reset()
        for batch in self.data_iter:
            yield as_array(batch.data[0]), as_array(batch.label[0])


def as_array(array):
    return array.as_np_ndarray() if MXNET_2 else array


def test_a_search_keeps_the_place_of_a_loader_over_one():
    searched, untouched = (make_learner(Adapter(make_iter())) for _ in range(2))
    for learner in (searched, untouched):
        for _ in range(2):
            learner.iteration()
    LRFinder(searched).find(num_iter=9, progress=False)
    for _ in range(8):
        assert searched.iteration() == untouched.iteration()
        assert (searched.batch[0].asnumpy() == untouched.batch[0].asnumpy()).all()

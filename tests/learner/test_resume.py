"""A fit that ends early goes on in another learner as if it had not, whatever its data remember."""

import itertools
import os
import random
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import loaders
import numpy as np
import pytest
from conftest import assert_same_arrays, weights
from fits import StopAfter, assert_same_state
from forks import FORK
from loaders import (
    BATCH_SIZE,
    DATA,
    LOADERS,
    SAMPLES,
    OwnGenerator,
    OwnLoader,
    ended,
    gluon_data,
    make,
    straight,
    train,
)

from gluon_lr import Callback, CheckpointCallback, Learner, LRFinder, preserved
from gluon_lr._mxnet import mx, nd


class StopInValidation(Callback):
    """Press Ctrl-C at the end of the second validation."""

    def before_fit(self, learner):
        calls = []

        def validate():
            values = type(learner).validate(learner)
            calls.append(values)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return values

        learner.validate = validate


STOPS = {  # and after how many updates the fit is saved
    "in pass 1": (lambda: StopAfter(2), 2),
    "before a batch of pass 2": (lambda: StopAfter(8, "before_batch"), 3),
    "in pass 3": (lambda: StopAfter(14), 7),
    "at the end of pass 1": (lambda: StopAfter(5), 5),
    "in validation": (StopInValidation, 5),
    "after an epoch": (lambda: StopAfter(1, "after_epoch"), None),
}


def stopped(name, at):
    """Return a learner whose fit was stopped, and is in the file "run"."""
    stop, iterations = STOPS[at]
    learner = make(name)
    with pytest.raises(KeyboardInterrupt):
        train(learner, [CheckpointCallback("run", iterations), stop()])
    return learner


SOME = list(zip(LOADERS, itertools.cycle(STOPS)))  # each stop with many of the loaders


@pytest.mark.parametrize(("name", "stop"), SOME)
def test_a_stopped_fit_goes_on_here_and_in_another_learner(name, stop):
    here = stopped(name, stop)
    here.resume()
    assert_same_state(ended(here), straight(name))
    other = make(name)
    other.load("run")
    other.resume()
    assert_same_state(ended(other), straight(name))


# MXNet ends its threads after an error
READ = [name for name in LOADERS if name not in ("list of batches", "threads")]


@pytest.mark.parametrize(("name", "number"), list(zip(READ, itertools.cycle([2, 9]))))
def test_after_an_error_of_the_loader_the_same_batch_comes(name, number):
    reads_batches = isinstance(LOADERS[name](), OwnLoader)
    learner = make(name, failures=[number if reads_batches else number * BATCH_SIZE])
    with pytest.raises(OSError, match="cannot read"):
        train(learner)
    learner.resume()
    assert_same_state(ended(learner), straight(name))


MADE_AT_ONCE = [name for name in LOADERS if "lazy" not in name]


@pytest.mark.parametrize("name", MADE_AT_ONCE)
def test_a_learner_that_has_trained_goes_back_to_a_file(name):
    learner = make(name)
    learner.save("fresh")
    learner.iteration(0.1)
    learner.save("run")
    train(learner)
    for path in ("run", "fresh"):
        learner.load(path)
    train(learner)
    assert_same_state(ended(learner), straight(name))


@pytest.mark.parametrize(
    ("name", "attribute"), [("lazy", "indices"), ("lazy generator", "generator")]
)
def test_what_a_loader_has_made_since_the_file_is_said(name, attribute):
    learner = make(name)
    learner.save("fresh")
    learner.iteration(0.1)
    with pytest.warns(UserWarning, match=f"are used: .*_sampler.{attribute}"):
        learner.load("fresh")


ELSEWHERE = ["own generator", "rollover", "globals", "lazy generator", "own loader"]
SCRIPT = """
import sys
import numpy as np
from conftest import weights
from loaders import make

for name in sys.argv[1:]:
    learner = make(name)
    learner.load(name + ".checkpoint")
    learner.resume()
    np.savez(name + ".npz", *weights(learner), learner.recorder.losses)
"""


def test_a_stopped_fit_goes_on_in_another_process():
    for name in ELSEWHERE:
        stopped(name, "in pass 3")
        os.replace("run", name + ".checkpoint")
    subprocess.run([sys.executable, "-c", SCRIPT, *ELSEWHERE], check=True, env=with_tests())
    for name in ELSEWHERE:
        with np.load(name + ".npz") as end:
            arrays, losses = straight(name)[:2]
            found = [end[key] for key in end.files]
            assert_same_arrays(found[:-1], arrays[: len(found) - 1])
            np.testing.assert_array_equal(found[-1], losses[0])


def with_tests():
    """Return the environment of a process that can import the modules of the tests."""
    tests = str(Path(loaders.__file__).parent)
    path = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}


def fit_and_tell(pipe):
    """Begin a fit, or go on with the one in the file, and tell of each update."""

    class Tell(Callback):
        def after_batch(self, learner):
            os.write(pipe, b"%d\n" % len(learner.recorder))

    learner, callbacks = make("rollover, own generator"), [CheckpointCallback("run", 1), Tell()]
    if os.path.exists("run"):
        learner.load("run")
        learner.resume(cbs=callbacks)
    else:
        learner.fit_one_cycle(10, 0.1, cbs=callbacks)
    np.savez("end.npz", *weights(learner), learner.recorder.losses)


def test_killed_twice_it_ends_as_if_it_had_not_been():
    for updates in (17, 45, None):
        read, write = os.pipe()
        process = FORK.Process(target=fit_and_tell, args=(write,))
        process.start()
        os.close(write)
        with os.fdopen(read) as told:
            if updates is None:
                told.read()
            else:
                while int(told.readline()) < updates:
                    assert process.is_alive()
                process.kill()
        process.join()
        assert process.exitcode == (0 if updates is None else -signal.SIGKILL)
        assert Path("end.npz").exists() == (updates is None)
    uninterrupted = make("rollover, own generator")
    uninterrupted.fit_one_cycle(10, 0.1)
    with np.load("end.npz") as end:
        expected = [*weights(uninterrupted), uninterrupted.recorder.losses]
        assert_same_arrays([end[key] for key in end.files], expected)


# -- what the script states otherwise ----------------------------------------------------------


class Epoch(OwnGenerator):
    """Yields batches of `batch_size`, in another order each `epoch`."""

    def __init__(self, batch_size, **attributes):
        self.epoch, self.batch_size = 0, batch_size
        vars(self).update(attributes)

    def __iter__(self):
        self.epoch += 1
        order = np.random.RandomState(self.epoch).permutation(SAMPLES).tolist()
        size = self.batch_size
        return (order[i : i + size] for i in range(0, SAMPLES, size))

    def __len__(self):
        return -(-SAMPLES // self.batch_size)


def by_epoch(*arguments, **attributes):
    loader = gluon_data.DataLoader(DATA, batch_sampler=Epoch(*arguments, **attributes))
    return make("own generator", loader=loader)


def warnings_of_loading(learner):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        learner.load("run")
    return [str(one.message) for one in caught if one.category is UserWarning]


@pytest.mark.parametrize("moved", [False, True])
def test_what_the_script_states_holds_and_what_the_loader_remembers_is_taken(moved):
    saved = by_epoch(8)
    for _ in range(7):  # of three batches a pass
        saved.iteration(0.1)
    if moved:
        saved.data_loader._batch_sampler.batch_size = 10
    saved.save("run")
    loaded = by_epoch(5)
    told = warnings_of_loading(loaded)
    assert len(told) == moved
    assert all(one.endswith("are used: data_loader._batch_sampler.batch_size.") for one in told)
    loaded.iteration(0.1)
    sampler = loaded.data_loader._batch_sampler
    assert (sampler.batch_size, sampler.epoch) == (5, 3)


def test_what_is_carried_over_means_nothing_to_batches_of_another_size():
    learners = []
    for batch_size in (12, 6):
        made = by_epoch(8)
        loader = gluon_data.DataLoader(DATA, batch_size, last_batch="rollover")
        learners.append(Learner(made.net, loader, trainer=made.trainer))
    saved, loaded = learners
    saved.fit(1, 0.1)
    assert len(saved.data_loader._batch_sampler._prev) == 8
    saved.save("run")
    (told,) = warnings_of_loading(loaded)
    assert told.endswith("are used: data_loader._batch_sampler._prev.")
    assert loaded.iteration(0.1) > 0


@pytest.mark.parametrize("own", [[], ["generator", "other"]])
def test_a_loader_with_other_generators_than_the_files_is_told_of(own):
    saved = by_epoch(8, generator=np.random.RandomState(1))
    saved.iteration(0.1)
    saved.save("run")
    loaded = by_epoch(8, **{name: np.random.RandomState(2) for name in own})
    (told,) = warnings_of_loading(loaded)
    assert f"_batch_sampler.{'other' if own else 'generator'}" in told
    assert loaded.iteration(0.1) > 0


def test_a_generator_of_another_kind_is_refused_and_nothing_changes():
    saved = by_epoch(8, generator=np.random.RandomState(1))
    saved.iteration(0.1)
    saved.save("run")
    loaded = by_epoch(8, generator=random.Random(1))
    before = weights(loaded)
    with pytest.raises(ValueError, match=r"state of a Random at '\._batch_sampler\.generator'"):
        loaded.load("run")
    assert_same_arrays(weights(loaded), before)


# -- searches ----------------------------------------------------------------------------------


class Searches(Callback):
    """Search before the first batch, in the middle of passes and between them."""

    def search(self, learner):
        LRFinder(learner).find(num_iter=8, progress=False)

    before_fit = after_epoch = search

    def after_batch(self, learner):
        if len(learner.recorder) in (3, 7, 14):
            self.search(learner)


@pytest.mark.parametrize("name", list(LOADERS)[::2])
def test_a_search_takes_nothing_from_a_fit(name):
    learner = make(name)
    LRFinder(learner).find(num_iter=8, progress=False)
    train(learner, Searches())
    assert_same_state(ended(learner), straight(name))


@pytest.mark.parametrize("name", list(LOADERS)[1::2])
def test_a_search_between_loading_and_resuming_takes_nothing(name):
    stopped(name, "in pass 3")
    loaded = make(name)
    loaded.load("run")
    LRFinder(loaded).find(num_iter=8, repeats=2, refine=True, progress=False)
    loaded.lr_find(num_it=8, show_plot=False)
    loaded.resume()
    assert_same_state(ended(loaded), straight(name))


@pytest.mark.parametrize("name", list(LOADERS)[::3])
def test_a_fit_on_trial_takes_nothing_from_one_that_was_stopped(name):
    learner = stopped(name, "in pass 3")
    with preserved(learner.net, learner.trainer), learner.place_kept():
        learner.fit_flat_cos(2, 0.2)
        assert len(learner.recorder.fit_epochs) == 2
    learner.resume()
    assert_same_state(ended(learner), straight(name))


class Slices:
    """A loader each of whose passes takes the next batches of one stream."""

    def __init__(self):
        self.stream = iter([(nd.ones((2, 3)) * n, nd.array([0, 1])) for n in range(20)])

    def __iter__(self):
        return itertools.islice(self.stream, 2)

    def __len__(self):
        return 2


def test_a_file_of_a_loader_that_holds_an_iterator_says_what_it_cannot_hold(recwarn):
    learner = Learner(mx.gluon.nn.Dense(2, in_units=3), Slices())
    learner.iteration(0.1)
    learner.save("first pass.checkpoint")
    assert not [one for one in recwarn if "iterator" in str(one.message)]
    for _ in range(2):
        learner.iteration(0.1)
    with pytest.warns(UserWarning, match=r"Slices, contains an iterator.*iter\(loader\)") as warned:
        learner.save("second pass.checkpoint")
    assert warned[0].filename == __file__

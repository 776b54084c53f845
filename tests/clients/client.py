"""What each client of gluon_lr has to pass: a package's own net, loss and batches, with glue."""

import ast
import contextlib
import inspect
import json
import multiprocessing
import os
import signal
import textwrap
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_same_arrays

from gluon_lr import Callback, CosineScheduler, HyperParameters, LinearWarmUp, LRFinder
from gluon_lr._mxnet import mx

EPOCHS, UPDATES = 2, 7
LONGEST_GLUE = 8  # lines
LONGEST_RUN = 120  # seconds


class Client:
    """A user of one package who has begun to train, and what it takes to go on with gluon_lr.

    Attributes
    ----------
    package, name : str
        Whose net it is, and which.
    lr : float
        The highest rate of its fits; `make` states it as the trainer's `learning_rate`.
    rtol : float
        How near a fit comes to the package's own loop; 0 is bit for bit.
    is_killed : bool
        Whether its fit is stopped by SIGKILL, in a process of its own.
    """

    package = name = ""
    lr = 0.05
    rtol = 0.0
    is_killed = False

    def make(self, **optimizer_params):
        """Return what the user has: net, loss, trainer, loader, ... seeded, the same each time."""
        raise NotImplementedError

    def learner(self, my):
        """Return a gluon_lr.Learner: the glue, whose lines are counted."""
        raise NotImplementedError

    def own_loop(self, my, rates):
        """Train by the package's own loop, one update at each rate; at the trainer's for None."""
        raise NotImplementedError

    def __repr__(self):
        return self.name


def each_of(*clients):
    """Return the fixture `client` that the checks of a file take."""
    return pytest.fixture(params=clients, ids=repr, name="client")(lambda request: request.param)


def forever(loader):
    while True:
        yield from loader


def at_rates(trainer, rates, batches):
    """Give one batch for each rate, which the trainer then has; None leaves it alone."""
    for rate, batch in zip(rates, batches):
        if rate is not None:
            trainer.set_learning_rate(rate)
        yield batch


def in_epochs(rates, updates):
    """Give the rates of each epoch of so many updates."""
    for start in range(0, len(rates), updates):
        yield rates[start : start + updates]


def make_all(client, **optimizer_params):
    """Make it with the names it would have in a new process: a Trainer sorts by names."""
    with mx.name.NameManager():
        return client.make(**optimizer_params)


def make_learner(client):
    made = make_all(client)
    learner = client.learner(made)
    learner.progress = False
    return made, learner


def weights(made):
    """Return every array of every net that the user has, on every context."""
    return [
        array.asnumpy()
        for net in vars(made).values()
        if isinstance(net, mx.gluon.Block)
        for parameter in net.collect_params().values()
        for array in parameter.list_data()
    ]


def going_on(made, learner, lr):
    """Train on, and return all that comes of it: momentum and hidden states show in there."""
    mx.random.seed(1)
    losses = [learner.iteration(lr) for _ in range(4)]
    return [np.array(losses), *weights(made)]


def fit(client, learner, *cbs):
    """Fit by the 1-cycle policy, of the rate alone: an own loop is given no momentum."""
    own = HyperParameters(learner.trainer)
    moms = own["mom"] * 3 if own.has("mom") else None
    learner.fit_one_cycle(EPOCHS, client.lr, moms=moms, cbs=list(cbs))


class Seeds(Callback):
    """Seed MXNet's generators, which no checkpoint holds, by the place in the fit."""

    def before_batch(self, learner):
        mx.random.seed(len(learner.recorder))


class CrashError(Exception):
    pass


class SaveAndStop(Callback):
    """Save in the middle of the last epoch, train on, and stop."""

    def __init__(self, path, stop):
        self.path, self.stop = path, stop
        self.batches = 0

    def after_batch(self, learner):
        self.batches += 1
        middle = (EPOCHS - 1) * learner.iterations_per_epoch + learner.iterations_per_epoch // 2
        if self.batches == middle:
            learner.save(self.path)
        elif self.batches == middle + 1:
            self.stop()


def crash():
    raise CrashError


def kill_this_process():
    os.kill(os.getpid(), signal.SIGKILL)


def fit_until_killed(client, path):
    _, learner = make_learner(client)
    fit(client, learner, Seeds(), SaveAndStop(path, kill_this_process))


def stop_by_a_kill(client, path):
    run = multiprocessing.get_context("spawn").Process(target=fit_until_killed, args=(client, path))
    run.start()
    run.join(LONGEST_RUN)
    run.kill()
    run.join()
    assert run.exitcode == -signal.SIGKILL
    assert os.path.exists(path)


def stop_by_an_exception(client, path):
    _, learner = make_learner(client)
    with pytest.raises(CrashError):
        fit(client, learner, Seeds(), SaveAndStop(path, crash))


def glue_of(client):
    """Return the statements of a client's glue, with what it uses of its own file."""
    module = inspect.getmodule(type(client))
    waiting, seen, statements = [type(client).learner], set(), []
    while waiting:
        used = waiting.pop()
        if used in seen:
            continue
        seen.add(used)
        tree = ast.parse(textwrap.dedent(inspect.getsource(used))).body[0]
        body = tree.body[1:] if ast.get_docstring(tree) else tree.body
        statements.append((body, textwrap.dedent(inspect.getsource(used)).splitlines()))
        names = {node.id for one in body for node in ast.walk(one) if isinstance(node, ast.Name)}
        own = (getattr(module, name, None) for name in sorted(names))
        waiting += [one for one in own if getattr(one, "__module__", None) == module.__name__]
    return statements


def lines_of(glue):
    lines = [
        line.strip()
        for body, source in glue
        for line in source[body[0].lineno - 1 : body[-1].end_lineno]
    ]
    return [line for line in lines if line and not line.startswith("#")]


def private_names_of(glue):
    return [
        node.attr
        for body, _ in glue
        for one in body
        for node in ast.walk(one)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_")
    ]


@contextlib.contextmanager
def noted(client, check, outcome):
    """Write what came of a check where GLUON_LR_CLIENTS_TABLE says, for table.py."""
    came = "fails"
    try:
        yield
        came = outcome
    finally:
        folder = os.environ.get("GLUON_LR_CLIENTS_TABLE")
        if folder:
            note = {"client": f"{client.package}: {client.name}", "check": check, "outcome": came}
            name = f"{client.package}-{client.name}-{check}.json".replace(" ", "-")
            Path(folder, name).write_text(json.dumps(note), encoding="utf-8")


class ClientChecks:
    """The checks of a file, for each of its clients."""

    def test_our_schedule_trains_its_own_loop_as_its_rates_by_hand_do(self, client):
        with noted(client, "schedules", "yes"):
            cosine = CosineScheduler(UPDATES, base_lr=client.lr, final_lr=client.lr / 10)
            schedule = LinearWarmUp(cosine, start_lr=client.lr / 10, length=2)
            by_schedule = make_all(client, lr_scheduler=schedule)
            client.own_loop(by_schedule, [None] * UPDATES)
            by_hand = make_all(client)
            client.own_loop(by_hand, [schedule(n) for n in range(1, UPDATES + 1)])
            assert_same_arrays(weights(by_schedule), weights(by_hand))

    def test_a_search_finds_a_curve_and_leaves_no_trace(self, client):
        with noted(client, "finder", "yes"):
            came = []
            for num_iter in (15, 0):
                made, learner = make_learner(client)
                going_on(made, learner, client.lr)
                if num_iter:
                    found = LRFinder(learner).find(num_iter=num_iter, progress=False)
                    assert np.isfinite(found.losses).sum() >= 10
                came.append(going_on(made, learner, client.lr))
            assert_same_arrays(*came)

    def test_a_fit_trains_as_its_own_loop(self, client):
        with noted(client, "fits", f"to {client.rtol:g}" if client.rtol else "bit for bit"):
            made, learner = make_learner(client)
            mx.random.seed(0)
            fit(client, learner)
            assert np.isfinite(learner.recorder.losses).all()
            own = make_all(client)
            mx.random.seed(0)
            client.own_loop(own, list(learner.recorder.lrs))
            for one, other in zip(weights(made), weights(own)):
                np.testing.assert_allclose(one, other, rtol=client.rtol, atol=client.rtol)

    def test_a_fit_that_was_stopped_is_resumed_bit_for_bit(self, client, tmp_path):
        with noted(client, "resume", "after SIGKILL" if client.is_killed else "yes"):
            path = str(tmp_path / "stopped.checkpoint")
            (stop_by_a_kill if client.is_killed else stop_by_an_exception)(client, path)
            came = []
            for is_resumed in (True, False):
                made, learner = make_learner(client)
                if is_resumed:
                    learner.load(path)
                    learner.resume(cbs=Seeds())
                else:
                    fit(client, learner, Seeds())
                recorded = [np.array(learner.recorder.losses), np.array(learner.recorder.lrs)]
                came.append(recorded + weights(made) + going_on(made, learner, client.lr))
            assert_same_arrays(*came)

    def test_the_glue_is_short_and_public(self, client):
        glue = glue_of(client)
        lines = lines_of(glue)
        with noted(client, "lines", len(lines)):
            assert private_names_of(glue) == []
            assert len(lines) <= LONGEST_GLUE

"""What the workers of tests/test_workers.py run: `python together.py SCENARIO[,...] DIRECTORY`.

Each writes what came of them to a file. A scenario can be run alone too, on the joined batches.
"""

import faulthandler
import importlib.util
import itertools
import json
import logging
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
from logs import points, rows

from gluon_lr import (
    EMA,
    SWA,
    Callback,
    CancelBatchException,
    CancelFitException,
    CheckpointCallback,
    CSVLogger,
    EarlyStoppingCallback,
    EstimatorLearner,
    GradientAccumulation,
    GradientClip,
    GradientNoiseScale,
    Learner,
    LinearWarmUp,
    LRFinder,
    LRScheduleHandler,
    OneCycleHandler,
    OneCycleSchedule,
    OptunaPruningCallback,
    ParamScheduler,
    ParamSchedulerHandler,
    ReduceLROnPlateau,
    SaveModelCallback,
    SchedLin,
    TensorBoardCallback,
)
from gluon_lr._mxnet import MXNET_2, metric, mx, nd
from gluon_lr._mxnet import estimator as mx_estimator
from gluon_lr.learner import stopwatch

LONGEST = 280  # seconds until a worker ends itself and all others; by default they wait for 300
SAMPLES, BATCH_SIZE = 49, 8  # so that the last batch, of one sample, does not reach two workers


KVSTORE = "device"  # or, in a worker, what main() makes of its argument
RANK = 0


def make_loader(workers=0, samples=SAMPLES, batchify=None):
    random = np.random.RandomState(7)
    data = random.randn(samples, 5).astype(np.float32)
    label = (data[:, 0] > 0).astype(np.float32)
    dataset = mx.gluon.data.ArrayDataset(data, label)
    in_python = {"try_nopython": False} if MXNET_2 else {}
    return mx.gluon.data.DataLoader(
        dataset,
        BATCH_SIZE,
        shuffle=True,
        num_workers=workers,
        batchify_fn=batchify,
        **in_python,
    )


def make_net(norm=False):
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(8, activation="relu"))
    if norm:
        net.add(mx.gluon.nn.BatchNorm())
    net.add(mx.gluon.nn.Dense(2))
    return net


def make_learner(loader=None, ctx=None, net=None, **more):
    net = net or make_net()
    net.initialize(mx.init.Xavier(), ctx=ctx)
    trainer = mx.gluon.Trainer(
        net.collect_params(),
        "sgd",
        {"learning_rate": 0.1, "momentum": 0.9},
        kvstore=Shared(KVSTORE) if isinstance(KVSTORE, mx.kv.KVStore) else KVSTORE,
        update_on_kvstore=False,
    )
    learner = Learner(net, loader or make_loader(), ctx=ctx, trainer=trainer, **more)
    learner.progress = False
    return learner


def arrays(net):
    return [
        array.asnumpy().tolist()
        for parameter in net.collect_params().values()
        for array in parameter.list_data()
    ]


def what_came_of(learner, **more):
    return {
        "rank": learner.workers.rank,
        "count": learner.workers.count,
        "weights": arrays(learner.net),
        "lrs": learner.recorder.lrs.tolist(),
        "losses": learner.recorder.losses.tolist(),
        "epochs": [
            {k: v for k, v in epoch.items() if k != "time"} for epoch in learner.recorder.epochs
        ],
        **more,
    }


def fit(**options):
    """Train by 1-cycle, from a net that waits for its shapes."""
    learner = make_learner(valid_loader=make_loader(), metrics="acc", **options)
    learner.fit_one_cycle(3, 0.5)
    return what_came_of(learner, next_number=np.random.rand())


def fit_by_iterations():
    """Train by hand, in worker processes of the DataLoader, and at rates of one's own."""
    learner = make_learner(make_loader(workers=1))
    losses = [learner.iteration(lr) for lr in np.linspace(0.1, 0.5, 15)]
    learner.close()
    return what_came_of(learner, iteration_losses=losses)


def fit_on_two_contexts():
    return fit(ctx=[mx.cpu(0), mx.cpu(1)])


def fit_with_running_statistics():
    return fit(net=make_net(norm=True))


def fit_convolutions():
    """Train a net that waits for its shapes, and whose weights oneDNN lays out anew."""
    random = np.random.RandomState(7)
    data = random.randn(SAMPLES, 1, 6, 6).astype(np.float32)
    label = (data.mean(axis=(1, 2, 3)) > 0).astype(np.float32)
    dataset = mx.gluon.data.ArrayDataset(data, label)
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Conv2D(8, 3, padding=1), mx.gluon.nn.Dense(2))
    learner = make_learner(mx.gluon.data.DataLoader(dataset, BATCH_SIZE), net=net)
    learner.fit_one_cycle(3, 0.1)
    return what_came_of(learner)


def fit_own_batches():
    """Train on loaders that each worker has split by itself, of parts that differ in size."""
    random = np.random.RandomState(7)
    data = random.randn(6, 5).astype(np.float32)
    own = slice(None) if KVSTORE == "device" else [slice(0, 4), slice(4, 6)][RANK]
    batch = nd.array(data[own]), nd.array((data[own, 0] > 0).astype(np.float32))
    learner = make_learner([batch] * (1 + RANK), split_batches=False)
    learner.fit(5, 0.3)
    return what_came_of(learner)


def fit_leaving_out():
    """Train on batches that lose samples as they are made, on one worker more than on the other."""

    def kept(samples):
        data, label = zip(*[sample for sample in samples if sample[0][1] < 1])
        return nd.array(np.stack(data)), nd.array(np.stack(label))

    learner = make_learner(make_loader(samples=SAMPLES - 1, batchify=kept))
    learner.fit(4, 0.3)
    return what_came_of(learner)


def measure_noise():
    """Measure the noise scale of what two workers, or two contexts, have of each batch."""
    noise = GradientNoiseScale()
    learner = make_learner(ctx=[mx.cpu(0), mx.cpu(1)] if KVSTORE == "device" else None)
    learner.fit(3, 0.1, cbs=noise)
    return what_came_of(learner, noise=noise.as_data(), value=noise.value)


STEPS_LOSSES = {
    "vector": lambda each, mask: each.mean(axis=1),
    "mean": lambda each, mask: each.mean(),
    "per-token": lambda each, mask: each.reshape((-1,)),
    "masked": lambda each, mask: (each, mask),
    "several": lambda each, mask: [each.mean(axis=1), each],
}


def steps():
    """Train on nested batches with losses of each kind, with what goes on between the events."""
    random = np.random.RandomState(7)
    x = nd.array(random.randn(32, 3, 5).astype(np.float32))
    label = nd.array(random.randint(0, 2, (32, 3)).astype(np.float32))
    mask = nd.array((random.rand(32, 3) < 0.6).astype(np.float32))
    batches = [
        {"x": x[n : n + 8], "rest": (label[n : n + 8], [mask[n : n + 8], x[n : n + 8]], "text")}
        for n in range(0, 32, 8)
    ]
    cbs = [GradientAccumulation(batches=2), GradientClip(0.2)]
    learner = make_learner(batches, net=mx.gluon.nn.Dense(2, flatten=False), cbs=cbs)
    losses = []
    for of_kind in STEPS_LOSSES.values():
        learner.compute_loss = loss_on_steps(of_kind)
        learner.fit(2, 0.5)
        losses += learner.recorder.losses.tolist()
        LRFinder(learner).find(num_iter=3, progress=False)
    return what_came_of(learner, losses=losses)


def loss_on_steps(of_kind):
    cross_entropy = mx.gluon.loss.SoftmaxCrossEntropyLoss()

    def compute_loss(net, batch):
        label, (mask, _), _ = batch["rest"]
        output = net(batch["x"])
        each = cross_entropy(output.reshape((-1, 2)), label.reshape((-1,)))
        return of_kind(each.reshape(label.shape), mask)

    return compute_loss


def find():
    """Search at the start, in the middle of training and where a loss is NaN, and train on."""
    from matplotlib import pyplot  # here alone: each scenario is a process or two

    learner = make_learner()
    results = [LRFinder(learner).find(lr_start=1e-4, lr_end=100)]
    learner.fit_one_cycle(1, 0.5)
    results.append(LRFinder(learner).find(lr_start=1e-4, num_iter=40, validation=make_loader()))
    results.append(learner.lr_find(show_plot=True).result)
    losses = learner.loss
    learner.loss = NaNAt(learner, 15)
    meets_nan = LRFinder(learner).find()
    learner.loss = losses
    anothers = LRFinder(OwnLearner(learner)).find()
    learner.fit(1, 0.1)
    return what_came_of(
        learner,
        found=[json.loads(result.to_json()) for result in results],
        meets_nan=json.loads(meets_nan.to_json()),
        anothers=json.loads(anothers.to_json()),
        figures=len(pyplot.get_fignums()),
    )


def tune():
    """Tune in the middle of training, keep a training, and train on."""
    learner = make_learner(valid_loader=make_loader())
    learner.iteration()
    tuned = LRFinder(learner).tune(8, 40)
    learner.fit_one_cycle(2, "tune")
    kept = learner.recorder.losses.tolist()
    learner.fit(1, 0.1)
    return what_came_of(
        learner,
        kept=kept,
        trials=[one[:3] for result in (tuned, learner.tuned) for one in result.trials],
        suggestions=[tuned.suggestion, learner.tuned.suggestion],
        seconds=[one.seconds for one in tuned.trials],
    )


def compare():
    """Compare settings in the middle of training, find rates by group, and train on."""
    learner = make_learner(valid_loader=make_loader())
    learner.iteration()
    finder, values = LRFinder(learner), {"wd": [0, 0.5], "optimizer": ["adam", "adagrad"]}
    swept = finder.compare(values, lr_start=1e-4, num_iter=20, repeats=2)
    raced = finder.compare({"mom": [0.5, 0.9], "batch_size": [4, 16]}, tune=True, length=8)
    learner.fit(1, 0.1)
    return what_came_of(
        learner,
        compared=[json.loads(result.to_json()) for result in (swept, raced)],
        judged=[list(row.losses) for result in (swept, raced) for row in result],
    )


class NaNAt:
    """The loss of a learner, which on the second worker, and no other, is NaN at the n-th call."""

    def __init__(self, learner, n):
        self.loss, self.rank, self.left = learner.loss, learner.workers.rank, n

    def __call__(self, output, label):
        self.left -= 1
        return self.loss(output, label) * (float("nan") if self.rank and not self.left else 1)


class OwnLearner:
    """Somebody's own, with what the finder needs; on the second worker it has NaN at some point."""

    def __init__(self, learner):
        self._learner, self._rank, self._left = learner, learner.workers.rank, 13
        self.net, self.trainer = learner.net, learner.trainer

    def iteration(self, lr):
        self._learner.iteration(lr)
        self._left -= 1
        return float("nan") if self._rank and not self._left else 1.0 + self._rank


def stop_and_go_on():
    """Save, stop early by a value that all agree on, load the file, and train on."""
    learner = make_learner(valid_loader=make_loader())
    stop = EarlyStoppingCallback(min_delta=10, patience=2)
    path = f"run-{RANK}.checkpoint"
    learner.fit_one_cycle(9, 0.5, cbs=[CheckpointCallback(path), stop])
    learner.save_params(path + ".params")
    learner.save_states(path + ".states")
    learner.workers.sum(np.zeros(1))  # the first has written by now
    written = sorted(file.name for file in Path().glob("run-*"))
    end = what_came_of(learner)
    first = next(name for name in written if name.endswith(".checkpoint"))
    learner.load(first)
    learner.resume(cbs=stop)  # which ends at once
    learner.fit(1, 0.1)
    return what_came_of(learner, end=end, written=written)


class Call(Callback):
    """Call a function with the learner, once, at an event after the n-th update of the fit."""

    order = -99

    def __init__(self, n, function, event="after_step"):
        self.n, self.function = n, function
        setattr(self, event, self._call)

    def _call(self, learner):
        if len(learner.recorder) == self.n:
            self.n = None
            self.function(learner)


def finish_and_extend():
    """Lengthen a fit while it is at work, and cut another one short."""
    learner = make_learner(valid_loader=make_loader())
    learner.fit_one_cycle(2, 0.1, cbs=Call(3, lambda learner: learner.extend(1)))
    extended = learner.recorder.lrs.tolist()
    learner.fit_one_cycle(4, 0.1, cbs=Call(9, lambda learner: learner.finish(3)))
    return what_came_of(learner, extended=extended)


def fit_for_a_time():
    """Train for a second of the first worker's watch; that of the other runs far ahead."""
    learner = make_learner(valid_loader=make_loader())
    ahead = SimpleNamespace(perf_counter=itertools.count(0, 1000).__next__)
    with mock.patch.object(stopwatch, "time", ahead if RANK else stopwatch.time):
        learner.fit_one_cycle(lr_max=0.5, seconds=1)
    return what_came_of(learner)


def average_running_statistics():
    """Train nets whose running statistics are averaged, each worker's being of its own samples."""
    averaged = []
    for average in (EMA(0.9), SWA(1)):
        learner = make_learner(net=make_net(norm=True), valid_loader=make_loader())
        learner.fit_one_cycle(3, 0.5, cbs=average)
        averaged += arrays(learner.net)
    return what_came_of(learner, averaged=averaged)


def predict():
    """Predict all samples in each worker, and in the last one alone."""
    random = np.random.RandomState(7)
    data = nd.array(random.randn(SAMPLES, 5).astype(np.float32))
    dataset = mx.gluon.data.ArrayDataset(data, nd.arange(SAMPLES))
    in_order = mx.gluon.data.DataLoader(dataset, BATCH_SIZE)
    learner = make_learner(valid_loader=in_order)
    learner.fit(1, 0.1)
    if learner.workers.rank == learner.workers.count - 1:
        learner.predict(in_order)
    outputs, labels = learner.get_preds()
    learner.fit(1, 0.1)
    return what_came_of(
        learner, outputs=outputs.asnumpy().tolist(), labels=labels.asnumpy().tolist()
    )


def estimate():
    """Train MXNet's Estimator by handlers, each worker on unequal parts of its own."""
    low, high = (0, 8) if KVSTORE == "device" else ((0, 3), (3, 8))[RANK]
    data = np.random.RandomState(3).randn(48, 5).astype(np.float32)
    dataset = mx.gluon.data.ArrayDataset(data, (data[:, 0] > 0).astype(np.float32))
    parts = [list(range(start + low, start + high)) for start in range(0, 48, 8)]
    in_python = {"try_nopython": False} if MXNET_2 else {}
    loader = mx.gluon.data.DataLoader(dataset, batch_sampler=parts, **in_python)
    learner = make_learner(loader)
    estimator = mx_estimator.Estimator(
        learner.net,
        mx.gluon.loss.SoftmaxCrossEntropyLoss(),
        metric.Accuracy(),
        trainer=learner.trainer,
        **{"device" if MXNET_2 else "context": mx.cpu()},
    )
    estimator.logger.setLevel(logging.ERROR)
    handlers = [
        OneCycleHandler(0.5, length=18),
        ParamSchedulerHandler(ParamScheduler({"wd": SchedLin(0, 0.1)}, length=18)),
    ]
    estimator.fit(loader, epochs=3, event_handlers=handlers)
    found = LRFinder(EstimatorLearner(estimator, loader)).find(num_iter=20, progress=False)
    return what_came_of(learner, losses=found.losses.tolist(), lrs=found.lrs.tolist())


def prune():
    """Train for a study of Optuna, which the first worker alone knows, to where it is pruned."""
    import optuna  # here alone: it need not be installed

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.ThresholdPruner(upper=1e-9, n_warmup_steps=1)
    learner = make_learner(valid_loader=make_loader(), metrics="acc")

    def fit(direction, monitor):
        study = optuna.create_study(direction=direction, pruner=pruner)
        trial = study.ask() if learner.workers.is_first else None
        learner.fit(4, 0.1, cbs=OptunaPruningCallback(trial, monitor))

    error = raised(lambda: fit("minimize", "accuracy"))
    pruned = raised(lambda: fit("minimize", "valid_loss"), optuna.TrialPruned)
    return what_came_of(learner, error=error, pruned=pruned is not None)


def callbacks_of_hours(name):
    """Return what one gives a fit that takes hours; each worker names files of its own."""
    callbacks = [
        SaveModelCallback("valid_loss", path=f"{name}-{RANK}.params"),
        EMA(0.8),
        SWA(0.5),
        GradientAccumulation(batches=2),
        GradientClip(0.2),
        ReduceLROnPlateau("valid_loss", patience=1, factor=0.5, min_delta=10),
        CSVLogger(f"{name}-{RANK}.csv"),
    ]
    if importlib.util.find_spec("tensorboardX"):  # it need not be installed
        callbacks.append(TensorBoardCallback(f"{name}-{RANK}.board", iterations=1))
    return callbacks


def fit_for_hours():
    """Train with all of these; and again, to where the last worker gets a SIGTERM, and go on."""

    def make():
        seed()
        return make_learner(valid_loader=make_loader(), metrics="acc")

    def terminate(learner):
        if learner.workers.rank == learner.workers.count - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    straight = make()
    straight.fit_one_cycle(6, 0.5, cbs=callbacks_of_hours("straight"))
    stopped, status = make(), None
    save = CheckpointCallback(f"stopped-{RANK}.checkpoint", on_sigterm=True)
    try:
        more = [save, Call(10, terminate)]
        stopped.fit_one_cycle(6, 0.5, cbs=[*callbacks_of_hours("stopped"), *more])
    except SystemExit as ended:
        status = ended.code
    stopped.workers.sum(np.zeros(1))  # the first has written by now
    (written,) = Path().glob("stopped-*.checkpoint")
    resumed = make()
    resumed.load(written)
    loaded = len(resumed.recorder)
    resumed.resume(cbs=callbacks_of_hours("stopped"))
    resumed.workers.sum(np.zeros(1))
    return what_came_of(
        straight,
        stopped={"status": status, "updates": len(stopped.recorder), "loaded": loaded},
        resumed=what_came_of(resumed, rank=None),
        files=sorted(file.name for file in Path().glob("stopped-*")),
        rows=rows("stopped-0.csv"),
        points=[points(f"{name}-0.board") for name in ("straight", "stopped")],
    )


def terminated():
    """Have what has launched all get a SIGTERM, in the middle of a fit that listens for it."""
    learner = make_learner()

    def terminate(learner):
        if learner.workers.is_first:
            os.kill(os.getppid(), signal.SIGTERM)

    save = CheckpointCallback("terminated.checkpoint", on_sigterm=True)
    try:
        learner.fit(10**6, 0.1, cbs=[save, Call(3, terminate)])
    except SystemExit as ended:
        return {"status": ended.code, "updates": len(learner.recorder)}


def raised(action, kind=ValueError):
    try:
        action()
    except kind as error:
        return str(error)
    return None


def updates_on_server():
    """Train by a schedule where the servers update the weights, and try what cannot work there."""
    net = make_net()
    net.initialize(mx.init.Xavier())
    net(nd.ones((1, 5)))
    schedule = LinearWarmUp(OneCycleSchedule(0.1, 0.5, 6), start_lr=0.01, length=4)
    params = {"learning_rate": None, "lr_scheduler": schedule, "momentum": 0.9}
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", params, kvstore=KVSTORE)
    count = 1 if KVSTORE == "device" else 2
    random = np.random.RandomState(3)
    for _ in range(12):
        data = nd.array(random.randn(8, 5), dtype="float32")
        with mx.autograd.record():
            loss = net(data) ** 2
        loss.backward()
        trainer.step(8 * count)
    outcome = {"weights": arrays(net)}
    if KVSTORE == "device":
        return outcome
    learner = Learner(net, make_loader(), trainer=trainer)
    scheds = {"lr": SchedLin(1, 0)}
    errors = {
        "finder": raised(LRFinder(learner).find),
        "fit": raised(lambda: learner.fit_one_cycle(1, 0.1)),
        "iteration": raised(lambda: learner.iteration(0.1)),
        "scheduler": raised(lambda: ParamScheduler(scheds, trainer, length=3)),
        "handler": raised(lambda: LRScheduleHandler(schedule).train_begin(learner)),
        "save": raised(lambda: learner.save("run.checkpoint")),
    }
    return {**outcome, "errors": errors}


def die():
    """One is killed in the middle; the other has to find that out by itself."""

    def die(learner):
        if learner.workers.rank == 1:
            os.kill(os.getpid(), 9)

    # when the averages of the other are to be of an update that will never come
    learner = make_learner()
    learner.fit(lr=0.1, seconds=1000, cbs=[EMA(), Call(1, die, "before_step")])


def die_after_training():
    """The other finds that out when it ends, where MXNet would have it wait for ever."""
    learner = make_learner()
    learner.fit(1, 0.1)
    learner.workers.sum(np.zeros(1))
    if learner.workers.rank == 1:
        os.kill(os.getpid(), 9)


def astray(what, event, rank=1, n=17):
    """Train for ever, where one does something else than the others in the middle."""

    def go_astray(learner):
        if learner.workers.rank == rank:
            what(learner)

    learner = make_learner()
    try:
        learner.fit(10**6, 0.3, cbs=[EMA(), Call(n, go_astray, event)])
    finally:
        sys.stderr.write(f"and the rate is {learner.trainer.learning_rate}\n")
    LRFinder(learner).find(progress=False)


def fail():
    """One raises an exception, and MXNet would have it wait for the other for ever."""

    def fail(learner):
        raise KeyError("of the second worker")

    astray(fail, "after_loss")


def leave():
    """One ends its program without an error."""
    astray(lambda learner: sys.exit(0), "before_step")


def cancel_together():
    """All end a fit in the middle; then the first alone reads, draws and saves, and all go on."""

    def cancel(learner):
        raise CancelFitException

    learner = make_learner(valid_loader=make_loader())
    learner.fit(9, 0.1, cbs=[Call(17, cancel, "before_step")])
    if learner.workers.is_first:
        float(learner.iteration_loss)
        learner.recorder.to_csv()
        learner.recorder.plot_loss()
        learner.save(f"cancelled-{RANK}.checkpoint")
        learner.validate()
    learner.fit(1, 0.1)
    return what_came_of(learner)


def cancel():
    """One ends its fit, and goes on with the program; the first is the one that goes on."""

    def cancel(learner):
        raise CancelFitException

    astray(cancel, "before_step", rank=0)


def skip():
    """One makes no update of a batch."""

    def skip(learner):
        raise CancelBatchException

    astray(skip, "before_step")


def ask():
    """One alone reads a loss that the others have not told it yet."""
    astray(lambda learner: float(learner.iteration_loss), "after_step")


def never_come():
    """The second of two has not been started."""
    learner = make_learner()
    learner.iteration(0.1)


def factory():
    """Return a learner, for `gluon-lr find together:factory`."""
    global KVSTORE
    KVSTORE = "dist_sync"
    return make_learner()


class Shared(mx.kv.KVStore):
    """A KVStore with keys of its own in one that several learners use, one after the other.

    All workers ask for new keys in the same order, so they get the same ones.
    """

    unused = itertools.count()

    def __init__(self, store):
        super().__init__(store.handle)
        self.store, self.keys = store, {}

    def __del__(self):
        """Free the one that it is of; none of them is deleted before all workers have left."""
        self.store.__del__()
        self.store.handle = None

    def key(self, number):
        if number not in self.keys:
            self.keys[number] = next(self.unused)
        return self.keys[number]

    def init(self, key, value):
        super().init(self.key(key), value)

    def broadcast(self, key, *arguments, **more):
        super().broadcast(self.key(key), *arguments, **more)

    def pushpull(self, key, *arguments, **more):
        super().pushpull(self.key(key), *arguments, **more)


def main(scenarios, directory, kvstore="dist_sync", known="known"):
    """Run scenarios; workers whose rank is known at the start begin with weights of their own."""
    global KVSTORE, RANK
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    os.chdir(directory)
    KVSTORE = kvstore
    if known == "known":
        KVSTORE = mx.kv.create(kvstore)
        RANK = KVSTORE.rank
    outcomes = {scenario: run(scenario) for scenario in scenarios.split(",")}
    Path(f"{os.getpid()}.json").write_text(json.dumps(outcomes))


def run(scenario):
    seed()
    return globals()[scenario]()


def seed():
    mx.random.seed(RANK)
    np.random.seed(RANK)


def alone(scenario):
    """Run a scenario in this process, without other workers."""
    return json.loads(json.dumps(run(scenario)))


if __name__ == "__main__":
    main(*sys.argv[1:])

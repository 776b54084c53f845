"""Scripts in the shape of MXNet's learning-rate tutorials, their classes imported from here."""

import runpy
import sys
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pytest

PREPARATION = """
    import contextlib
    import math
    import matplotlib.pyplot as plt
    import mxnet as mx
    import numpy as np
    from mxnet.gluon import nn

    mx.random.seed(42)
    np.random.seed(42)
    ctx = mx.gpu() if mx.context.num_gpus() else mx.cpu()
    images = np.random.randn(200, 1, 12, 12).astype("float32")
    labels = (images.mean(axis=(1, 2, 3)) > 0).astype("float32")
    train_dataset = mx.gluon.data.ArrayDataset(images, labels)
    batch_size = 32
    train_dataloader = mx.gluon.data.DataLoader(train_dataset, batch_size, shuffle=True)

    def build_cnn():
        net = nn.HybridSequential()
        with net.name_scope() if hasattr(net, "name_scope") else contextlib.nullcontext():
            net.add(nn.Conv2D(channels=4, kernel_size=3, activation="relu"))
            net.add(nn.BatchNorm(), nn.MaxPool2D(), nn.Flatten(), nn.Dense(2))
        return net
"""


def run(tmp_path, script):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(PREPARATION) + textwrap.dedent(script))
    return runpy.run_path(str(path), run_name="__main__")


def test_a_multi_factor_schedule_in_an_optimizer(tmp_path):
    names = run(
        tmp_path,
        """
        from gluon_lr import MultiFactorScheduler

        net = build_cnn()
        net.initialize(mx.init.Xavier(), ctx=ctx)
        loss_fn = mx.gluon.loss.SoftmaxCrossEntropyLoss()
        steps_epochs = [2, 3]
        iterations_per_epoch = math.ceil(len(train_dataset) / batch_size)
        steps_iterations = [s * iterations_per_epoch for s in steps_epochs]
        schedule = MultiFactorScheduler(step=steps_iterations, factor=0.1)
        optimizer = mx.optimizer.SGD(learning_rate=0.03, lr_scheduler=schedule)
        trainer = mx.gluon.Trainer(params=net.collect_params(), optimizer=optimizer)
        seen = []
        for epoch in range(4):
            for batch_num, (data, label) in enumerate(train_dataloader, start=1):
                with mx.autograd.record():
                    loss = loss_fn(net(data.as_in_context(ctx)), label.as_in_context(ctx))
                loss.backward()
                trainer.step(data.shape[0])
                if batch_num == 1:
                    seen.append(trainer.learning_rate)
        """,
    )
    assert names["seen"] == pytest.approx([0.03, 0.03, 0.003, 0.0003])


def test_the_manual_loop(tmp_path):
    names = run(
        tmp_path,
        """
        from gluon_lr import MultiFactorScheduler

        net = build_cnn()
        net.initialize(mx.init.Xavier(), ctx=ctx)
        loss_fn = mx.gluon.loss.SoftmaxCrossEntropyLoss()
        schedule = MultiFactorScheduler(step=[7, 14], factor=0.1)
        schedule.base_lr = 0.03
        trainer = mx.gluon.Trainer(net.collect_params(), mx.optimizer.SGD())
        iteration_idx = 1
        seen = []
        for epoch in range(1, 4):
            for data, label in train_dataloader:
                with mx.autograd.record():
                    loss = loss_fn(net(data.as_in_context(ctx)), label.as_in_context(ctx))
                loss.backward()
                trainer.set_learning_rate(schedule(iteration_idx))
                trainer.step(data.shape[0])
                seen.append(trainer.learning_rate)
                iteration_idx += 1
        """,
    )
    assert names["seen"] == pytest.approx([0.03] * 7 + [0.003] * 7 + [0.0003] * 7)


def test_the_advanced_schedules_drawn_by_the_tutorials_own_function(tmp_path):
    names = run(
        tmp_path,
        """
        from gluon_lr import (
            CosineAnnealingSchedule, CyclicalSchedule, LinearCoolDown, LinearWarmUp,
            OneCycleSchedule, TriangularSchedule,
        )

        drawn = {}

        def plot_schedule(name, schedule_fn, iterations=1500):
            iterations = [i + 1 for i in range(iterations)]
            drawn[name] = [schedule_fn(i) for i in iterations]
            plt.scatter(iterations, drawn[name])
            plt.xlabel("Iteration")
            plt.ylabel("Learning Rate")

        plot_schedule("triangular", TriangularSchedule(
            min_lr=1, max_lr=2, cycle_length=1000, inc_fraction=0.2))
        plot_schedule("cosine", CosineAnnealingSchedule(min_lr=1, max_lr=2, cycle_length=1000))

        steps = mx.lr_scheduler.MultiFactorScheduler(step=[250, 750, 900], factor=0.5)
        steps.base_lr = 1
        plot_schedule("warm-up", LinearWarmUp(steps, start_lr=0, length=250))

        steps = mx.lr_scheduler.MultiFactorScheduler(step=[250, 750, 900], factor=0.5)
        steps.base_lr = 1
        plot_schedule("cool-down", LinearCoolDown(
            steps, finish_lr=0.001, start_idx=1000, length=500))

        plot_schedule("1-cycle", OneCycleSchedule(
            start_lr=0.1, max_lr=0.5, cycle_length=500, cooldown_length=750, finish_lr=0.001))
        plot_schedule("clr", CyclicalSchedule(
            TriangularSchedule, min_lr=0.5, max_lr=2, cycle_length=500))
        plot_schedule("sgdr", CyclicalSchedule(
            CosineAnnealingSchedule, min_lr=0.01, max_lr=2, cycle_length=250,
            cycle_length_decay=2, cycle_magnitude_decay=0.5))
        """,
    )
    plt.close("all")
    for name, expected in {
        "triangular": {200: 2, 600: 1.5, 1500: 1},
        "cosine": {500: 1.5, 1500: 1},
        "warm-up": {125: 0.5, 500: 1, 501: 0.5, 1001: 0.25, 1151: 0.125},
        "cool-down": {1000: 0.125, 1250: 0.063, 1500: 0.001},
        "1-cycle": {250: 0.5, 500: 0.1, 875: 0.0505, 1500: 0.001},
        "clr": {250: 2, 500: 0.5, 750: 2},
        "sgdr": {125: 1.005, 250: 1, 750: 0.5},
    }.items():
        assert {n: names["drawn"][name][n - 1] for n in expected} == pytest.approx(expected)


def test_the_learner_and_the_finder(tmp_path, capsys):
    names = run(
        tmp_path,
        """
        from gluon_lr import ContinuousBatchSampler, Learner, LRFinder

        sampler = mx.gluon.data.RandomSampler(len(train_dataset))
        batch_sampler = ContinuousBatchSampler(sampler, batch_size=32)
        data_loader = mx.gluon.data.DataLoader(train_dataset, batch_sampler=batch_sampler)

        net = build_cnn()
        learner = Learner(net=net, data_loader=data_loader, ctx=ctx)
        lr_finder = LRFinder(learner)
        pairs = lr_finder.find(lr_start=1e-6)
        lrs = [e[0] for e in pairs]
        losses = [e[1] for e in pairs]
        lr_finder.plot()

        learner.net.save_parameters("net.params")
        saved = learner.net[-1].weight.data().asnumpy()
        for iter_idx in range(60):
            learner.iteration(lr=0.05)
            if (iter_idx % 20) == 0:
                print("Iteration: {}, Loss: {:.5g}".format(iter_idx, learner.iteration_loss))
        print("Final Loss: {:.5g}".format(learner.iteration_loss))
        learner.close()

        net = build_cnn()
        learner = Learner(net=net, data_loader=data_loader, ctx=ctx)
        learner.net.load_parameters("net.params", ctx=ctx)
        first = learner.iteration(lr=0)
        loaded = learner.net[-1].weight.data().asnumpy()
        learner.close()
        """,
    )
    plt.close("all")
    assert names["lrs"][:2] == pytest.approx([1e-6, 1.1e-6])
    assert len(names["losses"]) > 50
    assert "Final Loss" in capsys.readouterr().out
    # the saved weights are the untrained ones
    assert 0.2 < names["first"] < 3
    np.testing.assert_array_equal(names["loaded"], names["saved"])


def test_the_finder_with_the_tutorials_own_kind_of_learner(tmp_path):
    names = run(
        tmp_path,
        """
        from gluon_lr import LRFinder, LRFinderStoppingCriteria

        class OwnLearner:
            def __init__(self, net, data_loader, ctx):
                self.net, self.ctx = net, ctx
                self.batches = iter(list(data_loader) * 50)
                net.initialize(mx.init.Xavier(), ctx=ctx)
                self.loss_fn = mx.gluon.loss.SoftmaxCrossEntropyLoss()
                schedule = mx.lr_scheduler.FactorScheduler(1000)
                self.trainer = mx.gluon.Trainer(
                    net.collect_params(), "adam", {"lr_scheduler": schedule})

            def iteration(self, lr=None, take_step=True):
                if lr is not None:
                    self.trainer.set_learning_rate(lr)
                data, label = next(self.batches)
                with mx.autograd.record():
                    loss = self.loss_fn(self.net(data), label)
                loss.backward()
                if take_step:
                    self.trainer.step(data.shape[0])
                return loss.asnumpy().mean()

        learner = OwnLearner(build_cnn(), train_dataloader, ctx)
        result = LRFinder(learner).find(lr_start=1e-5, lr_multiplier=1.2)
        criterion = LRFinderStoppingCriteria(smoothing=0.3, min_iter=20)
        decisions = [bool(criterion(loss)) for _, loss in result]
        """,
    )
    assert names["result"].lrs[0] == 1e-5
    assert not any(names["decisions"][:-1])


def test_scripts_run_with_mxnet_imported_first(tmp_path):
    assert "mxnet" in sys.modules
    run(tmp_path, "import gluon_lr\n")

"""GluonTS's DeepAR, and its own Trainer."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
from client import Client, ClientChecks, each_of

from gluon_lr import Learner
from gluon_lr._mxnet import mx

gluonts = pytest.importorskip("gluonts.mx", reason="GluonTS is not installed")
trainers = pytest.importorskip("gluonts.mx.trainer.callback", reason="GluonTS is not installed")
datasets = pytest.importorskip("gluonts.dataset.common", reason="GluonTS is not installed")

SERIES, DAYS, BATCH_SIZE = 6, 40, 4
UPDATES_AN_EPOCH = 4


class ByHand(trainers.Callback):
    """Give each epoch its rate, as GluonTS's own callbacks do."""

    def __init__(self, rates):
        self.rates = rates

    def on_train_epoch_end(self, epoch_no, epoch_loss, training_network, trainer):
        for rate in self.rates[epoch_no + 1 : epoch_no + 2]:
            trainer.set_learning_rate(rate)
        return True


class BySchedule(trainers.Callback):
    """Give GluonTS's optimizer a schedule, after the first epoch: there is no way before it."""

    def __init__(self, schedule):
        self.schedule = schedule

    def on_train_epoch_end(self, epoch_no, epoch_loss, training_network, trainer):
        trainer.optimizer.lr_scheduler = self.schedule
        return True


class DeepAR(Client):
    """A network that returns its losses itself, a loader without end, zoneout."""

    package, name = "gluonts", "DeepAR"
    lr = 0.05
    is_killed = True

    def make(self, **optimizer_params):
        for seed in (mx.random.seed, np.random.seed, random.seed):
            seed(0)
        values = np.random.RandomState(1).rand(SERIES, DAYS)
        series = [{"start": "2020-01-01", "target": row} for row in values]
        estimator = gluonts.DeepAREstimator(
            freq="D",
            prediction_length=3,
            context_length=4,
            num_layers=1,
            num_cells=4,
            lags_seq=[1, 2],
            batch_size=BATCH_SIZE,
        )
        data = estimator.create_transformation().apply(datasets.ListDataset(series, freq="D"))
        net = estimator.create_training_network()
        net.initialize(mx.init.Xavier())
        net.hybridize(static_alloc=True, static_shape=True)
        optimizer = mx.optimizer.Adam(
            wd=1e-8, clip_gradient=10.0, learning_rate=self.lr, **optimizer_params
        )
        return SimpleNamespace(
            net=net,
            loader=estimator.create_training_data_loader(data, shuffle_buffer_length=8),
            trainer=mx.gluon.Trainer(net.collect_params(), optimizer),
        )

    def learner(self, my):
        return Learner(
            my.net,
            my.loader,
            trainer=my.trainer,
            iterations_per_epoch=UPDATES_AN_EPOCH,
            compute_loss=lambda net, batch: net(*batch.values())[0],
        )

    def own_loop(self, my, rates):
        schedule = my.trainer.optimizer.lr_scheduler
        trainer = gluonts.Trainer(
            epochs=len(rates),
            num_batches_per_epoch=1,
            learning_rate=schedule(1) if schedule else rates[0],
            callbacks=[BySchedule(schedule) if schedule else ByHand(rates)],
            add_default_callbacks=False,
        )
        trainer(my.net, my.loader)


client = each_of(DeepAR())


class TestGluonTS(ClientChecks):
    pass

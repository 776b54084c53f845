"""What is remembered of a user's classes and functions keeps none of them alive."""

import gc
import weakref

import numpy as np

from gluon_lr import Callback, Learner, LRFinder, ParamScheduler, SchedLin, Schedule
from gluon_lr._memo import remembered
from gluon_lr._mxnet import mx


def test_an_answer_is_remembered_as_long_as_what_was_asked_about_lives():
    asked = []

    @remembered
    def name_of(kind):
        asked.append(kind.__name__)
        return kind.__name__

    def make():
        class Mine:
            pass

        assert name_of(Mine) == name_of(Mine) == "Mine"
        return weakref.ref(Mine)

    kind = make()
    gc.collect()
    assert kind() is None
    assert (name_of(int), name_of(int)) == ("int", "int")
    assert asked == ["Mine", "int"]


def train():
    """Search and train with classes of all kinds, and return weak references to them."""

    class Data(mx.gluon.data.Dataset):
        def __init__(self):
            self.random = np.random.RandomState(0)

        def __len__(self):
            return 8

        def __getitem__(self, place):
            return np.ones(2, dtype="float32"), np.float32(0)

    class Net(mx.gluon.nn.HybridSequential):
        pass

    class Events(Callback):
        def after_batch(self):
            self.seen = self.learn.n_epoch

    class Moves(ParamScheduler):
        def before_batch(self):
            super().before_batch()

    class Halves(Schedule):
        def _rate(self, n):
            return self.base_lr / 2

    net = Net()
    net.add(mx.gluon.nn.Dense(2, in_units=2))
    learner = Learner(net, mx.gluon.data.DataLoader(Data(), 4), optimizer=mx.optimizer.SGD())
    learner.progress = False
    LRFinder(learner).find(num_iter=3, progress=False)
    learner.fit(1, cbs=[Events(), Moves({"lr": SchedLin(0.1, 0.2)})])
    learner.fit(2, cbs=LRFinder(num_it=3))
    schedule = Halves(0.1)
    schedule.base_lr = 0.2
    assert schedule(3) == 0.1
    return [weakref.ref(one) for one in (Data, Net, Events, Moves, Halves)]


def test_no_class_of_a_users_is_kept_alive():
    kinds = train()
    gc.collect()
    assert [kind() for kind in kinds] == [None] * 5

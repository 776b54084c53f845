"""What a step trains beside the Learner's net, the other net of a GAN say, in a checkpoint."""

import pytest
from conftest import assert_same_arrays, make_dataset, weights

from gluon_lr import Learner, LRFinder
from gluon_lr._mxnet import mx


def make_learner(others=1):
    mx.random.seed(1)
    nets = [mx.gluon.nn.Dense(2, in_units=5) for _ in range(1 + others)]
    for net in nets:
        net.initialize(mx.init.Normal(0.3))
    trainers = [mx.gluon.Trainer(net.collect_params(), "adam") for net in nets]

    def compute_loss(net, batch):
        with mx.autograd.pause():
            for other, trainer in zip(nets[1:], trainers[1:]):
                with mx.autograd.record():
                    loss = (other(batch[0]) - net(batch[0]).detach()) ** 2
                loss.backward()
                trainer.step(len(loss))
        return net(batch[0]) ** 2

    loader = mx.gluon.data.DataLoader(make_dataset(32), 8)
    also = list(zip(nets[1:], trainers[1:]))
    more = {"compute_loss": compute_loss, "also": also}
    return Learner(nets[0], loader, trainer=trainers[0], **more)


def weights_of_other(learner):
    ((net, _),) = learner.also
    return [parameter.data().asnumpy() for parameter in net.collect_params().values()]


def test_it_is_saved_and_loaded():
    learner, loaded = make_learner(), make_learner()
    learner.fit(1, 0.1)
    learner.save("gan.checkpoint")
    loaded.load("gan.checkpoint")
    for one in (learner, loaded):
        one.fit(1, 0.1)
    assert_same_arrays(weights(learner), weights(loaded))
    assert_same_arrays(weights_of_other(learner), weights_of_other(loaded))


def test_a_tune_puts_it_back_and_keeps_it_with_a_training():
    def made():
        learner = make_learner()
        learner.progress = False
        learner.valid_loader = learner.data_loader
        return learner

    learner, plain = made(), made()
    LRFinder(learner).tune(8, progress=False)
    assert_same_arrays(weights_of_other(learner), weights_of_other(plain))
    learner.fit_one_cycle(2, "tune")
    plain.fit_one_cycle(2, learner.tuned.suggestion)
    assert_same_arrays(weights(learner), weights(plain))
    assert_same_arrays(weights_of_other(learner), weights_of_other(plain))


def test_a_file_of_fewer_or_more_is_refused():
    learner, alone = make_learner(), make_learner(others=0)
    alone.save("alone.checkpoint")
    before = weights(learner)
    with pytest.raises(ValueError, match=r"more\.also.*1"):
        learner.load("alone.checkpoint")
    assert_same_arrays(weights(learner), before)

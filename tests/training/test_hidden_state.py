"""A hidden state in a list that is empty at first."""

from conftest import assert_same_arrays, make_dataset

from gluon_lr import Learner
from gluon_lr._mxnet import mx


def make_learner(hidden):
    mx.random.seed(1)
    net = mx.gluon.rnn.RNN(4, input_size=5)
    net.initialize(mx.init.Normal(0.3))

    def compute_loss(net, batch):
        states = [one.detach() for one in hidden] or net.begin_state(1)
        output, hidden[:] = net(batch[0].reshape((-1, 1, 5)), states)
        return output * output

    loader = mx.gluon.data.DataLoader(make_dataset(32), 8)
    return Learner(net, loader, optimizer="adam", compute_loss=compute_loss)


def test_it_is_loaded_into_the_list_that_is_there_full_or_empty():
    hidden, loaded_hidden = [], []
    learner, loaded = make_learner(hidden), make_learner(loaded_hidden)
    learner.save("empty.checkpoint")
    learner.iteration(0.1)
    learner.save("full.checkpoint")
    loaded.load("full.checkpoint")
    assert_same_arrays(*([one.asnumpy() for one in each] for each in (loaded_hidden, hidden)))
    assert loaded.iteration(0.1) == learner.iteration(0.1)
    loaded.load("empty.checkpoint")
    assert loaded_hidden == []

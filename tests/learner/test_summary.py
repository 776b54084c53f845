"""A net's layers as a table."""

from conftest import make_net
from fits import make_learner

from gluon_lr import Learner
from gluon_lr._mxnet import MXNET_2, mx, nd

nn = mx.gluon.nn


def test_layers_with_their_parameters_groups_and_whether_they_are_trained():
    learner = make_learner()
    assert repr(learner.summary()).splitlines() == [
        "layer  kind       parameters  group  trained",
        "0      Dense              96  0      yes",
        "1      BatchNorm          64  0      yes",
        "2      Dense              51  1      yes",
        "211 parameters, 179 trained, 32 not",
    ]
    learner.freeze()
    frozen = learner.summary()
    assert [line.split()[-1] for line in repr(frozen).splitlines()[1:4]] == ["no", "no", "yes"]
    assert (frozen.parameters, frozen.trained) == (211, 51)
    assert "<td>BatchNorm</td>" in frozen._repr_html_()


def test_what_is_not_known_yet_is_said():
    learner = Learner(make_net(), [(nd.ones((2, 5)), nd.zeros((2,)))])
    text = repr(learner.summary())
    assert "not known yet" in text
    assert text.splitlines()[-1].startswith("at least ")


def test_what_is_shared_counts_once():
    net = nn.Sequential()
    net.add(nn.Dense(5, in_units=5))
    if MXNET_2:
        net.add(nn.Dense(5, in_units=5).share_parameters(net[0].collect_params()))
    else:
        net.add(nn.Dense(5, in_units=5, params=net[0].params))
    learner = Learner(net, [(nd.ones((2, 5)), nd.zeros((2,)))])
    assert learner.summary().parameters == 30


def test_blocks_in_blocks_have_their_path():
    net = nn.Sequential()
    net.add(nn.Sequential())
    net[0].add(nn.Dense(2, in_units=3))
    learner = Learner(net, [(nd.ones((2, 3)), nd.zeros((2,)))])
    assert repr(learner.summary()).splitlines()[1].split() == ["0.0", "Dense", "8", "0", "yes"]

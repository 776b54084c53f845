"""DGL's graph convolutions: of one graph's nodes, and of many graphs."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from client import Client, ClientChecks, at_rates, each_of

from gluon_lr import Learner
from gluon_lr._mxnet import mx, nd

os.environ.setdefault("DGLBACKEND", "mxnet")
dgl = pytest.importorskip("dgl", reason="DGL is not installed")
layers = pytest.importorskip("dgl.nn.mxnet", reason="DGL is not installed")

CLASSES, FEATURES, HIDDEN = 3, 5, 8


def make_graph(random, nodes):
    ends = [nd.array(random.randint(0, nodes, 3 * nodes), dtype="int64") for _ in range(2)]
    return dgl.add_self_loop(dgl.graph(tuple(ends), num_nodes=nodes))


class GCN(mx.gluon.nn.Block):
    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.first = layers.GraphConv(FEATURES, HIDDEN, activation=nd.relu)
            self.dropout = mx.gluon.nn.Dropout(0.5)
            self.second = layers.GraphConv(HIDDEN, CLASSES)

    def forward(self, graph, features):
        return self.second(graph, self.dropout(self.first(graph, features)))


class Nodes(Client):
    """The nodes of one graph, some with labels: a batch whose first part is no array."""

    package, name = "dgl", "GCN"
    is_killed = True

    def make(self, **optimizer_params):
        mx.random.seed(0)
        random, nodes = np.random.RandomState(0), 20
        graph = make_graph(random, nodes)
        features = nd.array(random.randn(nodes, FEATURES))
        labels = nd.array(random.randint(0, CLASSES, nodes))
        mask = nd.array(random.rand(nodes) < 0.6)
        net = GCN()
        net.initialize(mx.init.Xavier())
        optimizer_params = {"learning_rate": self.lr, "wd": 5e-4, **optimizer_params}
        return SimpleNamespace(
            net=net,
            loss=mx.gluon.loss.SoftmaxCELoss(),
            batch=(graph, features, labels, mask),
            trainer=mx.gluon.Trainer(net.collect_params(), "adam", optimizer_params),
        )

    def learner(self, my):
        def compute_loss(net, batch):
            graph, features, labels, mask = batch
            losses = my.loss(net(graph, features), labels, mask.expand_dims(1))
            return losses.sum() / mask.sum()

        loader, trainer = [my.batch], my.trainer
        return Learner(my.net, loader, trainer=trainer, compute_loss=compute_loss)

    def own_loop(self, my, rates):
        graph, features, labels, mask = my.batch
        for _ in at_rates(my.trainer, rates, rates):
            with mx.autograd.record():
                losses = my.loss(my.net(graph, features), labels, mask.expand_dims(1))
                loss = losses.sum() / mask.sum()
            loss.backward()
            my.trainer.step(batch_size=1)


class GraphClassifier(mx.gluon.nn.Block):
    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.convolution = layers.GraphConv(FEATURES, HIDDEN, activation=nd.relu)
            self.output = mx.gluon.nn.Dense(CLASSES)

    def forward(self, graph):
        with graph.local_scope():
            graph.ndata["hidden"] = self.convolution(graph, graph.ndata["features"])
            return self.output(dgl.mean_nodes(graph, "hidden"))


def collate(samples):
    graphs, labels = zip(*samples)
    return dgl.batch(graphs), nd.array(labels)


class Graphs(Client):
    """Graphs of several sizes, a loader that makes one graph of each batch of them."""

    package, name = "dgl", "graph classifier"

    def make(self, **optimizer_params):
        mx.random.seed(0)
        np.random.seed(0)
        random = np.random.RandomState(0)
        graphs = [make_graph(random, nodes) for nodes in random.randint(3, 8, 14)]
        for graph in graphs:
            graph.ndata["features"] = nd.array(random.randn(graph.num_nodes(), FEATURES))
        samples = [(graph, graph.num_nodes() % CLASSES) for graph in graphs]
        net = GraphClassifier()
        net.initialize(mx.init.Xavier())
        optimizer_params = {"learning_rate": self.lr, "momentum": 0.9, **optimizer_params}
        return SimpleNamespace(
            net=net,
            loss=mx.gluon.loss.SoftmaxCELoss(),
            loader=mx.gluon.data.DataLoader(
                mx.gluon.data.SimpleDataset(samples),
                batch_size=4,
                shuffle=True,
                batchify_fn=collate,
            ),
            trainer=mx.gluon.Trainer(net.collect_params(), "sgd", optimizer_params),
        )

    def learner(self, my):
        return Learner(my.net, my.loader, loss=my.loss, trainer=my.trainer)

    def own_loop(self, my, rates):
        rates = list(rates)
        while rates:
            epoch = list(my.loader)
            for graph, labels in at_rates(my.trainer, rates, epoch):
                with mx.autograd.record():
                    losses = my.loss(my.net(graph), labels)
                losses.backward()
                my.trainer.step(len(labels))
            rates = rates[len(epoch) :]


client = each_of(Nodes(), Graphs())


class TestDGL(ClientChecks):
    pass

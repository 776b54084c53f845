"""Dive into Deep Learning: its chapters' nets and losses, trained by its own functions and ours."""

from types import SimpleNamespace

import pytest

d2l = pytest.importorskip("d2l.mxnet", reason="d2l is not installed")

import random  # noqa: E402

import numpy  # noqa: E402
from client import Client, ClientChecks, at_rates, each_of, forever, in_epochs  # noqa: E402
from conftest import TWO  # noqa: E402

from gluon_lr import Callback, GradientClip, Learner  # noqa: E402
from gluon_lr._mxnet import mx  # noqa: E402

autograd, gluon, nn, np, npx = mx.autograd, mx.gluon, mx.gluon.nn, mx.np, mx.npx
npx.set_np()


def seed():
    mx.random.seed(0)
    numpy.random.seed(0)
    random.seed(0)


def normal(*shape):
    return np.array(numpy.random.randn(*shape), dtype="float32")


def integers(high, *shape, low=0):
    return np.array(numpy.random.randint(low, high, shape), dtype="int32")


class LeNet(Client):
    """Chapter 6's LeNet, trained by chapter 13's step on two contexts."""

    package, name = "d2l", "LeNet on two contexts"
    is_killed = True

    def make(self, **optimizer_params):
        seed()
        net = nn.HybridSequential()
        net.add(
            nn.Conv2D(6, kernel_size=5, padding=2, activation="sigmoid"),
            nn.AvgPool2D(pool_size=2, strides=2),
            nn.Conv2D(16, kernel_size=5, activation="sigmoid"),
            nn.AvgPool2D(pool_size=2, strides=2),
            nn.Dense(120, activation="sigmoid"),
            nn.Dense(84, activation="sigmoid"),
            nn.Dense(10),
        )
        net.initialize(ctx=TWO, init=mx.init.Xavier())
        params = {"learning_rate": self.lr, "momentum": 0.9, **optimizer_params}
        return SimpleNamespace(
            net=net,
            loss=gluon.loss.SoftmaxCrossEntropyLoss(),
            trainer=gluon.Trainer(net.collect_params(), "sgd", params),
            loader=d2l.load_array((normal(24, 1, 16, 16), integers(10, 24)), 4),
        )

    def learner(self, my):
        return Learner(my.net, my.loader, loss=my.loss, trainer=my.trainer)

    def own_loop(self, my, rates):
        for x, y in at_rates(my.trainer, rates, forever(my.loader)):
            d2l.train_batch_ch13(my.net, x, y, my.loss, my.trainer, TWO)


class Tokens(d2l.SeqDataLoader):
    """Chapter 8's loader, over random tokens: a sequential one starts at a random place."""

    def __init__(self, batch_size, num_steps, batches, vocab_size):
        self.data_iter_fn = d2l.seq_data_iter_sequential
        tokens = batch_size * (num_steps * batches + num_steps - 1)
        self.corpus = numpy.random.randint(0, vocab_size, tokens).tolist()
        self.batch_size, self.num_steps, self.batches = batch_size, num_steps, batches

    def __len__(self):
        return self.batches


class LanguageModel(Client):
    """Chapter 8's RNN: a hidden state that goes on, a mean loss, and gradients clipped at 1."""

    package, name = "d2l", "RNN language model"
    lr = 1.0
    rtol = 1e-5

    def make(self, **optimizer_params):
        seed()
        net = d2l.RNNModel(mx.gluon.rnn.RNN(16), 12)
        net.initialize(mx.init.Normal(0.3))
        params = {"learning_rate": self.lr, **optimizer_params}
        return SimpleNamespace(
            net=net,
            loss=gluon.loss.SoftmaxCrossEntropyLoss(),
            trainer=gluon.Trainer(net.collect_params(), "sgd", params),
            loader=Tokens(4, 6, batches=5, vocab_size=12),
        )

    def learner(self, my):
        hidden, reset = [], Callback()
        reset.before_epoch = lambda learner: hidden.clear()

        def compute_loss(net, batch):
            state = [one.detach() for one in hidden or net.begin_state(len(batch[0]))]
            y_hat, hidden[:] = net(batch[0], state)
            return my.loss(y_hat, batch[1].T.reshape(-1)).mean()

        cbs = [reset, GradientClip(1)]
        return Learner(my.net, my.loader, trainer=my.trainer, compute_loss=compute_loss, cbs=cbs)

    def own_loop(self, my, rates):
        for part in in_epochs(rates, len(my.loader)):
            batches = at_rates(my.trainer, part, my.loader)
            d2l.train_epoch_ch8(my.net, batches, my.loss, my.trainer.step, mx.cpu(), False)


class Decoder(d2l.Decoder):
    """Chapter 9's decoder: the encoder's last state beside each token."""

    def __init__(self, vocab_size, embed_size, num_hiddens):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.rnn = mx.gluon.rnn.GRU(num_hiddens)
        self.dense = nn.Dense(vocab_size, flatten=False)

    def init_state(self, enc_outputs, *args):
        return enc_outputs[1]

    def forward(self, x, state):
        x = self.embedding(x).swapaxes(0, 1)
        context = np.broadcast_to(state[0][-1], (len(x), *state[0][-1].shape))
        output, state = self.rnn(np.concatenate((x, context), 2), state)
        return self.dense(output).swapaxes(0, 1), state


class Seq2Seq(Client):
    """Chapter 9's translation: lengths, a masked loss, and a step by the number of tokens."""

    package, name = "d2l", "seq2seq with valid lengths"
    lr = 0.01

    def make(self, **optimizer_params):
        seed()
        encoder = d2l.Seq2SeqEncoder(15, 8, 12, 1)
        net = d2l.EncoderDecoder(encoder, Decoder(15, 8, 12))
        net.initialize(mx.init.Xavier())
        params = {"learning_rate": self.lr, **optimizer_params}
        lengths = [integers(6, 20, low=1) for _ in range(2)]
        sentences = [integers(15, 20, 5, low=1) for _ in range(2)]
        arrays = (sentences[0], lengths[0], sentences[1], lengths[1])
        return SimpleNamespace(
            net=net,
            loss=d2l.MaskedSoftmaxCELoss(),
            trainer=gluon.Trainer(net.collect_params(), "adam", params),
            loader=d2l.load_array(arrays, 4),
            bos=0,
        )

    def learner(self, my):
        clip = Callback()
        clip.before_step = lambda learner: d2l.grad_clipping(learner.net, 1)

        def compute_loss(net, batch):
            x, x_len, y, y_len = batch
            decoded = np.concatenate([np.full_like(y[:, :1], my.bos), y[:, :-1]], 1)
            return my.loss(net(x, decoded, x_len)[0], y, y_len) / y_len, y_len

        return Learner(my.net, my.loader, trainer=my.trainer, compute_loss=compute_loss, cbs=clip)

    def own_loop(self, my, rates):
        for x, x_len, y, y_len in at_rates(my.trainer, rates, forever(my.loader)):
            bos = np.full_like(y[:, :1], my.bos)
            decoded = np.concatenate([bos, y[:, :-1]], 1)
            with autograd.record():
                loss = my.loss(my.net(x, decoded, x_len)[0], y, y_len)
            loss.backward()
            d2l.grad_clipping(my.net, 1)
            my.trainer.step(y_len.sum())


class Dcgan(Client):
    """Chapter 17's DCGAN: two nets with a trainer each, one updated inside the other's step."""

    package, name = "d2l", "DCGAN"
    lr = 0.005

    def make(self, **optimizer_params):
        seed()
        net_g, net_d = nn.Sequential(), nn.Sequential()
        for channels, strides, padding in ((8, 1, 0), (4, 2, 1)):
            net_g.add(nn.Conv2DTranspose(channels, 4, strides, padding, use_bias=False))
            net_g.add(nn.BatchNorm(), nn.Activation("relu"))
        net_g.add(nn.Conv2DTranspose(3, 4, 2, 1, use_bias=False, activation="tanh"))
        for channels in (4, 8):
            net_d.add(nn.Conv2D(channels, 4, 2, 1, use_bias=False))
            net_d.add(nn.BatchNorm(), nn.LeakyReLU(0.2))
        net_d.add(nn.Conv2D(1, 4, use_bias=False))
        for net in (net_g, net_d):
            net.initialize(mx.init.Normal(0.1))
        params = {"learning_rate": self.lr, "beta1": 0.5}
        return SimpleNamespace(
            net=net_g,
            net_d=net_d,
            loss=gluon.loss.SigmoidBCELoss(),
            trainer=gluon.Trainer(net_g.collect_params(), "adam", {**params, **optimizer_params}),
            trainer_d=gluon.Trainer(net_d.collect_params(), "adam", params),
            loader=d2l.load_array((normal(20, 3, 16, 16), integers(10, 20)), 4),
        )

    def learner(self, my):
        def compute_loss(net_g, batch):
            z = np.random.normal(0, 1, (len(batch[0]), 5, 1, 1))
            with autograd.pause():
                d2l.update_D(batch[0], z, my.net_d, net_g, my.loss, my.trainer_d)
            return my.loss(my.net_d(net_g(z)), np.ones(len(z)))

        also = [(my.net_d, my.trainer_d)]
        return Learner(my.net, my.loader, trainer=my.trainer, compute_loss=compute_loss, also=also)

    def own_loop(self, my, rates):
        for x, _ in at_rates(my.trainer, rates, forever(my.loader)):
            z = np.random.normal(0, 1, (len(x), 5, 1, 1))
            d2l.update_D(x, z, my.net_d, my.net, my.loss, my.trainer_d)
            d2l.update_G(z, my.net_d, my.net, my.loss, my.trainer)


class Ratings(nn.Block):
    """Chapter 16's matrix factorisation."""

    def __init__(self, factors, users, items):
        super().__init__()
        self.users, self.user_bias = nn.Embedding(users, factors), nn.Embedding(users, 1)
        self.items, self.item_bias = nn.Embedding(items, factors), nn.Embedding(items, 1)

    def forward(self, user, item):
        outputs = (self.users(user) * self.items(item)).sum(axis=1)
        return outputs + self.user_bias(user)[:, 0] + self.item_bias(item)[:, 0]


class Recommender(Client):
    """Chapter 16's ratings: a net of two inputs, on two contexts."""

    package, name = "d2l", "ratings of two inputs"

    def make(self, **optimizer_params):
        seed()
        net = Ratings(4, 10, 12)
        net.initialize(mx.init.Normal(0.1), ctx=TWO)
        params = {"learning_rate": self.lr, "wd": 1e-5, **optimizer_params}
        arrays = (integers(10, 24), integers(12, 24), normal(24))
        return SimpleNamespace(
            net=net,
            loss=gluon.loss.L2Loss(),
            trainer=gluon.Trainer(net.collect_params(), "adam", params),
            loader=d2l.load_array(arrays, 4),
        )

    def learner(self, my):
        return Learner(my.net, my.loader, loss=my.loss, trainer=my.trainer)

    def own_loop(self, my, rates):
        for values in at_rates(my.trainer, rates, forever(my.loader)):
            parts = zip(*[gluon.utils.split_and_load(one, TWO) for one in values])
            with autograd.record():
                losses = [my.loss(my.net(*inputs), label) for *inputs, label in parts]
            for loss in losses:
                loss.backward()
            my.trainer.step(len(values[0]))


CLIENTS = [LeNet(), LanguageModel(), Seq2Seq(), Dcgan(), Recommender()]
client = each_of(*CLIENTS)


class TestD2L(ClientChecks):
    pass

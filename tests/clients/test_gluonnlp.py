"""GluonNLP: a BERT classifier and the AWD language model, trained as its scripts do and by ours."""

from types import SimpleNamespace

import pytest

nlp = pytest.importorskip("gluonnlp", reason="GluonNLP is not installed")

import numpy as np  # noqa: E402
from client import Client, ClientChecks, at_rates, each_of, forever, in_epochs  # noqa: E402
from conftest import TWO  # noqa: E402

from gluon_lr import Callback, GradientAccumulation, GradientClip, Learner  # noqa: E402
from gluon_lr._mxnet import mx, nd  # noqa: E402

autograd, gluon = mx.autograd, mx.gluon


def seed():
    mx.random.seed(0)
    np.random.seed(0)


def integers(high, *shape, low=0):
    return np.random.randint(low, high, shape).astype(np.float32)


class Bert(Client):
    """The classifier of finetune_classifier.py: sums of two batches, their norm clipped at 1."""

    package, name = "gluonnlp", "BERT classifier, 'bertadam', accumulating"
    lr = 0.005
    rtol = 1e-5
    is_killed = True
    accumulate = 2

    def make(self, **optimizer_params):
        seed()
        encoder = nlp.model.BERTEncoder(
            num_layers=1, units=8, hidden_size=16, max_length=6, num_heads=2, dropout=0.1
        )
        bert = nlp.model.BERTModel(
            encoder,
            vocab_size=20,
            token_type_vocab_size=2,
            units=8,
            embed_size=8,
            use_decoder=False,
            use_classifier=False,
        )
        net = nlp.model.BERTClassifier(bert, num_classes=3, dropout=0.1)
        net.initialize(mx.init.Normal(0.2))
        net.hybridize(static_alloc=True)
        for parameter in net.collect_params(".*beta|.*gamma|.*bias").values():
            parameter.wd_mult = 0.0
        params = {"learning_rate": self.lr, "epsilon": 1e-6, "wd": 0.01, **optimizer_params}
        data = [integers(20, 24, 6), integers(2, 24, 6), integers(7, 24, low=2), integers(3, 24)]
        return SimpleNamespace(
            net=net,
            loss=gluon.loss.SoftmaxCELoss(),
            trainer=gluon.Trainer(
                net.collect_params(), "bertadam", params, update_on_kvstore=False
            ),
            loader=gluon.data.DataLoader(gluon.data.ArrayDataset(*data), 4, shuffle=True),
            accumulate=self.accumulate,
        )

    def learner(self, my):
        cbs = [GradientAccumulation(my.accumulate), GradientClip(1 / my.accumulate)]
        return Learner(my.net, my.loader, loss=my.loss, trainer=my.trainer, cbs=cbs)

    def own_loop(self, my, rates):
        parameters = [p for p in my.net.collect_params().values() if p.grad_req != "null"]
        for parameter in parameters:
            parameter.grad_req = "add"
        rates = [rate for rate in rates for _ in range(self.accumulate)]
        batches = at_rates(my.trainer, rates, forever(my.loader))
        for number, batch in enumerate(batches, start=1):
            *inputs, label = batch
            with autograd.record():
                loss = my.loss(my.net(*inputs), label).mean()
            loss.backward()
            if number % self.accumulate == 0:
                my.trainer.allreduce_grads()
                nlp.utils.clip_grad_global_norm(parameters, 1)
                my.trainer.update(self.accumulate)
                my.net.collect_params().zero_grad()


class RegularizedLoss:
    """One loss a token, with the script's two means of the hidden states: AR and TAR."""

    def __init__(self, alpha, beta):
        self.of_tokens = gluon.loss.SoftmaxCELoss()
        self.ar = nlp.loss.ActivationRegularizationLoss(alpha)
        self.tar = nlp.loss.TemporalActivationRegularizationLoss(beta)

    def __call__(self, out, label, raw, dropped):
        losses = self.of_tokens(out.reshape((-3, -1)), label.reshape(-1))
        return losses + self.ar(*dropped) + self.tar(*raw)


class AwdLanguageModel(Client):
    """The model of word_language_model.py: hidden states, AR, TAR, and gradients clipped."""

    package, name = "gluonnlp", "AWD-LSTM with AR and TAR on two contexts"
    lr = 2.0
    rtol = 1e-5
    steps, vocabulary = 5, 12

    def make(self, **optimizer_params):
        seed()
        net = nlp.model.train.AWDRNN(
            "lstm", self.vocabulary, embed_size=6, hidden_size=8, num_layers=2
        )
        net.initialize(mx.init.Xavier(), ctx=TWO)
        params = {"learning_rate": self.lr, "wd": 1e-5, **optimizer_params}
        tokens = nd.array(integers(self.vocabulary, self.steps * 6 + 1, 4))
        starts = range(0, len(tokens) - 1, self.steps)
        return SimpleNamespace(
            net=net,
            loss=RegularizedLoss(alpha=2, beta=1),
            trainer=gluon.Trainer(net.collect_params(), "sgd", params, update_on_kvstore=False),
            loader=[
                (tokens[i : i + self.steps], tokens[i + 1 : i + 1 + self.steps]) for i in starts
            ],
            clip=0.25,
        )

    def learner(self, my):
        hidden, reset = {}, Callback()
        reset.before_epoch = lambda learner: hidden.clear()

        def compute_loss(net, batch):
            kept = hidden.setdefault(str(batch[0].context), [])
            out, kept[:], raw, dropped = net(batch[0], [[s.detach() for s in one] for one in kept])
            return my.loss(out, batch[1], raw, dropped)

        more = {"cbs": [reset, GradientClip(my.clip)], "batch_axis": 1}
        return Learner(my.net, my.loader, trainer=my.trainer, compute_loss=compute_loss, **more)

    def own_loop(self, my, rates):
        parameters = list(my.net.collect_params().values())
        for part in in_epochs(rates, len(my.loader)):
            states = [my.net.begin_state(batch_size=2, ctx=ctx) for ctx in TWO]
            for batch in at_rates(my.trainer, part, my.loader):
                shares = zip(*[gluon.utils.split_and_load(one, TWO, batch_axis=1) for one in batch])
                losses = []
                with autograd.record():
                    for number, (x, y) in enumerate(shares):
                        state = [[one.detach() for one in layer] for layer in states[number]]
                        out, states[number], raw, dropped = my.net(x, state)
                        losses.append(my.loss(out, y, raw, dropped) / batch[0].size)
                autograd.backward(losses)
                my.trainer.allreduce_grads()
                nlp.utils.clip_grad_global_norm(parameters, my.clip)
                my.trainer.update(1)


CLIENTS = [Bert(), AwdLanguageModel()]
client = each_of(*CLIENTS)


class TestGluonNLP(ClientChecks):
    pass

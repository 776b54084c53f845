"""A search and a fit under MXNet's own mixed precision, in a process of its own: it stays on.

MXNet computes convolutions and Dense in bfloat16 where the CPU has AVX-512, and fails elsewhere.
So a product is in bfloat16 here, between a convolution and a Dense in float32.
"""

import numpy as np
from conftest import assert_same_arrays, weights

from gluon_lr import Learner, LRFinder, one_cycle
from gluon_lr._mxnet import amp, mx

nn = mx.gluon.nn
EPOCHS, BATCHES = 4, 8
item_sizes = set()


class Scale(nn.HybridBlock):
    """A product with its weight, which AMP computes in bfloat16."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.weight = self.params.get("weight", shape=(1, 4, 1, 1), init=mx.init.One())

    def hybrid_forward(self, F, x, weight):  # noqa: N803 - MXNet's name
        product = F.broadcast_mul(x, weight)
        item_sizes.add(np.dtype(product.dtype).itemsize)
        return product


def make():
    """Build the same learner each time."""
    mx.random.seed(3)
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, 3, in_channels=1), Scale(), nn.Activation("relu"), nn.Flatten())
    net.add(nn.Dense(2, in_units=4 * 16))
    net.initialize(mx.init.Xavier())
    random = np.random.RandomState(7)
    data = random.randn(BATCHES * 8, 1, 6, 6).astype("float32")
    label = (data.sum(axis=(1, 2, 3)) > 0).astype("float32")
    loader = mx.gluon.data.DataLoader(mx.gluon.data.ArrayDataset(data, label), 8)
    params = {"learning_rate": 0.1, "momentum": 0.9}
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", params, update_on_kvstore=False)
    amp.init_trainer(trainer)
    learner = Learner(net, loader, trainer=trainer)
    learner.progress = False
    return learner


def main():
    amp.init("bfloat16", ["broadcast_mul"], fp32_ops=["Activation", "FullyConnected"])
    learner, untouched = make(), make()
    for one in (learner, untouched):
        one.iteration()
    before, scaler = weights(learner), dict(vars(learner.trainer._amp_loss_scaler))
    result = LRFinder(learner).find(num_iter=20, progress=False)
    assert_same_arrays(weights(learner), before)
    assert vars(learner.trainer._amp_loss_scaler) == scaler
    assert np.isfinite(result.losses).all()
    learner.fit_one_cycle(EPOCHS, 0.05)
    untouched.fit_one_cycle(EPOCHS, 0.05)
    assert_same_arrays(weights(learner), weights(untouched))
    rates, losses = learner.recorder.lrs, learner.recorder.losses
    positions = np.arange(EPOCHS * BATCHES) / (EPOCHS * BATCHES)
    np.testing.assert_allclose(rates, one_cycle(0.05)["lr"](positions), rtol=1e-12)
    assert losses[-BATCHES:].mean() < 0.7 * losses[:BATCHES].mean()
    assert item_sizes == {2}


if __name__ == "__main__":
    main()

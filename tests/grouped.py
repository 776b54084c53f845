"""A net of three layers, each a parameter group of its own, and a trainer of it."""

from conftest import ONE, make_dataset, stated

from gluon_lr._mxnet import mx, nd

nn = mx.gluon.nn


def make_net(ctx=ONE, hybrid=True, bias=True):
    mx.random.seed(5)
    net = nn.HybridSequential()
    net.add(
        nn.Dense(8, activation="relu", in_units=5, use_bias=bias),
        nn.Dense(8, in_units=8, use_bias=bias),
        nn.Dense(3, in_units=8, use_bias=bias),
    )
    net.initialize(mx.init.Xavier(), ctx=ctx)
    if hybrid:
        net.hybridize()
    return net


def make_trainer(net, optimizer="sgd", update_on_kvstore=None, **params):
    params = stated(optimizer, params) if isinstance(optimizer, str) else params
    return mx.gluon.Trainer(
        net.collect_params(), optimizer, params, update_on_kvstore=update_on_kvstore
    )


def backward(net, ctx, batch):
    data, label = make_dataset()[batch * 16 : batch * 16 + 16]
    contexts = ctx if isinstance(ctx, list) else [ctx]
    parts = (mx.gluon.utils.split_and_load(nd.array(a), contexts) for a in (data, label))
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    with mx.autograd.record():
        losses = [loss(net(x), y) for x, y in zip(*parts)]
    mx.autograd.backward(losses)


def weights(net):
    return [array.asnumpy() for p in net.collect_params().values() for array in p.list_data()]

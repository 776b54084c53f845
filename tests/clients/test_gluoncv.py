"""GluonCV: SSD, YOLO3 and a residual net with mixup, trained as its scripts do and by ours."""

from types import SimpleNamespace

import pytest

gluoncv = pytest.importorskip("gluoncv", reason="GluonCV is not installed")

import random  # noqa: E402

import numpy as np  # noqa: E402
from client import Client, ClientChecks, at_rates, each_of, forever  # noqa: E402
from conftest import TWO  # noqa: E402
from gluoncv.data.batchify import Pad, Stack, Tuple  # noqa: E402
from gluoncv.data.transforms.presets.ssd import SSDDefaultTrainTransform  # noqa: E402
from gluoncv.data.transforms.presets.yolo import YOLO3DefaultTrainTransform  # noqa: E402
from gluoncv.model_zoo.ssd import SSD as SSDNet  # noqa: E402, N811

from gluon_lr import Learner  # noqa: E402
from gluon_lr._mxnet import mx, nd  # noqa: E402

autograd, gluon, nn = mx.autograd, mx.gluon, mx.gluon.nn
CLASSES = ["cat", "dog", "horse"]


def seed():
    mx.random.seed(0)
    np.random.seed(0)
    random.seed(0)


def make_pictures(samples, size):
    """Return pictures with one or two boxes, each with its class."""
    pictures, labels = [], []
    for _ in range(samples):
        boxes = np.random.randint(1, 3)
        corners = np.random.uniform(0, size / 2, (boxes, 2))
        sizes = np.random.uniform(size / 4, size / 2, (boxes, 2))
        classes = np.random.randint(0, len(CLASSES), (boxes, 1))
        picture = np.random.randint(0, 256, (size, size, 3)).astype("uint8")
        pictures.append(nd.array(picture, dtype="uint8"))
        labels.append(np.hstack([corners, corners + sizes, classes]).astype(np.float32))
    return gluon.data.ArrayDataset(pictures, labels)


def split(batch):
    return [gluon.utils.split_and_load(one, TWO) for one in batch]


class TwoScales(nn.HybridBlock):
    """Features of two scales, the least that an SSD is made on."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.HybridSequential(), nn.HybridSequential()
        for block in (self.first, self.second):
            block.add(nn.Conv2D(8, 3, strides=2, padding=1), nn.BatchNorm())
            block.add(nn.Activation("relu"), nn.MaxPool2D(2))

    def hybrid_forward(self, F, x):  # noqa: N803
        first = self.first(x)
        return [first, self.second(first)]


class SSD(Client):
    """train_ssd.py: three outputs, a loss normalised over all contexts, and a step of 1."""

    package, name = "gluoncv", "SSD on two contexts"
    lr = 0.02
    rtol = 1e-5
    size = 32

    def make(self, **optimizer_params):
        seed()
        net = SSDNet(
            None,
            self.size,
            lambda **_: TwoScales(),
            None,
            sizes=[8, 16, 24],
            ratios=[[1, 2, 0.5]] * 2,
            steps=[4, 16],
            classes=CLASSES,
            anchor_alloc_size=16,
        )
        net.initialize(mx.init.Xavier(), ctx=TWO)
        with autograd.train_mode():
            _, _, anchors = net(nd.zeros((1, 3, self.size, self.size)))
        params = {"learning_rate": self.lr, "wd": 5e-4, "momentum": 0.9, **optimizer_params}
        transform = SSDDefaultTrainTransform(self.size, self.size, anchors)
        return SimpleNamespace(
            net=net,
            loss=gluoncv.loss.SSDMultiBoxLoss(),
            trainer=gluon.Trainer(net.collect_params(), "sgd", params, update_on_kvstore=False),
            loader=gluon.data.DataLoader(
                make_pictures(10, self.size).transform(transform),
                2,
                shuffle=True,
                batchify_fn=Tuple(Stack(), Stack(), Stack()),
            ),
        )

    def learner(self, my):
        def compute_loss(net, batch):
            data, classes, boxes = batch
            class_preds, box_preds, _ = net(data)
            losses, _, _ = my.loss(class_preds, box_preds, classes, boxes)
            return losses[0].sum(), (classes > 0).sum()

        return Learner(my.net, my.loader, trainer=my.trainer, compute_loss=compute_loss)

    def own_loop(self, my, rates):
        for batch in at_rates(my.trainer, rates, forever(my.loader)):
            data, classes, boxes = split(batch)
            with autograd.record():
                class_preds, box_preds, _ = zip(*[my.net(x) for x in data])
                losses, _, _ = my.loss(class_preds, box_preds, classes, boxes)
            autograd.backward(losses)
            my.trainer.step(1)


class YOLO3(Client):
    """train_yolo3.py: seven arrays a batch, and the loss inside the net."""

    package, name = "gluoncv", "YOLO3, seven arrays a batch"
    lr = 0.001
    size = 32

    def make(self, **optimizer_params):
        seed()
        features = gluoncv.model_zoo.get_mobilenet(0.25).features
        net = gluoncv.model_zoo.YOLOV3(
            [features[:33], features[33:69], features[69:-2]],
            channels=[16, 16, 16],
            anchors=[[5, 6, 8, 15, 16, 11], [15, 30, 31, 22, 29, 59], [58, 45, 78, 99, 60, 60]],
            strides=[8, 16, 32],
            classes=CLASSES,
            alloc_size=(16, 16),
        )
        net.initialize(mx.init.Xavier())
        params = {"learning_rate": self.lr, "wd": 5e-4, "momentum": 0.9, **optimizer_params}
        transform = YOLO3DefaultTrainTransform(self.size, self.size, net)
        net.hybridize()
        return SimpleNamespace(
            net=net,
            trainer=gluon.Trainer(net.collect_params(), "sgd", params, update_on_kvstore=False),
            loader=gluon.data.DataLoader(
                make_pictures(8, self.size).transform(transform),
                2,
                shuffle=True,
                batchify_fn=Tuple(*[Stack() for _ in range(6)], Pad(axis=0, pad_val=-1)),
            ),
        )

    def learner(self, my):
        def compute_loss(net, batch):
            data, *targets, boxes = batch
            return sum(net(data, boxes, *targets))

        return Learner(my.net, my.loader, trainer=my.trainer, compute_loss=compute_loss)

    def own_loop(self, my, rates):
        for batch in at_rates(my.trainer, rates, forever(my.loader)):
            data, *targets, boxes = [one.as_in_context(mx.cpu()) for one in batch]
            with autograd.record():
                objectness, center, scale, classes = my.net(data, boxes, *targets)
                loss = objectness + center + scale + classes
            loss.backward()
            my.trainer.step(len(data))


class ResNetWithMixup(Client):
    """train_mixup_cifar10.py: pictures and labels mixed by a share that NumPy draws."""

    package, name = "gluoncv", "cifar_resnet20 with mixup"
    is_killed = True

    def make(self, **optimizer_params):
        seed()
        net = gluoncv.model_zoo.cifar_resnet20_v1(classes=10)
        net.initialize(mx.init.Xavier())
        net.hybridize()
        params = {"learning_rate": self.lr, "wd": 1e-4, "momentum": 0.9, **optimizer_params}
        pictures = np.random.randn(20, 3, 16, 16).astype(np.float32)
        dataset = gluon.data.ArrayDataset(pictures, np.random.randint(0, 10, 20))
        return SimpleNamespace(
            net=net,
            loss=gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=False),
            trainer=gluon.Trainer(net.collect_params(), "nag", params),
            loader=gluon.data.DataLoader(dataset, 4, shuffle=True),
        )

    def learner(self, my):
        def compute_loss(net, batch):
            data, label, share = batch[0], batch[1].one_hot(10), np.random.beta(1, 1)
            mixed = share * data + (1 - share) * data[::-1]
            return my.loss(net(mixed), share * label + (1 - share) * label[::-1])

        return Learner(my.net, my.loader, trainer=my.trainer, compute_loss=compute_loss)

    def own_loop(self, my, rates):
        for data, label in at_rates(my.trainer, rates, forever(my.loader)):
            share = np.random.beta(1, 1)
            mixed = share * data + (1 - share) * data[::-1]
            labels = [one.one_hot(10) for one in (label, label[::-1])]
            with autograd.record():
                loss = my.loss(my.net(mixed), share * labels[0] + (1 - share) * labels[1])
            loss.backward()
            my.trainer.step(len(data))


CLIENTS = [SSD(), YOLO3(), ResNetWithMixup()]
client = each_of(*CLIENTS)


class TestGluonCV(ClientChecks):
    pass

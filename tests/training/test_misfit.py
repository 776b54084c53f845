"""What does not fit: the message says what is wrong, and what to write."""

import numpy as np
import pytest

from gluon_lr import CosineScheduler, Learner, LRFinder, ParamScheduler
from gluon_lr._mxnet import mx, nd

nn = mx.gluon.nn
X = np.random.RandomState(0).randn(8, 3).astype(np.float32)
Y = (np.arange(8) % 2).astype(np.float32)


def make_learner(data, net=None, **more):
    return Learner(net or nn.Dense(2), data, **more)


def untouched(net):
    return [one.data().asnumpy() for one in net.collect_params().values()]


@pytest.mark.parametrize(
    ("data", "net", "says"),
    [
        ((X, X.sum(1)), nn.Dense(1), r"two or more outputs.*L2Loss\(\)"),
        ((X, X.sum(1) / 9), nn.Dense(2), r"`loss` must be given.*labels from 0 to 1.*L2Loss"),
        ((X, Y + 1), nn.Dense(2), "labels from 0 to 1, got '2 among the labels'"),
        ((X, Y - 1), nn.Dense(2), "labels from 0 to 1, got '-1 among the labels'"),
        ((X, np.eye(2)[Y.astype(int)]), nn.Dense(2), r"class numbers.*sparse_label=False"),
        ((X, (Y, Y)), nn.Dense(2), r"loss\(net\(x1\), y1, y2\).* `compute_loss`"),
        ((X, X, Y), nn.Dense(2), r"loss\(net\(x1, x2\), y1\).* `compute_loss`"),
        (({"x": X}, Y), nn.Dense(2), "compute_loss"),
    ],
    ids=["regression", "fractions", "above", "below", "one-hot", "labels", "inputs", "dict"],
)
def test_data_that_the_default_loss_does_not_fit(data, net, says):
    learner = make_learner([data], net)
    for _ in range(2):  # it says so as long as nothing is changed
        with pytest.raises((TypeError, ValueError), match=says):
            learner.iteration(0.1)
    with pytest.raises((TypeError, ValueError), match=says):
        LRFinder(learner).find(num_iter=5, progress=False)


LOSSES = mx.gluon.loss
OF_CLASSES = LOSSES.SoftmaxCELoss()
PIXELS = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)


@pytest.mark.parametrize(
    ("loss", "label", "net", "says"),
    [
        (OF_CLASSES, X.sum(1), nn.Dense(1), r"two or more outputs.*got '\(8, 1\)'.*L2Loss"),
        (OF_CLASSES, Y + 0.5, nn.Dense(2), "labels from 0 to 1, got '0.5 among the labels'"),
        (OF_CLASSES, Y + 1, nn.Dense(2), "labels from 0 to 1, got '2 among.*weight"),
        (OF_CLASSES, Y * np.nan, nn.Dense(2), "labels from 0 to 1, got 'nan among"),
        (OF_CLASSES, np.eye(2)[Y.astype(int)], nn.Dense(2), "sparse_label=False"),
        (LOSSES.SigmoidBCELoss(), Y + 1, nn.Dense(1), "labels from 0 to 1, got '2 among"),
        (LOSSES.HingeLoss(), Y, nn.Dense(1), "HingeLoss is for labels of -1 and 1, got '0 among"),
        (LOSSES.SquaredHingeLoss(), Y, nn.Dense(1), "labels of -1 and 1, got '0 among"),
        (LOSSES.LogisticLoss(), Y, nn.Dense(1), "labels of -1 and 1, got '0 among"),
        (LOSSES.LogisticLoss(label_format="binary"), 2 * Y - 1, nn.Dense(1), "got '-1 among"),
    ],
)
def test_labels_that_a_loss_would_misread(loss, label, net, says):
    learner = make_learner([(X, label.astype(np.float32))], net, loss=loss)
    for _ in range(2):
        with pytest.raises(ValueError, match=says):
            learner.iteration(0.1)
    with pytest.raises(ValueError, match=says):
        LRFinder(learner).find(num_iter=5, progress=False)


@pytest.mark.parametrize(
    ("loss", "batch", "net"),
    [
        (OF_CLASSES, (X, (Y - 1, Y)), nn.Dense(2)),  # a weight of 0 hides a label
        (LOSSES.SoftmaxCELoss(axis=1), (PIXELS, np.full((1, 2, 2), 2, "f")), nn.Conv2D(3, 1)),
        (LOSSES.SoftmaxCELoss(sparse_label=False), (X, np.eye(2, dtype="f")[[0] * 8]), nn.Dense(2)),
        (LOSSES.SigmoidBCELoss(), (X, Y / 2), nn.Dense(1)),
        (OF_CLASSES, (X, Y.astype("int32")), nn.Dense(2)),
        (OF_CLASSES, (X, Y.astype("uint8")), nn.Dense(2)),
        (LOSSES.LogisticLoss(label_format="binary"), (X, Y), nn.Dense(1)),
        (LOSSES.HingeLoss(), (X, 2 * Y - 1), nn.Dense(1)),
    ],
)
def test_labels_that_a_loss_reads_well(loss, batch, net):
    assert make_learner([batch], net, loss=loss).iteration(0.1) > 0


@pytest.mark.parametrize("kind", ["float64", "uint8", "int32"])
@pytest.mark.parametrize("hybrid", [False, True])
def test_data_of_another_type_than_the_net(kind, hybrid):
    net = nn.Dense(2, in_units=3)
    net.initialize()
    net.hybridize(hybrid)
    data = mx.nd.array(X, dtype=kind) if nd is mx.nd else nd.array(X).astype(kind)
    learner = make_learner([(data, nd.array(Y))], net)
    before = untouched(net)
    says = rf"`data_loader` must be of float32 data.*, got '{kind}'.*astype\('float32'\)"
    with pytest.raises(ValueError, match=says):
        learner.iteration(0.1)
    np.testing.assert_array_equal(before[0], untouched(net)[0])


def test_a_cast_is_offered_only_to_a_type_that_weights_can_have():
    for kind, offered in (("float64", True), ("uint8", False)):
        learner = make_learner([(nd.array(X).astype(kind), nd.array(Y))])
        with pytest.raises(ValueError, match=r"Convert the data") as raised:
            learner.iteration(0.1)
        assert (f"net.cast('{kind}')" in str(raised.value)) == offered


@pytest.mark.parametrize(
    ("data", "net", "loss", "says"),
    [
        (
            (Y, PIXELS),
            nn.Conv2D(3, 1),
            None,
            r"got 'x of shape \(8,\) and y of shape \(1, 3, 2, 2\)'\. .*label comes last",
        ),
        (
            (X, Y),
            nn.Dense(4),
            LOSSES.L2Loss(),
            r"got 'net\(x\) of shape \(8, 4\) and y of shape \(8,\)'\. Pass a loss for",
        ),
        ((X, Y), nn.Dense(4), LOSSES.SigmoidBCELoss(), r"net\(x\) of shape \(8, 4\)"),
        ((X, Y), nn.Dense(2, in_units=5), None, r"x of shape \(8, 3\) and y of shape \(8,\)'"),
    ],
    ids=["label first", "L2", "BCE", "width"],
)
def test_shapes_that_do_not_fit(data, net, loss, says):
    with pytest.raises(ValueError, match=says):
        make_learner([data], net, loss=loss).iteration(0.1)


def test_an_error_of_the_users_own_net_stays_as_it_is():
    class Net(nn.Dense):
        def forward(self, x):
            raise ValueError("of the user")

    with pytest.raises(ValueError, match=r"^of the user$"):
        make_learner([(X, Y)], Net(2)).iteration(0.1)


def test_losses_without_a_gradient():
    net = nn.Dense(2, in_units=3)
    net.initialize()
    cut = make_learner([(X, Y)], net, compute_loss=lambda net, batch: net(batch[0]).detach())
    with pytest.raises(ValueError, match=r"got 'losses without a gradient'\. Remove detach"):
        cut.iteration(0.1)
    for parameter in net.collect_params().values():
        parameter.grad_req = "null"
    frozen = make_learner([(X, Y)], net)
    with pytest.raises(ValueError, match=r"`net` must be one with parameters to train, .* 'write'"):
        frozen.iteration(0.1)


def test_integers_that_a_net_looks_up_are_no_misfit():
    net = nn.HybridSequential()
    net.add(nn.Embedding(5, 4), nn.Dense(2))
    learner = make_learner([(nd.array([[1, 2], [3, 4]], dtype="int32"), nd.array([0, 1]))], net)
    assert learner.iteration(0.1) > 0


def test_a_trainer_of_another_net():
    net, other = nn.Dense(2, in_units=3), nn.Dense(2, in_units=3)
    for one in (net, other):
        one.initialize()
    trainer = mx.gluon.Trainer(other.collect_params(), "sgd")
    with pytest.raises(ValueError, match=r"`trainer` must be for the net's parameters.*this net"):
        make_learner([(X, Y)], net, trainer=trainer)


@pytest.mark.parametrize(
    ("fit", "says"),
    [
        (
            lambda one: one.fit_one_cycle(1, CosineScheduler(100)),
            r"fit_one_cycle: `lr_max`.*Pass a schedule to fit\(n_epoch, lr=schedule\)",
        ),
        (lambda one: one.fit(1, lambda n: 0.1), r"fit: `lr`.*ScheduledCurve\(function\)"),
        (lambda one: one.fit(1, CosineScheduler), r"fit: `lr`.*schedule to fit\(n_epoch, lr="),
        (
            lambda one: one.fit_one_cycle(1, one.lr_find(show_plot=False)),
            r"fit_one_cycle: `lr_max`.*Pass lr_max=result\.suggestion",
        ),
        (
            lambda one: one.fit(1, LRFinder(one).find(num_iter=5, progress=False)),
            r"fit: `lr` .*Start from lr=result\.usual: the search found no rate",
        ),
        (
            lambda one: one.fit(1, cbs=ParamScheduler({"lr": CosineScheduler})),
            "a dict whose values are curves, .* schedules or functions of a position",
        ),
    ],
)
def test_what_is_no_rate(fit, says):
    learner = make_learner([(X, Y)])
    learner.progress = False
    with pytest.raises(TypeError, match=says):
        fit(learner)


def test_what_compute_loss_returns_must_be_losses():
    data = [(X, Y)]
    for returned in (1.5, None, [nd.ones(2), 3], np.ones(3), "loss"):
        learner = make_learner(data, compute_loss=lambda net, batch, one=returned: one)
        with pytest.raises(TypeError, match="compute_loss: `return` must be an array of loss"):
            learner.iteration(0.1)

    def loss_of(weights):
        def compute_loss(net, batch):
            return net(batch[0]).sum(axis=1), weights

        return compute_loss

    with pytest.raises(ValueError, match=r"`weights` must be of the same shape .*, \(8,\)"):
        make_learner(data, compute_loss=loss_of(nd.ones(3))).iteration(0.1)
    with pytest.raises(ValueError, match="`weights` must be above 0 for at"):
        make_learner(data, compute_loss=loss_of(nd.zeros(8))).iteration(0.1)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"compute_loss": 3}, TypeError, r"`compute_loss` must be callable with \(net, batch\)"),
        (
            {"compute_loss": print, "loss": print},
            ValueError,
            "`loss` must be omitted if `compute_loss` is given",
        ),
        ({"batch_axis": -1}, ValueError, "`batch_axis` must be an integer of at least 0"),
        ({"also": nn.Dense(2)}, TypeError, r"`also` must be a list of pairs, \[\(net, trainer\)"),
        ({"cbs": [3]}, TypeError, "`cbs`"),
        ({"cbs": ParamScheduler({"lr": abs})}, TypeError, r"`cbs` .* a fit: learner\.fit"),
    ],
)
def test_bad_arguments_of_a_step(arguments, error, says):
    with pytest.raises(error, match=says):
        make_learner([(X, Y)], **arguments)


def test_parameters_without_a_gradient_stay_and_are_named_once():
    class Net(nn.Block):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Dense(2, in_units=3), nn.Dense(2, in_units=3)

        def forward(self, x):
            return self.used(x)

    net = Net()
    net.initialize(mx.init.One())
    learner = make_learner([(X, Y)], net, optimizer_params={"wd": 0.1, "momentum": 0.9})
    with pytest.warns(UserWarning, match="the losses do not depend on") as warned:
        for _ in range(3):
            learner.iteration(0.1)
    (of_unused,) = (one for one in warned if one.category is UserWarning)
    assert of_unused.filename == __file__
    assert (net.unused.weight.data().asnumpy() == 1).all()
    assert (net.used.weight.data().asnumpy() != 1).any()


@pytest.mark.parametrize("label", [Y, Y[:, None]])
def test_a_loss_that_takes_each_output_with_each_label_brings_a_warning(label, recwarn):
    learner = make_learner([(X, label)], nn.Dense(1), loss=lambda p, y: (p - y) ** 2)
    for _ in range(2):
        learner.iteration(0.1)
    told = ["each output with each label" in str(one.message) for one in recwarn]
    assert sum(told) == (label.ndim == 1)

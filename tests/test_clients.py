"""What users bring: a net of the model zoo, GluonCV's schedules. (Module.fit is tried in
test_optimizer_contract.py, the Estimator in learner/test_estimator.py.)"""

import numpy as np
import pytest
from conftest import TWO, assert_same_arrays, weights

from gluon_lr import (
    CosineScheduler,
    Learner,
    LinearCoolDown,
    LinearWarmUp,
    LRFinder,
    MultiFactorScheduler,
    PolyScheduler,
)
from gluon_lr._mxnet import mx, nd

CLASSES, BATCH_SIZE = 3, 4


def make_images(samples=2 * BATCH_SIZE + 1):
    """Return pictures of 32 by 32 in which the label is how bright they are."""
    random = np.random.RandomState(0)
    label = random.randint(0, CLASSES, samples)
    noise = random.rand(samples, 3, 32, 32)
    data = (noise + label[:, None, None, None]).astype(np.float32)
    return mx.gluon.data.ArrayDataset(data, label.astype(np.float32))


def make_learner():
    mx.random.seed(0)
    net = mx.gluon.model_zoo.vision.mobilenet_v2_0_25(classes=CLASSES)
    net.initialize(mx.init.Xavier(), ctx=TWO)
    net.hybridize()
    net(nd.ones((1, 3, 32, 32), ctx=TWO[0]))
    loader = mx.gluon.data.DataLoader(make_images(), BATCH_SIZE)
    learner = Learner(
        net,
        loader,
        optimizer_params={"learning_rate": 0.01, "momentum": 0.9},
        valid_loader=loader,
        metrics="acc",
        groups=[net.features, net.output],
    )
    learner.progress = False
    return learner


def test_a_net_of_the_model_zoo_is_searched_without_a_trace_and_tuned():
    learner, untouched = make_learner(), make_learner()
    for one in (learner, untouched):
        one.fit(1, 0.01)
    result = LRFinder(learner).find(lr_start=1e-4, num_iter=8, progress=False)
    assert len(result) > 1
    assert_same_arrays(weights(learner), weights(untouched))
    learner.save("resnet.checkpoint")
    for one in (learner, untouched):
        one.fine_tune(1, 0.01)
    assert_same_arrays(weights(learner), weights(untouched))
    assert learner.recorder.epochs[-1].keys() >= {"train_loss", "valid_loss", "accuracy"}
    loaded = make_learner()
    loaded.load("resnet.checkpoint")
    loaded.fine_tune(1, 0.01)
    assert_same_arrays(weights(loaded), weights(untouched))


@pytest.fixture
def gluoncv():
    reason = "GluonCV is not installed: pip install gluoncv"
    return pytest.importorskip("gluoncv.utils.lr_scheduler", reason=reason)


@pytest.mark.parametrize(
    ("mode", "arguments", "ours"),
    [
        ("cosine", {"target_lr": 0.01}, CosineScheduler(999, base_lr=0.4, final_lr=0.01)),
        ("poly", {"target_lr": 0.01}, PolyScheduler(999, base_lr=0.4, pwr=2, final_lr=0.01)),
        ("linear", {"target_lr": 0.01}, PolyScheduler(999, base_lr=0.4, pwr=1, final_lr=0.01)),
        (
            "step",
            {"step_iter": [300, 600], "step_factor": 0.1},
            MultiFactorScheduler([299, 599], factor=0.1, base_lr=0.4),
        ),
    ],
)
def test_what_the_readme_says_of_gluoncvs_schedules(gluoncv, mode, arguments, ours):
    theirs = gluoncv.LRScheduler(mode, base_lr=0.4, niters=1000, **arguments)
    rates = [theirs(n) for n in range(1200)]
    np.testing.assert_allclose(ours.values(range(1200)), rates, rtol=1e-12, atol=1e-15)


def test_gluoncvs_schedules_inside_ours(gluoncv):
    def make():
        return gluoncv.LRSequential(
            [
                gluoncv.LRScheduler("linear", base_lr=0, target_lr=0.1, niters=10),
                gluoncv.LRScheduler("cosine", base_lr=0.1, target_lr=0, niters=90),
            ]
        )

    theirs = make()
    warm = LinearWarmUp(make(), start_lr=0.0, length=5)
    cool = LinearCoolDown(make(), finish_lr=0.0, start_idx=50, length=10)
    assert [warm(n) for n in (6, 20, 105)] == [theirs(1), theirs(15), theirs(100)]
    assert [cool(n) for n in (1, 30, 50, 60)] == [theirs(1), theirs(30), theirs(50), 0.0]
    assert cool(55) == pytest.approx(theirs(50) / 2)

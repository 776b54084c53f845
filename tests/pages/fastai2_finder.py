from gluon_lr import Learner, LRFinder, SchedExp

mx.random.seed(99)
digits = load_digits()
images = digits.images.reshape(-1, 64).astype("float32") / 16
if len(images) > 320:
    images = images[:320]


def is_odd(place):
    return digits.target[place] % 2


loader = DataLoader(ArrayDataset(images, is_odd(range(len(images))).astype("float32")), 32)
learn = Learner(small_net(), loader, optimizer="adam")
learn.fit(1)
learn.opt.state_dict()["state"][1]["grad_avg"].asnumpy()
learn.lr_find()
learn.opt.state_dict()["state"][1]["grad_avg"].asnumpy()
learn.lr_find()
learn.opt.state_dict()["state"][1]["grad_avg"].asnumpy()

import tempfile
from itertools import islice
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    learn = a_learner(Path(folder))
    slope, offset = parameters_of(learn.model)
    with learn.no_logging():
        learn.fit(20, cbs=LRFinder(num_it=100))
    assert len(learn.recorder.lrs) <= 100
    same(len(learn.recorder.lrs), len(learn.recorder.losses))
    if len(learn.recorder.lrs) < 100:
        assert learn.recorder.losses[-1] > 4 * min(learn.recorder.losses)
    planned = (SchedExp(1e-7, 10)(i / 100) for i in range(100))
    same(learn.recorder.lrs, list(islice(planned, len(learn.recorder.lrs))))
    same([len(one) for one in learn.recorder.values], [1 for _ in learn.recorder.values])
    same(parameters_of(learn.model), (slope, offset))
    same(learn.opt.state_dict()["state"], [{}, {}])

with tempfile.TemporaryDirectory() as folder:
    learn = a_learner(Path(folder))
    weights_before = parameters_of(learn.model)
    lr_min, lr_steep = learn.lr_find()
    weights_after = parameters_of(learn.model)
same(weights_before, weights_after)
print(f"a tenth of the lowest: {lr_min:.2e}, steepest: {lr_steep:.2e}")

"""The statements of fastai's pages, in our words and on our data, one after the other.

The scripts beside this file call what the pages call, in their order: a script a page. The imports
and the way in which a learner is made are ours; all else is what the pages write.
"""

import ast
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_digits

from gluon_lr import Learner
from gluon_lr._mxnet import mx

HERE = Path(__file__).parent
PAGES = {"fastai2_schedules": 61, "fastai2_finder": 21, "fastai1_finder": 11}
QUARTERS = [0.0, 0.25, 0.5, 0.75, 1.0]
data = mx.gluon.data


class Line(mx.gluon.nn.Dense):
    """A line through points: a slope and an offset."""


def a_learner(path=None, lr=1e-3):
    """Fit a line through noisy points, 10 batches an epoch, as fastai's tests do."""
    mx.random.seed(0)
    np.random.seed(0)
    random.seed(0)
    x = np.random.randn(160, 1).astype("float32")
    y = 2 * x + 3 + 0.1 * np.random.randn(160, 1).astype("float32")
    loader = data.DataLoader(data.ArrayDataset(x, y), 16, shuffle=True)
    learner = Learner(
        Line(1, in_units=1),
        loader,
        loss=mx.gluon.loss.L2Loss(),
        optimizer_params={"learning_rate": lr, "momentum": 0.9},
        valid_loader=loader,
    )
    learner.progress = False
    return learner


def parameters_of(net):
    return tuple(float(one.data().asnumpy().ravel()[0]) for one in net.collect_params().values())


def small_net():
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(16, activation="relu"), mx.gluon.nn.Dense(2))
    return net


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def same(found, expected):
    if isinstance(found, np.ndarray):
        found = found.tolist()
    assert found == expected


def statements_of(page):
    return ast.parse((HERE / f"{page}.py").read_text(encoding="utf-8")).body


def run(page, names):
    """Run a page's statements, and return the value of each that is an expression."""
    values = []
    for statement in statements_of(page):
        lines = f"{page}.py, line {statement.lineno}"
        if isinstance(statement, ast.Expr):
            values.append(eval(compile(ast.Expression(statement.value), lines, "eval"), names))
        else:
            exec(compile(ast.Module([statement], []), lines, "exec"), names)
    return values


@pytest.fixture
def names():
    """Return what the pages have from their own imports, and the learner."""
    yield {
        "ArrayDataset": data.ArrayDataset,
        "DataLoader": data.DataLoader,
        "QUARTERS": QUARTERS,
        "TemporaryDirectory": TemporaryDirectory,
        "a_learner": a_learner,
        "close": close,
        "learn": a_learner(),
        "load_digits": load_digits,
        "mx": mx,
        "np": np,
        "parameters_of": parameters_of,
        "plt": plt,
        "same": same,
        "small_net": small_net,
    }
    plt.close("all")


def test_these_are_all_of_the_pages_statements():
    assert {page: len(statements_of(page)) for page in PAGES} == PAGES
    assert sum(PAGES.values()) == 93


@pytest.mark.filterwarnings("ignore:Learner. nothing is frozen:UserWarning")
def test_fastai_2_schedules(names, capsys):
    run("fastai2_schedules", names)
    assert capsys.readouterr().out.startswith("a tenth of the lowest: ")


def test_fastai_2_finder_leaves_the_optimizer_as_it_is(names):
    first, second, third = [
        value for value in run("fastai2_finder", names) if isinstance(value, np.ndarray)
    ]
    assert np.abs(first).max() > 0
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)


def test_fastai_1_prints_the_steepest_rate(names, capsys):
    assert names["learn"].recorder.search is None
    values = run("fastai1_finder", names)
    printed = f"Min numerical gradient: {names['min_grad_lr']:.2E}\n"
    assert names["min_grad_lr"] in values
    assert capsys.readouterr().out == printed

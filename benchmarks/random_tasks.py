"""Random small tasks: no rule of anybody's was chosen on them, and there is no end of them.

The data are those that scikit-learn ships, and generated ones; nets, losses, optimizers, batch
sizes, weight decays and first weights vary. An update takes 1 to 3 ms.
"""

from itertools import count, islice
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
from sklearn import datasets

from gluon_lr._mxnet import mx

from . import tasks
from .tasks import Arrays, Draw, Task, cnn, huber, l1, l2, logistic, mlp, recurrent, softmax

rnn = mx.gluon.rnn
Net = Tuple[str, Callable[[], mx.gluon.Block]]

OPTIMIZERS = {  # and the percentage of the tasks each trains
    "adam": 24,
    "momentum": 19,
    "sgd": 17,
    "rmsprop": 7,
    "nag": 7,
    "nadam": 3,
    "adagrad": 6,
    "lamb": 5,
    "signum": 4,
    "adamax": 4,
    "ftml": 3,
}
BETAS = [(0.9, 0.999), (0.9, 0.999), (0.9, 0.99), (0.8, 0.999), (0.95, 0.999)]
INITIALIZERS = {
    "Xavier": mx.init.Xavier(),
    "MSRAPrelu": mx.init.MSRAPrelu(),
    "Normal": mx.init.Normal(0.1),
}


class Kind(NamedTuple):
    """Data with what can be trained on them."""

    name: str
    data: Draw
    net: Net
    loss: mx.gluon.loss.Loss
    largest_batch: int = 512


def random_tasks(seed: int, how_many: int) -> List[Task]:
    """Return the first tasks of a seed's endless row of them."""
    return list(islice(_tasks(seed), how_many))


def _tasks(seed: int) -> Iterator[Task]:
    random = np.random.RandomState(seed)
    shares = np.array(list(KINDS.values())) / sum(KINDS.values())
    for number in count():
        kind = list(KINDS)[random.choice(len(KINDS), p=shares)](random)
        optimizer, params = _optimizer(random)
        batch_size = _one_of(random, [b for b in BATCH_SIZES if b <= kind.largest_batch])
        initializer = _one_of(random, ["Xavier", "Xavier", "MSRAPrelu", "Normal"])
        settings = "".join(f" {name} {value:g}" for name, value in params.items())
        net = f"{kind.net[0]}, {initializer}"
        name = f"{number}: {kind.name}, {net}, {optimizer}{settings}, batch {batch_size}"
        yield Task(
            name,
            kind.data,
            kind.net[1],
            kind.loss,
            optimizer,
            batch_size,
            params,
            INITIALIZERS[initializer],
        )


def _one_of(random: np.random.RandomState, choices: Sequence[Any]) -> Any:
    return choices[random.randint(len(choices))]


def _optimizer(random: np.random.RandomState) -> Tuple[str, Dict[str, float]]:
    """Draw an optimizer with its settings."""
    shares = np.array(list(OPTIMIZERS.values())) / sum(OPTIMIZERS.values())
    name = str(random.choice(list(OPTIMIZERS), p=shares))
    params: Dict[str, float] = {}
    if name in ("momentum", "nag"):
        params["momentum"] = _one_of(random, [0.9, 0.9, 0.8, 0.95])
    if name == "adam":
        params["beta1"], params["beta2"] = _one_of(random, BETAS)
    if random.rand() < 0.25:
        params["wd"] = _one_of(random, [1e-4, 1e-3, 1e-2])
    return "sgd" if name == "momentum" else name, params


# -- data ------------------------------------------------------------------------------------


BATCH_SIZES = [8, 16, 16, 32, 32, 32, 64, 64, 64, 128, 128, 256, 512]
GENERATED: Dict[str, Callable[..., Arrays]] = {
    "moons": datasets.make_moons,
    "circles": datasets.make_circles,
    "Friedman 1": datasets.make_friedman1,
    "Friedman 2": datasets.make_friedman2,
    "Friedman 3": datasets.make_friedman3,
    "S-curve": datasets.make_s_curve,
    "roll": datasets.make_swiss_roll,
}


def _samples(random: np.random.RandomState) -> int:
    return int(round(150 * (4000 / 150) ** random.rand(), -1))


def _scaled(random: np.random.RandomState, name: str, draw: Draw) -> Tuple[str, Draw]:
    """Bring the columns to one scale, or, a quarter of the times, to scales of their own."""
    if random.rand() < 0.75:
        return name, lambda random: _on_columns(draw(random), tasks.standardised)
    spread = random.uniform(0.2, 0.7)
    return f"{name} of spread scales", lambda random: _on_columns(
        draw(random),
        lambda x: tasks.standardised(x) * np.logspace(-spread, spread, x.shape[1]),
    )


def _on_columns(arrays: Arrays, change: Callable[[np.ndarray], np.ndarray]) -> Arrays:
    return change(arrays[0]), arrays[1]


def _mislabelled(draw: Draw, share: float) -> Draw:
    """Give a share of the samples the label of another."""

    def data(random: np.random.RandomState) -> Arrays:
        x, y = draw(random)
        wrong = random.rand(len(y)) < share
        return x, np.where(wrong, random.permutation(y), y)

    return data


def _generated(name: str, samples: int, noise: float) -> Draw:
    return lambda random: GENERATED[name](samples, noise=noise, random_state=random)


def _with_wrong_labels(random: np.random.RandomState, name: str, draw: Draw) -> Tuple[str, Draw]:
    if random.rand() < 0.7:
        return name, draw
    share = _one_of(random, [0.05, 0.1, 0.2])
    return f"{name} {share:.0%} wrong", _mislabelled(draw, share)


# -- nets ------------------------------------------------------------------------------------


def _mlp(random: np.random.RandomState, outputs: int) -> Net:
    """Draw a linear net or one of up to four hidden layers."""
    depth = random.choice(5, p=[0.15, 0.3, 0.3, 0.15, 0.1])
    width = _one_of(random, [8, 16, 32, 32, 64])
    activation = _one_of(random, ["relu", "relu", "relu", "tanh", "sigmoid"])
    norm, dropout = random.rand() < 0.25, _one_of(random, [0, 0, 0, 0.1, 0.3])
    if not depth:
        return "linear", mlp([], outputs)
    extra = (", norm" if norm else "") + (f", dropout {dropout:g}" if dropout else "")
    name = f"{depth} x {width} {activation}{extra}"
    return name, mlp([width] * depth, outputs, activation, norm, dropout)


def _recurrent(random: np.random.RandomState, outputs: int) -> Net:
    name = _one_of(random, ["GRU", "LSTM", "RNN"])
    units = _one_of(random, [8, 16, 32])
    return f"{name} {units}", recurrent(getattr(rnn, name), units, outputs)


# -- kinds -----------------------------------------------------------------------------------


def classification(random: np.random.RandomState) -> Kind:
    """Several classes."""
    samples, classes = _samples(random), random.randint(2, 9)
    columns = random.randint(10, 41)

    def generated(random: np.random.RandomState) -> Arrays:
        return datasets.make_classification(
            samples, columns, n_informative=7, n_classes=classes, random_state=random
        )

    name = f"{samples} of {classes} classes in {columns} columns"
    draws: Dict[str, Tuple[Draw, int, int]] = {
        name: (generated, classes, samples),
        "digits": (tasks.digits, 10, 1797),
        "wine": (tasks.wine, 3, 178),
        "iris": (tasks.iris, 3, 150),
        "cancer": (tasks.breast_cancer, 2, 569),
    }
    if random.rand() < 0.4:
        name = _one_of(random, list(draws)[1:])
    draw, outputs, size = draws[name]
    name, draw = _with_wrong_labels(random, *_scaled(random, name, draw))
    return Kind(name, draw, _mlp(random, outputs), softmax, size // 2)


def binary(random: np.random.RandomState) -> Kind:
    """Yes or no."""
    samples, noise = _samples(random), random.uniform(0.05, 0.3)

    def hastie(random: np.random.RandomState) -> Arrays:
        x, y = datasets.make_hastie_10_2(samples, random_state=random)
        return x, (y + 1) / 2

    draws: Dict[str, Tuple[Draw, int]] = {
        f"{samples} moons": (_generated("moons", samples, noise), samples),
        f"{samples} circles": (_generated("circles", samples, noise / 2), samples),
        "cancer": (tasks.breast_cancer, 569),
        f"{samples} of Hastie": (hastie, samples),
    }
    name = _one_of(random, list(draws))
    draw, size = draws[name]
    name, draw = _with_wrong_labels(random, *_scaled(random, name, draw))
    return Kind(name, draw, _mlp(random, 1), logistic, size // 2)


def regression(random: np.random.RandomState) -> Kind:
    """One number."""
    samples, noise, columns = _samples(random), random.uniform(0, 1), random.randint(5, 51)

    def linear(random: np.random.RandomState) -> Arrays:
        return datasets.make_regression(
            samples, columns, n_informative=5, noise=30 * noise, random_state=random
        )

    def taught(random: np.random.RandomState) -> Arrays:
        x, y = tasks.taught(random)
        return x[:samples], y[:samples]

    friedman = f"Friedman {random.randint(1, 4)}"
    draws: Dict[str, Draw] = {
        f"{samples} of {friedman}": _generated(friedman, samples, noise if "1" in friedman else 0),
        "diabetes": tasks.diabetes,
        f"{samples} of a linear map of {columns} columns": linear,
        f"{min(samples, 2000)} of a net": taught,
    }
    name = _one_of(random, list(draws))
    raw = draws[name]
    scale, shift = (1, 0) if random.rand() < 0.7 else (random.uniform(0.3, 3), random.randn())

    def label_scaled(random: np.random.RandomState) -> Arrays:
        x, y = raw(random)
        return x, scale * tasks.standardised(y) + shift

    loss = _one_of(random, ["L2", "L2", "L1", "Huber"])
    name, draw = _scaled(random, name, label_scaled)
    losses = {"L2": l2, "L1": l1, "Huber": huber}
    largest = min(samples, 442) // 2
    return Kind(f"{name}, {loss}", draw, _mlp(random, 1), losses[loss], largest)


def multi_label(random: np.random.RandomState) -> Kind:
    """Several labels each."""
    samples, columns, labels = _samples(random), random.randint(10, 41), random.randint(3, 9)

    def generated(random: np.random.RandomState) -> Arrays:
        return datasets.make_multilabel_classification(
            samples, columns, n_classes=labels, random_state=random
        )

    name, draw = _scaled(random, f"{samples} of {labels} labels in {columns} columns", generated)
    return Kind(name, draw, _mlp(random, labels), logistic, samples // 2)


def autoencoder(random: np.random.RandomState) -> Kind:
    """What goes in has to come out, through a narrow layer."""
    samples = _samples(random)

    def to_themselves(surface: str) -> Draw:
        def data(random: np.random.RandomState) -> Arrays:
            x = tasks.standardised(_generated(surface, samples, 0.05)(random)[0])
            return x, x

        return data

    draws: Dict[str, Tuple[Draw, int]] = {
        "digits": (tasks.digits_to_themselves, 64),
        "patches": (tasks.patches, 64),
        f"{samples} of an S-curve": (to_themselves("S-curve"), 3),
        f"{samples} of a roll": (to_themselves("roll"), 3),
    }
    name = _one_of(random, list(draws))
    draw, columns = draws[name]
    narrow, wide = 2 if columns == 3 else _one_of(random, [4, 8, 16]), _one_of(random, [16, 32])
    activation = _one_of(random, ["relu", "tanh"])
    net = mlp([wide, narrow, wide], columns, activation)
    named = (f"{wide}-{narrow}-{wide} {activation}", net)
    return Kind(f"{name} to themselves", draw, named, _one_of(random, [l2, l2, l1]), samples // 2)


def pixels(random: np.random.RandomState) -> Kind:
    """The colours of a photograph by their place."""
    return Kind("pixels", tasks.pixels, _mlp(random, 3), l2)


def sequences(random: np.random.RandomState) -> Kind:
    """What is read step by step."""
    name = _one_of(random, ["waves", "sums", "digits by rows", "words"])
    if name == "words":
        return Kind(name, tasks.words, ("LSTM 32", tasks.speaker), softmax, 64)
    if name == "digits by rows":
        return Kind(name, tasks.digit_rows, _recurrent(random, 10), softmax, 128)
    draw = {"waves": tasks.waves, "sums": tasks.sums}[name]
    return Kind(name, draw, _recurrent(random, 1), _one_of(random, [l2, huber]), 64)


def images(random: np.random.RandomState) -> Kind:
    """Small images of digits."""
    channels = _one_of(random, [[4], [8], [4, 8], [8, 8]])
    norm, dropout = random.rand() < 0.4, _one_of(random, [0, 0, 0.3])
    name, draw = _with_wrong_labels(random, "digits", tasks.digit_images)
    extra = (", norm" if norm else "") + (f", dropout {dropout:g}" if dropout else "")
    named = f"CNN {'-'.join(map(str, channels))}{extra}", cnn(channels, norm, dropout)
    return Kind(name, draw, named, softmax, 64)


KINDS: Dict[Callable[[np.random.RandomState], Kind], int] = {  # and their percentages
    classification: 22,
    binary: 13,
    regression: 21,
    multi_label: 7,
    autoencoder: 12,
    pixels: 4,
    sequences: 12,
    images: 9,
}

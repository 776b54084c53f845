"""The tasks a suggested rate is judged on: data, net, loss, optimizer and batch size of each.

They are small, so that the best rate of each can be found by trying. The data are those that
scikit-learn ships, and generated ones. `CHOSEN_ON` are the tasks the rule was chosen on;
`REPORTED_ON` are for judging it.
"""

from functools import lru_cache
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
from sklearn import datasets

from gluon_lr import Learner
from gluon_lr._mxnet import mx

nn, rnn, losses = mx.gluon.nn, mx.gluon.rnn, mx.gluon.loss
Arrays = Tuple[np.ndarray, np.ndarray]
Draw = Callable[[np.random.RandomState], Arrays]


class Task(NamedTuple):
    """One training problem."""

    name: str
    data: Draw
    net: Callable[[], mx.gluon.Block]
    loss: mx.gluon.loss.Loss
    optimizer: str
    batch_size: int
    optimizer_params: Optional[Dict[str, Any]] = None
    initializer: mx.init.Initializer = mx.init.Xavier()


def shuffled(count: int, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the samples of batch after batch, without end; a batch may span two passes."""
    random = np.random.RandomState(seed)
    indices = np.array([], dtype=np.int64)
    while True:
        while len(indices) < batch_size:
            indices = np.append(indices, random.permutation(count))
        yield indices[:batch_size]
        indices = indices[batch_size:]


class Batches:
    """Shuffled batches of one array pair, without end."""

    def __init__(self, data: np.ndarray, label: np.ndarray, batch_size: int, seed: int) -> None:
        self._data, self._label = mx.nd.array(data), mx.nd.array(label)
        self._batch_size = batch_size
        self._seed = seed

    def __iter__(self) -> Iterator[Tuple[mx.nd.NDArray, mx.nd.NDArray]]:
        for batch in shuffled(len(self._data), self._batch_size, self._seed):
            indices = mx.nd.array(batch)
            yield self._data.take(indices), self._label.take(indices)


class Problem(NamedTuple):
    """A task with its data drawn and split and its net made, from one seed."""

    learner: Learner
    validation: Tuple[mx.nd.NDArray, mx.nd.NDArray]

    def validation_loss(self) -> float:
        """Return the mean loss on the validation samples."""
        data, label = self.validation
        return float(self.learner.loss(self.learner.net(data), label).mean().asscalar())


def order_seed(seed: int, order: int) -> int:
    """Return what the order of the batches is drawn from."""
    return seed + 1000 * order


@lru_cache(maxsize=2)
def drawn(data: Draw, seed: int) -> Tuple[Arrays, Arrays]:
    """Draw a task's data; return what is trained on and what is held out."""
    random = np.random.RandomState(seed)
    x, y = (array.astype(np.float32) for array in data(random))
    shuffled = random.permutation(len(x))
    held = shuffled[: max(len(x) // 4, 40)]
    trained = shuffled[len(held) :]
    return (x[trained], y[trained]), (x[held], y[held])


def make_net(task: Task, seed: int) -> mx.gluon.Block:
    """Make a task's net, its weights drawn from `seed`."""
    mx.random.seed(seed)
    net = task.net()
    net.initialize(task.initializer)
    return net


def make_problem(task: Task, seed: int, order: int = 0) -> Problem:
    """Draw data, split and weights from `seed`, and the order of the batches from both."""
    trained, held = drawn(task.data, seed)
    net = make_net(task, seed)
    net.hybridize()
    learner = Learner(
        net,
        Batches(*trained, task.batch_size, order_seed(seed, order)),
        loss=task.loss,
        optimizer=task.optimizer,
        optimizer_params=task.optimizer_params,
    )
    data, label = held
    return Problem(learner, (mx.nd.array(data), mx.nd.array(label)))


# -- data ------------------------------------------------------------------------------------


def standardised(array: np.ndarray) -> np.ndarray:
    """Bring each column to mean 0 and deviation 1."""
    return (array - array.mean(axis=0)) / (array.std(axis=0) + 1e-9)


def shipped(load: Callable[..., Any]) -> Draw:
    """Make data of one of scikit-learn's loaders, the columns standardised."""

    def data(random: np.random.RandomState) -> Arrays:
        x, y = load(return_X_y=True)
        return standardised(x), y

    return data


def diabetes(random: np.random.RandomState) -> Arrays:
    """Ten measurements and how a disease went on, standardised."""
    x, y = datasets.load_diabetes(return_X_y=True)
    return standardised(x), standardised(y)


def digit_images(random: np.random.RandomState) -> Arrays:
    """1,797 images of 8 x 8 pixels."""
    bunch = datasets.load_digits()
    return bunch.images[:, np.newaxis] / 16, bunch.target


def digit_rows(random: np.random.RandomState) -> Arrays:
    """The same, to be read row by row."""
    bunch = datasets.load_digits()
    return bunch.images / 16, bunch.target


def digits_to_themselves(random: np.random.RandomState) -> Arrays:
    """The same, to be reproduced."""
    x = datasets.load_digits().data / 16
    return x, x


def patches(random: np.random.RandomState) -> Arrays:
    """3,000 patches of 8 x 8 pixels of a photograph, to be reproduced."""
    image = datasets.load_sample_image("flower.jpg").mean(axis=2) / 255
    rows, columns = (random.randint(0, side - 8, 3000) for side in image.shape)
    x = np.stack([image[r : r + 8, c : c + 8].ravel() for r, c in zip(rows, columns)])
    x = x - x.mean()
    return x, x


def pixels(random: np.random.RandomState) -> Arrays:
    """4,000 places in a photograph, with the colour there."""
    image = datasets.load_sample_image("china.jpg") / 255
    place = random.rand(4000, 2)
    rows, columns = (place * np.array(image.shape[:2])).astype(int).T
    return 2 * place - 1, image[rows, columns]


def friedman(random: np.random.RandomState) -> Arrays:
    """Friedman's first regression problem, 1,500 samples."""
    x, y = datasets.make_friedman1(1500, noise=1.0, random_state=random)
    return standardised(x), standardised(y)


def friedman_raw(random: np.random.RandomState) -> Arrays:
    """The same with its label as it is, around 14."""
    x, y = datasets.make_friedman1(1500, noise=1.0, random_state=random)
    return x, y


def linear_in_many(random: np.random.RandomState) -> Arrays:
    """A noisy linear map of 50 columns whose scales differ a hundredfold."""
    x, y = datasets.make_regression(1200, 50, n_informative=20, noise=5, random_state=random)
    return x * np.logspace(-1, 1, 50), standardised(y)


def moons(random: np.random.RandomState) -> Arrays:
    """Two interleaved half circles, 2,000 points."""
    return datasets.make_moons(2000, noise=0.15, random_state=random)


def classes(random: np.random.RandomState) -> Arrays:
    """Five classes in 30 dimensions, a tenth of the labels wrong."""
    return datasets.make_classification(
        2500, 30, n_informative=12, n_classes=5, flip_y=0.1, random_state=random
    )


def taught(random: np.random.RandomState) -> Arrays:
    """What a random net with one hidden layer makes of 20 numbers, with heavy-tailed noise."""
    x = random.randn(2000, 20)
    y = np.tanh(x @ random.randn(20, 30) / 4) @ random.randn(30) / 4
    return x, y + 0.1 * random.standard_t(2, len(y))


def waves(random: np.random.RandomState) -> Arrays:
    """Noisy sines of 20 steps, and the step that follows."""
    start, speed = random.rand(1500, 1) * 6.28, 0.2 + random.rand(1500, 1)
    y = np.sin(start + speed * np.arange(21)) + 0.05 * random.randn(1500, 21)
    return y[:, :20, np.newaxis], y[:, 20]


def sums(random: np.random.RandomState) -> Arrays:
    """Two marked numbers in sequences of 16, and their sum."""
    x = np.zeros((2000, 16, 2))
    x[:, :, 0] = random.rand(2000, 16)
    first, second = random.randint(0, 8, 2000), random.randint(8, 16, 2000)
    rows = np.arange(2000)
    x[rows, first, 1] = x[rows, second, 1] = 1
    return x, x[rows, first, 0] + x[rows, second, 0]


def words(random: np.random.RandomState) -> Arrays:
    """Sequences of a Markov chain over 20 words, and the words that follow."""
    chain = random.dirichlet(np.full(20, 0.15), 20).cumsum(axis=1)
    text = np.zeros((1500, 13))
    text[:, 0] = random.randint(0, 20, 1500)
    for t in range(12):
        below = chain[text[:, t].astype(int)] < random.rand(1500, 1)
        text[:, t + 1] = np.minimum(below.sum(axis=1), 19)
    return text[:, :12], text[:, 1:]


def curve_in_space(random: np.random.RandomState) -> Arrays:
    """1,500 points of an S-shaped surface, to be reproduced."""
    x, _ = datasets.make_s_curve(1500, noise=0.05, random_state=random)
    x = standardised(x)
    return x, x


# -- nets ------------------------------------------------------------------------------------


def stacked(*layers: Callable[[], mx.gluon.Block]) -> Callable[[], mx.gluon.Block]:
    """Make nets of these layers, each made anew."""

    def net() -> mx.gluon.Block:
        block = nn.HybridSequential()
        block.add(*(layer() for layer in layers))
        return block

    return net


def dense(units: int, activation: Optional[str] = None) -> Callable[[], mx.gluon.Block]:
    """Make dense layers."""
    return lambda: nn.Dense(units, activation=activation)


def mlp(
    widths: List[int],
    outputs: int,
    activation: str = "relu",
    norm: bool = False,
    dropout: float = 0,
) -> Callable[[], mx.gluon.Block]:
    """Make nets of dense layers, each followed by what is asked for."""
    layers: List[Callable[[], mx.gluon.Block]] = []
    for width in widths:
        layers.append(dense(width, None if norm else activation))
        if norm:
            layers += [nn.BatchNorm, lambda: nn.Activation(activation)]
        if dropout:
            layers.append(lambda: nn.Dropout(dropout))
    return stacked(*layers, dense(outputs))


def cnn(
    channels: List[int], norm: bool = False, dropout: float = 0
) -> Callable[[], mx.gluon.Block]:
    """Make nets of 3 x 3 convolutions, pooled once, for ten classes."""
    layers: List[Callable[[], mx.gluon.Block]] = []
    for width in channels:
        layers.append(lambda width=width: nn.Conv2D(width, 3, padding=1, use_bias=not norm))
        if norm:
            layers.append(nn.BatchNorm)
        layers.append(lambda: nn.Activation("relu"))
    layers += [nn.MaxPool2D, nn.Flatten]
    if dropout:
        layers.append(lambda: nn.Dropout(dropout))
    return stacked(*layers, dense(10))


class Last(nn.HybridBlock):
    """The last step of a sequence (samples, steps, units)."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803
        """Return (samples, units)."""
        return F.slice_axis(x, axis=1, begin=-1, end=None).flatten()


def recurrent(
    cell: Callable[..., mx.gluon.Block], units: int, outputs: int
) -> Callable[[], mx.gluon.Block]:
    """Make nets that read a sequence and answer at its end."""
    return stacked(lambda: cell(units, layout="NTC"), Last, dense(outputs))


def speaker() -> mx.gluon.Block:
    """Make a net that says at each word which one follows."""
    return stacked(
        lambda: nn.Embedding(20, 16),
        lambda: rnn.LSTM(32, layout="NTC"),
        lambda: nn.Dense(20, flatten=False),
    )()


softmax, l2, l1 = losses.SoftmaxCrossEntropyLoss(), losses.L2Loss(), losses.L1Loss()
huber, logistic = losses.HuberLoss(), losses.SigmoidBinaryCrossEntropyLoss()
momentum = {"momentum": 0.9}
breast_cancer = shipped(datasets.load_breast_cancer)
digits = shipped(datasets.load_digits)
wine, iris = shipped(datasets.load_wine), shipped(datasets.load_iris)

CHOSEN_ON = [
    Task("digits, MLP", digits, mlp([64], 10), softmax, "sgd", 32),
    Task("digits, CNN, norm", digit_images, cnn([16, 32], norm=True), softmax, "sgd", 64, momentum),
    Task("digits, deep MLP", digits, mlp([64] * 6, 10), softmax, "adam", 128),
    Task(
        "digits, CNN, dropout", digit_images, cnn([16], dropout=0.5), softmax, "nag", 32, momentum
    ),
    Task(
        "digits by rows, GRU", digit_rows, recurrent(rnn.GRU, 32, 10), softmax, "sgd", 64, momentum
    ),
    Task("diabetes, linear", diabetes, mlp([], 1), l2, "sgd", 16),
    Task("cancer, MLP, dropout", breast_cancer, mlp([32], 1, dropout=0.3), logistic, "rmsprop", 16),
    Task("Friedman, MLP", friedman, mlp([64], 1), l1, "sgd", 64, momentum),
    Task("moons, MLP", moons, mlp([32, 32], 2), softmax, "adam", 512),
    Task("waves, LSTM", waves, recurrent(rnn.LSTM, 32, 1), l2, "adamax", 32),
    Task("patches, autoencoder", patches, mlp([32, 8, 32], 64), l2, "adam", 128),
    Task("taught, MLP", taught, mlp([64, 64], 1, "tanh"), huber, "sgd", 256, momentum),
    Task("wine, linear", wine, mlp([], 3), softmax, "sgd", 16),
    Task("classes, MLP, norm", classes, mlp([64] * 3, 5, norm=True), softmax, "sgd", 512),
    Task("Friedman raw, MLP", friedman_raw, mlp([32], 1), l2, "adam", 32),
]
REPORTED_ON = [
    Task("digits, linear", digits, mlp([], 10), softmax, "adam", 16),
    Task(
        "digits, deep MLP, norm",
        digits,
        mlp([64] * 5, 10, norm=True),
        softmax,
        "nag",
        256,
        momentum,
    ),
    Task("digits, CNN", digit_images, cnn([16, 32]), softmax, "sgd", 16),
    Task("digits, CNN, both", digit_images, cnn([16, 16], True, 0.3), softmax, "rmsprop", 128),
    Task("digits, autoencoder", digits_to_themselves, mlp([32, 16, 32], 64), l1, "adam", 32),
    Task("diabetes, MLP", diabetes, mlp([32], 1), huber, "adamax", 32),
    Task("cancer, linear", breast_cancer, mlp([], 1), logistic, "sgd", 64, momentum),
    Task("iris, MLP", iris, mlp([16], 3, "tanh"), softmax, "sgd", 16),
    Task("Friedman, MLP, norm", friedman, mlp([64, 64], 1, norm=True), l2, "nag", 512, momentum),
    Task("sums, GRU", sums, recurrent(rnn.GRU, 32, 1), l2, "adam", 64),
    Task("words, LSTM", words, speaker, softmax, "rmsprop", 32),
    Task(
        "curve, autoencoder", curve_in_space, mlp([32, 2, 32], 3, "tanh"), l2, "sgd", 128, momentum
    ),
    Task("columns, linear", linear_in_many, mlp([], 1), l1, "sgd", 128),
    Task("pixels, deep MLP", pixels, mlp([64] * 4, 3), l2, "adam", 512),
    Task("waves, GRU", waves, recurrent(rnn.GRU, 32, 1), huber, "sgd", 32, momentum),
]

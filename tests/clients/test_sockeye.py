"""Sockeye: its command `sockeye.train` by one of our schedules, its transformer in a Learner."""

import random
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from client import Client, ClientChecks, each_of

from gluon_lr import (
    CosineScheduler,
    GradientAccumulation,
    InverseSqrtScheduler,
    Learner,
    LinearWarmUp,
    OneCycleSchedule,
)
from gluon_lr._mxnet import mx

training = pytest.importorskip("sockeye.training", reason="Sockeye is not installed")
train = pytest.importorskip("sockeye.train", reason="Sockeye is not installed")
from sockeye import arguments, lr_scheduler, model, utils  # noqa: E402

LR, BATCH_SIZE, PAIRS = 0.005, 4, 30


class ByOurs(lr_scheduler.LearningRateScheduler):
    """A schedule as Sockeye takes one: it reads and writes the last rate, `lr`."""

    def __init__(self, schedule):
        super().__init__()
        self.schedule = schedule

    def __call__(self, t):
        self.lr = self.schedule(t)
        return self.lr


class ByHand(lr_scheduler.LearningRateScheduler):
    def __init__(self, rates):
        super().__init__()
        self.rates = rates

    def __call__(self, t):
        self.lr = self.rates[max(t, 1) - 1]
        return self.lr


def write_pairs(folder):
    """Write sentences of a few letters, to be said backwards."""
    draw = random.Random(0)
    for part, count in [("train", PAIRS), ("valid", 4)]:
        sentences = [draw.choices("abcdef", k=draw.randint(3, 6)) for _ in range(count)]
        for side, step in [("source", 1), ("target", -1)]:
            lines = "".join(" ".join(one[::step]) + "\n" for one in sentences)
            Path(folder, f"{part}.{side}").write_text(lines, encoding="utf-8")


def parse(folder, *more):
    """Return the arguments of a tiny training, as `sockeye.train` takes them."""
    write_pairs(folder)
    parser = arguments.ConfigArgumentParser()
    arguments.add_train_cli_args(parser)
    return parser.parse_args(
        f"""--source {folder}/train.source --target {folder}/train.target
        --validation-source {folder}/valid.source --validation-target {folder}/valid.target
        --output {folder}/model --num-layers 1 --transformer-model-size 8
        --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 8
        --batch-type sentence --batch-size {BATCH_SIZE} --max-seq-len 6 --bucket-width 6
        --use-cpu --checkpoint-interval 1 --decode-and-evaluate 0 --seed 1
        --no-logfile --loglevel ERROR --initial-learning-rate {LR}""".split()
        + list(more)
    )


def run(folder, updates, *more):
    """Run `sockeye.train`, and return the rates it states for its updates, and its weights."""
    state = train.train(parse(folder, "--max-updates", str(updates), *more))
    rates = [checkpoint["learning-rate"] for checkpoint in state.metrics]
    saved = mx.nd.load(f"{folder}/model/params.{updates:05}")
    return rates, {name: array.asnumpy() for name, array in saved.items()}


@pytest.mark.parametrize(
    "schedule",
    [
        LinearWarmUp(CosineScheduler(6, base_lr=LR), start_lr=0, length=3),
        OneCycleSchedule(start_lr=LR / 10, max_lr=LR, cycle_length=8),
    ],
    ids=repr,
)
def test_its_command_trains_by_our_schedules_and_goes_on(schedule, tmp_path, monkeypatch):
    monkeypatch.setattr(lr_scheduler, "get_lr_scheduler", lambda *_: ByOurs(schedule))
    for updates in (5, 8):
        rates, _ = run(tmp_path, updates)
        assert rates == list(schedule.values(range(1, updates + 1)))


def test_its_command_trains_by_our_inverse_square_root_as_by_its_own(tmp_path, monkeypatch):
    warmup, updates = 4, 7
    own = ["--learning-rate-scheduler-type", "inv-sqrt-decay"]
    (tmp_path / "own").mkdir()
    own_rates, own_weights = run(
        tmp_path / "own", updates, *own, "--learning-rate-warmup", str(warmup)
    )
    ours = InverseSqrtScheduler(warmup, base_lr=LR / warmup**0.5)
    monkeypatch.setattr(lr_scheduler, "get_lr_scheduler", lambda *_: ByOurs(ours))
    (tmp_path / "ours").mkdir()
    rates, weights = run(tmp_path / "ours", updates)
    np.testing.assert_allclose(rates, own_rates, rtol=1e-12)
    for name, array in own_weights.items():
        np.testing.assert_allclose(weights[name], array, rtol=1e-5, atol=1e-7, err_msg=name)


class Transformer(Client):
    """A loader that is a DataIter, and batches that are objects with a dictionary in them."""

    package, name = "sockeye", "transformer"
    lr = LR
    is_killed = True
    contexts, dropout = [mx.cpu(0)], 0.1
    optimizer, update_interval = "adam", 1

    def make(self, **optimizer_params):
        folder = tempfile.TemporaryDirectory()
        more = ["--update-interval", str(self.update_interval), "--optimizer", self.optimizer]
        for part in ("attention", "act", "prepost"):
            more += [f"--transformer-dropout-{part}", str(self.dropout)]
        args = parse(folder.name, *more)
        args.learning_rate_scheduler_type = "none"
        Path(args.output).mkdir()
        utils.seed_rngs(args.seed, ctx=self.contexts)
        longest = args.max_seq_len[0] + 1
        train_iter, valid_iter, data, (source,), (target,) = train.create_data_iters_and_vocabs(
            args, longest, longest, train.use_shared_vocab(args), False, args.output
        )
        sizes = [len(source)], [len(target)]
        net = model.SockeyeModel(train.create_model_config(args, *sizes, longest, longest, data))
        config = train.create_optimizer_config(args)
        net.initialize(config.initializer, ctx=self.contexts)
        net.hybridize(static_alloc=True)
        optimizer_params = {**config.params, "learning_rate": self.lr, **optimizer_params}
        return SimpleNamespace(
            folder=folder,
            config=config,
            net=net,
            losses=train.create_losses(args, sizes[1]),
            train_iter=train_iter,
            valid_iter=valid_iter,
            trainer=mx.gluon.Trainer(net.collect_params(), config.name, optimizer_params),
        )

    def learner(self, my):
        def compute_loss(net, batch):
            outputs = net(batch.source, batch.source_length, batch.target, batch.target_length)
            return my.losses[0](outputs, batch.labels)[0]

        options = {"trainer": my.trainer, "iterations_per_epoch": len(my.train_iter.batch_indices)}
        options["cbs"] = GradientAccumulation(batches=self.update_interval)
        return Learner(my.net, my.train_iter, compute_loss=compute_loss, **options)

    def own_loop(self, my, rates):
        optimizer = my.trainer.optimizer
        ours = optimizer.lr_scheduler
        optimizer.lr_scheduler = ByHand(rates) if ours is None else ByOurs(ours)
        for parameter in my.net.collect_params().values():
            if self.update_interval > 1 and parameter.grad_req == "write":
                parameter.grad_req = "add"
        my.train_iter.reset()
        config = training.TrainerConfig(
            output_dir=my.folder.name,
            early_stopping_metric="perplexity",
            max_params_files_to_keep=1,
            keep_initializations=False,
            max_params_files_to_cache=1,
            cache_strategy="best",
            cache_metric="perplexity",
            checkpoint_interval=1000,
            max_num_checkpoint_not_improved=1000,
            checkpoint_improvement_threshold=0,
            max_updates=len(rates),
            update_interval=self.update_interval,
        )
        training.GluonEarlyStoppingTrainer(
            config, my.config, my.net, my.trainer, my.losses, self.contexts, "float32"
        ).fit(my.train_iter, my.valid_iter)


class Accumulating(Transformer):
    """Two batches an update, whose gradients Sockeye adds up."""

    name = "transformer, accumulating"
    lr, rtol = 0.1, 1e-6
    is_killed = False
    optimizer, update_interval = "sgd", 2


class OnTwoContexts(Transformer):
    """Batches that are split; Adam, since Sockeye's step is as many times as long."""

    name = "transformer, two contexts"
    rtol = 1e-5
    is_killed = False
    contexts, dropout = [mx.cpu(0), mx.cpu(1)], 0


client = each_of(Transformer(), Accumulating(), OnTwoContexts())


class TestSockeye(ClientChecks):
    pass

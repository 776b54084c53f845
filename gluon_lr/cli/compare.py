"""`gluon-lr compare`: compare settings of your own training."""

from typing import Any, Dict, List, Sequence, Union

from .errors import RequestError
from .learners import add_arguments, run_search


def add_to(commands: Any) -> None:
    """Add the command and its arguments."""
    compare = commands.add_parser(
        "compare",
        help="compare settings of your own training",
        description="Compare weight decays, momenta, batch sizes or optimizers for the Learner "
        "that your function returns, with searches or with trials, and print a table.",
    )
    compare.set_defaults(run=run)
    add_arguments(compare)
    compare.add_argument(
        "--set",
        action="append",
        required=True,
        dest="settings",
        metavar="NAME=VALUE,VALUE",
        help="a setting and the values to compare, for example wd=0,1e-4, mom=0.9,0.95, "
        "batch_size=16,32 or optimizer=sgd,adam; may be repeated",
    )
    compare.add_argument(
        "--grid",
        action="store_true",
        help="compare all combinations, instead of one setting at a time",
    )
    compare.add_argument(
        "--tune",
        action="store_true",
        help="compare the held-out losses of trial trainings; takes longer and needs --length",
    )
    compare.add_argument(
        "--length",
        type=int,
        metavar="N",
        help="number of updates of your training (default without --tune: 250)",
    )
    compare.add_argument(
        "--repeats",
        type=int,
        metavar="N",
        help="number of searches for each setting, without --tune (default: 3)",
    )


def run(options: Any) -> Union[str, int]:
    """Run the comparison, and return what to print."""
    values = _read_settings(options.settings)
    if options.tune and options.length is None:
        raise RequestError(
            "--length must be given with --tune: the number of updates of your training"
        )
    if options.tune and options.repeats is not None:
        raise RequestError(
            "--repeats must be omitted with --tune: the race sets the number of trials"
        )
    if options.repeats is not None and options.repeats < 1:
        raise RequestError(f"--repeats must be at least 1, got {options.repeats}")
    return run_search(
        options,
        lambda finder: finder.compare(
            values,
            grid=options.grid,
            tune=options.tune,
            length=options.length,
            repeats=options.repeats,
            seed=options.seed,
            progress=not options.quiet,
        ),
        lambda comparison: comparison.reason if options.quiet else repr(comparison),
    )


def _read_settings(texts: Sequence[str]) -> Dict[str, List[Any]]:
    """Read settings such as `wd=0,1e-4`."""
    settings: Dict[str, List[Any]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        if not (name and values):
            raise RequestError(f"--set must be NAME=VALUE,VALUE, got {text!r}")
        if name == "net":
            raise RequestError(
                "--set net is not possible, because functions create nets. Use Python: "
                "LRFinder(learner).compare({'net': {'narrow': make_narrow, 'wide': make_wide}})"
            )
        if name in settings:
            raise RequestError(f"--set {name} must be given once, with all values: {name}=A,B,C")
        read, kind = _READERS.get(name, (float, "numbers"))
        try:
            settings[name] = [read(value) for value in values.split(",")]
        except ValueError:
            raise RequestError(f"--set {name} must be {kind}, got {values!r}") from None
    return settings


def _optimizer(name: str) -> str:
    from .._mxnet import mx

    mx.optimizer.create(name)
    return name


_READERS: Dict[str, Any] = {
    "batch_size": (int, "integers"),
    "optimizer": (_optimizer, "names of MXNet's optimizers"),
}

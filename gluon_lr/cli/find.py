"""`gluon-lr find`: find a learning rate for your own training."""

from typing import TYPE_CHECKING, Any, Union

from .learners import add_arguments, run_search

if TYPE_CHECKING:
    from ..finder import LRFinderResult


def add_to(commands: Any) -> None:
    """Add the command and its arguments."""
    find = commands.add_parser(
        "find",
        help="find a learning rate for your own training",
        description="Find a rate for the Learner that your function returns, and print it. The "
        "module can also be in the working directory. The search does not change the training.",
    )
    find.set_defaults(run=run)
    add_arguments(find)
    find.add_argument(
        "--length",
        type=int,
        metavar="N",
        help="number of updates of the training that will use the rate (default: 250)",
    )
    find.add_argument(
        "--refine",
        action="store_true",
        help="search again around the suggestion: takes twice as long and gives a better rate",
    )
    find.add_argument(
        "--lr-start", type=float, metavar="RATE", help="first rate of the search (default: 1e-6)"
    )
    find.add_argument(
        "--lr-end", type=float, metavar="RATE", help="last rate of the search (default: 10)"
    )
    find.add_argument(
        "--num-iter",
        type=int,
        metavar="N",
        help="iterations of the search, at least 2 (default: each rate is 1.1 times the previous)",
    )


def run(options: Any) -> Union[str, int]:
    """Run the search, and return what to print."""
    bounds = {"lr_start": options.lr_start, "lr_end": options.lr_end}
    given = {name: value for name, value in bounds.items() if value is not None}
    return run_search(
        options,
        lambda finder: finder.find(
            num_iter=options.num_iter,
            refine=options.refine,
            seed=options.seed,
            progress=not options.quiet,
            length=options.length,
            **given,
        ),
        lambda result: _answer(result) if options.quiet else _told(result),
    )


def _answer(result: "LRFinderResult") -> str:
    if result.interval is None:
        return f"no suggested rate: {result.refusal}"
    low, high = result.interval
    return f"suggested rate: {result.suggestion:.2g} ({low:.2g} to {high:.2g})"


def _told(result: "LRFinderResult") -> str:
    """Return the answer, what to do if there is no rate, and how the search ended."""
    lines = [_answer(result)]
    if result.refusal is not None:
        lines.append(result.refusal.remedy)
        if result.usual is not None:
            lines.append(f"The optimizer's usual rate is {result.usual:.2g}: start from that.")
    rates = f" from rate {result.lrs[0]:.2g} to {result.lrs[-1]:.2g}" if len(result) else ""
    lines.append(f"The search took {len(result)} iterations{rates} and ended: {result.reason}.")
    return "\n".join(lines)

"""The gallery: every public schedule, drawn from its own doctest when the site is built."""

import doctest
import inspect
import re
import shutil
import sys
import textwrap
from pathlib import Path
from typing import List, NamedTuple
from unittest import mock

import numpy as np
from matplotlib.figure import Figure

from gluon_lr import AnnealedSchedule, PlateauScheduler, Schedule
from gluon_lr.plotting import plot_curves
from gluon_lr.schedules.text import NAMES

FOLDER = Path(__file__).parent / "gallery"

PAGE = """
Gallery of schedules
====================

The picture of each schedule shows the example of its documentation. Click on it to read that.

.. grid:: 1 1 2 2
   :gutter: 2
"""

CARD = """
   .. grid-item-card:: {name}
      :img-top: gallery/{name}.svg
      :img-alt: The curve of {name} in its example
      :link: reference/gluon_lr.{name}
      :link-type: doc
      :text-align: left

      {summary}
{formula}
"""

FORMULA = """
      .. code-block:: text

{lines}
"""


class Example(NamedTuple):
    """What the doctest of a schedule's class has made."""

    schedule: Schedule
    asked: List[int]  # the iterations it has asked for
    observed: List[float]  # the metrics it has let the schedule observe
    reduced: List[float]  # and the rate after each


def public_schedules() -> List[type]:
    """Return the classes of the gallery."""
    return sorted([AnnealedSchedule, *NAMES.values()], key=lambda cls: cls.__name__)


def run_doctest(cls: type) -> Example:
    """Run the doctest of a class, and return what it has made.

    Raises
    ------
    ValueError
        When the doctest fails, or makes no instance of the class.
    """
    asked, observed, reduced = [], [], []
    call, observe = cls.__call__, PlateauScheduler.observe

    def noted_call(self, num_update):
        asked.append(num_update)
        return call(self, num_update)

    def noted_observe(self, metric):
        observe(self, metric)
        observed.append(metric)
        reduced.append(self(1))

    doc, module = inspect.getdoc(cls), sys.modules[cls.__module__]
    test = doctest.DocTestParser().get_doctest(doc, vars(module), cls.__name__, module.__file__, 0)
    report: List[str] = []
    with mock.patch.object(cls, "__call__", noted_call), mock.patch.object(
        PlateauScheduler, "observe", noted_observe
    ):
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
        runner.run(test, out=report.append, clear_globs=False)
    if report:
        raise ValueError("".join(report))
    made = [value for value in test.globs.values() if type(value) is cls]
    if not made:
        raise ValueError(f"The doctest of {cls.__name__} has to name one, for the gallery to draw.")
    return Example(made[-1], asked, observed, reduced)


def draw(example: Example) -> Figure:
    """Draw the curve until it stays where it is, and a quarter more; or what was observed."""
    figure = Figure(figsize=(4.2, 2.2), layout="constrained")
    ax = figure.subplots()
    if example.observed:
        count = range(1, len(example.observed) + 1)
        curves = {"metric": (count, example.observed), "rate after it": (count, example.reduced)}
        plot_curves(curves, "observation", "", ax)
    else:
        last = max(example.asked, default=1500)
        rates = example.schedule.values(range(last + 1))
        changes = np.flatnonzero(np.diff(rates)) + 1
        end = changes[-1] if len(changes) else last
        example.schedule.plot(end + max(end // 4, 1), ax)
    ax.set_ylim(-0.05 * ax.get_ylim()[1])
    return figure


def summary_of(cls: type) -> str:
    """Return the first line of a class's documentation."""
    return inspect.getdoc(cls).split("\n")[0]


def formula_of(cls: type) -> str:
    """Return the formula in a class's documentation, with each condition on a line of its own."""
    text = inspect.getdoc(cls).split("\nParameters\n")[0].split("\n>>> ")[0]
    found = re.search(r"\n\n((?: +\S.*\n?)+)", text)
    if not found:
        return ""
    lines = re.sub(r"(?<=[^\s,]) {2,}", "\n    ", textwrap.dedent(found.group(1))).splitlines()
    return FORMULA.format(lines="\n".join(" " * 9 + line for line in lines))


def write(app):
    """Write the page and its pictures, to `docs/gallery.rst` and `docs/gallery`."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    page = PAGE
    for cls in public_schedules():
        example = run_doctest(cls)
        draw(example).savefig(FOLDER / f"{cls.__name__}.svg")
        page += CARD.format(name=cls.__name__, summary=summary_of(cls), formula=formula_of(cls))
    FOLDER.with_suffix(".rst").write_text(page)


def setup(app):
    """Connect this module to Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}

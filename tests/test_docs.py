"""The gallery has every public schedule, drawn from its own doctest."""

import io
import runpy
from pathlib import Path

import numpy as np
import pytest

from gluon_lr import ConstantSchedule, schedules

GALLERY = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "gallery.py"))
SCHEDULES = GALLERY["public_schedules"]()


def test_every_public_schedule_is_in_the_gallery():
    names = {cls.__name__ for cls in SCHEDULES}
    public = {name for name in schedules.__all__ if isinstance(getattr(schedules, name), type)}
    assert names == {*public, "AnnealedSchedule"} - {"Schedule"}


@pytest.mark.parametrize("cls", SCHEDULES)
def test_its_doctest_makes_a_picture(cls):
    example = GALLERY["run_doctest"](cls)
    assert type(example.schedule) is cls
    picture = io.BytesIO()
    figure = GALLERY["draw"](example)
    figure.savefig(picture, format="svg")
    assert picture.tell() > 5000
    (ax,) = figure.axes
    rates = ax.lines[-1].get_ydata()
    assert np.ptp(rates) > 0 or cls is ConstantSchedule


def test_an_example_that_asks_for_no_rate_is_drawn():
    example = GALLERY["Example"](ConstantSchedule(0.5), [], [], [])
    (ax,) = GALLERY["draw"](example).axes
    assert len(ax.lines[0].get_ydata()) > 1000


def test_a_plateau_is_drawn_by_observations():
    (plateau,) = (cls for cls in SCHEDULES if hasattr(cls, "observe"))
    example = GALLERY["run_doctest"](plateau)
    assert example.observed == [3.0, 2.0, 2.0, 2.5]
    assert example.reduced == [1.0, 1.0, 1.0, 0.5]


def described(doc):
    return type("Mine", (ConstantSchedule,), {"__doc__": doc, "__module__": __name__})


@pytest.mark.parametrize("doc", ["Mine.", "Mine.\n\n>>> other = ConstantSchedule(lr=0.5)"])
def test_a_schedule_that_its_doctest_does_not_make_is_refused(doc):
    with pytest.raises(ValueError, match="The doctest of Mine has to name one"):
        GALLERY["run_doctest"](described(doc))


def test_a_doctest_that_fails_is_refused():
    with pytest.raises(ValueError, match=r"Expected:\s+0.6\s+Got:\s+0.5"):
        GALLERY["run_doctest"](described(">>> ConstantSchedule(lr=0.5)(1)\n0.6"))

"""The annealers, against their formulas written out."""

import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gluon_lr import (
    SchedCos,
    SchedExp,
    SchedLin,
    SchedNo,
    SchedPoly,
    annealer,
    annealing,
    combine_scheds,
    combined_cos,
)

POSITIONS = [0, 0.1, 0.25, 0.5, 0.99, 1]
FORMULAS = {
    "lin": (SchedLin, lambda s, e, p: s + p * (e - s)),
    "cos": (SchedCos, lambda s, e, p: s + (1 + math.cos(math.pi * (1 - p))) * (e - s) / 2),
    "no": (SchedNo, lambda s, e, p: s),
    "exp": (SchedExp, lambda s, e, p: s * (e / s) ** p),
    "poly": (lambda s, e: SchedPoly(s, e, 3), lambda s, e, p: s + (e - s) * p**3),
}
ALL = [
    SchedLin(0.1, 2.5),
    SchedCos([1.0, 2.0], [0.5, 4.0]),
    SchedNo(3, 4),
    SchedExp(1e-7, 10),
    SchedPoly(1, 2, power=0.5),
    combined_cos(0.3, 1, 2, 0.1),
    combine_scheds([0.6, 0.3, 0.1], [SchedLin(0, 1), SchedNo(1, 1), SchedExp(1, 0.1)]),
]


@annealer
def SchedSquare(start, end, pos):  # noqa: N802 - fastai's way
    """Go by the square of the position."""
    return start + (end - start) * pos**2


@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_those_of_the_formula(name):
    make, formula = FORMULAS[name]
    for start, end in [(1, 3), (0.7, 0.1), (1e-7, 10)]:
        curve = make(start, end)
        for pos in [*POSITIONS, 1.25]:
            assert curve(pos) == pytest.approx(formula(start, end, pos), rel=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
@given(
    start=st.floats(1e-9, 1e6),
    end=st.floats(1e-9, 1e6),
    pct=st.floats(0, 1),
    middle=st.floats(1e-9, 1e6),
)
def test_ends_are_exact(name, start, end, pct, middle):
    make = FORMULAS[name][0]
    assert make(start, end)(0) == make(start, end)(0.0) == start
    assert make(start, end)(1) == make(start, end)(1.0) == (start if name == "no" else end)
    assert combined_cos(pct, start, middle, end)(1) == end
    assert combined_cos(pct, start, middle, end)(0) == (start if pct else middle)


@pytest.mark.parametrize("curve", ALL, ids=repr)
def test_arrays_of_positions_equal_single_ones(curve):
    positions = np.array(POSITIONS, dtype=float)[:, np.newaxis]
    single = [np.broadcast_to(curve(pos), (2,)) for pos in POSITIONS]
    together = np.broadcast_to(curve(positions), (len(POSITIONS), 2))
    np.testing.assert_allclose(together, single, rtol=1e-15)


def test_arrays_of_ends_are_one_curve_each():
    curve = combined_cos(0.25, np.array([1.0, 2]), np.array([4.0, 8]), np.array([0.5, 1]))
    for pos in POSITIONS:
        one = combined_cos(0.25, 1, 4, 0.5)(pos)
        np.testing.assert_allclose(curve(pos), [one, 2 * one], rtol=1e-15)


def test_a_boundary_belongs_to_the_later_curve():
    curve = combine_scheds([0.25, 0.25, 0.5], [SchedNo(1, 1), SchedNo(2, 2), SchedLin(3, 4)])
    assert [curve(pos) for pos in (0.2499, 0.25, 0.4999, 0.5, 1)] == [1, 2, 2, 3, 4]
    assert curve(np.array([0.2499, 0.25, 0.4999, 0.5, 1])).tolist() == [1, 2, 2, 3, 4]


@pytest.mark.parametrize("pct", [0.0, 1.0])
def test_a_share_of_nothing_gives_no_nan(pct):
    curve = combined_cos(pct, 1, 2, 3)
    values = [curve(pos) for pos in POSITIONS]
    assert np.isfinite(values).all()
    assert (values[0], values[-1]) == ((2, 3) if pct == 0 else (1, 3))
    np.testing.assert_allclose(curve(np.array(POSITIONS)), values, rtol=1e-15)


@pytest.mark.parametrize("pcts", [[0.6, 0.3, 0.1], [0.1] * 10, [1 / 3] * 3])
def test_shares_sum_to_one_within_rounding(pcts):
    assert combine_scheds(pcts, [SchedNo(1, 1)] * len(pcts))(1) == 1


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("curve", [*ALL, SchedSquare(1, 3)], ids=repr)
def test_pickles_give_the_same_curve(curve, protocol):
    again = pickle.loads(pickle.dumps(curve, protocol))
    assert again == curve
    np.testing.assert_array_equal(again(0.3), curve(0.3))


@pytest.mark.parametrize("curve", ALL, ids=repr)
def test_configs_and_reprs_give_the_same_curve(curve):
    config = json.loads(json.dumps(annealing.to_config(curve)))
    assert annealing.from_config(config) == curve
    assert eval(repr(curve), vars(annealing)) == curve


def test_an_annealer_of_ones_own():
    assert SchedSquare(1, 3)(0.5) == 1.5
    assert repr(SchedSquare(1, 3)) == "SchedSquare(start=1.0, end=3.0)"
    assert SchedSquare.__doc__ == "Go by the square of the position."
    assert SchedSquare(1, 3) != SchedLin(1, 3)
    with pytest.raises(ValueError, match="`curve` must be a curve of"):
        annealing.to_config(SchedSquare(1, 3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SchedLin(math.nan, 1), "SchedLin: `start` must be a finite number"),
        (lambda: SchedCos(0, [1, math.inf]), "SchedCos: `end` must be a finite number or an array"),
        (lambda: SchedLin(["a"], 1), "`start` must be a finite number or an array"),
        (lambda: SchedExp(0, 1), "SchedExp: `start` must be above 0, got 0"),
        (lambda: SchedPoly(0, 1, 0), "`power` must be a finite number above 0"),
        (lambda: combined_cos(1.5, 0, 1, 0), "combined_cos: `pct` must be a finite number from 0"),
        (lambda: combine_scheds([0.5, 0.4], ALL[:2]), "`pcts` must be shares that sum to 1"),
        (lambda: combine_scheds([], []), "`pcts` must be shares that sum to 1"),
        (
            lambda: combine_scheds([1], ALL[:2]),
            "`scheds` must be 1 curves, one for each share in `pcts`, got 2",
        ),
        (lambda: combine_scheds([-1, 2], ALL[:2]), "`pcts` must be a finite number of at least 0"),
        (lambda: annealing.from_config({"class": "SchedLin"}), "must be what to_config returns"),
        (lambda: annealing.from_config({"class": "os.system", "arguments": {}}), "to_config"),
    ],
)
def test_what_is_no_curve_raises(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [lambda: SchedLin("0", 1), lambda: combine_scheds([1], [3])])
def test_what_is_no_number_raises(make):
    with pytest.raises(TypeError, match="must be"):
        make()

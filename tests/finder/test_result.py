"""What a search found, as a sequence, as text and as JSON."""

import json

import numpy as np
import pytest

from gluon_lr import LRFinderResult, Refusal, StopReason, TuneResult

LRS = 1e-6 * 1.1 ** np.arange(150)
LOSSES = 2.3 - 2 / (1 + (0.01 / LRS) ** 2) + (LRS / 0.3) ** 4
RISING = LRFinderResult(LRS, np.exp(LRS), StopReason.REACHED_END, usual=0.45)


def test_is_a_sequence_of_pairs():
    result = LRFinderResult([0.1, 0.2, 0.4], [3, 2, 1], StopReason.REACHED_END)
    assert list(result) == [(0.1, 3.0), (0.2, 2.0), (0.4, 1.0)]
    assert result[-1] == (0.4, 1.0)
    assert result[1:] == [(0.2, 2.0), (0.4, 1.0)]
    assert (0.2, 2.0) in result
    assert [lr for lr, _ in result] == [0.1, 0.2, 0.4]
    with pytest.raises(IndexError):
        result[3]


def test_prints_well():
    empty = LRFinderResult([], [], StopReason.REACHED_END)
    assert repr(empty) == "LRFinderResult(0 iterations, all rates were tried)"
    found = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED)
    assert repr(found) == (
        "LRFinderResult(150 iterations from lr 1e-06 to 1.47, the smoothed loss diverged, "
        f"suggestion {found.suggestion:.3g}, {found.interval[0]:.2g} to {found.interval[1]:.2g})"
    )
    assert repr(RISING).endswith(f"no suggestion: {Refusal.RISING}; the usual rate is 0.45)")
    title = " ".join(RISING.plot().get_title().split())
    assert title.startswith(f"No rate suggested: {Refusal.RISING}; the usual rate is 0.45")


def test_is_a_small_table_in_a_notebook():
    found = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED)
    low, high = found.interval
    assert f"<td>{found.suggestion:.3g}</td><td>{low:.2g} to {high:.2g}</td><td>150</td>" in (
        found._repr_html_()
    )
    assert f"<td>{Refusal.RISING}</td><td>0.45</td><td>150</td>" in RISING._repr_html_()


def test_a_notebook_shows_a_name_that_looks_like_a_tag():
    tuned = TuneResult(0.1, None, [], 0, None, None, 60, 240, "<lambda>", None, False)
    assert "60 updates of &lt;lambda&gt;" in tuned._repr_html_()


@pytest.mark.parametrize(
    ("length", "factor"), [(None, 1), (250, 1), (50, 5**0.35), (2500, 10**-0.47), (1, 250**0.35)]
)
def test_the_suggestion_is_for_a_length(length, factor):
    plain = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED)
    result = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED, length=length)
    assert result.suggestion == pytest.approx(plain.suggestion * factor)
    refined = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED, refined=plain, length=length)
    assert refined.suggestion == result.suggestion


def test_the_suggestion_for_a_length_stays_within_the_finite_part_of_the_search():
    losses = np.r_[LOSSES[:140], np.nan]
    short = LRFinderResult(LRS[:141], losses, StopReason.NOT_FINITE, length=1)
    long = LRFinderResult(LRS[60:141], losses[60:], StopReason.NOT_FINITE, length=10**9)
    assert short.suggestion <= LRS[139]
    assert long.suggestion == LRS[60]


@pytest.mark.parametrize(("passes", "decades"), [(None, 0.83), (0.1, 0.5), (1, 0.5), (100, 1.16)])
def test_the_interval_grows_with_the_passes(passes, decades):
    result = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED, length=60, passes=passes)
    low, high = result.interval
    assert np.log10(high / result.suggestion) == pytest.approx(decades)
    assert np.log10(result.suggestion / low) == pytest.approx(decades)
    assert LRFinderResult(LRS, np.ones(150), StopReason.STOPPED, passes=passes).interval is None


def test_a_slow_search_on_held_out_data_suggests_less_than_the_rate_of_its_lowest_loss():
    slow = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED, held_out=True)
    assert slow.suggestion == pytest.approx(0.7 * LRS[np.argmin(LOSSES)], rel=0.1)
    assert slow.refusal is None
    flat = LRFinderResult(LRS, np.ones(150), StopReason.REACHED_END, held_out=True)
    assert (flat.suggestion, flat.refusal) == (None, Refusal.FLAT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1, 0.2], [3]), "`losses` must be as many as the 2 rates, got 1"),
        (([0.1, 0.2], [3, 2], StopReason.STOPPED, 1), "`num_iter` must be an integer of at least"),
    ],
)
def test_refuses_parts_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        LRFinderResult(*(*arguments, StopReason.REACHED_END)[: max(len(arguments), 3)])


@pytest.mark.parametrize("name", ["length", "passes", "usual"])
def test_refuses_numbers_that_are_not_above_0(name):
    with pytest.raises(ValueError, match=f"LRFinderResult: `{name}` must be .* got 0"):
        LRFinderResult([0.1], [3], StopReason.STOPPED, **{name: 0})


def results():
    plain = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED, 171)
    yield plain
    yield LRFinderResult([], [], StopReason.STOPPED)
    losses = [np.nan, np.inf, -np.inf, 1e300, -0.1]
    yield LRFinderResult(LRS[:5], losses, StopReason.NOT_FINITE)
    slow = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED, held_out=True)
    yield LRFinderResult(
        LRS,
        LOSSES,
        StopReason.DIVERGED,
        runs=[plain, plain],
        refined=slow,
        length=1000,
        passes=2.5,
        usual=0.3,
    )


@pytest.mark.parametrize("result", list(results()), ids=["plain", "empty", "not finite", "nested"])
def test_json_and_back(result):
    text = result.to_json()
    again = LRFinderResult.from_json(text)
    assert again == result
    assert repr(again) == repr(result)
    data = json.loads(text, parse_constant=pytest.fail)
    assert data["suggestion"] == result.suggestion
    assert data["refusal"] == (result.refusal and str(result.refusal))
    assert data["interval"] == (result.interval and list(result.interval))


def test_json_from_before_there_was_a_length_can_be_read():
    result = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED, 171)
    data = json.loads(result.to_json())
    for name in ("interval", "length", "passes", "usual", "held_out"):
        del data[name]
    assert LRFinderResult.from_json(json.dumps(data)) == result


BAD = RISING.to_json().replace('"usual": 0.45', '"usual": "much"')


@pytest.mark.parametrize(
    "text",
    ["", "3", "[]", "{}", "{", '{"lrs": [1], "losses": ["x"]}', '{"lrs": 3, "losses": 3}', BAD],
)
def test_other_json_is_refused(text):
    with pytest.raises(ValueError, match=r"from_json: `text` must be the output of LRFinderRes"):
        LRFinderResult.from_json(text)


def test_results_that_differ_are_not_equal():
    one = LRFinderResult([0.1], [1], StopReason.STOPPED)
    assert one != LRFinderResult([0.1], [2], StopReason.STOPPED)
    assert one != LRFinderResult([0.1], [1], StopReason.DIVERGED)
    assert one != LRFinderResult([0.1], [1], StopReason.STOPPED, 2)
    assert one != LRFinderResult([0.1], [1], StopReason.STOPPED, length=250)
    assert one != [(0.1, 1.0)]
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_a_refining_search_replaces_the_suggestion_where_it_has_one():
    around = LRFinderResult(LRS[60:], LOSSES[60:] + 0.1, StopReason.DIVERGED)
    flat = LRFinderResult(LRS, np.ones(150), StopReason.REACHED_END)
    plain = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED)
    for refined, suggestion in ((around, around.suggestion), (flat, plain.suggestion)):
        result = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED, refined=refined)
        assert result.suggestion == suggestion
        assert result.refusal is None


@pytest.mark.filterwarnings("error")
def test_a_run_that_ended_in_nan_leaves_the_others_their_say():
    first = LRFinderResult(LRS[:3], [1, 2, np.nan], StopReason.NOT_FINITE)
    others = [LRFinderResult(LRS, LOSSES + i, StopReason.DIVERGED) for i in range(2)]
    first.length, first.usual = 60, 0.3
    together = LRFinderResult.of_runs([others[0], first, others[1]])
    assert (together.length, together.usual) == (60, 0.3)
    assert len(together) == 3
    assert together.reason is StopReason.NOT_FINITE
    assert np.isnan(together.losses[2])

"""What a search found, as a sequence, as text and as JSON."""

import json

import numpy as np
import pytest

from gluon_lr import LRFinderResult, StopReason

LRS = 1e-6 * 1.1 ** np.arange(150)
LOSSES = 2.3 - 2 / (1 + (0.01 / LRS) ** 2) + (LRS / 0.3) ** 4


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
    assert repr(empty) == "LRFinderResult(0 iterations, the search reached its last rate)"
    found = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED)
    assert repr(found) == (
        "LRFinderResult(150 iterations from lr 1e-06 to 1.47, the smoothed loss diverged, "
        f"suggestion {found.suggestion:.3g})"
    )


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


def results():
    plain = LRFinderResult(LRS, LOSSES, StopReason.DIVERGED, 171)
    yield plain
    yield LRFinderResult([], [], StopReason.STOPPED)
    losses = [np.nan, np.inf, -np.inf, 1e300, -0.1]
    yield LRFinderResult(LRS[:5], losses, StopReason.NOT_FINITE)
    yield LRFinderResult(LRS, LOSSES, StopReason.DIVERGED, runs=[plain, plain], refined=plain)


@pytest.mark.parametrize("result", list(results()), ids=["plain", "empty", "not finite", "nested"])
def test_json_and_back(result):
    text = result.to_json()
    again = LRFinderResult.from_json(text)
    assert again == result
    assert repr(again) == repr(result)
    data = json.loads(text, parse_constant=pytest.fail)
    assert data["suggestion"] == result.suggestion
    assert data["refusal"] == (result.refusal and str(result.refusal))


@pytest.mark.parametrize(
    "text",
    ["", "3", "[]", "{}", "{", '{"lrs": [1], "losses": ["x"]}', '{"lrs": 3, "losses": 3}'],
)
def test_other_json_is_refused(text):
    with pytest.raises(ValueError, match=r"from_json: `text` must be what LRFinderResult.to_json"):
        LRFinderResult.from_json(text)


def test_results_that_differ_are_not_equal():
    one = LRFinderResult([0.1], [1], StopReason.STOPPED)
    assert one != LRFinderResult([0.1], [2], StopReason.STOPPED)
    assert one != LRFinderResult([0.1], [1], StopReason.DIVERGED)
    assert one != LRFinderResult([0.1], [1], StopReason.STOPPED, 2)
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
    together = LRFinderResult.of_runs([others[0], first, others[1]])
    assert len(together) == 3
    assert together.reason is StopReason.NOT_FINITE
    assert np.isnan(together.losses[2])

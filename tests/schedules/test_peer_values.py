"""The guide's lines for other libraries' schedules give the rates that those libraries gave."""

import json
import math

import pytest

import gluon_lr
from benchmarks import peer_schedules

LINES = list(peer_schedules.lines())
STORED = json.loads(peer_schedules.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("line", LINES, ids=[f"{line.peer}-{line.call}" for line in LINES])
def test_the_line_gives_the_peers_rates(line):
    schedule = eval(line.ours, {**vars(gluon_lr), "math": math})
    rates = []
    for t, metric in enumerate(peer_schedules.METRICS):
        rates.append(schedule(eval(line.count, {"t": t})))
        if hasattr(schedule, "observe"):
            schedule.observe(metric)
    assert rates == pytest.approx(STORED["rates"][line.peer][line.call], rel=1e-6, abs=1e-9)


def test_what_is_stored_is_what_the_guide_has():
    assert {(line.peer, line.call) for line in LINES} == {
        (peer, call) for peer, calls in STORED["rates"].items() for call in calls
    }
    page = peer_schedules.PAGE.read_text(encoding="utf-8")
    assert page.count("\n| `") == len(LINES)


def test_the_readme_says_which_versions_were_compared():
    text = peer_schedules.FILE.with_name("README.md").read_text(encoding="utf-8")
    for peer, version in STORED["versions"].items():
        assert f"{peer} {version}" in text

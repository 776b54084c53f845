"""A schedule as text and as JSON: what is read, what is refused, and that the place is named."""

import functools
import json
import random
import sys
from importlib import import_module

import numpy as np
import pytest
from schedule_strategies import HIGHEST, leaves, nested  # noqa: F401

import gluon_lr
from gluon_lr import (
    CosineAnnealingSchedule,
    CosineScheduler,
    CyclicalSchedule,
    FactorScheduler,
    LinearWarmUp,
    MultiFactorScheduler,
    PlateauScheduler,
    Schedule,
    TriangularSchedule,
)
from gluon_lr._mxnet import mx
from gluon_lr.schedules import text as text_module

NESTED = LinearWarmUp(
    CyclicalSchedule(CosineAnnealingSchedule, 250, 2, 0.5, min_lr=0.01, max_lr=2),
    start_lr=0,
    length=100,
)
TEXT = (
    "LinearWarmUp(schedule=CyclicalSchedule(schedule_class=CosineAnnealingSchedule, "
    "cycle_length=250, cycle_length_decay=2.0, cycle_magnitude_decay=0.5, min_lr=0.01, max_lr=2), "
    "start_lr=0.0, length=100)"
)
CONFIG = {
    "class": "LinearWarmUp",
    "arguments": {
        "schedule": {
            "class": "CyclicalSchedule",
            "arguments": {
                "schedule_class": {"class": "CosineAnnealingSchedule"},
                "cycle_length": 250,
                "cycle_length_decay": 2.0,
                "cycle_magnitude_decay": 0.5,
                "min_lr": 0.01,
                "max_lr": 2,
            },
        },
        "start_lr": 0.0,
        "length": 100,
    },
}


def test_text_and_config_of_a_nested_schedule():
    assert repr(NESTED) == TEXT
    assert gluon_lr.schedule(TEXT) == NESTED
    assert NESTED.to_config() == CONFIG
    assert Schedule.from_config(CONFIG) == NESTED
    assert Schedule.from_config(json.dumps(CONFIG)) == NESTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TriangularSchedule(-0.0, +1, 10)", TriangularSchedule(0, 1, 10)),
        (
            " MultiFactorScheduler(\n    step=(10, 20),\n    factor=.5,\n)\n",
            MultiFactorScheduler([10, 20], 0.5),
        ),
        (
            "FactorScheduler(1_000, warmup_mode='constant')",
            FactorScheduler(1000, warmup_mode="constant"),
        ),
        ("CosineScheduler(10, base_lr=1e-2)", CosineScheduler(10)),
        (
            "PlateauScheduler(state={'best': -1, 'waited': 2, 'cooling': 0, 'reductions': 1})",
            PlateauScheduler(state={"best": -1.0, "waited": 2, "cooling": 0, "reductions": 1}),
        ),
    ],
)
def test_text_is_read_as_python_writes_it(text, expected):
    assert gluon_lr.schedule(text) == expected


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("", "line 1, column 1", ""),
        ("Foo(1)", "line 1, column 1", "unknown name 'Foo'; known names are CosineSch"),
        ("LinearWarmUp(Foo(1), 0, 10)", "line 1, column 14", "unknown name 'Foo'"),
        ("LinearWarmUp(\nFoo(1), 0, 10)", "line 2, column 1", "unknown name 'Foo'"),
        ("CosineSchedule(10)", "line 1, column 1", "did you mean CosineScheduler"),
        ("LinearWarmUp(CosineScheduler(9), 0)", "line 1, column 1", "LinearWarmUp: missing"),
        ("CosineScheduler(0)", "line 1, column 1", "CosineScheduler: `max_update` must be"),
        ("CosineScheduler(10, nope=1)", "line 1, column 1", "nope"),
        ("CosineScheduler(10, base_lr=1, base_lr=2)", "line 1", ""),
        ("CosineScheduler(10", "line 1, column 19", "is not closed"),
        ("CosineScheduler('a", "line 1", ""),
        ("CosineScheduler", "line 1, column 1", "it is not a call"),
        ("10", "line 1, column 1", "it is not a call"),
        ("CosineScheduler(10) + 1", "line 1, column 21", "unexpected '+'"),
        ("0.5 * CosineScheduler(10)", "line 1, column 5", "unexpected '*'"),
        ("CosineScheduler(9 ** 9 ** 9)", "line 1, column 19", "unexpected '**'"),
        ("CosineScheduler(10).__class__", "line 1, column 20", "unexpected '.'"),
        ("__import__('os')", "line 1, column 1", "unknown name '__import__'"),
        ("CosineScheduler(*[10])", "line 1, column 17", "unexpected '*'"),
        ("CosineScheduler(lambda: 1)", "line 1, column 17", "unexpected 'lambda'"),
        ("CosineScheduler(10)(1)", "line 1, column 1", "unexpected Call"),
        ("CosineScheduler(b'1')", "line 1, column 17", ""),
        ("CosineScheduler(1j)", "line 1, column 17", "unexpected Constant"),
        ("CosineScheduler(10) # no", "line 1, column 21", "unexpected '# no'"),
        ("CosineScheduler(10); 1", "line 1, column 20", "unexpected ';'"),
        ("CosineScheduler(x:=1)", "line 1, column 18", "unexpected ':='"),
        ("PlateauScheduler(state={1: 2})", "line 1", "a key is not a string"),
        ("LinearWarmUp(" * 60 + ")" * 60, "line 1, column 663", "more than 50 levels of br"),
        ("CosineScheduler(" + "-" * 10**5 + "1)", "line 1, column 18", "unexpected '-'"),
        ("CosineScheduler(" + "9" * 10**4 + ")", "line 1, column 1", ""),
        ("CosineScheduler(1\x00)", "line 1", ""),
        ("CosineScheduler(1\ud800)", "line 1", ""),
    ],
)
def test_other_text_is_refused_where_it_goes_wrong(text, place, reason):
    with pytest.raises(ValueError, match="schedule: `text` must be a schedule's constr") as error:
        gluon_lr.schedule(text)
    assert type(error.value) is ValueError
    assert place in str(error.value)
    assert reason in str(error.value)


@pytest.mark.parametrize("text", [None, 1, b"CosineScheduler(10)", CosineScheduler(10)])
def test_text_is_a_string(text):
    with pytest.raises(TypeError, match="schedule: `text` must be a string, got"):
        gluon_lr.schedule(text)


def deep(config, levels):
    for _ in range(levels):
        config = {
            "class": "LinearWarmUp",
            "arguments": {"schedule": config, "start_lr": 0, "length": 1},
        }
    return config


@pytest.mark.parametrize(
    ("config", "place", "reason"),
    [
        ("{", "config:", "it is not JSON"),
        ("[" * 10**5, "config:", "it is not JSON"),
        ("[]", "config:", 'must have a "class" and "arguments"'),
        ("{}", "config:", 'must have a "class" and "arguments"'),
        ({"class": "CosineScheduler"}, "config:", 'must have a "class" and "arguments"'),
        ({"class": "Foo", "arguments": {}}, "config:", "unknown name 'Foo'"),
        ({"class": ["Foo"], "arguments": {}}, "config:", "unknown name ['Foo']"),
        ({"class": "CosineScheduler", "arguments": []}, "config:", '"arguments" (a mapping)'),
        ({"class": "CosineScheduler", "arguments": {}, "x": 1}, "config:", "no other key"),
        ({"class": "CosineScheduler", "arguments": {}}, "config:", "max_update"),
        ({"class": "ConstantSchedule", "arguments": {"lr": 1, "self": 1}}, "config:", "'self'"),
        ({"class": "CosineScheduler", "arguments": {1: 1}}, "['arguments']:", "not a string"),
        (
            {"class": "CosineScheduler", "arguments": {"max_update": {1, 2}}},
            "config['arguments']['max_update']:",
            "unexpected set",
        ),
        (
            '{"class": "CosineScheduler", "arguments": {"max_update": 10, "base_lr": NaN}}',
            "config:",
            "CosineScheduler: `base_lr` must be a finite number",
        ),
        (
            {"class": "MultiFactorScheduler", "arguments": {"step": [1, {"class": "Foo"}]}},
            "config['arguments']['step'][1]:",
            "unknown name 'Foo'",
        ),
        (
            deep({"class": "ConstantSchedule", "arguments": {"lr": 1}}, 60),
            "['schedule']",
            "more than 50 levels",
        ),
    ],
)
def test_other_configs_are_refused_where_they_go_wrong(config, place, reason):
    with pytest.raises(ValueError, match="from_config: `config` must be what to_config") as error:
        Schedule.from_config(config)
    assert type(error.value) is ValueError
    assert place in str(error.value)
    assert reason in str(error.value)


def test_a_config_is_a_mapping_or_text():
    with pytest.raises(TypeError, match="from_config: `config` must be a mapping or JSON text"):
        Schedule.from_config([1])


def test_a_class_reads_its_own_configs():
    assert CosineScheduler.from_config(CosineScheduler(10).to_config()) == CosineScheduler(10)
    with pytest.raises(ValueError, match="must be the config of a FactorScheduler"):
        FactorScheduler.from_config(CosineScheduler(10).to_config())


def test_numpys_numbers_are_written_as_pythons():
    schedule = CyclicalSchedule(
        TriangularSchedule, np.int64(10), min_lr=np.float32(0.1), max_lr=np.int64(1)
    )
    assert gluon_lr.schedule(repr(schedule)) == schedule
    assert Schedule.from_config(json.dumps(schedule.to_config())) == schedule


def test_a_function_has_no_config():
    with pytest.raises(ValueError, match=r"to_config: `schedule\.schedule` must be a schedule of"):
        LinearWarmUp(lambda n: 0.1, 0, 10).to_config()


def test_mxnets_own_is_written_as_the_equal_schedule():
    inner = mx.lr_scheduler.MultiFactorScheduler([10, 20], 0.5, base_lr=1)
    schedule = LinearWarmUp(inner, 0, 10)
    ours = LinearWarmUp(MultiFactorScheduler([10, 20], 0.5, base_lr=1), 0, 10)
    assert schedule == ours
    assert gluon_lr.schedule(repr(schedule)) == ours
    assert Schedule.from_config(schedule.to_config()) == ours


SAMPLES = [TEXT, repr(PlateauScheduler(mode="max")), repr(MultiFactorScheduler([1, 2], 0.5))]
BITS = [
    *"()[]{}=,.:-+*/'\"#\\\n\t @0159eENx_",
    *("None", "lambda ", "not ", " if ", "**", "self", "__class__", "1e999", "nan", "9" * 400),
    *("LinearWarmUp(", "CyclicalSchedule(", "CosineScheduler", "\x00", "\ud800", "é", "((" * 40),
]


def mutated_text(rng):
    text = rng.choice(SAMPLES)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice([*BITS, ""]) + text[at + rng.choice([0, 1, 5, 40]) :]
    return text


def mutated_config(rng):
    config = json.loads(json.dumps(rng.choice([CONFIG, PlateauScheduler(0.5).to_config()])))
    for _ in range(rng.randint(1, 3)):
        part = config
        while isinstance(part, dict) and part and rng.random() < 0.7:
            key = rng.choice(list(part))
            if not isinstance(part[key], dict):
                break
            part = part[key]
        if isinstance(part, dict):
            key = rng.choice([*part, "class", "arguments", "extra", 7])
            part[key] = rng.choice(
                [None, True, -1, 10**400, 1e999, "x", [], {}, [[]], {"class": "Foo"}, {3}, object()]
            )
    return config if rng.random() < 0.8 else json.dumps(config, default=str)[: rng.randrange(400)]


@pytest.mark.filterwarnings("ignore:invalid:SyntaxWarning", "ignore:invalid:DeprecationWarning")
@pytest.mark.parametrize(
    ("read", "mutated", "place"),
    [
        (gluon_lr.schedule, mutated_text, "at line "),
        (Schedule.from_config, mutated_config, "at config"),
    ],
)
def test_ten_thousand_malformed_ones_raise_value_error_and_name_the_place(
    read, mutated, place, monkeypatch
):
    entry_points = functools.lru_cache(None)(text_module._entry_points)  # slow, and always alike
    monkeypatch.setattr(text_module, "_entry_points", entry_points)
    rng = random.Random(5)
    refused = 0
    while refused < 10_000:
        given = mutated(rng)
        try:
            schedule = read(given)
        except ValueError as error:
            assert type(error) is ValueError, given
            assert place in str(error), given
            refused += 1
        else:
            assert isinstance(schedule, Schedule)
            assert schedule(10) >= 0


TINY = """
from gluon_lr import Schedule


class Sawtooth(Schedule):
    def __init__(self, length, base_lr=0.01):
        super().__init__(base_lr)
        self.length = length

    def _rate(self, n):
        return self.base_lr * (1 - n % self.length / self.length)


class Other:
    pass


class CosineScheduler(Sawtooth):
    pass


Renamed = Sawtooth
"""


@pytest.fixture
def register(tmp_path, monkeypatch):
    """Install a tiny package that has schedules of its own, and register them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "tiny_schedules.py").write_text(TINY)

    def write(**entries):
        folder = tmp_path / "tiny_schedules-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: tiny-schedules\nVersion: 1.0\n"
        )
        lines = [f"{name} = {place}" for name, place in entries.items()]
        (folder / "entry_points.txt").write_text("\n".join(["[gluon_lr.schedules]", *lines]))

    yield write
    sys.modules.pop("tiny_schedules", None)


def test_another_packages_schedule_is_text_and_json_once_it_is_registered(register):
    register(Sawtooth="tiny_schedules:Sawtooth")
    schedule = gluon_lr.schedule("LinearWarmUp(Sawtooth(100, base_lr=0.5), 0, 50)")
    assert type(schedule.schedule).__module__ == "tiny_schedules"
    assert schedule(100) == 0.25
    assert gluon_lr.schedule(repr(schedule)) == schedule
    assert Schedule.from_config(json.dumps(schedule.to_config())) == schedule
    cycles = CyclicalSchedule(TriangularSchedule, 10, min_lr=0, max_lr=1) * schedule
    assert Schedule.from_config(cycles.to_config()) == cycles


def test_a_class_may_be_registered_where_its_package_offers_it(register, tmp_path):
    (tmp_path / "tiny_offers.py").write_text("from tiny_schedules import Sawtooth")
    register(Sawtooth="tiny_offers:Sawtooth")
    schedule = 0.5 * gluon_lr.schedule("Sawtooth(100)")
    assert Schedule.from_config(schedule.to_config()) == schedule


def test_a_class_with_the_name_of_one_of_ours_is_not_written(register):
    register(CosineScheduler="tiny_schedules:CosineScheduler")
    schedule = import_module("tiny_schedules").CosineScheduler(100)
    with pytest.raises(ValueError, match="one registered as an entry point"):
        schedule.to_config()


def test_another_packages_schedule_that_is_not_registered_is_refused(register):
    sawtooth = import_module("tiny_schedules").Sawtooth(100)
    with pytest.raises(ValueError, match="one registered as an entry point"):
        (0.5 * sawtooth).to_config()
    with pytest.raises(ValueError, match="unknown name 'Sawtooth'"):
        gluon_lr.schedule(repr(sawtooth))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"Missing": "tiny_schedules:Missing"}, "Missing = tiny_schedules:Missing cannot be loade"),
        ({"Absent": "no_such_module:Absent"}, "cannot be loaded: No module named 'no_such_module'"),
        ({"Other": "tiny_schedules:Other"}, "Other = tiny_schedules:Other is not a Schedule"),
        ({"Renamed": "tiny_schedules:Renamed"}, "is not a Schedule class with that name"),
    ],
)
def test_what_is_registered_wrongly_is_refused(register, entry, message):
    register(**entry)
    with pytest.raises(ValueError, match=message):
        gluon_lr.schedule(f"{next(iter(entry))}(10)")
    with pytest.raises(ValueError, match=message):
        Schedule.from_config({"class": next(iter(entry)), "arguments": {}})


def test_ours_are_read_by_their_names_whatever_is_registered(register):
    register(CosineScheduler="tiny_schedules:Sawtooth", Sawtooh="tiny_schedules:Sawtooth")
    assert type(gluon_lr.schedule("CosineScheduler(10)")) is gluon_lr.CosineScheduler
    with pytest.raises(ValueError, match="did you mean Sawtooh"):
        gluon_lr.schedule("Sawtoooh(10)")

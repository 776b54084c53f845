"""The house: what is public, who imports whom, and what an import asks of the machine."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from forks import FORK

import gluon_lr
from gluon_lr import schedules
from gluon_lr.schedules import text

PACKAGE = Path(gluon_lr.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# from the ground up; a file imports from its own floor and from those below it
GROUND = [
    "_before_mxnet",
    "_check",
    "_deprecation",
    "_extras",
    "_html",
    "_interrupts",
    "_memo",
    "_mxnet",
    "_trainer",
    "_version",
    "events",
    "plotting",
]
ROOMS = [
    "schedules",
    "distributed",
    "state",
    "hyper",
    "data",
    "training",
    "finder",
    "learner",
]
TOP = ["__init__", "__main__", "annealing", "cli", "demo"]
FLOORS = [GROUND, *([room] for room in ROOMS), TOP]
# the one circle: the methods of a Schedule that make others of it
SCHEDULE = "schedules.base"
FLUENT = {
    "schedules.algebra",
    "schedules.compose",
    "schedules.counts",
    "schedules.foreign",
    "schedules.plot",
    "schedules.text",
}


def module_of(path):
    """Return a file's name within the package: 'schedules.base', or 'schedules' for the room's."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {module_of(path): path for path in FILES}


def imports_of(path):
    """Yield the package's modules that a file imports, for type hints and in functions too."""
    package = list(path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            base += node.module.split(".") if node.module else []
            for alias in node.names:
                within = ".".join([*base, alias.name])
                yield within if within in MODULES else ".".join(base)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [getattr(node, "module", None), *(alias.name for alias in node.names)]
            assert not any(name and name.startswith("gluon_lr") for name in names)


def floor_of(module):
    return next(i for i, floor in enumerate(FLOORS) if module.split(".")[0] in floor)


@pytest.mark.parametrize("module", MODULES)
def test_no_import_goes_up(module):
    for imported in imports_of(MODULES[module]):
        assert floor_of(imported) <= floor_of(module), f"{module} imports {imported}"


def test_the_fluent_methods_of_a_schedule_are_the_one_circle():
    below = {module: set(imports_of(path)) for module, path in MODULES.items()}
    assert below[SCHEDULE] >= FLUENT
    below[SCHEDULE] -= FLUENT
    while below:
        free = [module for module in below if not below[module] & below.keys() - {module}]
        assert free, f"a circle in {sorted(below)}"
        for module in free:
            del below[module]


def test_pictures_know_nothing_but_the_grammar_of_errors():
    assert set(imports_of(PACKAGE / "plotting.py")) == {"_check"}


def test_no_room_is_above_a_quarter_of_the_package():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    for room in ROOMS:
        own = sum(count for path, count in lines.items() if PACKAGE / room in path.parents)
        assert own <= sum(lines.values()) / 4, room


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_only_one_module_imports_mxnet(path):
    imports = [
        name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in [getattr(node, "module", None), *(alias.name for alias in node.names)]
        if name
    ]
    if path.name != "_mxnet.py":
        assert not any(name.split(".")[0] == "mxnet" for name in imports)


def test_what_can_be_written_as_text_is_what_is_public():
    classes = {name for name in schedules.__all__ if isinstance(getattr(schedules, name), type)}
    assert set(text.NAMES) == classes - {"Schedule"}
    assert set(schedules.__all__) <= set(gluon_lr.__all__)


def test_the_suggestion_needs_numpy_alone():
    assert list(imports_of(PACKAGE / "finder" / "suggest.py")) == []


@pytest.mark.parametrize("name", gluon_lr.__all__)
def test_public_names_are_there_and_documented(name):
    value = getattr(gluon_lr, name)
    if name == "__version__":
        return
    assert inspect.getdoc(value)
    methods = [m for n, m in vars(value).items() if n[0] != "_"] if inspect.isclass(value) else []
    for method in methods:
        if inspect.isfunction(method) or isinstance(method, property):
            assert inspect.getdoc(method), f"{name}.{method}"


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("annealing", ["SchedLin", "combined_cos", "sched_lin", "to_config"]),
        ("finder", ["LRFinder", "SuggestedLRs", "lr_find"]),
        ("plotting", ["plot_curves", "plot_lr_find", "plot_schedule"]),
        ("schedules", schedules.__all__),
    ],
)
def test_names_are_found_where_users_have_found_them(module, names):
    room = importlib.import_module(f"gluon_lr.{module}")
    for name in {*names, *getattr(room, "__all__", ())}:
        found = getattr(room, name)
        assert found is getattr(gluon_lr, name, found)


def python(code, *options):
    return subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, check=False
    )


def test_an_import_waits_with_mxnet_until_a_name_is_asked_for_and_prints_nothing():
    rooms = [*ROOMS, "annealing", "events", "plotting"]
    code = (
        "import sys, gluon_lr\n"
        "assert 'mxnet' not in sys.modules\n"
        f"assert {{*gluon_lr.__all__, *{rooms}}} <= {{*dir(gluon_lr)}}\n"
        "gluon_lr.Learner\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import mxnet as mx\n"
        "assert mx.nd.ones(2).sum().asscalar() == 2  # with the aliases that NumPy removed\n"
        f"for room in {rooms}: assert getattr(gluon_lr, room).__name__ == 'gluon_lr.' + room\n"
        "assert gluon_lr.finder.lr_find is gluon_lr.lr_find\n"
        "assert gluon_lr.plotting.plot_lr_find is gluon_lr.LRFinderResult.plot\n"
        "assert gluon_lr.plotting.plot_schedule is gluon_lr.plot_schedule"
    )
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def imported_anew(code):
    """Run the code in a fork that has MXNet and nothing of gluon_lr; return its exit code."""

    def run():
        for module in [name for name in sys.modules if name.split(".")[0] == "gluon_lr"]:
            del sys.modules[module]
        exec(code, {})

    process = FORK.Process(target=run)
    process.start()
    process.join()
    return process.exitcode


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("finder", "lr_find"),
        ("finder", "SuggestedLRs"),
        ("plotting", "plot_lr_find"),
        ("plotting", "plot_schedule"),
        ("distributed", "Workers"),
        ("annealing", "SchedLin"),
    ],
)
def test_a_name_may_be_the_first_that_is_asked_for(module, name):
    assert imported_anew(f"from gluon_lr.{module} import {name}; assert {name}.__doc__") == 0


def test_a_star_brings_the_public_names_and_no_modules():
    public = {*gluon_lr.__all__} - {"__version__"}
    brought = "{name for name in globals() if name[:2] != '__'}"
    assert imported_anew(f"from gluon_lr import *; assert {brought} == {public}") == 0


@pytest.mark.parametrize("room", [gluon_lr, gluon_lr.finder, gluon_lr.plotting])
def test_a_name_that_is_not_there_is_an_attribute_error(room):
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(room, "no_such_" + "name")
    assert not hasattr(room, "__wrapped__")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="needs gluon_lr imported first there")
def test_mxnet_may_be_imported_first():
    done = python("import mxnet, gluon_lr; assert gluon_lr.Schedule")
    assert done.returncode == 0, done.stderr


def test_an_mxnet_that_cannot_be_imported_is_an_error_with_the_remedy(tmp_path):
    (tmp_path / "mxnet.py").write_text("raise AttributeError('no attribute PZERO')")
    at_first = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import gluon_lr"
    done = python(f"{at_first}; gluon_lr.__version__; from gluon_lr import Learner")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: gluon_lr: `mxnet` must be importable, got AttributeError")
    assert np.__version__ in last
    assert "pip install" in last


def test_the_module_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "gluon_lr", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"gluon-lr {gluon_lr.__version__}"


def test_the_picture_of_the_house_has_every_module():
    picture = (Path(__file__).parent.parent / "docs" / "house.svg").read_text(encoding="utf-8")
    for path in PACKAGE.rglob("*.py"):
        if not path.name.startswith("__") and path.stem != "_version":
            assert path.stem in picture, path

"""The reference: a page for each public name, as users import it, and what is behind these.

A docstring here is read as plain text first. The marks of formulas and examples that it leaves
out for that, `mark_up` puts in for Sphinx. It calls things as their users do, `gluon_lr.Learner`
or `Learner`, and `resolve` finds their pages.
"""

import importlib
import inspect
import pkgutil
import re
import shutil
from pathlib import Path

import gluon_lr

FOLDER = Path(__file__).parent / "reference"

TITLES = {  # of the rooms, in the order of use
    "schedules": "Schedules",
    "finder": "Find a rate",
    "learner": "Train",
    "callbacks": "Callbacks",
    "events": "Events of a fit",
    "hyper": "Curves, policies and hyper-parameters",
    "data": "Batches",
    "training": "Measures of a training",
    "state": "Checkpoints",
    "distributed": "Several machines",
}

INDEX = """
Reference
=========

.. automodule:: gluon_lr
   :no-members:

.. py:currentmodule:: None

Import every name in these tables from `gluon_lr`; `gluon_lr.__version__` is the version.
:mod:`gluon_lr.plotting` draws the pictures, and :mod:`gluon_lr.annealing` has the curves for
positions from 0 to 1. :doc:`modules` has what the public names take and return.

.. toctree::
   :hidden:

{pages}
   modules
{tables}
"""

TABLE = """
{title}
{underline}

.. autosummary::
   :nosignatures:

{names}
"""

PAGES = """
.. toctree::
   :hidden:

{pages}
"""

MODULES = """
Behind these names
==================

What the public names take and return, by modules.

.. toctree::
   :maxdepth: 1

{modules}
"""

NAME = """
{name}
{underline}

.. py:currentmodule:: gluon_lr

.. {directive}:: {name}
"""

MODULE = """
{name}
{underline}

.. automodule:: {name}
   :exclude-members: {public}
"""


def public_names():
    """Return the public classes and functions by name, without the version."""
    return {name: getattr(gluon_lr, name) for name in gluon_lr.__all__ if name != "__version__"}


PLACES = {f"{o.__module__}.{o.__qualname__}": name for name, o in public_names().items()}


def room_of(name):
    """Return where in the reference a public name belongs."""
    parts = getattr(gluon_lr, name).__module__.split(".")
    return "callbacks" if "callbacks" in parts else parts[1]


def modules_behind():
    """Return the modules that define more than public names, with the public names in them."""
    found = {}
    for module in pkgutil.walk_packages(gluon_lr.__path__, "gluon_lr."):
        if "._" in module.name or module.ispkg or module.name.endswith("__main__"):
            continue
        made = [
            name
            for name, value in vars(importlib.import_module(module.name)).items()
            if (inspect.isclass(value) or inspect.isfunction(value))
            and value.__module__ == module.name
            and not name.startswith("_")
        ]
        public = [name for name in made if f"{module.name}.{name}" in PLACES]
        if len(made) > len(public) or not made:
            found[module.name] = public
    return found


def write(app):
    """Write the pages, to `docs/reference`."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    rooms = {room: sorted(n for n in public_names() if room_of(n) == room) for room in TITLES}
    assert sum(map(len, rooms.values())) == len(public_names()), "TITLES must have every room"
    for room, names in rooms.items():
        pages = _indented(f"{name} <gluon_lr.{name}>" for name in names)
        (FOLDER / f"{room}.rst").write_text(_table(room, names, "=") + PAGES.format(pages=pages))
    for name, thing in public_names().items():
        directive = "autoclass" if inspect.isclass(thing) else "autofunction"
        page = NAME.format(name=name, underline="=" * len(name), directive=directive)
        (FOLDER / f"gluon_lr.{name}.rst").write_text(page)
    behind = modules_behind()
    for name, public in behind.items():
        page = MODULE.format(name=name, underline="=" * len(name), public=", ".join(public))
        (FOLDER / f"{name}.rst").write_text(page)
    (FOLDER / "modules.rst").write_text(MODULES.format(modules=_indented(behind)))
    tables = "".join(_table(room, names, "-") for room, names in rooms.items())
    (FOLDER / "index.rst").write_text(INDEX.format(pages=_indented(rooms), tables=tables))


def _table(room, names, line):
    title = TITLES[room]
    names = _indented(f"~gluon_lr.{name}" for name in names)
    return TABLE.format(title=title, underline=line * len(title), names=names)


def _indented(lines):
    return "\n".join(f"   {line}" for line in lines)


def mark_up(app, what, name, obj, options, lines):
    """Mark formulas, which are indented paragraphs, as code, and the doctest as examples."""
    text = "\n".join(lines)
    text = re.sub(
        r"(^\S.*(?<!::)\n\n)(?= +\S)", r"\1.. code-block:: text\n\n", text, flags=re.MULTILINE
    )
    text = re.sub(r"^(?=>>> )", "Examples\n--------\n", text, count=1, flags=re.MULTILINE)
    lines[:] = text.split("\n")


def resolve(app, env, node, contnode):
    """Find the page of a public name, or else any name that ends like this one."""
    if node.get("refdomain") != "py":
        return None
    parts = node["reftarget"].split(".")
    for end in range(len(parts), 0, -1):
        place = ".".join(parts[:end])
        public = PLACES.get(place, place.replace("gluon_lr.", "", 1))
        if public in gluon_lr.__all__:
            target, exact = ".".join(["gluon_lr", public, *parts[end:]]), True
            break
    else:
        target, exact = node["reftarget"].replace("gluon_lr.", "", 1), False
    node["refspecific"] = not exact
    return env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], target, node, contnode
    )


def setup(app):
    """Connect this module to Sphinx."""
    app.connect("builder-inited", write)
    app.connect("autodoc-process-docstring", mark_up, priority=400)  # before napoleon
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True}

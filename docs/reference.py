"""The reference: a page for each public module of gluon_lr, written when the site is built.

A docstring here is read as plain text first. The marks of formulas and examples that it leaves
out for that, `mark_up` puts in for Sphinx. It calls things as their users do, `gluon_lr.Learner`
or `Learner`, and `resolve` finds where those are defined.
"""

import itertools
import pkgutil
import re
import shutil
from pathlib import Path

import gluon_lr

FOLDER = Path(__file__).parent / "reference"

INDEX = """
Reference
=========

.. automodule:: gluon_lr
   :no-members:

.. py:currentmodule:: None

Every name in these tables can be imported from `gluon_lr`, where `__version__` is the version.
Pictures are drawn by :mod:`gluon_lr.plotting`.

{tables}

Modules
-------

.. toctree::
   :maxdepth: 2

{modules}
"""

TABLE = """
{title}
{underline}

.. autosummary::
   :nosignatures:

{names}
"""

MODULE = """
{name}
{underline}

.. automodule:: {name}
"""

PACKAGE = """
{name}
{underline}

.. automodule:: {name}
   :no-members:

.. toctree::

{modules}
"""


def public_modules():
    """Return the names of all modules in gluon_lr but those that begin with `_`."""
    modules = pkgutil.walk_packages(gluon_lr.__path__, "gluon_lr.")
    return [module.name for module in modules if "._" not in module.name]


def public_names():
    """Return where each public class and function is defined, by the room that it is in."""
    objects = [getattr(gluon_lr, name) for name in gluon_lr.__all__ if name != "__version__"]
    places = sorted((f"{o.__module__}.{o.__qualname__}" for o in objects), key=_room)
    return {room: list(names) for room, names in itertools.groupby(places, key=_room)}


def _room(place):
    return ".".join(place.split(".")[:2])


def write(app):
    """Write the pages, to `docs/reference`."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    tables = [
        TABLE.format(title=room, underline="-" * len(room), names=_indented("~" + n for n in names))
        for room, names in public_names().items()
    ]
    modules = public_modules()
    index = INDEX.format(tables="".join(tables), modules=_entries("gluon_lr", modules))
    (FOLDER / "index.rst").write_text(index)
    for name in modules:
        page = PACKAGE if _entries(name, modules) else MODULE
        page = page.format(name=name, underline="=" * len(name), modules=_entries(name, modules))
        (FOLDER / f"{name}.rst").write_text(page)


def _entries(package, modules):
    """Return the lines of a table of contents of what is directly in a package."""
    parts = [(name, *name.rpartition(".")) for name in modules]
    return _indented(f"{last} <{name}>" for name, parent, _, last in parts if parent == package)


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
    """Find where a public name is defined, or else any name that ends like this one."""
    if node.get("refdomain") != "py":
        return None
    kind, target = node["reftype"], node["reftarget"].replace("gluon_lr.", "", 1)
    name = target.split(".")[0]
    if name in gluon_lr.__all__:
        target = f"{getattr(gluon_lr, name).__module__}.{target}"
    node["refspecific"] = True
    return env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, kind, target, node, contnode
    )


def setup(app):
    """Connect this module to Sphinx."""
    app.connect("builder-inited", write)
    app.connect("autodoc-process-docstring", mark_up, priority=400)  # before napoleon
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True}

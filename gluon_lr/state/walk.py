"""A walk through all objects reachable from an object, to find the holders of values."""

import dis
import functools
import os
import random
import sys
import sysconfig
import weakref
from collections import deque
from enum import Enum
from pathlib import Path
from types import (
    BuiltinMethodType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, Collection, Deque, Dict, Iterator, List, Optional, Set, Tuple

from .._memo import remembered
from .._mxnet import mx
from . import plain
from .generators import can_be_generator, is_generator
from .holders import ClassNames, Fixed, Holder, Items, Names, Slots

_PACKAGE = __name__.split(".")[0]
_OUTSIDE = {"_ctypes", "_io", "_queue", "_socket", "_thread", "_weakref", "concurrent", "ctypes"}
_OUTSIDE |= {"io", "logging", "multiprocessing", "queue", "socket", "threading", "weakref"}
_NOT_WALKED = (
    Enum,
    ModuleType,
    mx.nd.NDArray,
    mx.gluon.Parameter,
    getattr(mx.gluon, "ParameterDict", mx.gluon.Parameter),
    mx.gluon.Trainer,
    mx.optimizer.Optimizer,
)
_PARTS = {
    FunctionType: ("__defaults__", "__kwdefaults__"),
    MethodType: ("__self__", "__func__"),
    BuiltinMethodType: ("__self__",),
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    functools.partial: ("func", "args", "keywords"),
}
_LIBRARIES = tuple(
    str(directory) + os.sep
    for directory in (
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        Path(mx.__file__).parent,
        Path(__file__).parent.parent,
    )
)


def _written_by(owner: type) -> Iterator[str]:
    """Yield the names of the attributes that the methods of a class and its bases write."""
    for base in owner.__mro__:
        for method in vars(base).values():
            if isinstance(method, FunctionType):
                instructions = dis.get_instructions(method)
                yield from (one.argval for one in instructions if one.opname == "STORE_ATTR")


_NAMES_OF_BLOCKS = frozenset(_written_by(mx.gluon.HybridBlock))
_GLOBAL = ".__globals__[{!r}]"


class OwnNames:
    """The attributes that a user has added to an object of this package.

    Such objects are otherwise not walked.

    Parameters
    ----------
    owner : object
        For example a Learner of the user's own class.
    without : collection of str
        The attributes that this package has set.
    """

    def __init__(self, owner: Any, without: Collection[str]) -> None:
        self.owner = owner
        self.without = without


class Walk:
    """A walk through all objects reachable from an object: each once, the nearest first.

    Parameters
    ----------
    root : object
        The first object; its path is empty.

    Attributes
    ----------
    holders : list of Holder
        The holders of values.
    generators : list of (str or None, object)
        The random generators, each with its path.
    arrays : list of mx.nd.NDArray
        MXNet's arrays.
    has_iterator : bool
        Whether there is an iterator, which has only one pass. Iterators in classes and global
        variables do not count.
    """

    def __init__(self, root: Any) -> None:
        self.holders: List[Holder] = []
        self.generators: List[Tuple[Optional[str], Any]] = []
        self.arrays: List[mx.nd.NDArray] = []
        self.has_iterator = False
        self._seen: Dict[int, Any] = {}  # with the objects, as an id is unique only while they live
        self._globals: Set[Tuple[int, str]] = set()  # visited globals of the user's modules
        self._libraries: Set[int] = set()
        self._ahead: Deque[Tuple[Optional[str], Any]] = deque()
        self._visit(Fixed("", {"": root}))
        while self._ahead:
            self._arrive(*self._ahead.popleft())

    def _arrive(self, path: Optional[str], value: Any) -> None:
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if is_generator(value):
            self.generators.append((path, value))
        if isinstance(value, mx.nd.NDArray):
            self.arrays.append(value)
        for holder in self._holders_of(path, value):
            self._visit(holder)

    def _visit(self, holder: Holder) -> None:
        self.holders.append(holder)
        for key, value in holder.read().items():
            if type(value) not in plain.ATOMS and not holder.remembers(value):
                self._ahead.append((holder.path_of(key), value))

    def _holders_of(self, path: Optional[str], value: Any) -> Iterator[Holder]:
        kind: Any = type(value)
        if isinstance(value, type):
            yield from self._of_class(path, value)
        elif isinstance(value, FunctionType):
            yield from self._of_function(path, value)
        elif isinstance(value, OwnNames):
            yield Names(path, vars(value.owner), without=value.without)
        elif not _is_left_out(kind):
            self.has_iterator |= _is_iterator(kind) and _is_held(path)
            yield from _parts_of(path, value)
            yield from _of_instance(path, value)
            if kind.__module__ != "builtins":  # builtin classes hold nothing
                self._ahead.append((path and f"{path}.__class__", kind))

    def _of_class(self, path: Optional[str], owner: type) -> Iterator[Holder]:
        module = sys.modules.get(owner.__module__)
        if module is None or _is_users(vars(module)):
            yield ClassNames(path, owner)
        else:
            yield from self._of_library(path, vars(module))
        bases = enumerate(owner.__bases__)
        yield Fixed(path, {f".__bases__[{i}]": base for i, base in bases})

    def _of_function(self, path: Optional[str], function: FunctionType) -> Iterator[Holder]:
        code, namespace = function.__code__, function.__globals__
        cells = zip(code.co_freevars, function.__closure__ or ())
        slots = {f".__closure__[{name}]": (one, "cell_contents") for name, one in cells}
        if slots:
            yield Slots(path, slots)
        yield Names(path, vars(function))
        if not _is_users(namespace):
            yield from self._of_library(path, namespace)
            return
        yield from _parts_of(path, function)
        new = dict.fromkeys(n for n in _names_in(code) if (id(namespace), n) not in self._globals)
        self._globals.update((id(namespace), name) for name in new)
        if new:
            yield Names(path, namespace, new, form=_GLOBAL)

    def _of_library(self, path: Optional[str], namespace: Dict[str, Any]) -> Iterator[Holder]:
        """Yield the random generators among the globals of a library's module, only once."""
        if id(namespace) not in self._libraries:
            self._libraries.add(id(namespace))
            items = list(namespace.items())
            if any(map(can_be_generator, set(map(type, namespace.values())))):
                found = {name: one for name, one in items if is_generator(one)}
                yield Fixed(path, {_GLOBAL.format(name): one for name, one in found.items()})


def _is_iterator(kind: Any) -> bool:
    """Return whether its position cannot be read: an NDArrayIter has it in attributes."""
    return hasattr(kind, "__next__") and not issubclass(kind, mx.io.NDArrayIter)


def _is_held(path: Optional[str]) -> bool:
    return path is not None and ".__globals__" not in path and ".__class__" not in path


def _parts_of(path: Optional[str], value: Any) -> Iterator[Holder]:
    """Yield the holders in Python's own functions and descriptors, and in containers."""
    for kind, names in _PARTS.items():
        if isinstance(value, kind):
            yield Fixed(path, {f".{name}": getattr(value, name) for name in names})
    if isinstance(value, (list, dict, deque)):
        yield Items(path, value)
    elif isinstance(value, (tuple, set, frozenset)):
        yield Fixed.of_items(path, value)


def _of_instance(path: Optional[str], value: Any) -> Iterator[Holder]:
    kind: Any = type(value)
    without = {"gauss_next"} if isinstance(value, random.Random) else frozenset()
    if isinstance(value, mx.gluon.Block):
        without = _NAMES_OF_BLOCKS
        yield Fixed(path, dict(_children_of(value)))
    namespace = getattr(value, "__dict__", None)
    if type(namespace) is dict:
        yield Names(path, namespace, without=without)
    slots = _slots_of(kind)
    if slots:
        yield Slots(path, {f".{name}": (value, name) for name in slots})


def _children_of(block: mx.gluon.Block) -> Iterator[Tuple[str, Any]]:
    for name, child in block._children.items():
        yield f"._children[{name!r}]", child() if isinstance(child, weakref.ref) else child


@remembered
def _slots_of(kind: Any) -> Tuple[str, ...]:
    """Return the names in the `__slots__` of a class and of its bases."""
    attributes: Dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        attributes.update(vars(base))
    return tuple(
        name
        for name, one in attributes.items()
        if isinstance(one, MemberDescriptorType) and "__slots__" in vars(one.__objclass__)
    )


@remembered
def _is_left_out(kind: Any) -> bool:
    """Return whether objects of a class are neither walked nor changed."""
    modules = [base.__module__.split(".")[:2] for base in kind.__mro__]
    return issubclass(kind, _NOT_WALKED) or any(
        names[0] in _OUTSIDE or (names[0] == _PACKAGE and names[1:] != ["data"])
        for names in modules
    )


def _is_users(namespace: Dict[str, Any]) -> bool:
    """Return whether a module is the user's own and not a library."""
    file = namespace.get("__file__")
    if file is None:
        return namespace.get("__spec__") is None  # a notebook, not a built-in module
    packaged = "site-packages" in file or "dist-packages" in file
    return not packaged and not file.startswith(_LIBRARIES) and not file.endswith((".so", ".pyd"))


def _names_in(code: CodeType) -> Iterator[str]:
    """Yield the names of globals and attributes in a function and in its inner functions."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)

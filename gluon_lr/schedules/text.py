"""Schedules as text and as JSON. Reading finds classes by name; it never evaluates or unpickles."""

import ast
import difflib
import inspect
import io
import json
import keyword
import re
import tokenize
from importlib import metadata
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Tuple, Type, Union

from .. import _check
from . import (
    algebra,
    compose,
    counts,
    cycle,
    decay,
    piecewise,
    plateau,
    power_law,
    warmup_stable_decay,
)
from .base import Schedule

_MODULES = (
    decay,
    plateau,
    cycle,
    power_law,
    piecewise,
    warmup_stable_decay,
    compose,
    counts,
    algebra,
)
NAMES: Dict[str, Type[Schedule]] = {
    name: getattr(module, name) for module in _MODULES for name in module.__all__
}
GROUP = "gluon_lr.schedules"  # entry points by which other packages register their schedules
MAX_DEPTH = 50
_CONSTANTS = ("None", "True", "False")
_OPENING, _CLOSING, _SIGNS = ("(", "[", "{"), (")", "]", "}"), ("+", "-")
_BEFORE_SIGN = (*_OPENING, ",", "=", ":", "")
_OPERATORS = (*_OPENING, *_CLOSING, ",", "=", ":")
_FLAT = (
    tokenize.NUMBER,
    tokenize.STRING,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.ENDMARKER,
)

Fail = Callable[[str], ValueError]


def schedule(text: str) -> Schedule:
    """Return the schedule that `text` describes: a constructor call, as in its `repr`.

    Python's `ast` reads `text`. Only the names of this package's schedules, numbers, strings,
    lists and None are allowed. Nothing is evaluated. Another package can register a class under
    its own name, as an entry point of the group ``gluon_lr.schedules``.

    Parameters
    ----------
    text : str
        The call, with at most 50 nested brackets.

    Raises
    ------
    TypeError
        If `text` is not a string.
    ValueError
        If it is not such a call; the message names the line and the column.

    >>> one = schedule("LinearWarmUp(CosineScheduler(1000, base_lr=0.5), start_lr=0, length=250)")
    >>> one(250), schedule(repr(one)) == one
    (0.5, True)
    """
    if not isinstance(text, str):
        raise TypeError(_check.message("schedule", "text", "a string", text))
    text = text.strip()
    try:
        _check_tokens(text)
        tree = ast.parse(text, mode="eval")
    except tokenize.TokenError:
        raise _text_error(*_place(text, len(text)))("a bracket or string is not closed") from None
    except SyntaxError as error:
        raise _text_error(error.lineno or 1, error.offset or 1)(error.msg) from None
    except (MemoryError, RecursionError) as error:
        raise _text_error(1, 1)(f"it is nested too deeply ({error})") from None
    built = _read_node(tree.body)
    if not isinstance(built, Schedule):
        raise _text_error(1, 1)("it is not a call")
    return built


def to_config(value: Any, place: str = "schedule") -> Any:
    """Return `value`, a schedule or a part of one, as values that JSON can write."""
    if isinstance(value, Schedule) and _is_known(type(value)):
        arguments = value._arguments()
        return {
            "class": type(value).__name__,
            "arguments": {
                name: to_config(argument, f"{place}.{name}") for name, argument in arguments.items()
            },
        }
    if isinstance(value, type) and _is_known(value):
        return {"class": value.__name__}
    if isinstance(value, Mapping):
        return {name: to_config(one, f"{place}[{name!r}]") for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_config(one, f"{place}[{i}]") for i, one in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(
        f"to_config: `{place}` must be a schedule of gluon_lr or of MXNet, one registered as an "
        f"entry point of the group {GROUP}, or a plain value, got {value!r}."
    )


def from_config(config: Union[str, Mapping[str, Any]]) -> Schedule:
    """Return the schedule that `config` describes: a result of :func:`to_config`, or JSON text."""
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except (ValueError, RecursionError) as error:
            raise _config_error("config")(f"it is not JSON ({error})") from None
    elif not isinstance(config, Mapping):
        constraint = "a mapping or JSON text"
        raise TypeError(_check.message("from_config", "config", constraint, config))
    built = _read_config(config, "config", MAX_DEPTH)
    if not isinstance(built, Schedule):
        raise _config_error("config")('it must have a "class" and "arguments"')
    return built


def _check_tokens(text: str) -> None:
    """Check the tokens: brackets of limited depth, signs only at the start of a number.

    Only brackets can then nest, so the depth of the `ast` tree is limited too.
    """
    unreadable = re.search("[\0\ud800-\udfff]", text)
    if unreadable:
        raise _text_error(*_place(text, unreadable.start()))(f"unexpected {unreadable[0]!r}")
    depth, before = 0, ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        fail = _text_error(token.start[0], token.start[1] + 1)
        if not _is_expected(token, before):
            raise fail(f"unexpected {token.string!r}")
        if token.type == tokenize.OP:
            depth += (token.string in _OPENING) - (token.string in _CLOSING)
        if depth > MAX_DEPTH:
            raise fail(f"more than {MAX_DEPTH} levels of brackets")
        before = token.string


def _place(text: str, index: int) -> Tuple[int, int]:
    """Return the line and the column of a character, both from 1."""
    lines = text[:index].split("\n")
    return len(lines), len(lines[-1]) + 1


def _is_expected(token: tokenize.TokenInfo, before: str) -> bool:
    if token.type == tokenize.NAME:
        return token.string in _CONSTANTS or not keyword.iskeyword(token.string)
    if token.type == tokenize.OP and token.string in _SIGNS:
        return before in _BEFORE_SIGN
    if token.type == tokenize.OP:
        return token.string in _OPERATORS
    return token.type in _FLAT


def _read_node(node: ast.AST) -> Any:
    """Return the value of a node of the syntax tree."""
    fail = _text_error(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1)
    if isinstance(node, ast.Constant) and not isinstance(node.value, (bytes, complex)):
        return node.value
    if isinstance(node, ast.UnaryOp):
        number = _read_node(node.operand)
        if isinstance(number, (int, float)):
            return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_read_node(one) for one in node.elts]
    if isinstance(node, ast.Dict):
        return {_read_key(key, fail): _read_node(one) for key, one in zip(node.keys, node.values)}
    if isinstance(node, ast.Name):
        return class_named(node.id, fail)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        cls = class_named(node.func.id, fail)
        named = {str(one.arg): _read_node(one.value) for one in node.keywords}
        if len(named) < len(node.keywords):
            raise fail("an argument is given twice")
        return _construct(cls, [_read_node(one) for one in node.args], named, fail)
    raise fail(f"unexpected {type(node).__name__}")


def _read_key(node: Any, fail: Fail) -> str:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise fail("a key is not a string")
    return node.value


def _read_config(value: Any, place: str, depth: int) -> Any:
    """Return the value of a part of a config."""
    fail = _config_error(place)
    if depth == 0:
        raise fail(f"more than {MAX_DEPTH} levels")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_read_config(one, f"{place}[{i}]", depth - 1) for i, one in enumerate(value)]
    if not isinstance(value, Mapping):
        raise fail(f"unexpected {type(value).__name__}")
    if not all(isinstance(key, str) for key in value):
        raise fail("a key is not a string")
    read = {key: _read_config(one, f"{place}[{key!r}]", depth - 1) for key, one in value.items()}
    if "class" not in read:
        return read
    cls = class_named(read.pop("class"), fail)
    if not read:
        return cls
    arguments = read.pop("arguments", None)
    if read or not isinstance(arguments, dict):
        raise fail('it must have "class", "arguments" (a mapping), and no other key')
    return _construct(cls, [], arguments, fail)


def known_names() -> List[str]:
    """Return the names of all schedules that a text may use, those of other packages last."""
    return [*NAMES, *sorted({entry.name for entry in _entry_points()} - {*NAMES})]


def class_named(name: Any, fail: Fail = ValueError) -> Type[Schedule]:
    """Return the schedule class with this name.

    Raises
    ------
    ValueError
        If there is none, or if a class of another package cannot be loaded.
    """
    if isinstance(name, str) and name in NAMES:
        return NAMES[name]
    registered = {entry.name: entry for entry in _entry_points()}
    if isinstance(name, str) and name in registered:
        return _registered(registered[name], fail)
    known = known_names()
    alike = difflib.get_close_matches(str(name), known)
    remedy = "did you mean " if alike else "known names are "
    raise fail(f"unknown name {name!r}; {remedy}{', '.join(alike or known)}")


def _entry_points() -> Iterable[Any]:
    found: Any = metadata.entry_points()
    return found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())


def _registered(entry: Any, fail: Fail) -> Type[Schedule]:
    """Import a class that another package registers."""
    try:
        cls = entry.load()
    except (ImportError, AttributeError) as error:
        raise fail(
            f"the entry point {entry.name} = {entry.value} cannot be loaded: {error}"
        ) from None
    is_schedule = isinstance(cls, type) and issubclass(cls, Schedule)
    if not is_schedule or cls.__name__ != entry.name:
        raise fail(
            f"the entry point {entry.name} = {entry.value} is not a Schedule class with that name"
        )
    return cls


def _is_known(cls: type) -> bool:
    """Return whether a class can be read back by its name."""
    if cls.__name__ in NAMES:
        return NAMES[cls.__name__] is cls
    own = [one for one in _entry_points() if one.name == cls.__name__]
    return any(_registered(one, _config_error("schedule")) is cls for one in own)


def _construct(
    cls: Type[Schedule], positional: Sequence[Any], named: Dict[str, Any], fail: Fail
) -> Schedule:
    try:
        inspect.signature(cls).bind(*positional, **named)
    except TypeError as error:
        raise fail(f"{cls.__name__}: {error}") from None
    try:
        return cls(*positional, **named)
    except (TypeError, ValueError) as error:
        raise fail(str(error).rstrip(".")) from None


def _text_error(line: int, column: int) -> Fail:
    def fail(reason: str) -> ValueError:
        return ValueError(
            "schedule: `text` must be a schedule's constructor call, got an error "
            f"at line {line}, column {column}: {reason}."
        )

    return fail


def _config_error(place: str) -> Fail:
    def fail(reason: str) -> ValueError:
        return ValueError(
            f"from_config: `config` must be what to_config returns, got an error "
            f"at {place}: {reason}."
        )

    return fail

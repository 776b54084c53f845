"""The arguments and the current state of learning-rate schedulers, as data."""

import copy
import inspect
import math
from typing import Any, Dict, Iterator, List, Mapping, Set

from .._mxnet import mx
from ..schedules import foreign
from ..schedules.base import Schedule
from ..schedules.plateau import PlateauScheduler
from . import schema

_KINDS = (bool, int, float, str, type(None))

_MADE_WITH = schema.Record(
    **{"class": schema.TEXT, "arguments": schema.Maybe(schema.ByName(schema.ANYTHING))}
)
STATEMENT = schema.Maybe(_MADE_WITH)
MEMORY = schema.Record(
    parts=schema.Several(schema.ByName(schema.SCALAR)),
    plateaus=schema.Several(schema.Pair(_MADE_WITH, schema.ANYTHING)),
)


def statement_of(scheduler: Any) -> Any:
    """Return a scheduler's statement: its class and the arguments that it was made with.

    Our schedulers and MXNet's own are written in the same form. Other schedulers have the
    arguments that they store by name. Functions, and objects that are not schedules, have only
    their name.
    """
    if isinstance(scheduler, _KINDS):
        return scheduler
    if isinstance(scheduler, (list, tuple)):
        return [statement_of(one) for one in scheduler]
    if isinstance(scheduler, Mapping):
        return {str(name): statement_of(one) for name, one in scheduler.items()}
    name = getattr(scheduler, "__name__", type(scheduler).__name__)
    is_part = callable(scheduler) and not hasattr(scheduler, "__name__")
    return {"class": name, "arguments": _arguments_of(scheduler) if is_part else None}


def statements_of_plateaus(scheduler: Any) -> List[Any]:
    """Return the statements of the plateau schedules in a scheduler."""
    return [statement_of(one) for one in _plateaus(scheduler)]


def memory_of(scheduler: Any, plateaus: List[Any]) -> Dict[str, Any]:
    """Return the current state of a scheduler and of the schedules in it.

    `plateaus` is the earlier result of :func:`statements_of_plateaus`.
    """
    states = [one.state for one in _plateaus(scheduler)]
    return {
        "parts": [_numbers_of_part(part) for part in _parts(scheduler)],
        "plateaus": [list(pair) for pair in zip(plateaus, states)],
    }


def remember(scheduler: Any, memory: Dict[str, Any]) -> None:
    """Set a scheduler with the same arguments to the state that :func:`memory_of` returned."""
    parts = _parts(scheduler)
    for part, numbers in zip(parts, memory["parts"]):
        vars(part).update(_known(part, numbers))
    for part in reversed(parts):
        if isinstance(part, Schedule):
            part._derive()
    for plateau, (_, state) in zip(_plateaus(scheduler), memory["plateaus"]):
        _observed(plateau, state)


def remember_plateaus(scheduler: Any, plateaus: List[Any], memory: Dict[str, Any]) -> None:
    """Restore the plateau schedules in another scheduler, if they have the same arguments.

    `plateaus` is the result of :func:`statements_of_plateaus` for this scheduler.
    """
    saved = list(memory["plateaus"])
    for plateau, own in zip(_plateaus(scheduler), plateaus):
        for pair in saved:
            if same(pair[0], own):
                _observed(plateau, pair[1])
                saved.remove(pair)
                break


def check(statement: Any, memory: Any, place: str) -> None:
    """Raise a ValueError that names the place if these are not a statement and a state."""
    STATEMENT.check(statement, f"{place}.stated")
    MEMORY.check(memory, f"{place}.now")
    for number, (_, state) in enumerate(memory["plateaus"]):
        where = f"{place}.now.plateaus[{number}][1]"
        schema.PLAIN.check(state, where)
        try:
            PlateauScheduler(state=state)
        except (TypeError, ValueError) as error:
            raise schema.astray(where, "the state of a PlateauScheduler", error) from None


def check_memory(scheduler: Any, memory: Any, place: str) -> None:
    """Raise a ValueError if a scheduler with the same arguments cannot have this state."""
    for name, own in (("parts", _parts(scheduler)), ("plateaus", _plateaus(scheduler))):
        if len(memory[name]) != len(own):
            raise schema.astray(f"{place}.{name}", f"a list of {len(own)} values", memory[name])
    for number, part in enumerate(_parts(scheduler)):
        _check_numbers(part, memory["parts"][number], f"{place}.parts[{number}]")


def describe(statement: Any) -> str:
    """Return a statement as a line of Python."""
    if isinstance(statement, list):
        return f"[{', '.join(map(describe, statement))}]"
    if not isinstance(statement, dict):
        return "none" if statement is None else repr(statement)
    if statement.keys() != {"class", "arguments"}:
        return f"{{{', '.join(f'{name!r}: {describe(statement[name])}' for name in statement)}}}"
    if not isinstance(statement["arguments"], dict):
        return str(statement["class"])
    words = [f"{name}={describe(value)}" for name, value in statement["arguments"].items()]
    return f"{statement['class']}({', '.join(words)})"


def same(one: Any, other: Any) -> bool:
    """Return whether statements are equal; floats may differ by a rounding error."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if schema.is_number(one) and schema.is_number(other):
        return math.isclose(one, other, rel_tol=1e-9)
    return type(one) is type(other) and bool(one == other)


def words_of(owner: Any) -> Set[str]:
    """Return the names of the arguments of an object's class."""
    made_by = [vars(cls)["__init__"] for cls in type(owner).__mro__ if "__init__" in vars(cls)]
    named = {name for init in made_by if init is not object.__init__ for name in _parameters(init)}
    return named | {_STORED_AS[name] for name in named & _STORED_AS.keys()}


def numbers_of(owner: Any) -> Dict[str, Any]:
    """Return the attributes that are numbers, strings, booleans or None."""
    fields = getattr(owner, "__dict__", {})
    return {name: value for name, value in fields.items() if isinstance(value, _KINDS)}


_KIND_OF = {bool: schema.FLAG, int: schema.FLOAT, float: schema.FLOAT, str: schema.TEXT}
_STORED_AS = {"learning_rate": "lr", "eps": "float_stable_eps"}


def _parameters(init: Any) -> Iterator[str]:
    yield from inspect.signature(init).parameters


def _arguments_of(scheduler: Any) -> Dict[str, Any]:
    try:
        ours = foreign.as_ours(scheduler)
    except ValueError:  # an MXNet scheduler that has overwritten its base_lr
        ours = scheduler
    if isinstance(ours, Schedule):
        named = ours._arguments()
    else:
        words = words_of(scheduler)
        named = {name: value for name, value in vars(scheduler).items() if name in words}
    if isinstance(ours, PlateauScheduler):
        named.pop("state", None)
    return {name: statement_of(value) for name, value in named.items()}


def _parts(scheduler: Any) -> List[Any]:
    """Return a scheduler and the schedules in it, always in the same order."""
    found: List[Any] = []
    left = [] if scheduler is None else [scheduler]
    while left:
        part = left.pop(0)
        if isinstance(part, (list, tuple)):
            left += part
            continue
        is_schedule = part is scheduler or isinstance(part, mx.lr_scheduler.LRScheduler)
        if is_schedule and not any(part is one for one in found):
            found.append(part)
            left += _attributes(part).values()
    return found


def _plateaus(scheduler: Any) -> List[PlateauScheduler]:
    return [part for part in _parts(scheduler) if isinstance(part, PlateauScheduler)]


def _attributes(part: Any) -> Dict[str, Any]:
    """Return the attributes of a schedule, without derived ones."""
    return Schedule.__getstate__(part) if isinstance(part, Schedule) else dict(vars(part))


def _numbers_of_part(part: Any) -> Dict[str, Any]:
    names = set(_attributes(part))
    if _is_mxnets(part):
        names -= words_of(part) - {"base_lr"}  # the only argument that MXNet's schedulers change
    return {name: one for name, one in numbers_of(part).items() if name in names}


def _is_mxnets(part: Any) -> bool:
    return type(part).__module__ == mx.lr_scheduler.__name__


def _known(part: Any, numbers: Dict[str, Any]) -> Dict[str, Any]:
    """Return the numbers that a schedule has, or may set later if it is not ours."""
    own = _numbers_of_part(part)
    later = {name for name in numbers if not isinstance(part, Schedule) and not hasattr(part, name)}
    return {name: one for name, one in numbers.items() if name in own or name in later}


def _check_numbers(part: Any, numbers: Dict[str, Any], place: str) -> None:
    own, words = _numbers_of_part(part), words_of(part)
    for name in own.keys() & numbers.keys():
        kind = _KIND_OF.get(type(own[name]), schema.SCALAR)
        if kind is schema.FLOAT and _is_mxnets(part):
            kind = schema.AT_LEAST_0
        elif kind is schema.FLOAT and (isinstance(part, Schedule) or name in words):
            kind = schema.NUMBER
        kind.check(numbers[name], f"{place}[{name!r}]")
    if isinstance(part, Schedule):
        twin = copy.deepcopy(part)
        twin.__dict__.update(_known(part, numbers))
        try:
            type(part)(**twin._arguments())
        except (TypeError, ValueError) as error:
            raise schema.astray(
                place, f"a state that a {type(part).__name__} accepts", error
            ) from None


def _observed(plateau: PlateauScheduler, state: Any) -> None:
    """Set a plateau schedule to a state."""
    plateau._state = PlateauScheduler(state=state)._state

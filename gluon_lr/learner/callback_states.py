"""The states of callbacks: saved with a fit, and restored to continue it."""

from typing import Any, Dict, Iterable, List, Tuple

from ..events import Callback
from ..state import schema

STATES = schema.Several(schema.Record(name=schema.TEXT, data=schema.ANYTHING))
States = List[Dict[str, Any]]


def states_of(callbacks: Iterable[Callback]) -> States:
    """Return the states of the callbacks that have one."""
    named = ((type(one).__name__, one.as_data()) for one in callbacks)
    return [{"name": name, "data": data} for name, data in named if data is not None]


def hand_out(states: States, callbacks: Iterable[Callback]) -> None:
    """Restore states from :func:`states_of`; a callback without a state in it starts anew."""
    for callback, data in _matched(states, callbacks)[0]:
        callback.take_data(data)


def without_taker(states: States, callbacks: Iterable[Callback]) -> List[str]:
    """Return the class names of states for which there is no callback."""
    return [state["name"] for state in _matched(states, callbacks)[1]]


def _matched(
    states: States, callbacks: Iterable[Callback]
) -> Tuple[List[Tuple[Callback, Any]], States]:
    """Return each callback with its data or None, and the states without a callback."""
    left, pairs = list(states), []
    for callback in callbacks:
        name = type(callback).__name__
        state = next((one for one in left if one["name"] == name), None)
        if state is not None:
            left.remove(state)
        pairs.append((callback, None if state is None else state["data"]))
    return pairs, left

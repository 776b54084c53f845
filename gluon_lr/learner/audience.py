"""The callbacks of a learner and of its fit, in the order in which they are called."""

from typing import Dict, List, Optional, Sequence

from ..events import Callback, overrides
from .fitting import Fitting


def in_order(callbacks: Sequence[Callback]) -> List[Callback]:
    """Return callbacks in the order in which they are called, without duplicates."""
    each = {id(one): one for one in callbacks}
    return sorted(each.values(), key=lambda one: one.order)


class Audience:
    """Callbacks in their order and by event, looked up once per fit."""

    def __init__(self) -> None:
        self._own: List[Callback] = []
        self._fitting: Optional[Fitting] = None
        self._all: List[Callback] = []
        self._by_event: Dict[str, List[Callback]] = {}

    def all(self, own: Sequence[Callback], fitting: Optional[Fitting]) -> List[Callback]:
        """Return a learner's own callbacks and those of its fit, in their order."""
        is_as_before = len(own) == len(self._own) and all(a is b for a, b in zip(own, self._own))
        if fitting is not self._fitting or not is_as_before:
            self._own, self._fitting, self._by_event = list(own), fitting, {}
            self._all = in_order([*own, *([] if fitting is None else fitting.callbacks)])
        return self._all

    def of(self, event: str, own: Sequence[Callback], fitting: Optional[Fitting]) -> List[Callback]:
        """Return the callbacks that override an event."""
        several = self.all(own, fitting)
        if event not in self._by_event:
            self._by_event[event] = [one for one in several if overrides(one, event)]
        return self._by_event[event]

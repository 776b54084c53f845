"""Where searches and trials start from, and are put back to."""

from typing import Any, List, Optional, Tuple

from ..state.snapshot import preserved
from ..state.transaction import Together, Transaction
from ..training.hidden_state import HiddenKept


def listed(one_or_several: Any) -> List[Any]:
    """Return a list of what is one or several."""
    several = isinstance(one_or_several, (list, tuple))
    return list(one_or_several) if several else [one_or_several]


def trained_by(learner: Any) -> Tuple[List[Any], List[Any]]:
    """Return the nets and the trainers of a learner, those of its `also` among them."""
    also = list(getattr(learner, "also", ()))
    nets = [*listed(learner.net), *(net for net, _ in also)]
    return nets, [*listed(learner.trainer), *(trainer for _, trainer in also)]


def put_back_after(learner: Any, seed: Optional[int]) -> Transaction:
    """Return a block after which nets, trainers and hidden state are as they were before it."""
    nets, trainers = trained_by(learner)
    hidden = HiddenKept([nets, getattr(learner, "hidden_root", None)])
    return Together(preserved(nets, trainers, seed), hidden)

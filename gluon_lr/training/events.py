"""How what happens within a step is told, and how a step is called off."""


class CancelBatchException(Exception):  # noqa: N818 - fastai's name
    """Raised at an event of a batch, it ends the batch: what was left of it is not done."""


class CancelValidateException(Exception):  # noqa: N818 - fastai's name
    """Raised at an event of a validation, it ends that; what was seen until then counts."""

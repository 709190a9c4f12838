"""Optimisers of generators and critics, and schedules of drift fields."""

from typing import TYPE_CHECKING

from gmdwgf.exports import lazy

if TYPE_CHECKING:
    from gmdwgf.optim.optimizers import (
        SGD as SGD,
        AbstractOptimizer as AbstractOptimizer,
        Adam as Adam,
        RateSchedule as RateSchedule,
    )
    from gmdwgf.optim.schedules import (
        AbstractSchedule as AbstractSchedule,
        Constant as Constant,
        Cosine as Cosine,
        Exponential as Exponential,
        Linear as Linear,
        Step as Step,
    )

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "gmdwgf.optim.optimizers": ["AbstractOptimizer", "Adam", "RateSchedule", "SGD"],
        "gmdwgf.optim.schedules": ["AbstractSchedule", "Constant", "Cosine", "Exponential", "Linear", "Step"],
    },
)

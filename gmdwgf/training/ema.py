"""Exponential moving averages of the parameters, one for each decay.

`training.ema_decay` is a number, and then an average looks like the parameters; or a list, and then there is a tuple of them.
The first is the model that is shown and scored under the plain names; the others are scored beside it as `mmd2@0.9999`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gmdwgf.config.fields import FieldError
from gmdwgf.typing import Array, Float, Scalar

Decay = Scalar | Float[Array, " k"]


def start(decay: Decay, params: Any) -> Any:
    """The averages before the first step: copies of the parameters."""
    copy = lambda: jax.tree.map(jnp.copy, params)
    return copy() if jnp.ndim(decay) == 0 else tuple(copy() for _ in range(decay.shape[0]))


def follow(decay: Decay, step: Array, params: Any, averages: Any) -> Any:
    """The averages after `step`, whose memory is short at the start: the decay is at most (1 + step) / (10 + step) (ours)."""
    decay = jnp.minimum(decay, (1 + step) / (10 + step))
    if jnp.ndim(decay) == 0:
        return optax.incremental_update(params, averages, 1 - decay)
    pairs = zip(averages, decay, strict=True)
    return tuple(optax.incremental_update(params, average, 1 - d) for average, d in pairs)


def of(decay: Decay, averages: Any, wanted: float | None = None) -> Any:
    """The average of the decay `wanted`, of the first one by default. Raises FieldError where there is none of it."""
    every = (averages,) if jnp.ndim(decay) == 0 else averages
    if wanted is None:
        return every[0]
    names = _names(decay)
    if f"{wanted:.6g}" not in names:
        raise FieldError("ema_decay", wanted, f"the run averaged with {', '.join(names)}")
    return every[names.index(f"{wanted:.6g}")]


def suffixes(decay: Decay) -> list[str]:
    """What is put behind the names of metrics: nothing for the first decay, `@0.9999` for another.

    Raises FieldError for two decays of one name.
    """
    names = _names(decay)
    if len(set(names)) < len(names):
        raise FieldError("ema_decay", f"[{', '.join(names)}]", "has a value twice")
    return ["", *(f"@{name}" for name in names[1:])]


def _names(decay: Decay) -> list[str]:
    return [f"{float(value):.6g}" for value in np.ravel(np.asarray(decay))]


def by_suffix(decay: Decay, averages: Any) -> dict[str, Any]:
    """The averages by what is put behind the names of their metrics."""
    every = (averages,) if jnp.ndim(decay) == 0 else averages
    return dict(zip(suffixes(decay), every, strict=True))

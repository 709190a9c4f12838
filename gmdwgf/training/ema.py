"""Exponential moving averages of the parameters, one for each decay.

If `training.ema_decay` is a number, the average has the structure of the parameters; if it is a list, there is a tuple of averages.
The first average is used for samples and for metrics without a suffix; metrics of the others have names such as `mmd2@0.9999`.
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
    """Initialise the averages as copies of the parameters."""
    copy = lambda: jax.tree.map(jnp.copy, params)
    return copy() if jnp.ndim(decay) == 0 else tuple(copy() for _ in range(decay.shape[0]))


def follow(decay: Decay, step: Array, params: Any, averages: Any) -> Any:
    """Update the averages at `step`; the decay is at most (1 + step) / (10 + step), which shortens early averages (ours)."""
    decay = jnp.minimum(decay, (1 + step) / (10 + step))
    if jnp.ndim(decay) == 0:
        return optax.incremental_update(params, averages, 1 - decay)
    pairs = zip(averages, decay, strict=True)
    return tuple(optax.incremental_update(params, average, 1 - d) for average, d in pairs)


def of(decay: Decay, averages: Any, wanted: float | None = None) -> Any:
    """Return the average with decay `wanted`, by default the first. Raises FieldError if there is none."""
    every = (averages,) if jnp.ndim(decay) == 0 else averages
    if wanted is None:
        return every[0]
    names = _names(decay)
    if f"{wanted:.6g}" not in names:
        raise FieldError("ema_decay", wanted, f"the run averaged with {', '.join(names)}")
    return every[names.index(f"{wanted:.6g}")]


def suffixes(decay: Decay) -> list[str]:
    """Suffixes of metric names: empty for the first decay, `@0.9999` for another.

    Raises FieldError if two decays have the same name.
    """
    names = _names(decay)
    if len(set(names)) < len(names):
        raise FieldError("ema_decay", f"[{', '.join(names)}]", "contains a value twice")
    return ["", *(f"@{name}" for name in names[1:])]


def _names(decay: Decay) -> list[str]:
    return [f"{float(value):.6g}" for value in np.ravel(np.asarray(decay))]


def by_suffix(decay: Decay, averages: Any) -> dict[str, Any]:
    """Map suffixes of metric names to averages."""
    every = (averages,) if jnp.ndim(decay) == 0 else averages
    return dict(zip(suffixes(decay), every, strict=True))

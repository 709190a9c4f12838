"""How small networks are told class and guidance scale: beside their noise."""

from typing import Any

import jax
import jax.numpy as jnp

from gmdwgf.networks.functional import Params, default_float
from gmdwgf.typing import Array, Float, Key

LABELS = "labels"
"""Entry of the parameters that holds a vector for each class `[n_classes n]`; only where there are classes."""


def init_labels(key: Key, n_classes: int, n: int) -> Params:
    """A standard normal vector of `n` numbers for each class; nothing where there are none."""
    if not n_classes:
        return {}
    return {LABELS: jax.random.normal(jax.random.fold_in(key, 1), (n_classes, n), default_float())}


def n_condition(n_classes: int, n: int) -> int:
    """How many numbers `told` adds to the noise."""
    return n + 1 if n_classes else 0


def append_condition(params: Params, z: Float[Array, "n l"], condition: Any) -> Float[Array, "n _"]:
    """The noise, and beside it the vector of the label and guidance - 1, if `params` know classes."""
    if LABELS not in params:
        return z
    guidance = condition.guidance.astype(z.dtype)[:, None]
    return jnp.concatenate([z, params[LABELS][condition.label], guidance - 1], axis=1)

"""Condition small networks on class and guidance scale, by appending them to the noise."""

from typing import Any

import jax
import jax.numpy as jnp

from gmdwgf.networks.functional import Params, default_float
from gmdwgf.typing import Array, Float, Key

LABELS = "labels"
"""Key of the parameters with a vector for each class `[n_classes n]`; absent without classes."""


def init_labels(key: Key, n_classes: int, n: int) -> Params:
    """Initialise a standard normal vector `[n]` for each class; empty without classes."""
    if not n_classes:
        return {}
    return {LABELS: jax.random.normal(jax.random.fold_in(key, 1), (n_classes, n), default_float())}


def n_condition(n_classes: int, n: int) -> int:
    """Number of inputs that `append_condition` adds to the noise."""
    return n + 1 if n_classes else 0


def append_condition(params: Params, z: Float[Array, "n l"], condition: Any) -> Float[Array, "n _"]:
    """Append the vector of the label and guidance - 1 to the noise, if `params` contain class vectors."""
    if LABELS not in params:
        return z
    guidance = condition.guidance.astype(z.dtype)[:, None]
    return jnp.concatenate([z, params[LABELS][condition.label], guidance - 1], axis=1)

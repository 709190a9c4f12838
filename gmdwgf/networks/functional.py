"""Use a Flax NNX network functionally: initialise parameters, and rebuild the network from parameters."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx

from gmdwgf.typing import Key

Params = dict
"""Nested dictionaries of arrays."""


def default_float() -> np.dtype:
    """Dtype of new parameters: float32, or float64 if JAX has x64 enabled."""
    return jax.dtypes.canonicalize_dtype(float)


def init(make: Callable[[nnx.Rngs], nnx.Module], key: Key) -> Params:
    """Initialise the parameters of the network that `make` builds."""
    return nnx.to_pure_dict(nnx.state(make(nnx.Rngs(key)), nnx.Param))


def network(make: Callable[[nnx.Rngs], nnx.Module], params: Params) -> Any:
    """Build the network with the given `params`; its structure is rebuilt in each trace."""
    graph, state = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))), nnx.Param)
    nnx.replace_by_pure_dict(state, params)
    return nnx.merge(graph, state)

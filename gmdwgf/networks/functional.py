"""A Flax NNX network as two pure functions: one that makes its parameters, one that puts parameters back into it."""

from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from gmdwgf.typing import Key

Params = dict
"""Nested dictionaries of arrays."""


def default_float() -> Any:
    """The precision of fresh parameters: single, or double where JAX is told to use it."""
    return jax.dtypes.canonicalize_dtype(float)


def init(make: Callable[[nnx.Rngs], nnx.Module], key: Key) -> Params:
    """Fresh parameters of the network that `make` builds."""
    return nnx.to_pure_dict(nnx.state(make(nnx.Rngs(key)), nnx.Param))


def network(make: Callable[[nnx.Rngs], nnx.Module], params: Params) -> Any:
    """The network that `make` builds, holding `params`; its structure is rebuilt inside the trace."""
    graph, state = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))), nnx.Param)
    nnx.replace_by_pure_dict(state, params)
    return nnx.merge(graph, state)

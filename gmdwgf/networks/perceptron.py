"""Multilayer perceptron."""

import functools

import jax
from flax import nnx

from gmdwgf.networks.functional import Params, default_float, init, network
from gmdwgf.typing import Key

ACTIVATIONS = {"silu": jax.nn.silu, "gelu": jax.nn.gelu, "relu": jax.nn.relu, "tanh": jax.nn.tanh}


class Perceptron(nnx.Module):
    """Multilayer perceptron with `depth` hidden layers of `width` units."""

    def __init__(self, n_in: int, n_out: int, width: int, depth: int, activation: str, rngs: nnx.Rngs):
        sizes = [n_in, *[width] * depth]
        pairs = zip(sizes[:-1], sizes[1:], strict=True)
        linear = functools.partial(nnx.Linear, param_dtype=default_float(), rngs=rngs)
        self.hidden = nnx.List([linear(fan_in, fan_out) for fan_in, fan_out in pairs])
        self.out = linear(sizes[-1], n_out)
        self.activation = ACTIVATIONS[activation]

    def __call__(self, h):
        for layer in self.hidden:
            h = self.activation(layer(h))
        return self.out(h)


def init_perceptron(key: Key, n_in: int, n_out: int, width: int, depth: int, activation: str) -> Params:
    """Fresh parameters."""
    return init(lambda rngs: Perceptron(n_in, n_out, width, depth, activation, rngs), key)


def apply_perceptron(params: Params, inputs: jax.Array, width: int, depth: int, activation: str) -> jax.Array:
    """Compute outputs `[n n_out]` for `inputs` `[n n_in]`."""
    n_in, n_out = inputs.shape[-1], params["out"]["bias"].shape[0]
    return network(lambda rngs: Perceptron(n_in, n_out, width, depth, activation, rngs), params)(inputs)

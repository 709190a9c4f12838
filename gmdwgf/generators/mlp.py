"""A multilayer perceptron from Gaussian noise to points."""

import jax
from flax import nnx

from gmdwgf.generators.base import AbstractGenerator, Params
from gmdwgf.hyperparameters import choice, count
from gmdwgf.typing import Key, Particles

ACTIVATIONS = {"silu": jax.nn.silu, "gelu": jax.nn.gelu, "relu": jax.nn.relu, "tanh": jax.nn.tanh}


class Perceptron(nnx.Module):
    """`depth` hidden layers of `width` units."""

    def __init__(self, n_in: int, n_out: int, width: int, depth: int, activation: str, rngs: nnx.Rngs):
        sizes = [n_in, *[width] * depth]
        pairs = zip(sizes[:-1], sizes[1:], strict=True)
        self.hidden = nnx.List([nnx.Linear(fan_in, fan_out, rngs=rngs) for fan_in, fan_out in pairs])
        self.out = nnx.Linear(sizes[-1], n_out, rngs=rngs)
        self.activation = ACTIVATIONS[activation]

    def __call__(self, h):
        for layer in self.hidden:
            h = self.activation(layer(h))
        return self.out(h)


class MLPGenerator(AbstractGenerator):
    """x = MLP(z), z standard normal in `noise_dim` dimensions.

    Flax NNX used functionally: the module is split once, its parameters are a plain pytree and its structure is rebuilt
    from the fields whenever it is called.
    """

    noise_dim: int = count()
    width: int = count()
    depth: int = count(at_least=0)
    activation: str = choice(*ACTIVATIONS)

    def init(self, key: Key, n: int, dim: int) -> Params:
        del n
        return nnx.to_pure_dict(nnx.state(self._network(dim, key), nnx.Param))

    def sample(self, params: Params, key: Key, n: int) -> Particles:
        bias = params["out"]["bias"]
        z = jax.random.normal(key, (n, self.noise_dim), bias.dtype)
        return self.apply(params, z)

    def apply(self, params: Params, z: jax.Array) -> Particles:
        """Points `[n dim]` of noise `z` `[n noise_dim]`."""
        abstract = nnx.eval_shape(lambda: self._network(params["out"]["bias"].shape[0], jax.random.key(0)))
        graph, state = nnx.split(abstract, nnx.Param)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(graph, state)(z)

    def _network(self, dim: int, key: Key) -> Perceptron:
        return Perceptron(self.noise_dim, dim, self.width, self.depth, self.activation, nnx.Rngs(key))

"""A multilayer perceptron from Gaussian noise to points."""

import jax

from gmdwgf.generators.base import AbstractGenerator, Params
from gmdwgf.hyperparameters import choice, count
from gmdwgf.networks import ACTIVATIONS, apply_perceptron, init_perceptron
from gmdwgf.typing import Key, Particles


class MLPGenerator(AbstractGenerator):
    """x = MLP(z), z standard normal in `noise_dim` dimensions."""

    noise_dim: int = count()
    width: int = count()
    depth: int = count(at_least=0)
    activation: str = choice(*ACTIVATIONS)

    def init(self, key: Key, n: int, dim: int) -> Params:
        del n
        return init_perceptron(key, self.noise_dim, dim, self.width, self.depth, self.activation)

    def sample(self, params: Params, key: Key, n: int) -> Particles:
        z = jax.random.normal(key, (n, self.noise_dim), params["out"]["bias"].dtype)
        return self.apply(params, z)

    def apply(self, params: Params, z: jax.Array) -> Particles:
        """Points `[n dim]` of noise `z` `[n noise_dim]`."""
        return apply_perceptron(params, z, self.width, self.depth, self.activation)

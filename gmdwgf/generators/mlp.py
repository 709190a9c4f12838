"""A multilayer perceptron that maps Gaussian noise to points."""

import jax

from gmdwgf.config.fields import MOST_LAYERS, choice, count
from gmdwgf.generators.base import AbstractGenerator, Condition, Params, check_condition
from gmdwgf.networks import ACTIVATIONS, apply_perceptron, init_perceptron
from gmdwgf.networks.conditioning import LABELS, append_condition, init_labels, n_condition
from gmdwgf.typing import Key, Particles


class MLPGenerator(AbstractGenerator):
    """x = MLP(z), z standard normal in `noise_dim` dimensions.

    With classes, x = MLP(z, label vector, guidance - 1), with a trained vector `[noise_dim]` for each class. The vectors are
    initialised as standard normal, so that label and noise have the same scale (ours).
    """

    noise_dim: int = count(of_numbers=True)
    width: int = count(of_numbers=True, ignored_when={"depth": (0,)})
    depth: int = count(at_least=0, at_most=MOST_LAYERS)
    activation: str = choice(*ACTIVATIONS, ignored_when={"depth": (0,)})

    def init(self, key: Key, n: int, dim: int, n_classes: int = 0) -> Params:
        del n
        n_in = self.noise_dim + n_condition(n_classes, self.noise_dim)
        params = init_perceptron(key, n_in, dim, self.width, self.depth, self.activation)
        return params | init_labels(key, n_classes, self.noise_dim)

    def sample(self, params: Params, key: Key, n: int, condition: Condition | None = None) -> Particles:
        z = jax.random.normal(key, (n, self.noise_dim), params["out"]["bias"].dtype)
        return self.apply(params, z, condition)

    def apply(self, params: Params, z: jax.Array, condition: Condition | None = None) -> Particles:
        """Map noise `z` `[n noise_dim]` to points `[n dim]`."""
        check_condition(LABELS in params, condition)
        perceptron = {name: value for name, value in params.items() if name != LABELS}
        return apply_perceptron(
            perceptron, append_condition(params, z, condition), self.width, self.depth, self.activation
        )

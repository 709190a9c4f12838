"""A multilayer perceptron that maps Gaussian noise, and optionally discrete codes, to points."""

from gmdwgf.config.fields import MOST_LAYERS, choice, count
from gmdwgf.generators.base import Params
from gmdwgf.generators.noise import AbstractNoiseGenerator
from gmdwgf.networks import ACTIVATIONS, apply_perceptron, init_perceptron
from gmdwgf.typing import Array, Float, Key, Particles


class MLPGenerator(AbstractNoiseGenerator):
    """x = MLP(z), z standard normal in `noise_dim` dimensions, or x = MLP(z, e_c) with one of `n_codes` trained vectors e_c.

    The code c of a point is drawn uniformly and its vector has `noise_dim` entries, initialised as standard normal. Codes let the
    generator separate modes, which a continuous map of z joins by bridges (ours; see `gmdwgf.networks.codes`).

    With classes, x = MLP(z, label vector, guidance - 1), with a trained vector `[noise_dim]` for each class. The vectors are
    initialised as standard normal, so that label and noise have the same scale (ours).
    """

    noise_dim: int = count(of_numbers=True)
    width: int = count(of_numbers=True, ignored_when={"depth": (0,)})
    depth: int = count(at_least=0, at_most=MOST_LAYERS)
    activation: str = choice(*ACTIVATIONS, ignored_when={"depth": (0,)})
    n_codes: int = count(at_least=0, of_numbers=True, default=0)

    def _init_network(self, key: Key, n_in: int, dim: int) -> Params:
        return init_perceptron(key, n_in, dim, self.width, self.depth, self.activation)

    def _network(self, weights: Params, inputs: Float[Array, "n l"]) -> Particles:
        return apply_perceptron(weights, inputs, self.width, self.depth, self.activation)

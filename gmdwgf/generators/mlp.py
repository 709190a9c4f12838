"""A multilayer perceptron that maps Gaussian noise, and optionally discrete codes, to points."""

import jax

from gmdwgf.config.fields import MOST_LAYERS, choice, count
from gmdwgf.generators.base import AbstractGenerator, Condition, Params, check_condition
from gmdwgf.networks import ACTIVATIONS, apply_perceptron, init_perceptron
from gmdwgf.networks.codes import CODES, append_codes, draw_codes, init_codes
from gmdwgf.networks.conditioning import LABELS, append_condition, init_labels, n_condition
from gmdwgf.typing import Array, Int, Key, Particles


class MLPGenerator(AbstractGenerator):
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

    def init(self, key: Key, n: int, dim: int, n_classes: int = 0) -> Params:
        del n
        n_in = self.noise_dim * (1 + (self.n_codes > 0)) + n_condition(n_classes, self.noise_dim)
        params = init_perceptron(key, n_in, dim, self.width, self.depth, self.activation)
        params |= init_codes(key, self.n_codes, self.noise_dim)
        return params | init_labels(key, n_classes, self.noise_dim)

    def sample(self, params: Params, key: Key, n: int, condition: Condition | None = None) -> Particles:
        z = jax.random.normal(key, (n, self.noise_dim), params["out"]["bias"].dtype)
        codes = draw_codes(params, jax.random.fold_in(key, 1), n)  # the noise is that of a generator without codes
        return self.apply(params, z, condition, codes)

    def apply(
        self,
        params: Params,
        z: jax.Array,
        condition: Condition | None = None,
        codes: Int[Array, " n"] | None = None,
    ) -> Particles:
        """Map noise `z` `[n noise_dim]` and codes `[n]` (None: the first for all) to points `[n dim]`."""
        check_condition(LABELS in params, condition)
        perceptron = {name: value for name, value in params.items() if name not in (LABELS, CODES)}
        inputs = append_condition(params, append_codes(params, z, codes), condition)
        return apply_perceptron(perceptron, inputs, self.width, self.depth, self.activation)

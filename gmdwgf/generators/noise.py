"""Generators that are one network applied to noise, codes and conditions."""

import abc

import equinox as eqx
import jax

from gmdwgf.generators.base import AbstractGenerator, Condition, Params, check_condition
from gmdwgf.networks.codes import CODES, append_codes, draw_codes, init_codes
from gmdwgf.networks.conditioning import LABELS, append_condition, init_labels, n_condition
from gmdwgf.typing import Array, Float, Int, Key, Particles


class AbstractNoiseGenerator(AbstractGenerator):
    """x = network(z, e_c, label vector, guidance - 1), with z standard normal in `noise_dim` dimensions.

    e_c is one of `n_codes` trained vectors, drawn uniformly for each point (`gmdwgf.networks.codes`); label and guidance are there
    with classes only (`gmdwgf.networks.conditioning`). All vectors have `noise_dim` entries and are initialised as standard normal,
    so that they have the scale of the noise (ours).
    """

    noise_dim: eqx.AbstractVar[int]
    n_codes: eqx.AbstractVar[int]

    def init(self, key: Key, n: int, dim: int, n_classes: int = 0) -> Params:
        del n
        n_in = self.noise_dim * (1 + (self.n_codes > 0)) + n_condition(n_classes, self.noise_dim)
        params = self._init_network(key, n_in, dim) | init_codes(key, self.n_codes, self.noise_dim)
        return params | init_labels(key, n_classes, self.noise_dim)

    def sample(self, params: Params, key: Key, n: int, condition: Condition | None = None) -> Particles:
        z = jax.random.normal(key, (n, self.noise_dim), jax.tree.leaves(params)[0].dtype)
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
        weights = {name: value for name, value in params.items() if name not in (LABELS, CODES)}
        return self._network(weights, append_condition(params, append_codes(params, z, codes), condition))

    @abc.abstractmethod
    def _init_network(self, key: Key, n_in: int, dim: int) -> Params:
        """Initialise the weights of the network, from `n_in` inputs to points in `dim` dimensions."""

    @abc.abstractmethod
    def _network(self, weights: Params, inputs: Float[Array, "n l"]) -> Particles:
        """Map inputs to points `[n dim]`."""

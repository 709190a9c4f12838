"""A small convolutional network that maps Gaussian noise to image latents."""

import math

import jax

from gmdwgf.config.fields import FieldError, count, counts
from gmdwgf.generators.base import AbstractGenerator, Condition, Params, check_condition, check_shape
from gmdwgf.networks.codes import append_codes, draw_codes, init_codes
from gmdwgf.networks.conditioning import LABELS, append_condition, init_labels, n_condition
from gmdwgf.networks.convolutional import ConvDecoder, coarser
from gmdwgf.networks.functional import init, network
from gmdwgf.typing import Array, Int, Key, Particles


class ConvGenerator(AbstractGenerator):
    """x = decoder(z): maps standard normal noise z `[noise_dim]` to a flattened image `[height width channels]`.

    A linear map of z gives the coarsest of `n_halvings` + 1 grids. z also modulates the scale and shift of every convolution, from
    coarse to fine. With classes, the label vector and the guidance scale are appended to z as in the MLP, and with `n_codes` > 0
    one of `n_codes` trained vectors, drawn uniformly for each point. The architecture is ours.
    """

    shape: tuple[int, ...] = counts("height", "width", "channels")
    noise_dim: int = count(of_numbers=True)
    width: int = count(of_numbers=True)
    n_halvings: int = count(at_least=0, at_most=31)
    n_codes: int = count(at_least=0, of_numbers=True, default=0)

    def check_values(self) -> None:
        if self.n_halvings and min(coarser(n, self.n_halvings - 1) for n in self.shape[:2]) == 1:
            fix = f"must leave at least one pixel of shape={list(self.shape)}"
            raise FieldError("n_halvings", self.n_halvings, fix)

    def init(self, key: Key, n: int, dim: int, n_classes: int = 0) -> Params:
        del n
        check_shape(self.shape, dim)
        params = {"decoder": init(self._make(n_classes), key)} | init_codes(key, self.n_codes, self.noise_dim)
        return params | init_labels(key, n_classes, self.noise_dim)

    def sample(self, params: Params, key: Key, n: int, condition: Condition | None = None) -> Particles:
        z = jax.random.normal(key, (n, self.noise_dim), params["decoder"]["out"]["bias"].dtype)
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
        n_classes = params[LABELS].shape[0] if LABELS in params else 0
        decoder = network(self._make(n_classes), params["decoder"])
        return decoder(append_condition(params, append_codes(params, z, codes), condition)).reshape(
            z.shape[0], math.prod(self.shape)
        )

    def _make(self, n_classes: int):
        n_vector = self.noise_dim * (1 + (self.n_codes > 0)) + n_condition(n_classes, self.noise_dim)
        return lambda rngs: ConvDecoder(n_vector, self.shape, self.width, self.n_halvings, rngs)

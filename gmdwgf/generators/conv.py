"""A small convolutional network that maps Gaussian noise to image latents."""

import math

from gmdwgf.config.fields import FieldError, count, counts
from gmdwgf.generators.base import Params, check_shape
from gmdwgf.generators.noise import AbstractNoiseGenerator
from gmdwgf.networks.convolutional import ConvDecoder, coarser
from gmdwgf.networks.functional import init, network
from gmdwgf.typing import Array, Float, Key, Particles


class ConvGenerator(AbstractNoiseGenerator):
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

    def _init_network(self, key: Key, n_in: int, dim: int) -> Params:
        check_shape(self.shape, dim)
        return {"decoder": init(self._decoder(n_in), key)}

    def _network(self, weights: Params, inputs: Float[Array, "n l"]) -> Particles:
        decoder = network(self._decoder(inputs.shape[1]), weights["decoder"])
        return decoder(inputs).reshape(inputs.shape[0], math.prod(self.shape))

    def _decoder(self, n_in: int):
        return lambda rngs: ConvDecoder(n_in, self.shape, self.width, self.n_halvings, rngs)

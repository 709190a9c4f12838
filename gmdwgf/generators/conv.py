"""A small convolutional network from Gaussian noise to latents that are small pictures."""

import math

import jax

from gmdwgf.config.fields import FieldError, count, counts
from gmdwgf.generators.base import AbstractGenerator, Condition, Params, check_condition, check_shape
from gmdwgf.networks.conditioning import LABELS, append_condition, init_labels, n_condition
from gmdwgf.networks.convolutional import ConvDecoder, coarser
from gmdwgf.networks.functional import init, network
from gmdwgf.typing import Key, Particles


class ConvGenerator(AbstractGenerator):
    """x = decoder(z): a picture `[height width channels]`, flattened, of noise z, standard normal in `noise_dim` dimensions.

    z makes the coarsest of `n_halvings` + 1 grids and then sets scale and shift of every convolution, coarse to fine. Where
    there are classes, label vector and guidance scale stand beside z as in the MLP. The design is ours.
    """

    shape: tuple[int, ...] = counts("height", "width", "channels")
    noise_dim: int = count(of_numbers=True)
    width: int = count(of_numbers=True)
    n_halvings: int = count(at_least=0, at_most=31)

    def check_values(self) -> None:
        if self.n_halvings and min(coarser(n, self.n_halvings - 1) for n in self.shape[:2]) == 1:
            fix = f"leaves no pixel of shape={list(self.shape)} to halve"
            raise FieldError("n_halvings", self.n_halvings, fix)

    def init(self, key: Key, n: int, dim: int, n_classes: int = 0) -> Params:
        del n
        check_shape(self.shape, dim)
        return {"decoder": init(self._make(n_classes), key)} | init_labels(key, n_classes, self.noise_dim)

    def sample(self, params: Params, key: Key, n: int, condition: Condition | None = None) -> Particles:
        z = jax.random.normal(key, (n, self.noise_dim), params["decoder"]["out"]["bias"].dtype)
        return self.apply(params, z, condition)

    def apply(self, params: Params, z: jax.Array, condition: Condition | None = None) -> Particles:
        """Points `[n dim]` of noise `z` `[n noise_dim]`."""
        check_condition(LABELS in params, condition)
        n_classes = params[LABELS].shape[0] if LABELS in params else 0
        decoder = network(self._make(n_classes), params["decoder"])
        return decoder(append_condition(params, z, condition)).reshape(z.shape[0], math.prod(self.shape))

    def _make(self, n_classes: int):
        n_vector = self.noise_dim + n_condition(n_classes, self.noise_dim)
        return lambda rngs: ConvDecoder(n_vector, self.shape, self.width, self.n_halvings, rngs)

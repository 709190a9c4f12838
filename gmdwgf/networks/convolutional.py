"""A small convolutional network that maps a vector to an image, from coarse to fine grids."""

import functools

import jax
import jax.numpy as jnp
from flax import nnx

from gmdwgf.networks.functional import default_float
from gmdwgf.typing import Array, Float


def coarser(n: int, n_halvings: int) -> int:
    """Side length `n` after `n_halvings` halvings, rounded up."""
    return -(-n // 2**n_halvings)


class Level(nnx.Module):
    """h + conv(silu(scale norm(h) + shift)), twice; scale and shift are linear functions of the vector `z`."""

    def __init__(self, n_vector: int, width: int, rngs: nnx.Rngs):
        make = functools.partial(nnx.Linear, param_dtype=default_float(), rngs=rngs)
        conv = functools.partial(nnx.Conv, kernel_size=(3, 3), param_dtype=default_float(), rngs=rngs)
        norm = functools.partial(nnx.RMSNorm, param_dtype=default_float(), rngs=rngs)
        self.styles = nnx.List([make(n_vector, 2 * width) for _ in range(2)])
        self.norms = nnx.List([norm(width) for _ in range(2)])
        self.convs = nnx.List([conv(width, width) for _ in range(2)])

    def __call__(self, h: Float[Array, "n h w k"], z: Float[Array, "n l"]) -> Float[Array, "n h w k"]:
        for style, norm, conv in zip(self.styles, self.norms, self.convs, strict=True):
            scale, shift = jnp.split(style(z)[:, None, None, :], 2, axis=-1)
            h = h + conv(jax.nn.silu(norm(h) * (1 + scale) + shift))
        return h


class ConvDecoder(nnx.Module):
    """A linear map to the coarsest grid, then one `Level` for each grid, with nearest-neighbour upsampling and a 1 x 1 convolution.

    The finest grid has `width` channels, each coarser one twice as many.
    """

    def __init__(self, n_vector: int, shape: tuple[int, ...], width: int, n_halvings: int, rngs: nnx.Rngs):
        conv = functools.partial(nnx.Conv, param_dtype=default_float(), rngs=rngs)
        widths = [width * 2**k for k in reversed(range(n_halvings + 1))]
        self.sides = tuple((coarser(shape[0], k), coarser(shape[1], k)) for k in reversed(range(n_halvings + 1)))
        n_coarsest = self.sides[0][0] * self.sides[0][1] * widths[0]
        self.start = nnx.Linear(n_vector, n_coarsest, param_dtype=default_float(), rngs=rngs)
        self.levels = nnx.List([Level(n_vector, n, rngs) for n in widths])
        pairs = zip(widths[:-1], widths[1:], strict=True)
        self.narrowings = nnx.List([conv(wide, narrow, kernel_size=(1, 1)) for wide, narrow in pairs])
        self.norm = nnx.RMSNorm(width, param_dtype=default_float(), rngs=rngs)
        self.out = conv(width, shape[2], kernel_size=(3, 3))

    def __call__(self, z: Float[Array, "n l"]) -> Float[Array, "n h w c"]:
        h = self.start(z).reshape(z.shape[0], *self.sides[0], -1)
        h = self.levels[0](h, z)
        for (height, width), narrowing, level in zip(self.sides[1:], self.narrowings, self.levels[1:], strict=True):
            h = jnp.repeat(jnp.repeat(narrowing(h), 2, axis=1), 2, axis=2)[:, :height, :width]
            h = level(h, z)
        return self.out(jax.nn.silu(self.norm(h)))

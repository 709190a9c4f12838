"""The small convolutional networks for digits of 28 x 28 pixels: encoder, decoder, classifier. Flax NNX, used functionally."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from gmdwgf.typing import Key

Params = dict
"""Nested dictionaries of arrays."""

SIDE = 28
"""Pixels of a side."""

LATENT_DIM = 16


def _layers(rngs: nnx.Rngs, convolve: Callable) -> tuple[Callable, Callable]:
    options: Any = {"param_dtype": jax.dtypes.canonicalize_dtype(float), "rngs": rngs}
    conv = functools.partial(nnx.Conv, kernel_size=(3, 3), conv_general_dilated=convolve, **options)
    return conv, functools.partial(nnx.Linear, **options)


def sum_of_products(images: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
    """The convolution `[n h w c]`, `[3 3 c k]` to `[n h w k]` with padding, as nine matrix products of moved images.

    Inside a loop (`scan`, `lax.map`) XLA's own convolution is many times slower than this on a CPU; outside it is faster.
    """
    height, width = images.shape[1:3]
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    parts = [padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)]
    return functools.reduce(jnp.add, parts)


def _flat(h: jax.Array) -> jax.Array:
    return h.reshape(h.shape[0], -1)


class DigitEncoder(nnx.Module):
    """Images `[n 28 28 1]` to means and log variances `[n 16]` of the latents' posterior."""

    def __init__(self, rngs: nnx.Rngs, convolve: Callable = jax.lax.conv_general_dilated):
        conv, linear = _layers(rngs, convolve)
        self.conv1, self.conv2, self.conv3 = conv(4, 32), conv(4 * 32, 32), conv(32, 32)
        self.out = linear(49 * 32, 2 * LATENT_DIM)

    def __call__(self, images):
        h = nnx.silu(self.conv1(_half_as_large(images)))
        h = nnx.silu(self.conv3(nnx.silu(self.conv2(_half_as_large(h)))))
        return jnp.split(self.out(_flat(h)), 2, axis=-1)


def _half_as_large(h: jax.Array) -> jax.Array:
    """`[n h w c]` to `[n h/2 w/2 4c]`: a square of four pixels becomes one; a CPU is much faster at this than at strides."""
    n, height, width, channels = h.shape
    h = h.reshape(n, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return h.reshape(n, height // 2, width // 2, 4 * channels)


def _twice_as_large(h: jax.Array) -> jax.Array:
    """`[n h w 4c]` to `[n 2h 2w c]`: the channels of a pixel become a square of four."""
    n, height, width, channels = h.shape
    h = h.reshape(n, height, width, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5)
    return h.reshape(n, 2 * height, 2 * width, channels // 4)


class DigitDecoder(nnx.Module):
    """Latents `[n 16]` to the logits of pixels `[n 28 28 1]`."""

    def __init__(self, rngs: nnx.Rngs, convolve: Callable = jax.lax.conv_general_dilated):
        conv, linear = _layers(rngs, convolve)
        self.into = linear(LATENT_DIM, 49 * 32)
        self.conv1, self.conv2, self.conv3 = conv(32, 4 * 32), conv(32, 32), conv(32, 4)

    def __call__(self, latents):
        h = nnx.silu(self.into(latents)).reshape(-1, 7, 7, 32)
        h = _twice_as_large(nnx.silu(self.conv1(h)))
        return _twice_as_large(self.conv3(nnx.silu(self.conv2(h))))


class DigitClassifier(nnx.Module):
    """Images `[n 28 28 1]` to the layers `edges` [n 49 16], `parts` [n 9 32], `digit` [n 64] and `logits` [n 10].

    The first two are means over squares of a convolutional layer: 2 x 2 of 14 x 14 places, and 3 x 3 of 7 x 7.
    """

    def __init__(self, rngs: nnx.Rngs, convolve: Callable = jax.lax.conv_general_dilated):
        conv, linear = _layers(rngs, convolve)
        self.conv1, self.conv2, self.conv3 = conv(4, 16), conv(4 * 16, 32), conv(32, 32)
        self.digit, self.out = linear(49 * 32, 64), linear(64, 10)

    def __call__(self, images):
        edges = nnx.silu(self.conv1(_half_as_large(images)))
        parts = nnx.silu(self.conv3(nnx.silu(self.conv2(_half_as_large(edges)))))
        digit = nnx.silu(self.digit(_flat(parts)))
        return {
            "edges": nnx.avg_pool(edges, (2, 2), (2, 2)).reshape(-1, 49, 16),
            "parts": nnx.avg_pool(parts, (3, 3), (2, 2)).reshape(-1, 9, 32),
            "digit": digit,
            "logits": self.out(digit),
        }


def init(network: Callable[[nnx.Rngs], nnx.Module], key: Key) -> Params:
    """Fresh parameters."""
    return nnx.to_pure_dict(nnx.state(network(nnx.Rngs(key)), nnx.Param))


def apply(network: Callable[..., nnx.Module], params: Params, inputs: jax.Array, in_loops: bool = True) -> Any:
    """What the network makes of `inputs`, with its structure rebuilt inside the trace; `in_loops`: by `sum_of_products`."""
    convolve = sum_of_products if in_loops else jax.lax.conv_general_dilated
    graph, state = nnx.split(nnx.eval_shape(lambda: network(nnx.Rngs(0), convolve)), nnx.Param)
    nnx.replace_by_pure_dict(state, params)
    return nnx.merge(graph, state)(inputs)

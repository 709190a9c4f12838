"""Small convolutional networks for digits of 28 x 28 pixels: encoder, decoder, classifier. Flax NNX, used functionally."""

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
"""Side length of an image in pixels."""

LATENT_DIM = 16


def _layers(rngs: nnx.Rngs, convolve: Callable) -> tuple[Callable, Callable]:
    options: Any = {"param_dtype": jax.dtypes.canonicalize_dtype(float), "rngs": rngs}
    conv = functools.partial(nnx.Conv, kernel_size=(3, 3), conv_general_dilated=convolve, **options)
    return conv, functools.partial(nnx.Linear, **options)


def sum_of_products(images: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
    """Padded 3 x 3 convolution of `[n h w c]` with `[3 3 c k]`, as nine matrix products of shifted images.

    Inside loops (`scan`, `lax.map`) on a CPU this is many times faster than XLA's convolution; outside of loops it is slower.
    """
    height, width = images.shape[1:3]
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    parts = [padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)]
    return functools.reduce(jnp.add, parts)


def _flat(h: jax.Array) -> jax.Array:
    return h.reshape(h.shape[0], -1)


class DigitEncoder(nnx.Module):
    """Maps images `[n 28 28 1]` to means and log variances `[n 16]` of the latent posterior."""

    def __init__(self, rngs: nnx.Rngs, convolve: Callable = jax.lax.conv_general_dilated):
        conv, linear = _layers(rngs, convolve)
        self.conv1, self.conv2, self.conv3 = conv(4, 32), conv(4 * 32, 32), conv(32, 32)
        self.out = linear(49 * 32, 2 * LATENT_DIM)

    def __call__(self, images):
        h = nnx.silu(self.conv1(_half_as_large(images)))
        h = nnx.silu(self.conv3(nnx.silu(self.conv2(_half_as_large(h)))))
        return jnp.split(self.out(_flat(h)), 2, axis=-1)


def _half_as_large(h: jax.Array) -> jax.Array:
    """Space to depth: `[n h w c]` to `[n h/2 w/2 4c]`; on a CPU much faster than a strided convolution."""
    n, height, width, channels = h.shape
    h = h.reshape(n, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return h.reshape(n, height // 2, width // 2, 4 * channels)


def _twice_as_large(h: jax.Array) -> jax.Array:
    """Depth to space: `[n h w 4c]` to `[n 2h 2w c]`."""
    n, height, width, channels = h.shape
    h = h.reshape(n, height, width, 2, 2, channels // 4).transpose(0, 1, 3, 2, 4, 5)
    return h.reshape(n, 2 * height, 2 * width, channels // 4)


class DigitDecoder(nnx.Module):
    """Maps latents `[n 16]` to pixel logits `[n 28 28 1]`."""

    def __init__(self, rngs: nnx.Rngs, convolve: Callable = jax.lax.conv_general_dilated):
        conv, linear = _layers(rngs, convolve)
        self.into = linear(LATENT_DIM, 49 * 32)
        self.conv1, self.conv2, self.conv3 = conv(32, 4 * 32), conv(32, 32), conv(32, 4)

    def __call__(self, latents):
        h = nnx.silu(self.into(latents)).reshape(-1, 7, 7, 32)
        h = _twice_as_large(nnx.silu(self.conv1(h)))
        return _twice_as_large(self.conv3(nnx.silu(self.conv2(h))))


class DigitClassifier(nnx.Module):
    """Maps images `[n 28 28 1]` to the layers `edges` [n 49 16], `parts` [n 9 32], `digit` [n 64] and `logits` [n 10].

    The first two are average-pooled convolutional layers: 2 x 2 of 14 x 14 positions, and 3 x 3 of 7 x 7.
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
    """Apply the network to `inputs`, rebuilding its structure in the trace; `in_loops` uses `sum_of_products`."""
    convolve = sum_of_products if in_loops else jax.lax.conv_general_dilated
    graph, state = nnx.split(nnx.eval_shape(lambda: network(nnx.Rngs(0), convolve)), nnx.Param)
    nnx.replace_by_pure_dict(state, params)
    return nnx.merge(graph, state)(inputs)

"""Layers of a transformer on image patches: attention with rotary embeddings, gated layers, adaLN-zero.

All layers act on each row of a batch independently, so that particles interact only in the drift. `dtype` is the dtype of the
computation (None: that of the parameters); norms, softmax and modulation always use that of the parameters.
"""

import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from gmdwgf.networks.functional import default_float
from gmdwgf.typing import Array, Float


def linear(n_in: int, n_out: int, rngs: nnx.Rngs, dtype: DTypeLike | None = None, *, zero: bool = False) -> nnx.Linear:
    """Linear layer with zero bias, and Glorot uniform or zero weights."""
    kernel_init = nnx.initializers.zeros if zero else nnx.initializers.xavier_uniform()
    return nnx.Linear(n_in, n_out, kernel_init=kernel_init, dtype=dtype, param_dtype=default_float(), rngs=rngs)


def rms_norm(width: int, rngs: nnx.Rngs, dtype: DTypeLike | None = None) -> nnx.RMSNorm:
    """RMSNorm layer: h / rms(h) times learned weights, initialised to 1."""
    return nnx.RMSNorm(width, epsilon=1e-6, dtype=dtype, param_dtype=default_float(), rngs=rngs)


def rotated(h: Float[Array, "n t heads k"], positions: Float[Array, " t"]) -> Float[Array, "n t heads k"]:
    """Rotary embedding: rotate entries j and j + k/2 by the angle position / 10000^(2 j / k) (Su et al. 2021, arXiv:2104.09864).

    The inner product of two rotated vectors depends on their positions only through the difference.
    """
    half = h.shape[-1] // 2
    angles = positions[:, None] / 10000.0 ** (jnp.arange(half, dtype=positions.dtype) / half)
    cos, sin = (turn(angles)[:, None, :].astype(h.dtype) for turn in (jnp.cos, jnp.sin))
    first, second = jnp.split(h, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


class Attention(nnx.Module):
    """Softmax attention of `n_heads` heads; queries and keys are normalised (as by Henry et al. 2020), then rotated."""

    def __init__(self, width: int, n_heads: int, dtype: DTypeLike, rngs: nnx.Rngs):
        self.qkv = linear(width, 3 * width, rngs, dtype)
        self.q_norm = rms_norm(width // n_heads, rngs, dtype)
        self.k_norm = rms_norm(width // n_heads, rngs, dtype)
        self.out = linear(width, width, rngs, dtype)
        self.n_heads = n_heads

    def __call__(self, h: Float[Array, "n t w"], positions: Float[Array, " t"]) -> Float[Array, "n t w"]:
        q, k, v = jnp.moveaxis(self.qkv(h).reshape(*h.shape[:2], 3, self.n_heads, -1), 2, 0)
        q, k = rotated(self.q_norm(q), positions), rotated(self.k_norm(k), positions)
        # Not jax.nn.dot_product_attention, which computes the softmax in single precision even for float64 inputs.
        at_least_single = jnp.promote_types(h.dtype, jnp.float32)
        logits = jnp.einsum("nihk,njhk->nhij", q, k, preferred_element_type=at_least_single) / q.shape[-1] ** 0.5
        weights = jax.nn.softmax(logits, axis=-1).astype(v.dtype)
        return self.out(jnp.einsum("nhij,njhk->nihk", weights, v).reshape(h.shape))


class SwiGLU(nnx.Module):
    """out(silu(gate h) * up h), with hidden width 8/3 of the width, rounded up to a multiple of 32 (Shazeer 2020)."""

    def __init__(self, width: int, dtype: DTypeLike, rngs: nnx.Rngs):
        hidden = -(-(8 * width // 3) // 32) * 32
        self.gate = linear(width, hidden, rngs, dtype)
        self.up = linear(width, hidden, rngs, dtype)
        self.out = linear(hidden, width, rngs, dtype)

    def __call__(self, h):
        return self.out(jax.nn.silu(self.gate(h)) * self.up(h))


class Modulation(nnx.Module):
    """Maps the condition to `n` vectors of `width`, initialised to 0 (adaLN-zero, Peebles & Xie 2023, arXiv:2212.09748)."""

    def __init__(self, n: int, width: int, rngs: nnx.Rngs):
        self.linear = linear(width, n * width, rngs, zero=True)
        self.n = n

    def __call__(self, condition: Float[Array, "n w"], dtype: DTypeLike) -> list[Array]:
        vectors = self.linear(jax.nn.silu(condition))[:, None, :]
        return jnp.split(vectors.astype(dtype), self.n, axis=-1)


def modulated(h, shift, scale):
    """h (1 + scale) + shift."""
    return h * (1 + scale) + shift


class Block(nnx.Module):
    """Attention and a gated layer, each shifted, scaled and gated by the condition; initialised to the identity."""

    def __init__(self, width: int, n_heads: int, dtype: DTypeLike, rngs: nnx.Rngs):
        self.modulation = Modulation(6, width, rngs)
        self.attention_norm = rms_norm(width, rngs, dtype)
        self.attention = Attention(width, n_heads, dtype, rngs)
        self.layer_norm = rms_norm(width, rngs, dtype)
        self.layer = SwiGLU(width, dtype, rngs)

    def __call__(self, h: Float[Array, "n t w"], condition: Float[Array, "n w"]) -> Float[Array, "n t w"]:
        positions = jnp.arange(h.shape[1], dtype=condition.dtype)
        shift, scale, gate, layer_shift, layer_scale, layer_gate = self.modulation(condition, h.dtype)
        h = h + gate * self.attention(modulated(self.attention_norm(h), shift, scale), positions)
        return h + layer_gate * self.layer(modulated(self.layer_norm(h), layer_shift, layer_scale))


def waves(positions: Float[Array, " t"], n: int) -> Float[Array, "t n"]:
    """Sinusoidal position embedding `[t n]`: sin and cos of position / 10000^(2 j / n) (Vaswani et al. 2017)."""
    angles = positions[:, None] / 10000.0 ** (2 * jnp.arange(n // 2, dtype=positions.dtype) / n)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def grid_waves(n_rows: int, n_columns: int, n: int, dtype: DTypeLike) -> Float[Array, "t n"]:
    """Sinusoidal embedding of the positions of a grid in row-major order: one half for the column, one for the row."""
    columns, rows = (jnp.tile(jnp.arange(n_columns), n_rows), jnp.repeat(jnp.arange(n_rows), n_columns))
    of = functools.partial(waves, n=n // 2)
    return jnp.concatenate([of(columns.astype(dtype)), of(rows.astype(dtype))], axis=-1)


def patches(x: Float[Array, "n h w c"], size: int) -> Float[Array, "n t k"]:
    """Split images into patches of `size` by `size` pixels, in row-major order, each flattened from `[size size c]`."""
    n, height, width, channels = x.shape
    tiles = x.reshape(n, height // size, size, width // size, size, channels)
    return tiles.swapaxes(2, 3).reshape(n, -1, size * size * channels)


def picture(tiles: Float[Array, "n t k"], height: int, width: int, size: int) -> Float[Array, "n h w c"]:
    """Reassemble images `[n height width c]` from their `patches`."""
    n = tiles.shape[0]
    grid = tiles.reshape(n, height // size, width // size, size, size, -1)
    return grid.swapaxes(2, 3).reshape(n, height, width, -1)

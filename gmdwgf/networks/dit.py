"""Input and output layers of the DiT: condition embeddings, tokens from noise, and the latent from tokens."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from gmdwgf.networks.functional import default_float
from gmdwgf.networks.transformer import Modulation, linear, modulated, rms_norm
from gmdwgf.typing import Array, Float, Int

N_WAVES = 256
"""Width of the sinusoidal embedding of the guidance scale."""

_SMALL = nnx.initializers.normal(0.02)


def guidance_waves(guidance: Float[Array, " n"]) -> Float[Array, "n w"]:
    """Sinusoidal embedding of the guidance scale: cos and sin of guidance / 10000^(j / 128), j = 0..127."""
    frequencies = 10000.0 ** -(jnp.arange(N_WAVES // 2, dtype=guidance.dtype) / (N_WAVES // 2))
    angles = guidance[:, None] * frequencies
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)


class Conditioning(nnx.Module):
    """Embedding of the condition of a sample: the sum of embeddings of random styles, class and guidance scale.

    Every style token has its own table of `n_codes` vectors. The paper (arXiv:2602.04770) mentions one codebook of 64; the released
    weights have one for each of the 32 tokens, and only this matches the published parameter counts.
    """

    def __init__(self, width: int, n_styles: int, n_codes: int, n_classes: int, rngs: nnx.Rngs):
        fresh = lambda *shape: nnx.Param(_SMALL(rngs.params(), shape, default_float()))
        self.styles = fresh(n_styles, n_codes, width)
        if n_classes:
            self.labels = fresh(n_classes, width)
            self.guidance_in = nnx.Linear(N_WAVES, width, kernel_init=_SMALL, param_dtype=default_float(), rngs=rngs)
            self.guidance_out = nnx.Linear(width, width, kernel_init=_SMALL, param_dtype=default_float(), rngs=rngs)
            self.guidance_norm = rms_norm(width, rngs)
        self.n_codes, self.n_classes = n_codes, n_classes

    def __call__(self, styles: Int[Array, "n s"], condition: Any) -> Float[Array, "n w"]:
        tables = self.styles[...]
        chosen = jax.nn.one_hot(styles, self.n_codes, dtype=tables.dtype)
        vector = jnp.einsum("nsk,skw->nw", chosen, tables)
        if not self.n_classes:
            return vector
        waves = guidance_waves(condition.guidance.astype(tables.dtype))
        told = self.guidance_norm(self.guidance_out(jax.nn.silu(self.guidance_in(waves))))
        return vector + self.labels[...][condition.label] + 0.02 * told


class Stem(nnx.Module):
    """Computes `n_registers` tokens from the condition, followed by patch tokens with position embeddings."""

    def __init__(self, n_patch: int, width: int, n_registers: int, dtype: Any, rngs: nnx.Rngs):
        self.patch = linear(n_patch, width, rngs, dtype)
        self.register = linear(width, width, rngs, dtype)
        self.register_places = nnx.Param(_SMALL(rngs.params(), (n_registers, width), default_float()))

    def __call__(self, tiles: Float[Array, "n t k"], places: Float[Array, "t w"], condition: Float[Array, "n w"]):
        h = self.patch(tiles)
        registers = self.register(condition)[:, None, :] + self.register_places[...].astype(h.dtype)
        return jnp.concatenate([registers, h + places.astype(h.dtype)], axis=1)


class Head(nnx.Module):
    """Maps tokens to output patches; initialised to output 0."""

    def __init__(self, n_patch: int, width: int, dtype: Any, rngs: nnx.Rngs):
        self.modulation = Modulation(2, width, rngs)
        self.norm = rms_norm(width, rngs, dtype)
        self.out = linear(width, n_patch, rngs, dtype, zero=True)

    def __call__(self, h: Float[Array, "n t w"], condition: Float[Array, "n w"]) -> Float[Array, "n t k"]:
        return self.out(modulated(self.norm(h), *self.modulation(condition, h.dtype)))

"""A diffusion transformer that maps an image of noise to a latent (Deng et al. 2026, arXiv:2602.04770)."""

import functools

import jax
import jax.numpy as jnp

from gmdwgf.config.fields import MOST_LAYERS, FieldError, choice, count, counts, flag
from gmdwgf.generators.base import AbstractGenerator, Condition, Params, check_condition, check_shape
from gmdwgf.networks.dit import Conditioning, Head, Stem
from gmdwgf.networks.functional import init, network
from gmdwgf.networks.transformer import Block, grid_waves, patches, picture
from gmdwgf.typing import Array, Int, Key, Particles

_PRECISIONS = {"float32": None, "bfloat16": jnp.bfloat16}


class DiTGenerator(AbstractGenerator):
    """x = DiT(z, styles, condition), with z a standard normal image `[height width channels]`, flattened like x.

    The tokens are `n_registers` tokens computed from the condition, followed by the patches of z. The condition is the sum of the
    embeddings of class, guidance scale and `n_styles` random codes, and also modulates every block (adaLN-zero). Blocks use
    RMSNorm, SwiGLU and QK-norm. Positions are encoded by rotary embeddings along the sequence, and for patches also by fixed
    sinusoidal embeddings of row and column. The initial output is 0. Parameters have JAX's default precision; `compute_dtype` is
    the dtype inside the blocks (float32: that of the parameters). `remat` stores one activation for each block and recomputes the
    others in the backward pass.

    Source: Deng et al. 2026 (arXiv:2602.04770), A.2 and Table 8. Details that the paper leaves open (styles, rotary axis, hidden
    width, embedding of the guidance scale) follow their released weights. Parameters there: B/2 133M, L/2 463M (Table 5).
    """

    shape: tuple[int, ...] = counts("height", "width", "channels")
    patch_size: int = count()
    width: int = count(of_numbers=True)
    depth: int = count(at_least=0, at_most=MOST_LAYERS)
    n_heads: int = count()
    n_registers: int = count(at_least=0, of_numbers=True)
    n_styles: int = count(at_least=0, of_numbers=True)
    n_codes: int = count(of_numbers=True, ignored_when={"n_styles": (0,)})
    compute_dtype: str = choice(*_PRECISIONS)
    remat: bool = flag()

    def check_values(self) -> None:
        if self.shape[0] % self.patch_size or self.shape[1] % self.patch_size:
            raise FieldError("patch_size", self.patch_size, f"must divide height and width of shape={list(self.shape)}")
        if self.width % (2 * self.n_heads) or self.width % 4:
            fix = f"must be a multiple of 4 and of twice n_heads={self.n_heads}: rotary embeddings act on pairs"
            raise FieldError("width", self.width, fix)

    def init(self, key: Key, n: int, dim: int, n_classes: int = 0) -> Params:
        check_shape(self.shape, dim)
        key_told, key_stem, key_blocks, key_head = jax.random.split(key, 4)
        make = self._makers(n_classes)
        blocks = jax.vmap(functools.partial(init, make["block"]))(jax.random.split(key_blocks, self.depth))
        return {
            "conditioning": init(make["conditioning"], key_told),
            "stem": init(make["stem"], key_stem),
            "blocks": blocks,
            "head": init(make["head"], key_head),
        }

    def sample(self, params: Params, key: Key, n: int, condition: Condition | None = None) -> Particles:
        key_noise, key_styles = jax.random.split(key)
        z = jax.random.normal(key_noise, (n, self.shape[0] * self.shape[1] * self.shape[2]), self._dtype(params))
        return self.apply(params, z, jax.random.randint(key_styles, (n, self.n_styles), 0, self.n_codes), condition)

    def apply(
        self, params: Params, z: Particles, styles: Int[Array, "n s"], condition: Condition | None = None
    ) -> Particles:
        """Map noise `z` `[n dim]` and style codes `[n n_styles]` from 0 to n_codes - 1 to points `[n dim]`."""
        labels = params["conditioning"].get("labels")
        check_condition(labels is not None, condition)
        make = self._makers(0 if labels is None else labels.shape[0])
        condition_code = network(make["conditioning"], params["conditioning"])(styles, condition)
        height, width, _ = self.shape
        places = grid_waves(height // self.patch_size, width // self.patch_size, self.width, z.dtype)
        tiles = patches(z.reshape(-1, *self.shape), self.patch_size)
        h = network(make["stem"], params["stem"])(tiles, places, condition_code)

        def through(h, block):
            return network(make["block"], block)(h, condition_code), None

        step = jax.checkpoint(through, prevent_cse=False) if self.remat else through
        h, _ = jax.lax.scan(step, h, params["blocks"])
        tiles = network(make["head"], params["head"])(h[:, self.n_registers :], condition_code)
        return picture(tiles, height, width, self.patch_size).reshape(z.shape).astype(z.dtype)

    def _makers(self, n_classes: int) -> dict:
        """Constructors of the submodules, by name; each takes the random number streams."""
        n_patch, dtype = self.patch_size**2 * self.shape[2], _PRECISIONS[self.compute_dtype]
        return {
            "conditioning": lambda rngs: Conditioning(self.width, self.n_styles, self.n_codes, n_classes, rngs),
            "stem": lambda rngs: Stem(n_patch, self.width, self.n_registers, dtype, rngs),
            "block": lambda rngs: Block(self.width, self.n_heads, dtype, rngs),
            "head": lambda rngs: Head(n_patch, self.width, dtype, rngs),
        }

    def _dtype(self, params: Params):
        return params["head"]["out"]["bias"].dtype

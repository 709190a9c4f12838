"""Discrete codes beside the noise of a generator: each point draws one of a few trained vectors.

A continuous map of Gaussian noise has a connected image, so that modes that lie apart are joined by bridges of samples. With codes
the noise has several components, and a generator can leave the space between modes empty. Deng et al. 2026 (arXiv:2602.04770) draw
codes for the styles of their transformer.
"""

import jax
import jax.numpy as jnp

from gmdwgf.networks.functional import Params, default_float
from gmdwgf.typing import Array, Float, Int, Key

CODES = "codes"
"""Key of the parameters with the code book `[n_codes n]`; absent without codes."""


def init_codes(key: Key, n_codes: int, n_vector: int) -> Params:
    """Code book `[n_codes n_vector]` of standard normal vectors; no parameters for `n_codes` = 0."""
    if n_codes == 0:
        return {}
    return {CODES: jax.random.normal(jax.random.fold_in(key, 2), (n_codes, n_vector), default_float())}


def append_codes(params: Params, z: Float[Array, "n d"], codes: Int[Array, " n"] | None) -> Float[Array, "n e"]:
    """Append the vector of each point's code to its noise; the first code for all points if `codes` is None."""
    if CODES not in params:
        return z
    book = params[CODES]
    codes = jnp.zeros(z.shape[0], int) if codes is None else codes
    return jnp.concatenate([z, book[codes].astype(z.dtype)], axis=1)


def draw_codes(params: Params, key: Key, n: int) -> Int[Array, " n"] | None:
    """Draw a code for each of `n` points, uniformly; None without a code book."""
    return jax.random.randint(key, (n,), 0, params[CODES].shape[0]) if CODES in params else None

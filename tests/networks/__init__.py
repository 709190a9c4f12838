"""Parameters for the tests of networks, made without compiling anything."""

import jax
import numpy as np


def random_params(init, size: float = 0.3, seed: int = 0):
    """Numbers from N(0, size^2) in the form that `init()` gives: nothing is 0 or 1 as it may be at the start."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: (size * rng.normal(size=leaf.shape)).astype(leaf.dtype), jax.eval_shape(init))

"""Type aliases of arrays, whose shapes are checked at run time in tests."""

from jaxtyping import Array as Array, Float as Float, Int as Int, Key as _Key

Particles = Float[Array, "n d"]
"""Generated points, one per row: a batch of samples of the model."""

Targets = Float[Array, "m d"]
"""Samples of the target."""

Point = Float[Array, " d"]
Weights = Float[Array, "_"]
Scalar = Float[Array, ""]
Key = _Key[Array, ""]
"""Typed random key, as returned by `jax.random.key`."""

"""Names for the arrays that everything here passes around; shapes are checked at run time in the tests."""

from jaxtyping import Array as Array, Float as Float, Int as Int, Key as _Key

Particles = Float[Array, "n d"]
"""The points that move, one row each: a batch of the model's samples."""

Targets = Float[Array, "m d"]
"""Samples of the target distribution."""

Point = Float[Array, " d"]
Weights = Float[Array, "_"]
Scalar = Float[Array, ""]
Key = _Key[Array, ""]
"""A typed random key, as made by `jax.random.key`."""

"""Manifolds of every kind, with skewed clouds on them and a cut point of a point."""

import jax.numpy as jnp
import numpy as np

from gmdwgf.manifolds import Euclidean, Hyperbolic, Product, Sphere, Torus

MANIFOLDS = {
    "euclidean": (Euclidean(), 3),
    "sphere": (Sphere(), 3),
    "sphere4": (Sphere(), 5),
    "torus": (Torus(), 2),
    "hyperbolic": (Hyperbolic(), 3),
    "product": (Product([Sphere(), Torus()], [3, 2]), 5),
}
"""Manifold and number of coordinates."""

CURVED = [name for name in MANIFOLDS if name != "euclidean"]


def points(name, n, seed=0, spread=1.0, dtype=float):
    """Points without any symmetry."""
    manifold, dim = MANIFOLDS[name]
    rng = np.random.default_rng(seed)
    ambient = spread * rng.normal(size=(n, dim)) + np.linspace(0.6, -0.3, dim)
    return manifold, manifold.project(jnp.asarray(ambient, dtype))


def clouds(name, n=7, m=9, spread=1.0, dtype=float):
    manifold, x = points(name, n, 0, spread, dtype)
    return manifold, x, points(name, m, 1, spread, dtype)[1]

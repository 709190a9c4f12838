"""Claims 13 to 15: what kind of field each drift is."""

import functools

import jax
import jax.numpy as jnp

import gmdwgf
from experiments.claims.common import EPSILON, claim, clouds, drift, equispaced, gap, more_than, velocity
from experiments.claims.identities import FLOWS, smoothed_flow
from gmdwgf.testing import asymmetry

STEPS = (0, 1, 3, 10, 500)
NO_FLOWS = (
    "score difference",
    "Laplace mean shift",
    "sharp Laplace",
    "Algorithm 2",
    "Algorithm 2, masked",
    "proxy",
    "proxy core",
)
NODES = 80
"""Quadrature nodes a coordinate for the smoothed KL."""


@functools.cache
def particle_asymmetry(name: str) -> float:
    """|J − Jᵀ| / |J + Jᵀ| of the particle Jacobian; `Sinkhorn K` is the drift after K corrections."""
    x, y = clouds()
    if name == "smoothed KL":
        return asymmetry(lambda cloud: smoothed_flow(NODES)(cloud, y), x)
    if name.startswith("Sinkhorn "):
        field = gmdwgf.load_drift("sinkhorn_steps", epsilon=EPSILON, n_iters=int(name.split()[1]))
    else:
        field = drift(name)
    return asymmetry(lambda cloud: velocity(field, cloud, y), x)


@claim(13, "particle Jacobian symmetric: {}", 1e-8, each=[*FLOWS, "smoothed KL"])
def symmetric(name):
    return particle_asymmetry(name)


@claim(13, "particle Jacobian not symmetric: {}", more_than(1e-2), each=NO_FLOWS)
def not_symmetric(name):
    return particle_asymmetry(name)


@claim(
    13,
    "Sinkhorn drift: asymmetry after K = 0, 1, 3, 10, 500 corrections, largest ratio of one to the one before",
    0.999,
)
def falls_with_corrections():
    found = [particle_asymmetry(f"Sinkhorn {k}") for k in STEPS]
    return max(later / earlier for earlier, later in zip(found, found[1:], strict=False))


@claim(13, "Sinkhorn drift: asymmetry after 500 corrections", 1e-8)
def flow_in_the_limit():
    return particle_asymmetry("Sinkhorn 500")


def curl(name: str) -> float:
    """Largest |J − Jᵀ| / |J + Jᵀ| of the field at fixed clouds over a grid of points, by automatic differentiation."""
    x, y = clouds()
    axis = jnp.linspace(-0.9, 1.6, 7)
    grid = jnp.stack(jnp.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    jacobians = jax.jit(jax.vmap(jax.jacfwd(lambda point: velocity(drift(name), x, y, point[None])[0])))(grid)
    turned = jacobians.transpose(0, 2, 1)
    size = lambda matrices: jnp.linalg.norm(matrices, axis=(1, 2))
    return float(jnp.max(size(jacobians - turned) / size(jacobians + turned)))


@claim(14, "no curl at fixed clouds: {}", 1e-10, each=["score difference", "sharp Laplace", "proxy core"])
def no_curl(name):
    return curl(name)


@claim(14, "curl at fixed clouds, largest over a 7 × 7 grid: {}", more_than(0.1), each=["Laplace mean shift", "proxy"])
def some_curl(name):
    return curl(name)


EQUIVARIANT = ("score difference", "Laplace mean shift", "sharp Laplace", "Algorithm 2, masked", "proxy", "Sinkhorn")


@claim(
    15,
    "permutations, translation, rotation, largest deviation: {}",
    1e-10,
    each=[*EQUIVARIANT, "MMD Gaussian", "MMD energy", "sliced Wasserstein"],
)
def equivariant(name):
    x, y = clouds()
    c, s = jnp.cos(0.7), jnp.sin(0.7)
    turn, shift = jnp.asarray([[c, s], [-s, c]]), jnp.asarray([3.0, -5.0])
    mix, mix_y = jnp.arange(len(x)) * 5 % len(x), jnp.arange(len(y)) * 5 % len(y)

    def field(x, y, turn=None):
        if name != "sliced Wasserstein":
            return velocity(drift(name), x, y)
        directions = equispaced(7) if turn is None else equispaced(7) @ turn
        return drift(name).velocity_along(directions, x, y)

    v = field(x, y)
    pairs = (field(x[mix], y), v[mix]), (field(x, y[mix_y]), v), (field(x + shift, y + shift), v)
    return max(gap(*pair) for pair in (*pairs, (field(x @ turn, y @ turn, turn), v @ turn)))

"""Drifts and functionals of whole laws: q a Gaussian of the family, p a mixture of Gaussians, no batches.

A model is at rest where E[J^T v(x)] = 0, J the Jacobian of x = c + W z in its parameters (`conditions`). A functional is least where
its gradient in the parameters is zero (`functionals`); it is differentiated by autodiff, independently of the velocity.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from experiments.common.mixtures import GaussianMixture
from experiments.minimiser.laws import Family, normal, smoothed
from gmdwgf.typing import Array

Nodes = tuple[Any, Any]
"""Points `[s d]` and weights `[s]` of the standard normal law, arrays of either library."""
Measured = Callable[[Array, Family, GaussianMixture, Array, Nodes], Array]


def kl(theta: Array, family: Family, law: GaussianMixture, h: Array, nodes: Nodes) -> Array:
    """E[J^T v], v = h^2 (grad log p_h - grad log q_h)(x) at the particle itself."""
    z, weights = nodes
    centre, matrix, wide = _spread(theta, family, h)
    x = centre + z @ matrix.T
    v = h**2 * (smoothed(law, h).score(x) - normal(centre, wide).score(x))
    return family.pulled_back(v, z, weights)


def kl_wgf(theta: Array, family: Family, law: GaussianMixture, h: Array, nodes: Nodes) -> Array:
    """E[J^T v], v = E_xi (grad log p_h - grad log q_h)(x + h xi), times h^2 so that it has the speed of `kl`.

    y = x + h xi is normal with covariance C = W W^T + h^2 I, and J depends on z, of which y knows E[z | y] = W^T C^-1 (y - c):
    the expectation over (z, xi) is one over y.
    """
    u, weights = nodes
    centre, matrix, wide = _spread(theta, family, h)
    away = u @ jnp.linalg.cholesky(wide).T
    v = h**2 * (smoothed(law, h).score(centre + away) - normal(centre, wide).score(centre + away))
    return family.pulled_back(v, away @ jnp.linalg.inv(wide) @ matrix, weights)


def blob(theta: Array, family: Family, law: GaussianMixture, h: Array, nodes: Nodes) -> Array:
    """E[J^T v], v = h^2 (grad log p_h - grad log q_h - grad (k * (q / q_h)))(x).

    q / q_h is a Gaussian function of precision A = C^-1 - (C + h^2 I)^-1, C the covariance of q, and so is its convolution with k.
    """
    z, weights = nodes
    centre, matrix, wide = _spread(theta, family, h)
    covariance, eye = matrix @ matrix.T, jnp.eye(family.dim)
    ratio = jnp.linalg.inv(covariance) - jnp.linalg.inv(wide)
    log_height = (jnp.linalg.slogdet(wide)[1] - jnp.linalg.slogdet(covariance)[1]) / 2
    log_height = log_height - jnp.linalg.slogdet(eye + h**2 * ratio)[1] / 2
    precision = jnp.linalg.inv(jnp.linalg.inv(ratio) + h**2 * eye)
    away = z @ matrix.T
    x, slope = centre + away, away @ precision
    bump = jnp.exp(log_height - jnp.sum(away * slope, axis=1) / 2)
    v = h**2 * (smoothed(law, h).score(x) - normal(centre, wide).score(x) + bump[:, None] * slope)
    return family.pulled_back(v, z, weights)


def mmd(theta: Array, family: Family, law: GaussianMixture, h: Array, nodes: Nodes) -> Array:
    """E[J^T v], v = grad (k * p - k * q)(x), in units in which a kernel of width (1 + h^2)^(1/2) has height 1."""
    z, weights = nodes
    centre, matrix, wide = _spread(theta, family, h)
    x = centre + z @ matrix.T
    unit = _unit(family, h)
    p, q = smoothed(law, h), normal(centre, wide)
    v = jnp.exp(unit + p.log(x))[:, None] * p.score(x) - jnp.exp(unit + q.log(x))[:, None] * q.score(x)
    return family.pulled_back(v, z, weights)


def smoothed_kl(theta: Array, family: Family, law: GaussianMixture, h: Array, nodes: Nodes) -> Array:
    """KL(k * q || k * p)."""
    u, weights = nodes
    centre, _, wide = _spread(theta, family, h)
    y = centre + u @ jnp.linalg.cholesky(wide).T
    entropy = (family.dim + jnp.linalg.slogdet(2 * jnp.pi * wide)[1]) / 2
    return -entropy - weights @ smoothed(law, h).log(y)


def blob_energy(theta: Array, family: Family, law: GaussianMixture, h: Array, nodes: Nodes) -> Array:
    """E_q[log q_h - log p_h]."""
    z, weights = nodes
    centre, matrix, wide = _spread(theta, family, h)
    inside = jnp.linalg.slogdet(2 * jnp.pi * wide)[1] + jnp.trace(matrix @ matrix.T @ jnp.linalg.inv(wide))
    return -inside / 2 - weights @ smoothed(law, h).log(centre + z @ matrix.T)


def half_mmd2(theta: Array, family: Family, law: GaussianMixture, h: Array, nodes: Nodes) -> Array:
    """Half of MMD^2 less the part that depends on p alone, in closed form: kernel means of Gaussians are Gaussians."""
    del nodes
    centre, matrix, wide = _spread(theta, family, h)
    covariance = matrix @ matrix.T
    own = normal(centre, wide + covariance).log(centre[None])[0]
    crossed = smoothed(GaussianMixture(law.masses, law.centres, law.covariances + covariance), h)
    unit = _unit(family, h)
    return jnp.exp(unit + own) / 2 - jnp.exp(unit + crossed.log(centre[None])[0])


def _spread(theta: Array, family: Family, h: Array) -> tuple[Array, Array, Array]:
    """Centre, matrix, and covariance of k * q."""
    centre, matrix = family.unpack(theta)
    return centre, matrix, matrix @ matrix.T + h**2 * jnp.eye(family.dim)


def _unit(family: Family, h: Array) -> Array:
    return family.dim * jnp.log(2 * jnp.pi * (1 + h**2)) / 2


CONDITIONS: dict[str, Measured] = {"kl": kl, "kl_wgf": kl_wgf, "blob": blob, "mmd": mmd}
FUNCTIONALS: dict[str, Measured] = {
    "kl": smoothed_kl,  # which it is said to minimise
    "kl_wgf": smoothed_kl,
    "blob": blob_energy,
    "mmd": half_mmd2,
}

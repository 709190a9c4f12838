"""Claims 32 to 38: drifts on manifolds."""

import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.claims.common import CONVERGED, KEY, between, claim, gap, more_than
from gmdwgf.drifts.wrappers.on_manifold import on_manifold
from gmdwgf.manifolds import AbstractManifold, Hyperbolic, Product, Sphere, Torus
from gmdwgf.training.step import regression_loss

H, EPSILON = 0.6, 0.3
"""Bandwidth in ambient units, regularisation in squared geodesic ones."""

PLACES: dict[str, tuple[AbstractManifold, int]] = {
    "sphere": (Sphere(), 3),
    "torus": (Torus(), 2),
    "hyperbolic space": (Hyperbolic(), 3),
    "sphere × torus": (Product((Sphere(), Torus()), (3, 2)), 5),
}


def clouds(name: str, spread: float = 1.0):
    """The manifold, 7 particles and 9 targets on it, without any symmetry."""
    manifold, dim = PLACES[name]
    rng = np.random.default_rng(0)
    at = lambda n: manifold.project(jnp.asarray(spread * rng.normal(size=(n, dim)) + np.linspace(0.6, -0.3, dim)))
    return manifold, at(7), at(9)


@jax.jit
def velocity(drift, x, y):
    return drift.velocity(x, y, KEY).v


@claim(
    32, "sphere: v of `kl` = h² grad (log p_h − log q_h), von Mises-Fisher kernel, by autodiff along geodesics", 1e-9
)
def score_on_the_sphere():
    manifold, x, y = clouds("sphere")
    log_density = lambda point, cloud: jax.nn.logsumexp(cloud @ point / H**2)
    ratio = lambda point: log_density(point, y) - log_density(point, x)
    ambient = jax.vmap(jax.grad(lambda point: ratio(point / jnp.linalg.norm(point))))(x)
    return gap(velocity(gmdwgf.load_drift("kl", bandwidth=H, manifold=manifold), x, y), H**2 * ambient)


@claim(32, "it is tangent: largest ⟨x, v⟩", 1e-12)
def tangent_to_the_sphere():
    manifold, x, y = clouds("sphere")
    return gap(jnp.sum(x * velocity(gmdwgf.load_drift("kl", bandwidth=H, manifold=manifold), x, y), axis=1), 0)


@claim(32, "`kl` without a manifold leaves the sphere: share of v (rms) off the tangent plane", more_than(0.05))
def off_the_sphere():
    _, x, y = clouds("sphere")
    v = velocity(gmdwgf.load_drift("kl", bandwidth=H), x, y)
    return jnp.linalg.norm(jnp.sum(x * v, axis=1)) / jnp.linalg.norm(v)


def off_the_slope(manifold, functional, v, x) -> float:
    """|d F(exp_x(t ξ)) / dt at 0 + (1/n) Σ ⟨v, ξ⟩|, relative to the slope."""
    xi = manifold.tangent(x, jnp.asarray(np.random.default_rng(4).normal(size=x.shape)))
    slope = jax.jit(lambda: jax.jvp(lambda t: functional(manifold.exp(x, t * xi)), (0.0,), (1.0,))[1])()
    return float(abs(slope + jnp.mean(manifold.inner(x, v, xi))) / abs(slope))


@claim(33, "Riemannian flow of MMD²/2 (Gaussian kernel of the embedding): energy identity on {}", 1e-9, each=PLACES)
def mmd_flows(name):
    manifold, x, y = clouds(name)
    drift = gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=H, manifold=manifold)
    return off_the_slope(manifold, lambda x: drift.functional(x, y), velocity(drift, x, y), x)


@claim(34, "Riemannian flow of the geodesic Sinkhorn divergence: energy identity on {}", 1e-6, each=PLACES)
def sinkhorn_flows(name):
    manifold, x, y = clouds(name)
    fields = {"epsilon": EPSILON, "self_term": "same_batch", **CONVERGED}
    drift = on_manifold(gmdwgf.load_drift("sinkhorn", **fields), manifold)
    return off_the_slope(manifold, lambda x: drift.functional(x, y), velocity(drift, x, y), x)


@claim(35, "rotating the sphere rotates v: {}", 1e-8, each=["kl", "mmd", "deng", "sinkhorn", "wflow"])
def rotation(name):
    manifold, x, y = clouds("sphere")
    drift = on_manifold(gmdwgf.load_drift(name), manifold)
    turn, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))
    return gap(velocity(drift, x @ turn.T, y @ turn.T), velocity(drift, x, y) @ turn.T)


@claim(
    36,
    "in a ball of radius r, v is that of the tangent plane up to O(r²): error at r over error at r/2, {}",
    between(3.5, 4.5),
    each=["kl", "sinkhorn"],
)
def small_balls(name):
    manifold, base = Sphere(), jnp.asarray([0.0, 0.0, 1.0])
    rng = np.random.default_rng(3)
    flat_x, flat_y = (jnp.asarray(rng.normal(size=(n, 2)) + shift) for n, shift in ((7, 0.0), (9, 0.4)))

    def error(r):
        length = {"bandwidth": H * r} if name == "kl" else {"epsilon": EPSILON * r**2, "self_term": "same_batch"}
        flat = gmdwgf.load_drift(name, **length, **(CONVERGED if name == "sinkhorn" else {}))
        lift = lambda u: manifold.exp(base, jnp.pad(r * u, ((0, 0), (0, 1))))
        v = velocity(on_manifold(flat, manifold), lift(flat_x), lift(flat_y))
        return gap(v[:, :2] / r, velocity(flat, r * flat_x, r * flat_y) / r)

    return error(0.1) / error(0.05)


@claim(37, "one target μ, no repulsion (one particle): v of `kl` = P_x (μ − x)", 1e-12)
def one_target():
    manifold, x, y = clouds("sphere")
    drift = gmdwgf.load_drift("kl", bandwidth=H, manifold=manifold)
    return gap(velocity(drift, x[:1], y[:1]), manifold.tangent(x[:1], y[:1] - x[:1]))


@claim(37, "von Mises-Fisher: mean of 10⁵ samples over coth κ − 1/κ, worst of κ = .5, 4, 50, in standard errors", 4.0)
def mean_of_von_mises_fisher():
    def off(kappa):
        target = gmdwgf.load_target("von_mises_fisher", centres=[[0, 0, 1]], concentration=kappa, masses=[1])
        height = np.asarray(target.sample(KEY, 100_000))[:, 2]
        return abs(height.mean() - (1 / np.tanh(kappa) - 1 / kappa)) / (height.std() / np.sqrt(len(height)))

    return max(off(kappa) for kappa in (0.5, 4.0, 50.0))


@claim(38, "gradient of the squared geodesic distance to exp_x(η v) is −2 η v / n, η = .7, on {}", 1e-9, each=PLACES)
def gradient_of_the_loss(name):
    manifold, x, y = clouds(name)
    v, eta = velocity(gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=H, manifold=manifold), x, y), 0.7
    ambient = jax.grad(lambda x: regression_loss(x, v, jnp.asarray(eta), manifold))(x)
    return gap(manifold.gradient(x, ambient), -2 * eta * v / len(x))

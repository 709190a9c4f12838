"""Claims 1 to 12: drifts that are each other, or the gradients of functionals."""

import functools

import jax
import jax.numpy as jnp

import gmdwgf
from experiments.claims.common import (
    CONVERGED,
    EPSILON,
    KEY,
    TAU,
    H,
    between,
    claim,
    clouds,
    drift,
    equispaced,
    gap,
    gaussian_grid,
    gradient,
    more_than,
    slope,
    squared_distances,
    value,
    velocity,
)
from experiments.common.mixtures import hermite
from gmdwgf import transport
from gmdwgf.drifts import KLWGFDrift
from gmdwgf.drifts.affinity import Candidates, joint_drift, laplace, ruiz_potentials
from gmdwgf.generators.mlp import MLPGenerator
from gmdwgf.pairs import reductions
from gmdwgf.training.step import regression_loss

SOME_DIRECTION = jax.random.normal(jax.random.key(5), (13, 2))


def log_kde(point, cloud):
    return jax.nn.logsumexp(-jnp.sum((point - cloud) ** 2, axis=-1) / (2 * H**2)) - jnp.log(len(cloud))


@claim(1, "Gaussian mean shift = σ² (score of p − score of q), self-inclusive", 1e-10)
def mean_shift_is_score_difference():
    scores = gmdwgf.load_drift("kernel_score", kernel="gaussian", bandwidth=H)
    return gap(velocity(drift("score difference"), *clouds()), H**2 * velocity(scores, *clouds()))


@claim(1, "KDE score = automatic derivative of logsumexp", 1e-10)
def score_is_derivative():
    x, y = clouds()
    scores = gmdwgf.load_drift("kernel_score", kernel="gaussian", bandwidth=H)
    potential = lambda point: log_kde(point, y) - log_kde(point, x)
    return gap(velocity(scores, x, y), jax.jit(jax.vmap(jax.grad(potential)))(x))


@claim(
    2, "pair form (Deng Eq. 11) = difference of mean shifts: {}", 1e-10, each=["score difference", "Laplace mean shift"]
)
def pair_form(name):
    x, y = clouds()
    profile = (
        (lambda r2: jnp.exp(-r2 / (2 * H**2))) if name == "score difference" else (lambda r2: jnp.exp(-(r2**0.5) / TAU))
    )
    to_y, to_x = profile(squared_distances(x, y)), profile(squared_distances(x, x))
    pairs = to_y[:, :, None] * to_x[:, None, :]
    moved = jnp.einsum("ijl,jld->id", pairs, y[:, None] - x[None]) / pairs.sum((1, 2))[:, None]
    return gap(velocity(drift(name), x, y), moved)


ROWS_FIXED = (
    "Algorithm 2, the proxy and Sinkhorn also normalise over the cloud of queries. Read as: that cloud (here 7 points of their "
    "own) stays as it is while the attracting and the repelling cloud are exchanged. Exchanged in a drift's own interface, where "
    "the particles are queries and repelling cloud at once, the field does not just change sign; the rows marked so show it."
)


@functools.partial(jax.jit, static_argnums=0)
def fixed_rows(name, rows, positives, negatives):
    """The field of a drift at the cloud `rows`, which its columns are normalised over."""
    if name == "Algorithm 2":
        ones = jnp.ones(len(positives) + len(negatives))
        candidates = Candidates(jnp.concatenate([negatives, positives]), ones, ones, len(negatives))
        return joint_drift(None, rows, jnp.ones(len(rows)), candidates, laplace(jnp.asarray(TAU)), 0.0, 0.0)
    (up, s_up), (down, s_down) = (one_block(name, rows, cloud) for cloud in (positives, negatives))
    return s_up * s_down * (up - down)


def one_block(name, rows, cloud):
    """Barycentres and row masses of the scaled affinity of `rows` to one cloud."""
    log_a, log_b = reductions.log_masses(None, rows), reductions.log_masses(None, cloud)
    epsilon = jnp.asarray(EPSILON if name == "Sinkhorn" else H**2)
    if name == "Sinkhorn":
        f, g, *_ = transport.potentials(rows, cloud, epsilon, **CONVERGED)
    else:
        f, g = ruiz_potentials(rows, log_a, cloud, log_b, epsilon, 1)
    affinity = jnp.exp((f[:, None] + g - squared_distances(rows, cloud) / 2) / epsilon + log_b)
    mass = jnp.sum(affinity, axis=1, keepdims=True)
    return affinity @ cloud / mass, mass


@claim(3, "V_pq = −V_qp at fixed queries: {}", 1e-10, each=["score difference", "Laplace mean shift"])
def antisymmetric_pointwise(name):
    x, y = clouds()
    at = y[:7] + 0.1
    return gap(velocity(drift(name), x, y, at), -velocity(drift(name), y, x, at))


@claim(3, "V_pq = −V_qp at fixed queries: {}", 1e-10, each=["Algorithm 2", "proxy", "Sinkhorn"], reading=ROWS_FIXED)
def antisymmetric_at_fixed_rows(name):
    x, y = clouds()
    rows = y[:7] + 0.1
    return gap(fixed_rows(name, rows, y, x), -fixed_rows(name, rows, x, y))


@claim(
    3,
    "the queries' cloud exchanged as well: |V_pq + V_qp|, {}",
    more_than(1e-3),
    each=["Algorithm 2", "proxy", "Sinkhorn"],
)
def not_antisymmetric_in_the_interface(name):
    x, y = clouds()
    at = y[:7] + 0.1
    return gap(velocity(drift(name), x, y, at), -velocity(drift(name), y, x, at))


SELF_INCLUSIVE = (
    "score difference",
    "Laplace mean shift",
    "Algorithm 2",
    "proxy",
    "Sinkhorn",
    "MMD Gaussian",
    "DrMMD",
    "KALE",
)


@claim(4, "V = 0 on identical clouds: {}", 1e-10, each=[*SELF_INCLUSIVE, "sliced Wasserstein"])
def zero_at_equality(name):
    x, _ = clouds()
    return gap(velocity(drift(name), x, x), 0)


MASKED = ("Algorithm 2, masked", "score difference, leave one out")


@claim(4, "V ≠ 0 on identical clouds without the self-pairs: {}", more_than(1e-2), each=MASKED)
def not_zero_without_self_pairs(name):
    return zero_at_equality(name)


@claim(5, "Algorithm 2 = s₊ s₋ (B₊ − B₋), weights of B ∝ K c^(−1/2), c the column sums", 1e-10)
def algorithm_2_by_barycentres():
    x, y = clouds()
    to_y, to_x = (jnp.exp(-(squared_distances(x, cloud) ** 0.5) / TAU) for cloud in (y, x))
    rows = (to_y.sum(1) + to_x.sum(1)) ** 0.5
    up, down = to_y / to_y.sum(0) ** 0.5, to_x / to_x.sum(0) ** 0.5
    speed = up.sum(1) * down.sum(1) / rows**2
    barycentre = lambda weights, cloud: weights @ cloud / weights.sum(1, keepdims=True)
    return gap(velocity(drift("Algorithm 2"), x, y), speed[:, None] * (barycentre(up, y) - barycentre(down, x)))


@functools.cache
@jax.jit
def gaussian_algorithm_2():
    """Algorithm 2, unmasked, with the proxy's kernel; over sqrt(m / n), as our proxy has means where it has sums."""
    x, y = clouds()
    n, m = len(x), len(y)
    ones = jnp.ones(n + m)
    candidates = Candidates(jnp.concatenate([x, y]), ones, ones, n)
    return joint_drift(None, x, ones[:n], candidates, lambda r2: -r2 / (2 * H**2), 0.0, 0.0) / (m / n) ** 0.5


@claim(
    5, "with one kernel and masking, {} and Algorithm 2 have one direction B₊ − B₋", 1e-10, each=["proxy", "proxy core"]
)
def one_direction(name):
    unit = lambda v: v / jnp.linalg.norm(v, axis=1, keepdims=True)
    return gap(unit(gaussian_algorithm_2()), unit(velocity(drift(name), *clouds())))


def speed_ratio():
    return jnp.linalg.norm(gaussian_algorithm_2(), axis=1) / jnp.linalg.norm(
        velocity(drift("proxy"), *clouds()), axis=1
    )


@claim(5, "their speeds have the ratio √(R₊R₋)/(R₊+R₋), R the kernel's row sums", 1e-10)
def ratio_of_speeds():
    x, y = clouds()
    up, down = (jnp.exp(-squared_distances(x, cloud) / (2 * H**2)).sum(1) for cloud in (y, x))
    return gap(speed_ratio(), (up * down) ** 0.5 / (up + down))


@claim(5, "the largest of these ratios", between(0, 0.5))
def largest_ratio():
    return float(jnp.max(speed_ratio()))


@claim(6, "un-normalised Laplace shift = −n ∇ MMD²/2 of the kernel k#", 1e-10)
def un_normalised_is_flow():
    x, y = clouds()
    return gap(velocity(drift("un-normalised Laplace"), x, y), -len(x) * gradient(drift("un-normalised Laplace"), x, y))


@claim(6, "sharp-normalised Laplace = ∇ log (p# / q#)", 1e-10)
def sharp_is_score_difference():
    x, y = clouds()
    at = y[:7] + 0.1

    def log_ratio(point):
        radii = (jnp.linalg.norm(point - cloud, axis=1) for cloud in (y, x))
        p, q = (jnp.mean(TAU * (r + TAU) * jnp.exp(-r / TAU)) for r in radii)
        return jnp.log(p / q)

    return gap(velocity(drift("sharp Laplace"), x, y, at), jax.jit(jax.vmap(jax.grad(log_ratio)))(at))


@functools.cache
def smoothed_flow(n_nodes):
    """The drift `kl_wgf` as a function of (x, y, x_weights, y_weights), its expectation by quadrature."""
    nodes, kl_wgf = hermite(n_nodes), gmdwgf.load_drift("kl_wgf", bandwidth=H)
    assert isinstance(kl_wgf, KLWGFDrift)
    return jax.jit(lambda x, y: kl_wgf.average(x, y, *nodes)[0])


def smoothed_kl(x, y, n_nodes=40):
    """KL(k*q || k*p) by quadrature around every particle."""
    nodes, weights = hermite(n_nodes)
    log_ratio = lambda point: log_kde(point, x) - log_kde(point, y)
    return jnp.mean(jax.vmap(lambda point: weights @ jax.vmap(log_ratio)(point + H * nodes))(x))


smoothed_kl_gradient = jax.jit(jax.grad(smoothed_kl))


@claim(7, "smoothed-KL drift = −n ∇ KL(k∗q ‖ k∗p), 40 × 40 quadrature nodes", 1e-6)
def smoothed_kl_flow():
    x, y = clouds()
    return gap(smoothed_flow(40)(x, y), -len(x) * smoothed_kl_gradient(x, y))


@claim(7, "it is not the score difference over σ²: relative distance on a mixture", more_than(0.05))
def not_the_score_difference():
    exact, plain = smoothed_flow(40)(*clouds()), velocity(drift("score difference"), *clouds()) / H**2
    return float(jnp.linalg.norm(exact - plain) / jnp.linalg.norm(plain))


@claim(7, "on exact Gaussians (affine scores) the two are equal", 1e-6)
def equal_on_gaussians():
    (x, a), (y, b) = gaussian_grid(-0.4, 0.5), gaussian_grid(0.9, 1.6)
    at = jnp.linspace(-1, 1, 5)[:, None]
    fields = gmdwgf.load_drift("kl_wgf", bandwidth=H), drift("score difference")
    smoothed, plain = (velocity(field, x, y, at, a, b) for field in fields)
    return gap(smoothed, plain / H**2)


@functools.cache
def ott_divergence(**solve):
    """ott-jax's own Sinkhorn divergence (full cost, 2 ε) and its derivative in x."""
    from ott.geometry.pointcloud import PointCloud
    from ott.tools.sinkhorn_divergence import sinkhorn_divergence

    x, y = clouds()
    divergence = lambda x: sinkhorn_divergence(PointCloud, x, y, epsilon=2 * EPSILON, solve_kwargs=solve)[0]
    return jax.jit(jax.value_and_grad(divergence))(x)


@claim(8, "Sinkhorn drift = −n ∇ S_ε, by differences of S_ε along a random direction", 1e-8)
def sinkhorn_is_flow():
    x, y = clouds()
    change = slope(lambda x: value(drift("Sinkhorn"), x, y), x, SOME_DIRECTION)
    return gap(jnp.sum(velocity(drift("Sinkhorn"), x, y) * SOME_DIRECTION), -len(x) * change)


@claim(8, "half of −n ∇ of ott-jax's divergence at 2 ε = Sinkhorn drift, ott threshold 1e-11", 1e-9)
def ott_tight():
    return gap(
        velocity(drift("Sinkhorn"), *clouds()), -13 * ott_divergence(threshold=1e-11, max_iterations=20000)[1] / 2
    )


@claim(8, "the same at ott-jax's default threshold: no better than about 2e-4", between(2e-5, 2e-3))
def ott_default():
    return gap(velocity(drift("Sinkhorn"), *clouds()), -13 * ott_divergence()[1] / 2)


@claim(8, "S_ott = 2 S_ε (half cost)", 1e-9)
def ott_is_twice():
    return gap(ott_divergence(threshold=1e-11, max_iterations=20000)[0], 2 * value(drift("Sinkhorn"), *clouds()))


@claim(9, "Sinkhorn drift after K = 0 corrections = Gaussian mean shift with σ² = ε", 1e-10)
def no_correction():
    steps = gmdwgf.load_drift("sinkhorn_steps", epsilon=H**2, n_iters=0)
    return gap(velocity(steps, *clouds()), velocity(drift("score difference"), *clouds()))


@functools.partial(jax.jit, static_argnums=0)
def scaled(n_iters):
    """The kernel after `n_iters` Ruiz scalings, as an affinity with mean one."""
    x, y = clouds()
    log_masses, epsilon = (reductions.log_masses(None, cloud) for cloud in (x, y)), jnp.asarray(EPSILON)
    f, g = ruiz_potentials(x, next(log_masses), y, next(log_masses), epsilon, n_iters)
    return jnp.exp((f[:, None] + g - squared_distances(x, y) / 2) / epsilon)


@claim(9, "one Ruiz scaling = the proxy's affinity K / √(row mean × column mean)", 1e-12)
def one_scaling():
    kernel = jnp.exp(-squared_distances(*clouds()) / (2 * EPSILON))
    return gap(scaled(1), kernel / jnp.sqrt(kernel.mean(1, keepdims=True) * kernel.mean(0)))


@claim(9, "4000 Ruiz scalings = the Sinkhorn plan", 1e-12)
def many_scalings():
    x, y = clouds()
    found = jax.jit(lambda: transport.potentials(x, y, jnp.asarray(EPSILON), **CONVERGED))()
    plan = jnp.exp((found.f[:, None] + found.g - squared_distances(x, y) / 2) / EPSILON)
    return gap(scaled(4000), plan) / (len(x) * len(y))


KERNELS = ("MMD Gaussian", "MMD Laplace", "MMD energy")


@claim(10, "V = −n ∇ F: {}", 1e-10, each=[*KERNELS, "DrMMD", "KALE"])
def kernel_flow(name):
    x, y = clouds()
    return gap(velocity(drift(name), x, y), -len(x) * gradient(drift(name), x, y))


@claim(10, "V = −n ∇ F by differences along a random direction: {}", 1e-7, each=["DrMMD", "KALE"])
def kernel_flow_by_differences(name):
    x, y = clouds()
    change = slope(lambda x: value(drift(name), x, y), x, SOME_DIRECTION)
    return gap(jnp.sum(velocity(drift(name), x, y) * SOME_DIRECTION), -len(x) * change)


@claim(11, "sliced Wasserstein velocity = −n ∇ SW²/2 at fixed directions, n ≠ m", 1e-10)
def sliced_flow():
    x, y = clouds()
    return gap(velocity(drift("sliced Wasserstein"), x, y), -len(x) * gradient(drift("sliced Wasserstein"), x, y))


@claim(11, "d · v = b for a translation by b, equispaced directions of the plane", 1e-10)
def translation():
    x, b = clouds()[0], jnp.asarray([0.7, -1.9])
    return gap(drift("sliced Wasserstein").velocity_along(equispaced(7), x, x + b), b)


@claim(11, "random directions: RMS error of d · v with 16 of them over that with 256 (4 expected)", between(3, 5))
def random_directions():
    x, b = clouds()[0], jnp.asarray([0.7, -1.9])

    def error(n):
        sliced = gmdwgf.load_drift("sliced_wasserstein", n_projections=n, directions="independent")
        draws = jax.jit(jax.vmap(lambda key: velocity(sliced, x, x + b, key=key)))(jax.random.split(KEY, 200))
        return float(jnp.sqrt(jnp.mean((draws - b) ** 2)))

    return error(16) / error(256)


FLOWS = ("un-normalised Laplace", "blob KL", "Sinkhorn", *KERNELS, "DrMMD", "KALE", "sliced Wasserstein")


@claim(12, "gradient of the loss = 2 η ∇_θ F through an MLP (relative): {}", 1e-10, each=[*FLOWS, "smoothed KL"])
def loss_gradient(name):
    eta, y, generator = 0.3, clouds()[1], MLPGenerator(noise_dim=3, width=16, depth=2, activation="silu")
    z, params = jax.random.normal(jax.random.key(1), (13, 3)), generator.init(jax.random.key(2), 13, 2)
    x, pull_back = jax.vjp(lambda params: generator.apply(params, z), params)
    if name == "smoothed KL":
        v, slope_of_f = smoothed_flow(40)(x, y), smoothed_kl_gradient(x, y)
    else:
        v, slope_of_f = velocity(drift(name), x, y), gradient(drift(name), x, y)
    loss = lambda params: regression_loss(generator.apply(params, z), v, jnp.asarray(eta))
    flat = lambda tree: jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])
    got, expected = flat(jax.grad(loss)(params)), 2 * eta * flat(pull_back(slope_of_f)[0])
    return gap(got, expected) / float(jnp.max(jnp.abs(expected)))

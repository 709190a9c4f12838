"""Drifts on manifolds against autodiff of their functionals, slow loops and values that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf import transport
from gmdwgf.config.build import ConfigError, options
from gmdwgf.drifts.wrappers.on_manifold import EXTRINSIC, on_manifold
from gmdwgf.manifolds import Sphere
from tests.manifolds.common import CURVED, MANIFOLDS, clouds

KEY = jax.random.key(0)

thorough, slow = pytest.mark.thorough, pytest.mark.slow


def quick(names, *first):
    """Parameters of which all but the first ones named are for `make test-all`."""
    return [pytest.param(name, marks=() if name in first else thorough) for name in names]


TANGENT = {
    "critic": {"n_inner": 1, "width": 8, "depth": 1},
    "deng": {},
    "drmmd": {},
    "f_divergence": {},
    "kale": {},
    "kl": {"bandwidth": 0.6},
    "mean_shift": {"kernel": "gaussian"},
    "mmd": {},
    "sharp": {},
    "sinkhorn": {"epsilon": 0.3, "self_term": "two_batch"},
    "wflow": {"n_iters": 3},
}


@jax.jit
def outputs(drift, x, y):
    return drift.update(drift.init(KEY, x, y), x, y, KEY)[0]


def velocity(drift, x, y):
    return outputs(drift, x, y).v


@jax.jit
def field(drift, x, y, at, y_weights=None):
    """Velocities at given points."""
    return drift.velocity(x, y, KEY, at=at, y_weights=y_weights).v


def named(name):
    return MANIFOLDS[name][0]


@thorough
def test_the_list_of_drifts_in_messages_is_complete():
    def works(name):
        try:
            return bool(on_manifold(gmdwgf.load_drift(name), Sphere()))
        except Exception:
            return False

    assert {name for name in options("drift") if works(name)} == {*EXTRINSIC.split(", "), "sum", "critic_w1"}
    assert set(TANGENT) == set(EXTRINSIC.split(", "))


@pytest.mark.parametrize("name", quick(TANGENT, "kl"))
def test_velocities_are_tangent_and_finite(name, x64):
    for place in ("sphere", "torus", "hyperbolic") if name == "kl" else ("sphere",):
        manifold, x, y = clouds(place)
        output = outputs(gmdwgf.load_drift(name, manifold=manifold, **TANGENT[name]), x, y)
        np.testing.assert_allclose(manifold.tangent(x, output.v), output.v, atol=1e-12)
        np.testing.assert_allclose(output.info["v_rms"], jnp.sqrt(jnp.mean(manifold.inner(x, output.v, output.v))))
        assert output.info["v_rms"] > 1e-2


def test_by_name_as_in_the_documentation():
    _, x, y = clouds("sphere", dtype=jnp.float32)
    v = gmdwgf.load_drift("kl", bandwidth=0.6, manifold="sphere").velocity(x, y, KEY).v
    np.testing.assert_allclose(jnp.sum(x * v, axis=1), 0, atol=1e-6)


def energy_identity(manifold, functional, v, x, seed=4):
    """D F(exp_x(t xi)) / dt at 0, by autodiff through exp, and -(1/n) sum_i <v_i, xi_i>."""
    xi = jnp.asarray(np.random.default_rng(seed).normal(size=x.shape))

    @jax.jit
    def both(x, v, xi):
        xi = manifold.tangent(x, xi)
        slope = jax.jvp(lambda t: functional(manifold.exp(x, t * xi)), (0.0,), (1.0,))[1]
        return slope, -jnp.mean(manifold.inner(x, v, xi))

    return both(x, v, xi)


@pytest.mark.parametrize("place", quick(CURVED, "sphere", "hyperbolic"))
def test_mmd_is_the_riemannian_flow_of_half_the_squared_mmd(place, x64):
    """For an energy and a Gaussian kernel of the embedded points, with pairs summed here."""
    manifold, x, y = clouds(place)

    def half_mmd2(kernel, x):
        gram = lambda a, b: jnp.mean(
            kernel(jnp.sum((manifold.embed(a)[:, None] - manifold.embed(b)) ** 2, axis=-1) + 1e-300)
        )
        return gram(x, x) / 2 - gram(x, y) + gram(y, y) / 2

    kernels = {"energy": lambda r2: -jnp.sqrt(r2), "gaussian": lambda r2: jnp.exp(-r2 / (2 * 0.7**2))}
    for name, kernel in kernels.items():
        v = velocity(gmdwgf.load_drift("mmd", kernel=name, bandwidth=0.7, manifold=manifold), x, y)
        slope, expected = energy_identity(manifold, lambda x: half_mmd2(kernel, x), v, x)  # noqa: B023
        np.testing.assert_allclose(slope, expected, rtol=1e-9)


@thorough
@pytest.mark.parametrize("name", ["kale", "drmmd"])
def test_other_extrinsic_flows_are_flows(name, x64):
    manifold, x, y = clouds("sphere")
    drift = gmdwgf.load_drift(name, manifold=manifold)
    slope, expected = energy_identity(manifold, lambda x: drift.functional(x, y), velocity(drift, x, y), x)
    np.testing.assert_allclose(slope, expected, rtol=1e-7)


SINKHORN = {"epsilon": 0.3, "threshold": 1e-12, "max_iters": 5000, "self_term": "same_batch"}


@pytest.mark.parametrize(
    "place", ["sphere", *(pytest.param(p, marks=slow) for p in ("torus", "hyperbolic", "product"))]
)
def test_sinkhorn_is_the_riemannian_flow_of_the_geodesic_sinkhorn_divergence(place, x64):
    manifold, x, y = clouds(place)
    drift = gmdwgf.load_drift("sinkhorn", manifold=manifold, **SINKHORN)
    v = velocity(drift, x, y)
    slope, expected = energy_identity(manifold, lambda x: drift.functional(x, y), v, x)
    np.testing.assert_allclose(slope, expected, rtol=1e-7)


@thorough
def test_geodesic_plans_and_velocity_against_a_loop(x64):
    """Sinkhorn iterations in NumPy with arccos costs, and the barycentres of logarithms."""
    _, x, y = (np.asarray(cloud) if not isinstance(cloud, Sphere) else cloud for cloud in clouds("sphere"))
    epsilon = 0.3

    def pull(x, y):
        cost = np.arccos(np.clip(x @ y.T, -1, 1)) ** 2 / 2
        kernel, right = np.exp(-cost / epsilon), np.ones(len(y))
        for _ in range(5000):
            left = 1 / len(x) / (kernel @ right)
            right = 1 / len(y) / (left @ kernel)
        v = np.zeros_like(x)
        for i, here in enumerate(x):
            for j, there in enumerate(y):
                cosine = here @ there
                side = there - cosine * here
                length = np.linalg.norm(side)
                if length > 1e-12:
                    plan = len(x) * left[i] * kernel[i, j] * right[j]
                    v[i] += plan * np.arccos(cosine) * side / length
        return v

    v = velocity(gmdwgf.load_drift("sinkhorn", manifold="sphere", **SINKHORN), jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(v, pull(x, y) - pull(x, x), atol=1e-7)


@thorough
@pytest.mark.parametrize("solver", ["ott", "streamed"])
def test_every_solver_finds_the_geodesic_plan(solver, x64):
    manifold, x, y = clouds("torus")
    stop = {"threshold": jnp.asarray(1e-10), "max_iters": 3000, "cost": manifold}
    one, other = (transport.potentials(x, y, jnp.asarray(0.3), solver=name, **stop) for name in ("newton", solver))
    np.testing.assert_allclose(one.f[:, None] + one.g, other.f[:, None] + other.g, atol=1e-7)


@slow
def test_wflow_against_a_loop_of_its_iterations(x64):
    """At given points the full clouds are used, without scales: differences of mean logarithms under both plans."""
    manifold, x, y = clouds("torus")
    at, epsilon, n_iters = x + 0.1, 0.4, 3

    def mean_log(y):
        cost = lambda a, b: np.asarray(manifold.distance(a[:, None], b)) ** 2 / 2
        softmin = lambda c, g: -epsilon * np.log(np.mean(np.exp((g - c) / epsilon), axis=1))
        g = np.zeros(len(y))
        for _ in range(n_iters):
            g = softmin(cost(y, x), softmin(cost(x, y), g))
        weights = np.exp((g - cost(at, y)) / epsilon)
        return np.einsum("ij,ijk->ik", weights / weights.sum(1, keepdims=True), manifold.log(at[:, None], y))

    fields = {"epsilon": epsilon, "n_iters": n_iters, "scale_normalise": False, "rms_normalise": False}
    drift = gmdwgf.load_drift("wflow", manifold=manifold, **fields)
    np.testing.assert_allclose(field(drift, x, y, at), mean_log(y) - mean_log(x), atol=1e-11)


@thorough
def test_wflow_has_the_speed_that_it_promises(x64):
    """Mean square 1 relative to the targets' variance, half the mean squared geodesic distance, per intrinsic dimension."""
    manifold, x, y = clouds("sphere")
    v = velocity(gmdwgf.load_drift("wflow", manifold=manifold), x, y)
    variance = jnp.mean(manifold.distance(y[:, None], y) ** 2) / 2
    np.testing.assert_allclose(jnp.mean(jnp.sum(v**2, axis=1)), variance, rtol=1e-10)


def test_kl_on_the_sphere_is_the_gradient_of_the_log_ratio_of_von_mises_fisher_densities(x64):
    """H^2 grad_S (log p_h - log q_h), densities with the kernel exp(<x, y> / h^2), by autodiff along the sphere."""
    manifold, x, y = clouds("sphere")
    h = 0.6
    v = velocity(gmdwgf.load_drift("kl", bandwidth=h, manifold=manifold), x, y)
    density = lambda point, cloud: jnp.log(jnp.mean(jnp.exp(cloud @ point / h**2)))
    ratio = lambda point: density(manifold.project(point), y) - density(manifold.project(point), x)
    np.testing.assert_allclose(v, h**2 * jax.jit(jax.vmap(jax.grad(ratio)))(x), atol=1e-12)


def test_extrinsic_velocities_are_projections_of_flat_ones(x64):
    manifold, x, y = clouds("sphere")
    for name in ("kl", "deng"):
        flat, v = (velocity(gmdwgf.load_drift(name, manifold=place), x, y) for place in (None, manifold))
        np.testing.assert_allclose(v, flat - jnp.sum(flat * x, axis=1, keepdims=True) * x, atol=1e-14)
    off = jnp.sqrt(jnp.sum((flat - v) ** 2) / jnp.sum(flat**2))
    assert off > 0.1  # the projection removes something


@thorough
@pytest.mark.parametrize(
    ("name", "fields"), [("kl", {}), ("kl", {"kernel": "heat", "bandwidth": 0.5}), ("sinkhorn", {})]
)
def test_rotations_of_the_sphere_rotate_velocities(name, fields, x64):
    manifold, x, y = clouds("sphere")
    turn = jnp.asarray(np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0])
    drift = gmdwgf.load_drift(name, manifold=manifold, **(SINKHORN if name == "sinkhorn" else fields))
    np.testing.assert_allclose(velocity(drift, x @ turn.T, y @ turn.T), velocity(drift, x, y) @ turn.T, atol=1e-9)


@thorough
def test_rotations_of_the_torus_do_not_change_velocities(x64):
    manifold, x, y = clouds("torus")
    shift = jnp.asarray([2.0, -3.0])
    moved = manifold.project(x + shift), manifold.project(y + shift)
    for name, fields in (("mmd", {}), ("mmd", {"kernel": "heat"}), ("sinkhorn", SINKHORN)):
        drift = gmdwgf.load_drift(name, manifold=manifold, **fields)
        np.testing.assert_allclose(velocity(drift, *moved), velocity(drift, x, y), atol=1e-9)


FLAT = {
    "kl": {"bandwidth": 0.7},
    "mmd": {"kernel": "gaussian", "bandwidth": 0.7},
    "sinkhorn": SINKHORN,
}


@thorough
@pytest.mark.parametrize("place", ["sphere", "torus", "hyperbolic"])
@pytest.mark.parametrize("name", FLAT)
def test_in_a_small_ball_the_drift_is_the_flat_one_up_to_the_square_of_its_radius(name, place, x64):
    """Clouds r u in the tangent plane at a point, with lengths scaled by r: v / r tends to the flat drift, with error O(r^2)."""
    manifold = named(place)
    plane = [jnp.asarray(np.random.default_rng(seed).normal(size=(n, 2)) * 0.7) for seed, n in ((0, 7), (1, 9))]
    origin = manifold.project(jnp.asarray([1.0, 0.0] if place == "torus" else [1.0, 0.0, 0.0]))
    basis = jnp.eye(len(origin))[-2:]
    fields = {field: value for field, value in FLAT[name].items() if field not in ("bandwidth", "epsilon")}

    def lengths(r):
        return {f: FLAT[name][f] * r**power for f, power in (("bandwidth", 1), ("epsilon", 2)) if f in FLAT[name]}

    flat = velocity(gmdwgf.load_drift(name, **fields, **lengths(1.0)), *plane)
    errors = []
    for r in (0.04, 0.02):
        x, y = (manifold.exp(origin, r * cloud @ basis) for cloud in plane)
        v = velocity(gmdwgf.load_drift(name, manifold=manifold, **fields, **lengths(r)), x, y)
        in_plane = v @ basis.T * (r if name == "mmd" else 1 / r)  # a velocity in 1 / length, or in lengths
        errors.append(float(jnp.max(jnp.abs(in_plane - flat))))
    assert errors[0] < 0.05 * float(jnp.max(jnp.abs(flat)))
    if (name, place) == ("sinkhorn", "torus"):
        assert max(errors) < 1e-7  # a torus is flat, and no geodesic leaves the ball
    else:
        np.testing.assert_allclose(errors[0] / errors[1], 4, rtol=0.15)


def test_the_mean_of_von_mises_fisher_and_a_single_target(x64):
    """Of one target mu without repulsion the wide mean shift is P_x mu; of von Mises-Fisher samples it is A(kappa) P_x mu."""
    manifold, x, _ = clouds("sphere")
    mu = jnp.asarray([[0.0, 0.6, 0.8]])
    # With coincident particles the repulsion is x itself, whose tangent part is 0.
    alone = x[:1]
    v = velocity(gmdwgf.load_drift("kl", bandwidth=0.5, manifold=manifold), alone, mu)
    np.testing.assert_allclose(v, manifold.tangent(alone, mu), atol=1e-14)
    for kappa, published in ((0.5, 0.163953), (4.0, 0.750671), (50.0, 0.98)):
        expected = 1 / np.tanh(kappa) - 1 / kappa
        assert round(expected, 6) == published
        # Exact quadrature of a law on the sphere: cosines by Gauss-Legendre, 8 longitudes.
        nodes, weights = np.polynomial.legendre.leggauss(60)
        angle = 2 * np.pi * np.arange(8) / 8
        rings = [np.outer(np.sqrt(1 - nodes**2), turn(angle)).ravel() for turn in (np.cos, np.sin)]
        cloud = np.stack([*rings, np.repeat(nodes, 8)], axis=1)
        mass = np.repeat(weights * np.exp(kappa * (nodes - 1)), 8)
        drift = gmdwgf.load_drift("kl", bandwidth=1e4, manifold=manifold)
        v = field(drift, alone, jnp.asarray(cloud), alone, jnp.asarray(mass))
        pole = jnp.asarray([[0.0, 0.0, 1.0]])
        np.testing.assert_allclose(v, expected * manifold.tangent(alone, pole), rtol=1e-7)


def legendre_sum(cosine, h):
    """Sum (2l + 1) exp(-l (l + 1) h^2 / 2) P_l over its value at 1, by NumPy."""
    degrees = np.arange(64)
    weights = (2 * degrees + 1) * np.exp(-degrees * (degrees + 1) * h**2 / 2)
    return np.polynomial.legendre.legval(cosine, weights / weights.sum())


@thorough
def test_heat_kernels_have_the_values_that_are_known(x64):
    sphere, x, y = clouds("sphere")
    h = jnp.asarray(0.5)
    of = lambda manifold, x, y, h=h: manifold.heat_kernel(x[:, None], y, h)
    np.testing.assert_allclose(of(sphere, x, y), legendre_sum(np.asarray(x @ y.T), 0.5), atol=1e-13)
    # The circle twice: as harmonics, and as images or waves of an angle.
    torus, angle = named("torus"), jnp.linspace(-3.0, 3.0, 7)
    on_circle = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
    for wide in (0.3, 1.9, 2.1, 4.0):
        as_harmonics = of(sphere, on_circle, on_circle, jnp.asarray(wide))
        np.testing.assert_allclose(
            of(torus, angle[:, None], angle[:, None], jnp.asarray(wide)), as_harmonics, atol=1e-11
        )
    # Small times: the Gaussian of the geodesic distance, times (g / sin g)^(1/2) on the sphere.
    narrow, step = jnp.asarray(0.12), jnp.asarray([[0.0, 0.1], [0.0, 0.25]])
    pole = jnp.asarray([[1.0, 0.0, 0.0]])
    g = jnp.asarray([0.1, 0.25])
    there = sphere.exp(pole, jnp.concatenate([jnp.zeros((2, 1)), step], axis=1))
    expected = jnp.exp(-(g**2) / (2 * narrow**2)) * jnp.sqrt(g / jnp.sin(g))
    np.testing.assert_allclose(of(sphere, pole, there, narrow)[0], expected, rtol=3e-3)
    product, x, y = clouds("product")
    parts = of(sphere, x[:, :3], y[:, :3]) * of(torus, x[:, 3:], y[:, 3:])
    np.testing.assert_allclose(of(product, x, y), parts, rtol=1e-12)


@thorough
@pytest.mark.parametrize("place", ["sphere", "sphere4", "torus", "product"])
def test_heat_kernels_are_positive_definite_and_a_gaussian_of_the_distance_is_not(place, x64):
    manifold, x, y = clouds(place, n=30, m=30)
    points = jnp.concatenate([x, y])
    lowest = lambda gram: float(np.linalg.eigvalsh(np.asarray(gram))[0])
    assert lowest(manifold.heat_kernel(points[:, None], points, jnp.asarray(0.8))) > -1e-12
    if place == "sphere":
        assert lowest(jnp.exp(-(manifold.distance(points[:, None], points) ** 2) / (2 * 1.5**2))) < -1e-3


@pytest.mark.parametrize("place", quick(["sphere", "torus"], "torus"))
def test_flows_of_the_heat_kernel(place, x64):
    manifold, x, y = clouds(place)
    scales = (0.4, 0.9)
    kernel = lambda a, b: sum(jnp.mean(manifold.heat_kernel(a[:, None], b, jnp.asarray(h))) for h in scales) / 2
    functional = lambda x: kernel(x, x) / 2 - kernel(x, y)
    v = velocity(gmdwgf.load_drift("mmd", kernel="heat", bandwidth=list(scales), manifold=manifold), x, y)
    slope, expected = energy_identity(manifold, functional, v, x)
    np.testing.assert_allclose(slope, expected, rtol=1e-9)

    h = jnp.asarray(0.5)
    density = lambda point, cloud: jnp.log(jnp.mean(manifold.heat_kernel(point, cloud, h)) + 1e-5)
    ratio = lambda point: density(point, y) - density(point, x)
    v = velocity(gmdwgf.load_drift("kl", kernel="heat", bandwidth=0.5, manifold=manifold), x, y)
    np.testing.assert_allclose(v, h**2 * manifold.gradient(x, jax.jit(jax.vmap(jax.grad(ratio)))(x)), atol=1e-12)


@slow
def test_the_self_terms_of_a_heat_kernel(x64):
    """Without itself, and of the other half only: velocities of the clouds that remain."""
    manifold, x, y = clouds("torus", n=6)
    of = lambda **fields: gmdwgf.load_drift("kl", kernel="heat", bandwidth=0.5, manifold=manifold, **fields)
    keep = of(self_term="keep")
    alone = jnp.concatenate([field(keep, jnp.delete(x, i, 0), y, x[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(velocity(of(self_term="leave_one_out"), x, y), alone, atol=1e-12)
    halves = [field(keep, other, y, half) for half, other in ((x[:3], x[3:]), (x[3:], x[:3]))]
    np.testing.assert_allclose(velocity(of(self_term="two_batch"), x, y), jnp.concatenate(halves), atol=1e-12)


def test_cut_pairs_are_counted_and_have_no_log():
    x, y = jnp.asarray([[1.0, 0, 0], [0, 1.0, 0]]), jnp.asarray([[-1.0, 0, 0], [0, 0, 1.0]])
    output = outputs(gmdwgf.load_drift("sinkhorn", epsilon=0.5, self_term="same_batch", manifold="sphere"), x, y)
    np.testing.assert_allclose(output.info["cut_pairs"], 0.25)
    assert bool(jnp.isfinite(output.v).all())


REFUSED = [
    ("sliced_mmd", {}, "sphere", "drift=SlicedMMDDrift: has no meaning on manifold=sphere; use one of critic, deng"),
    ("sinkhorn_proxy", {}, "torus", "drift=SinkhornProxyDrift: has no meaning on manifold=torus"),
    ("deng", {}, "hyperbolic", "drift=DengDrift: is not a gradient field.*manifold=hyperbolic; use kl or mmd"),
    ("sinkhorn", {"cost": "euclidean"}, "sphere", "drift.cost=euclidean: must be half_squared"),
    ("mmd", {"noise": 0.1}, "sphere", "drift.noise=0.1.*must be 0 on manifold=sphere"),
    ("mmd", {"kernel": "heat"}, "hyperbolic", "drift.kernel=heat: is not implemented on manifold=hyperbolic"),
    ("kl", {"kernel": "heat", "bandwidth": 0.01}, "sphere", "drift.bandwidth=0.01.*at least 0.1.*kernel=gaussian"),
    ("kl", {"kernel": "heat"}, "euclidean", "drift.kernel=heat: is the Gaussian in Euclidean space"),
    ("kl", {}, "shpere", "manifold=shpere: unknown; did you mean sphere"),
]


@pytest.mark.parametrize(("name", "fields", "place", "told"), REFUSED, ids=lambda value: str(value)[:20])
def test_what_has_no_meaning_is_refused_in_one_line(name, fields, place, told):
    with pytest.raises(ConfigError, match=told) as refused:
        gmdwgf.load_drift(name, manifold=place, **fields)
    assert "\n" not in str(refused.value)

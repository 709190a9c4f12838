"""Training on manifolds: steps along geodesics, metrics and floors, and runs that stay what they were."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.manifolds import AbstractManifold, Hyperbolic, Sphere, Torus
from gmdwgf.metrics.geodesic import geodesic_energy, geodesic_w2, within
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.training.state import purpose
from gmdwgf.training.step import regression_loss
from tests.manifolds.common import CURVED, clouds


class VonMisesFisher(AbstractTarget):
    """One von Mises-Fisher law on the two-sphere around the first axis: cosines by their quantiles, a uniform longitude."""

    kappa: float = 4.0

    @property
    def manifold(self):
        return Sphere()

    @property
    def dim(self):
        return 3

    def sample(self, key, n):
        u, turn = jax.random.uniform(key, (2, n))
        cosine = 1 + jnp.log(u + (1 - u) * jnp.exp(-2 * self.kappa)) / self.kappa
        sine, angle = jnp.sqrt(jnp.maximum(1 - cosine**2, 0)), 2 * jnp.pi * turn
        return jnp.stack([cosine, sine * jnp.cos(angle), sine * jnp.sin(angle)], axis=1)


SIZES = {
    "n_samples": 256,
    "n_assignment": 128,
    "n_floor_draws": 4,
    "n_projections": 8,
    "progress": False,
    "n_devices": 1,
}


@pytest.mark.parametrize(
    "place", [pytest.param(p, marks=() if p == "sphere" else pytest.mark.thorough) for p in CURVED]
)
def test_the_loss_is_the_squared_step_and_its_gradient_is_twice_the_velocity(place, x64):
    """At every eta, since geodesics are: -2 eta v / n."""
    manifold, x, y = clouds(place)
    v, eta = 0.3 * manifold.tangent(x, y[:7]), jnp.asarray(1.7)
    loss, slope = jax.jit(jax.value_and_grad(lambda x: regression_loss(manifold.project(x), v, eta, manifold)))(x)
    np.testing.assert_allclose(loss, eta**2 * jnp.mean(manifold.inner(x, v, v)), rtol=1e-10)
    np.testing.assert_allclose(manifold.gradient(x, slope), -2 * eta * v / 7, atol=1e-10)


class Rows(AbstractTarget):
    """Points without symmetry on a manifold of three coordinates."""

    place: AbstractManifold

    @property
    def manifold(self):
        return self.place

    @property
    def dim(self):
        return 3

    def sample(self, key, n):
        return self.place.project(1.3 * jax.random.normal(key, (n, 3)) + jnp.asarray([0.5, 0.0, -0.2]))


@pytest.mark.parametrize("manifold", [Sphere(), Torus(), Hyperbolic()], ids=lambda manifold: manifold.name)
def test_a_step_of_free_particles_is_exp_of_the_velocity(manifold, x64):
    problem = gmdwgf.make_problem(Rows(manifold), "mmd", generator="particles", batch_size=16, eta=0.8)
    state = gmdwgf.initial_state(problem, jax.random.key(3))
    x = state.params["x"]
    np.testing.assert_allclose(manifold.project(x), x, atol=1e-14)
    after = jax.jit(gmdwgf.train_step)(problem, state)[0].params["x"]
    y = problem.target.sample(purpose(state.key, state.step, "targets"), problem.n_targets)
    v = gmdwgf.load_drift("mmd", manifold=manifold).velocity(x, y, jax.random.key(0)).v
    np.testing.assert_allclose(after, manifold.exp(x, 0.8 * v), atol=1e-12)
    assert float(jnp.max(jnp.abs(after - x))) > 0.05


@pytest.mark.slow
def test_a_generator_learns_a_von_mises_fisher_law_to_the_floor():
    """By the geodesic energy distance within 3 standard deviations of its floor, and by the mean A(kappa) mu."""
    result = gmdwgf.fit(
        VonMisesFisher(),
        "mmd",
        n_steps=300,
        batch_size=256,
        eval_every=300,
        width=32,
        learning_rate=5e-3,
        ema_decay=0.98,
        noise_dim=8,
        **SIZES,
    )
    first, last = result.records[0], result.records[-1]
    assert "w2" not in last
    for name in ("geodesic_energy", "geodesic_w2", "energy_distance", "gap"):
        mean, sd = result.floor[name]
        assert first[name] > mean + 10 * sd
    mean, sd = result.floor["geodesic_energy"]
    assert last["geodesic_energy"] < mean + 3 * sd
    x = result.sample(jax.random.key(0), 4000)
    np.testing.assert_allclose(jnp.sum(x**2, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(jnp.mean(x, axis=0), [0.750671, 0, 0], atol=0.05)


@pytest.mark.thorough
def test_geodesic_metrics_against_loops(x64):
    manifold, x, y = clouds("sphere", n=8, m=8)
    distance = lambda a, b: np.arccos(np.clip(np.asarray(a) @ np.asarray(b).T, -1, 1))
    off = ~np.eye(8, dtype=bool)
    expected = 2 * distance(x, y).mean() - distance(x, x)[off].mean() - distance(y, y)[off].mean()
    np.testing.assert_allclose(geodesic_energy(manifold, x, y, within(manifold, y)), expected, rtol=1e-7)
    from scipy.optimize import linear_sum_assignment

    cost = distance(x, y) ** 2
    np.testing.assert_allclose(geodesic_w2(manifold, x, y), np.sqrt(cost[linear_sum_assignment(cost)].mean()))
    # Every particle twice: other numbers of points, the same law.
    np.testing.assert_allclose(geodesic_w2(manifold, jnp.concatenate([x, x]), y), geodesic_w2(manifold, x, y))


def test_the_geodesic_energy_of_the_sphere_is_blind_to_antipodal_symmetry(x64):
    """So the gap is of other metrics: a cross of four poles has the geodesic energy of the cross turned by 45 degrees, not its W2."""
    sphere = Sphere()
    cross = jnp.concatenate([jnp.eye(3)[:2], -jnp.eye(3)[:2]])
    c = np.sqrt(0.5)
    turned = cross @ jnp.asarray([[c, c, 0], [-c, c, 0], [0, 0, 1]])
    blind = 2 * jnp.mean(sphere.distance(cross[:, None], turned)) - 2 * jnp.mean(sphere.distance(cross[:, None], cross))
    np.testing.assert_allclose(blind, 0, atol=1e-12)
    np.testing.assert_allclose(geodesic_w2(sphere, cross, turned), np.pi / 4, rtol=1e-9)


def rows(n=200):
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def own(path, x, **fields):
    np.save(path, x)
    return gmdwgf.load_target(str(path), **fields)


@pytest.mark.thorough
def test_data_of_a_user_on_a_sphere(tmp_path):
    problem = gmdwgf.make_problem(own(tmp_path / "x.npy", rows(), standardise="none"), "mmd", manifold="sphere")
    assert problem.manifold == Sphere()
    state = gmdwgf.initial_state(problem, jax.random.key(0))
    x = problem.generator.sample(state.params, jax.random.key(1), 5)
    np.testing.assert_allclose(jnp.sum(x**2, axis=1), 1, atol=1e-6)


REFUSED = {
    "standardised": (
        lambda path: own(path, rows()),
        {"manifold": "sphere"},
        "manifold=sphere: needs points in their own units.*dataset.standardise=none",
    ),
    "off": (
        lambda path: own(path, 2 * rows(), standardise="none"),
        {"manifold": "sphere"},
        "manifold=sphere: points of the target are up to .* off it; project",
    ),
    "another": (
        lambda path: Rows(Torus()),
        {"manifold": "sphere"},
        "manifold=sphere: the target lies on manifold=torus",
    ),
    "coordinates": (
        lambda path: own(path, rows(), standardise="none"),
        {"manifold": "product"},
        "manifold=product: needs 5 coordinates.* have 3",
    ),
    "features": (
        lambda path: VonMisesFisher(),
        {"features": "identity"},
        "features=.*not supported on manifold=sphere",
    ),
    "lookahead": (
        lambda path: VonMisesFisher(),
        {"lookahead": 2},
        "training.lookahead=2: must be 1 on manifold=sphere",
    ),
    "noise": (
        lambda path: VonMisesFisher(),
        {"noise_injection": 0.1},
        "training.noise_injection=0.1.*: must be null on manifold=sphere",
    ),
    "drift": (lambda path: VonMisesFisher(), {"drift": "sliced_mmd"}, "drift=SlicedMMDDrift: has no meaning"),
    "cost": (
        lambda path: VonMisesFisher(),
        {"drift": gmdwgf.load_drift("sinkhorn", cost="euclidean")},
        "drift.cost=euclidean: must be half_squared",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(case, tmp_path):
    make, fields, told = REFUSED[case]
    with pytest.raises(ConfigError, match=told) as refused:
        gmdwgf.make_problem(make(tmp_path / "x.npy"), fields.pop("drift", "mmd"), **fields)
    assert "\n" not in str(refused.value)


def test_ambient_space_may_be_asked_for():
    problem = gmdwgf.make_problem(VonMisesFisher(), "sliced_mmd", manifold="euclidean")
    assert problem.manifold.name == "euclidean"


IDS = {
    (): "676c682b",
    ("drift=kl",): "df0b1f3e",
    ("dataset=pinwheel", "drift=mmd"): "1b999ac9",
    ("generator=particles", "drift=deng"): "f50be7d0",
    ("drift=sum",): "38b58dab",
    ("drift=mean_shift", "drift.kernel=gaussian"): "41846c79",
}
"""Ids of runs of versions without manifolds."""


@pytest.mark.parametrize("command", IDS, ids=" ".join)
def test_ids_of_runs_in_euclidean_space_are_what_they_were(command):
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from gmdwgf.config.build import config_dir
    from gmdwgf.runs.identity import run_id

    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", overrides=list(command)), resolve=True)
    assert run_id(config) == IDS[command]


def test_a_manifold_and_a_heat_kernel_make_other_runs():
    from gmdwgf.launch.chosen import choose
    from gmdwgf.runs.identity import run_id

    of = lambda *args, **fields: run_id(choose(*args, **fields).config())
    assert of("eight_gaussians", "kl") == IDS["drift=kl",]
    assert of("eight_gaussians", "kl", manifold="sphere") != IDS["drift=kl",]
    assert of("eight_gaussians", gmdwgf.load_drift("kl")) == IDS["drift=kl",]
    assert of("eight_gaussians", gmdwgf.load_drift("kl", kernel="gaussian")) == IDS["drift=kl",]
    assert of("eight_gaussians", "mmd") != of("eight_gaussians", gmdwgf.load_drift("mmd", kernel="gaussian"))

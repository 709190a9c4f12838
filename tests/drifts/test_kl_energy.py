import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.drifts.wrappers.sum import SumDrift
from gmdwgf.targets.energies import OwnEnergyTarget
from gmdwgf.targets.mixtures import Gaussian
from gmdwgf.testing import check_drift
from tests.conftest import skewed_clouds
from tests.drifts import reference
from tests.targets.gates import Z_MAX, standard_errors

KEY = jax.random.key(3)
MEAN, COVARIANCE = [0.4, -0.3], [[0.5, 0.3], [0.3, 0.4]]


def gaussian():
    return Gaussian(mean=MEAN, covariance=COVARIANCE)


def bound(target=None, **fields):
    return gmdwgf.load_drift("kl_energy", **fields).towards(target or gaussian())


@jax.jit
def velocity(drift, x, key, **options):
    x, y = jnp.asarray(x), jnp.zeros((3, 2))
    return drift.update(drift.init(key, x, y), x, y, key, **options)[0].v


@pytest.mark.parametrize("estimator", ["values", "gradients"])
def test_attraction_to_a_gaussian_is_its_smoothed_score_within_standard_errors(estimator, x64):
    h, at = 0.8, jnp.asarray([[0.0, 0.0], [1.2, -0.7], [-0.8, 0.9]])
    drift = bound(bandwidth=h, estimator=estimator, n_perturbations=4000)
    keys = jax.random.split(KEY, 40)
    drawn = jax.jit(jax.vmap(lambda key: drift.velocity(at, at, key, at=at).v))(keys)
    smoothed = np.asarray(COVARIANCE) + h**2 * np.eye(2)
    exact = -(h**2) * (np.asarray(at) - MEAN) @ np.linalg.inv(smoothed)
    repulsion = np.stack([reference.mean_shift(point, np.asarray(at), h) for point in np.asarray(at)])
    assert standard_errors(np.asarray(drawn) + repulsion, exact) < Z_MAX
    assert np.asarray(drawn).std(axis=0).max() < 0.03


@pytest.mark.parametrize("self_term", ["keep", "leave_one_out", "two_batch"])
def test_velocity_equals_the_double_loop(self_term, clouds, x64):
    x, h, half = clouds[0], 0.7, len(clouds[0]) // 2
    draws = np.asarray(jax.random.normal(KEY, (5, 2), jnp.float32), float)
    expected = []
    for i, point in enumerate(x):
        xi = np.concatenate([draws, -draws])
        log_p = [-(d := point + h * e - MEAN) @ np.linalg.inv(COVARIANCE) @ d / 2 for e in xi]
        w = np.exp(log_p - np.max(log_p))
        others = {"keep": x, "leave_one_out": np.delete(x, i, 0), "two_batch": x[half:] if i < half else x[:half]}
        expected.append(h * (w / w.sum()) @ xi - reference.mean_shift(point, others[self_term], h))
    got = velocity(bound(bandwidth=h, self_term=self_term, n_perturbations=5), x, KEY)
    np.testing.assert_allclose(got, expected, atol=1e-10)


def test_gradients_are_those_of_the_log_of_the_mean_density(clouds, x64):
    x, h = jnp.asarray(clouds[0]), 0.7
    draws = jax.random.normal(KEY, (5, 2), jnp.float32).astype(x.dtype)

    def log_mean(point):
        nodes = point + h * jnp.concatenate([draws, -draws])
        return jax.nn.logsumexp(gaussian().log_density(nodes))

    repulsion = np.stack([reference.mean_shift(point, clouds[0], h) for point in clouds[0]])
    expected = h**2 * jax.jit(jax.vmap(jax.grad(log_mean)))(x) - repulsion
    drift = bound(bandwidth=h, estimator="gradients", n_perturbations=5)
    np.testing.assert_allclose(velocity(drift, x, KEY), expected, atol=1e-10)


def test_weights_of_particles_are_repeated_points(clouds, x64):
    x, copies = clouds[0], np.arange(13) % 3 + 1
    drift, at = bound(bandwidth=0.7, n_perturbations=5), clouds[1][:4]
    weighted = velocity(drift, x, KEY, at=at, x_weights=jnp.asarray(copies, float))
    np.testing.assert_allclose(weighted, velocity(drift, np.repeat(x, copies, axis=0), KEY, at=at), atol=1e-10)


def test_without_a_density_it_is_kl(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    fields = {"bandwidth": 0.7, "self_term": "leave_one_out"}
    one, other = (gmdwgf.load_drift(name, **fields).velocity(x, y, KEY).v for name in ("kl_energy", "kl"))
    np.testing.assert_array_equal(one, other)


@pytest.mark.thorough
@pytest.mark.parametrize("estimator", ["values", pytest.param("gradients", marks=pytest.mark.slow)])
def test_a_bound_drift_obeys_the_laws(estimator):
    laws = ["shape_dtype_and_finite", "same_key_same_answer", "permutation", "curl_free", "one_trace"]
    laws += ["streamed_equals_dense", "degenerate_clouds", "zero_at_equality"]
    check_drift(bound(bandwidth=0.5, estimator=estimator), laws)


def test_a_part_of_a_sum_is_bound_too(clouds, x64):
    alone = gmdwgf.load_drift("kl_energy", n_perturbations=5)
    whole = SumDrift((alone, alone), [0.5, 0.5])
    assert whole.needs_density
    assert not whole.needs_samples
    at = lambda key: velocity(alone.towards(gaussian()), clouds[0], key)
    got = velocity(whole.towards(gaussian()), clouds[0], KEY)
    np.testing.assert_allclose(got, sum(map(at, jax.random.split(KEY, 2))) / 2, atol=1e-12)


def test_a_step_uses_the_density_of_the_target_and_none_of_its_samples():
    own = OwnEnergyTarget(lambda point: -jnp.sum((point - 0.2) ** 2), 2, 4.0, 8)
    problem = gmdwgf.make_problem(own, "kl_energy", batch_size=16, n_targets=8, n_steps=5)
    x, key = jnp.asarray(skewed_clouds()[0], jnp.float32), jax.random.key(0)
    drift = problem.drift_at(jnp.zeros(()))
    v = drift.velocity(x, x[:2], key).v
    np.testing.assert_array_equal(v, drift.velocity(x, x[3:] + 5, key).v)
    assert not np.allclose(v, problem.drift.velocity(x, x[:2], key).v)


REFUSED = {
    "samples": ("energy", "mmd", {}, "drift=MMDDrift: needs samples.*use drift=kl_energy"),
    "a sum": ("energy", "sum", {}, "drift=SumDrift: needs samples"),
    "no density": ("two_moons", "kl_energy", {}, "drift=KLEnergyDrift: needs a density, and TwoMoons has none"),
    "features": ("eight_gaussians", "kl_energy", {"features": "identity"}, "features=FeatureSpace: must be null"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_meaning_is_refused_in_one_line(case):
    target, drift, options, line = REFUSED[case]
    with pytest.raises(ConfigError, match=f"^{line}") as refused:
        gmdwgf.make_problem(target, drift, **options)
    assert "\n" not in str(refused.value)

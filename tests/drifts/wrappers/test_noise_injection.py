"""The drift is evaluated at noisy particles, in the field of the particles themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.drifts.wrappers.lookahead import LookaheadDrift
from gmdwgf.drifts.wrappers.noise_injection import NoiseInjectionDrift
from gmdwgf.drifts.wrappers.reference_batch import ReferenceBatchDrift
from tests.drifts import reference

KEY = jax.random.key(6)


@jax.jit
def update(drift, x, y, **options):
    return drift.update((), jnp.asarray(x), jnp.asarray(y), KEY, **options)[0].v


def noisy(name, noise=0.4, **fields):
    return NoiseInjectionDrift(gmdwgf.load_drift(name, **fields), jnp.asarray(noise))


@pytest.mark.parametrize("self_term", ["keep", "leave_one_out"])
def test_velocity_is_the_field_of_the_clean_clouds_at_noisy_points(self_term, clouds, x64):
    x, y = clouds
    xi = np.asarray(jax.random.normal(jax.random.split(KEY)[0], x.shape, jnp.float32), float)
    expected = [reference.mean_shift(p, y, 0.7) - reference.mean_shift(p, x, 0.7) for p in x + 0.4 * xi]
    np.testing.assert_allclose(update(noisy("kl", bandwidth=0.7, self_term=self_term), x, y), expected, atol=1e-10)


def test_the_drift_has_a_key_of_its_own_and_points_that_are_asked_for_are_not_noisy(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    drift, at = noisy("kl_wgf"), x[:3]
    expected = jax.jit(lambda: drift.drift.velocity(x, y, jax.random.split(KEY)[1], at=at).v)()
    np.testing.assert_allclose(update(drift, x, y, at=at), expected, atol=1e-12)


def test_references_of_the_drift_stay(clouds):
    drift = noisy("sinkhorn", self_term="reference", epsilon=0.5, solver="ott")
    x, y = (jnp.asarray(cloud, jnp.float32) for cloud in clouds)
    assert drift.n_references(13, 17) == 17
    assert drift.n_stored(13, 17) == drift.drift.n_stored(13, 17) == 13 * 17
    one, other = (update(drift, x, y, references=r) for r in (y, y + 1))
    np.testing.assert_allclose(one, 0, atol=0.05)  # repelled from the targets themselves
    assert np.abs(other + 1).max() < 0.3


def test_the_plan_wraps_the_drift_in_this_order():
    sizes = {"batch_size": 8, "n_reference": 4, "noise_injection": 0.3, "lookahead": 2, "lookahead_weights": "harmonic"}
    problem = gmdwgf.make_problem("two_moons", "mmd", eta=0.5, **sizes)
    outer = problem.drift_at(jnp.zeros(()))
    assert isinstance(outer, ReferenceBatchDrift)
    assert isinstance(outer.drift, LookaheadDrift)
    assert (outer.n, outer.drift.n, outer.drift.weights, float(outer.drift.eta)) == (4, 2, "harmonic", 0.5)
    assert isinstance(outer.drift.drift, NoiseInjectionDrift)
    assert float(outer.drift.drift.noise) == np.float32(0.3)
    assert type(gmdwgf.make_problem("two_moons", "mmd").drift_at(jnp.zeros(()))) is gmdwgf.drifts.MMDDrift


def test_noise_in_sub_batches_is_refused_in_one_line():
    with pytest.raises(
        ConfigError, match="^training.noise_injection=0.25: must be null with a condition or"
    ) as refused:
        gmdwgf.make_problem("two_moons", "mmd", batch_size=16, batching="sub_batches", noise_injection=0.25)
    assert "\n" not in str(refused.value)

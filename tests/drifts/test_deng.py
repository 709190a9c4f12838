import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from tests.drifts import reference

KEY = jax.random.key(0)


def velocity(x, y, **fields):
    return np.asarray(gmdwgf.load_drift("deng", **fields).velocity(jnp.asarray(x), jnp.asarray(y), KEY).v)


@pytest.mark.parametrize("self_mask", [True, False])
def test_velocity_equals_algorithm_2_with_its_matrices_written_out(self_mask, clouds, x64):
    got = velocity(*clouds, temperature=0.6, self_mask=self_mask)
    np.testing.assert_allclose(got, reference.deng(*clouds, 0.6, self_mask), atol=1e-10)


def test_several_temperatures_are_summed(clouds, x64):
    together = velocity(*clouds, temperature=[0.2, 0.6])
    np.testing.assert_allclose(together, velocity(*clouds, temperature=0.2) + velocity(*clouds, temperature=0.6), atol=1e-12)


def test_exchanging_targets_and_particles_at_fixed_points_flips_the_sign(clouds, x64):
    # Claim 3 at fixed queries: columns are normalised over the queries, so the clouds can only be exchanged by hand.
    x, y = clouds
    n = len(x)
    queries = np.concatenate([x, y])

    def field(positives, negatives):
        def affinity(c):
            return np.exp(-np.linalg.norm(queries[:, None] - c[None], axis=-1) / 0.6)

        joint = np.concatenate([affinity(positives), affinity(negatives)], axis=1)
        scaled = joint / np.sqrt(joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True))
        a, b = scaled[:, : len(positives)], scaled[:, len(positives) :]
        return b.sum(1, keepdims=True) * (a @ positives) - a.sum(1, keepdims=True) * (b @ negatives)

    np.testing.assert_allclose(field(x, y), -field(y, x), atol=1e-12)
    assert np.abs(field(x, y)[:n]).max() > 0.1


def test_no_underflow_at_a_low_temperature(clouds):
    x, y = (cloud.astype(np.float32) for cloud in clouds)
    got = velocity(x, y, temperature=0.002)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, reference.deng(*clouds, 0.002, True), atol=2e-3)

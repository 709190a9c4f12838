"""The potentials of several batches of `experiments/additions`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.additions.online import drift_of
from tests.conftest import skewed_clouds

KEY = jax.random.key(0)


@jax.jit
def update(drift, state, batch, at):
    """Velocity at `at`, and the next state."""
    x, y, references = batch
    output, state = drift.update(state, x, y, KEY, at=at, references=references)
    return output.v, state


@pytest.mark.thorough
def test_one_batch_is_the_drift_with_references_and_two_are_the_mean_of_their_maps():
    clouds = [(*skewed_clouds(13, 11, seed=seed), skewed_clouds(11, 5, seed=10 + seed)[0]) for seed in range(2)]
    batches = [tuple(jnp.asarray(cloud, jnp.float32) for cloud in batch) for batch in clouds]
    at, one, two = batches[1][0], drift_of(1), drift_of(2)
    of_batch = [update(one, one.init(KEY, *batch[:2]), batch, at)[0] for batch in batches]
    np.testing.assert_allclose(of_batch[1], update(one.solved, (), batches[1], at)[0], rtol=1e-4, atol=1e-5)
    _, state = update(two, two.init(KEY, *batches[0][:2]), batches[0], at)
    np.testing.assert_allclose(update(two, state, batches[1], at)[0], sum(of_batch) / 2, rtol=1e-4, atol=1e-5)

"""Free particles under drifts that compare two halves of a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.training.state import initial_state
from gmdwgf.training.step import train_chunk
from tests.training.common import small_problem

HALVED = {
    "sinkhorn": {"self_term": "two_batch", "epsilon": 0.5, "solver": "ott"},
    "wflow": {},
    "kl": {"self_term": "two_batch"},
}


@pytest.mark.thorough
@pytest.mark.parametrize("drift", HALVED)
def test_halves_of_free_particles_do_not_drive_each_other_apart(drift):
    """With fixed halves the difference of their means grows by 1 + eta at every step, from .35 to more than 1,000."""
    changes = {"drift": HALVED[drift], "training": {"n_steps": 60, "eta": 0.3, "batch_size": 32}}
    problem = small_problem(drift, "particles", "euler", "gaussian", changes=changes)
    state = jax.jit(initial_state)(problem, jax.random.key(0))
    start = np.asarray(state.params["x"])
    state, _ = train_chunk(problem, state, jnp.asarray(60), chunk_size=60)
    x = np.asarray(state.params["x"])
    assert not bool(state.health.diverged)
    apart = np.linalg.norm(x[:16].mean(0) - x[16:].mean(0))
    assert apart < 4 * np.sqrt(2 / 16 * x.var(0, ddof=1).sum())  # no more than halves drawn at random
    assert 0.1 < x.var(0).mean() / start.var(0).mean() < 10

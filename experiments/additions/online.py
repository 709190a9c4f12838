"""Potentials of several batches for the Sinkhorn drift: does evaluating them out of sample lower its noise? (Ours to try.)

Mensch and Peyre 2020 (arXiv:2003.01415) estimate the potentials of two laws from a stream of samples. Here the dual of every batch is
solved, and kept with its points: a particle is moved by the mean of the maps of the last `n_batches` batches, of which all but the
newest have not seen it.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import gmdwgf
from experiments.additions.flows import energy_distance
from experiments.additions.variants import DATASET
from experiments.common.training import samples_of
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.drifts.sinkhorn import SinkhornDrift
from gmdwgf.pairs import reductions
from gmdwgf.transport import potentials, pull
from gmdwgf.typing import Array, Float

EPSILON = 0.05


class Maps(NamedTuple):
    """Clouds of the last batches, their potentials, and how many batches there have been."""

    clouds: Float[Array, "2 k m d"]
    """Targets, and references."""
    values: Float[Array, "2 k m"]
    n_seen: Array


class OnlineSinkhornDrift(AbstractDrift):
    """v(x) = mean over the last `n_batches` batches of E[Y | x] - E[R | x]; for one batch it is `self_term=reference`."""

    solved: SinkhornDrift
    n_batches: int = eqx.field(static=True)

    def init(self, key, x, y) -> Maps:
        del key, x
        (m, d), k = y.shape, self.n_batches
        return Maps(jnp.zeros((2, k, m, d), y.dtype), jnp.zeros((2, k, m), y.dtype), jnp.zeros((), int))

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None, references=None):
        del key, x_weights, y_weights
        drift, queries = self.solved, x if at is None else at
        references = x if references is None else references
        new_clouds, new_values = [], []
        for cloud in (y, references):
            centred_x, centred_cloud = reductions.centred(x, cloud)
            found = potentials(
                centred_x,
                centred_cloud,
                drift.epsilon,
                threshold=drift.threshold,
                max_iters=drift.max_iters,
                solver=drift.solver,
            )
            new_clouds.append(cloud)
            new_values.append(found.g)
        place = state.n_seen % self.n_batches
        clouds = state.clouds.at[:, place].set(jnp.stack(new_clouds))
        values = state.values.at[:, place].set(jnp.stack(new_values))
        is_filled = jnp.arange(self.n_batches) <= state.n_seen

        def one(cloud, value):
            at, points = reductions.centred(queries, cloud)
            return pull(at, points, value, reductions.log_masses(None, points), drift.epsilon)

        def mean_pull(clouds, values):
            pulls = jax.vmap(one)(clouds, values)
            return jnp.sum(jnp.where(is_filled[:, None, None], pulls, 0), axis=0) / jnp.sum(is_filled)

        v = mean_pull(clouds[0], values[0]) - mean_pull(clouds[1], values[1])
        return DriftOutput(v, {"v_rms": rms(v)}), Maps(clouds, values, state.n_seen + 1)

    def n_references(self, n: int, m: int) -> int:
        del n
        return m

    def tags(self) -> Tags:
        return Tags(zero_at_equality=False, curl_free=True, flow_of=None, reach="long")


def drift_of(n_batches: int) -> OnlineSinkhornDrift:
    solved = gmdwgf.load_drift("sinkhorn", self_term="reference", epsilon=EPSILON)
    assert isinstance(solved, SinkhornDrift)
    return OnlineSinkhornDrift(solved, n_batches)


def noise(n_batches: int, n: int, n_repeats: int, seeds: int) -> list[float]:
    """Root mean square of the velocity where model and target are one law, by seed: it is all noise."""
    drift, target = drift_of(n_batches), gmdwgf.load_target(DATASET)

    @jax.jit
    def square(key):
        def one(state, key):
            x, y, r = (target.sample(part, n) for part in jax.random.split(key, 3))
            output, state = drift.update(state, x, y, key, references=r)
            return state, jnp.mean(jnp.sum(output.v**2, axis=1))

        start = drift.init(key, jnp.zeros((n, 2)), jnp.zeros((n, 2)))
        return jnp.mean(jax.lax.scan(one, start, jax.random.split(key, n_batches + n_repeats))[1][n_batches:])

    return [float(jnp.sqrt(square(jax.random.key(seed)))) for seed in range(seeds)]


def generator(n_batches: int, width: int, batch: int, n_steps: int, seeds: int) -> list[float]:
    """Energy distance of 4,000 samples of a perceptron from the law, for each seed."""
    numbers = {"n_steps": n_steps, "batch_size": batch, "ema_decay": 0.0, "width": width, "depth": 2}
    problem = gmdwgf.make_problem(DATASET, drift_of(n_batches), learning_rate=3e-3, **numbers)
    clouds = samples_of(problem, jax.random.split(jax.random.key(1), seeds), np.asarray([n_steps]), 4000)
    return [float(energy_distance(way[-1])) for way in clouds]

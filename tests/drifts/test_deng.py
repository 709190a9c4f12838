import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.drifts.affinity import Candidates, joint_drift, laplace
from gmdwgf.testing import check_drift
from tests.drifts import plan_loops, reference
from tests.drifts.kernel_loops import answer


def deng(**fields):
    return gmdwgf.load_drift("deng", **fields)


def velocity(x, y, **fields):
    return np.asarray(answer(deng(**fields), x, y).v)


@pytest.mark.parametrize("self_mask", [True, False])
def test_velocity_equals_algorithm_2_with_its_matrices_written_out(self_mask, clouds, x64):
    got = velocity(*clouds, temperature=0.6, self_mask=self_mask)
    np.testing.assert_allclose(got, reference.deng(*clouds, 0.6, self_mask), atol=1e-10)


@pytest.mark.thorough
def test_several_temperatures_are_summed(clouds, x64):
    together = velocity(*clouds, temperature=[0.2, 0.6])
    np.testing.assert_allclose(
        together, velocity(*clouds, temperature=0.2) + velocity(*clouds, temperature=0.6), atol=1e-12
    )


@pytest.mark.thorough
def test_exchanging_targets_and_negatives_at_fixed_queries_flips_the_sign(clouds, x64):
    # Claim 3: no mask, and columns normalised over the same queries.
    x, y = map(jnp.asarray, clouds)
    queries = jnp.concatenate([x, y])
    ones = jnp.ones(len(queries))

    def field(negatives, positives):
        candidates = Candidates(jnp.concatenate([negatives, positives]), ones, ones, len(negatives))
        return joint_drift(None, queries, ones, candidates, laplace(jnp.asarray(0.6)), 0.0, 0.0)

    np.testing.assert_allclose(field(x, y), -field(y, x), atol=1e-12)
    assert np.abs(field(x, y)).max() > 0.1


def test_direction_is_that_of_barycentres_with_roots_of_column_sums_and_speed_that_of_the_row_sums(clouds, x64):
    # Claim 5: V = s+ s- (B+ - B-), where B weights a candidate by K_ij c_j^(-1/2).
    x, y = clouds
    kernels = [np.exp(-plan_loops.distances(x, cloud) / 0.6) for cloud in (y, x)]
    row = np.sqrt(sum(k.sum(1, keepdims=True) for k in kernels))
    weights = [k / np.sqrt(k.sum(0, keepdims=True)) for k in kernels]
    barycentres = [w @ cloud / w.sum(1, keepdims=True) for w, cloud in zip(weights, (y, x), strict=True)]
    speed = weights[0].sum(1, keepdims=True) * weights[1].sum(1, keepdims=True) / row**2
    got = velocity(x, y, temperature=0.6, self_mask=False)
    np.testing.assert_allclose(got, speed * (barycentres[0] - barycentres[1]), atol=1e-12)


def test_without_self_mask_the_field_at_the_particles_is_the_velocity(clouds, x64):
    x, y = clouds
    drift = deng(temperature=0.6, self_mask=False)
    np.testing.assert_allclose(answer(drift, x, y, x[:5]).v, answer(drift, x, y).v[:5], atol=1e-12)


def test_elsewhere_there_are_no_self_pairs_but_the_columns_keep_their_mask(clouds, x64):
    x, y = clouds
    at = y[:5] + 0.1
    kernel = lambda a, b: np.exp(-plan_loops.distances(a, b) / 0.6)
    columns = np.concatenate([kernel(x, y).sum(0), kernel(x, x).sum(0) - 1])
    rows = np.concatenate([kernel(at, y), kernel(at, x)], axis=1)
    affinity = rows / np.sqrt(rows.sum(1, keepdims=True) * columns)
    expected = plan_loops.cross_weighted(affinity[:, : len(y)], affinity[:, len(y) :], at, y, x)
    np.testing.assert_allclose(answer(deng(temperature=0.6), x, y, at).v, expected, atol=1e-12)


@pytest.mark.slow
def test_weights_act_as_repeated_points(clouds, x64):
    # Both clouds are repeated twice on average: joint rows compare copies of the two, which weights keep at one a point.
    x, y = map(jnp.asarray, clouds)
    a, b = np.append(np.tile([1, 2, 3], 4), 2), np.append(np.tile([1, 2, 3], 5), [2, 2])
    drift = deng(temperature=0.6, self_mask=False)
    weighted = drift.velocity(x, y, None, x_weights=jnp.asarray(a, float), y_weights=jnp.asarray(b, float)).v
    repeated = drift.velocity(jnp.repeat(x, a, axis=0), jnp.repeat(y, b, axis=0), None, at=x).v
    np.testing.assert_allclose(weighted, repeated, atol=1e-10)


def test_a_lone_particle_repels_nobody_and_so_stands_still(clouds, x64):
    assert not velocity(clouds[0][:1], clouds[1], temperature=0.6).any()


def test_two_distant_modes_of_unequal_mass_are_not_balanced(x64):
    # Claim 26.
    x, y = plan_loops.two_modes(0.8, 8.0), plan_loops.two_modes(0.5, 8.0, seed=1)
    assert abs(velocity(x, y, temperature=0.5)[:80, 0].mean()) < 0.05


def test_no_underflow_at_a_low_temperature(clouds):
    x, y = (cloud.astype(np.float32) for cloud in clouds)
    got = velocity(x, y, temperature=0.002)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, reference.deng(*clouds, 0.002, True), atol=2e-3)


def written_out(x, y, others, columns_over, temperature, constant, weight=1.0):
    """Affinities to targets and to `others`, with columns over the cloud `columns_over`, written out."""
    kernel = lambda a, b: np.exp(-plan_loops.distances(a, b) / temperature)
    copies = np.concatenate([np.ones(len(y)), np.full(len(others), weight)])
    candidates = np.concatenate([y, others])
    affinity = copies * kernel(x, candidates)
    affinity /= np.sqrt(affinity.sum(1, keepdims=True) * columns_over(kernel, candidates))
    pull, push = affinity[:, : len(y)], affinity[:, len(y) :]
    if constant:
        return pull @ y / pull.sum(1, keepdims=True) - push @ others / push.sum(1, keepdims=True)
    return push.sum(1, keepdims=True) * (pull @ y) - pull.sum(1, keepdims=True) * (push @ others)


@pytest.mark.parametrize("self_mask", [True, False])
def test_constant_gain_is_the_velocity_without_its_row_sums(self_mask, clouds, x64):
    x, y = clouds
    kernel = lambda a, b: np.exp(-plan_loops.distances(a, b) / 0.6)
    own = kernel(x, x) * (1 - self_mask * np.eye(len(x)))
    pull, push = (k / np.sqrt(k.sum(0, keepdims=True)) for k in (kernel(x, y), own))
    expected = pull @ y / pull.sum(1, keepdims=True) - push @ x / push.sum(1, keepdims=True)
    got = velocity(x, y, temperature=0.6, self_mask=self_mask, gain="constant")
    np.testing.assert_allclose(got, expected, atol=1e-10)


def test_constant_gain_leaves_a_lone_particle_with_the_attraction_and_reaches_any_distance(clouds):
    x, y = clouds
    far = velocity(x[:1] + 500.0, y, temperature=0.6, gain="constant")
    np.testing.assert_allclose(far[0], y[np.argmin(np.linalg.norm(y - x[0] - 500.0, axis=1))] - x[0] - 500.0, rtol=0.01)


@pytest.mark.parametrize("gain", ["cross", "constant"])
def test_references_repel_in_place_of_the_particles(gain, clouds, x64):
    x, y = clouds
    references = y[:7] * 1.3 - 0.2
    drift = deng(temperature=0.6, repulsion="reference", gain=gain)
    assert (drift.n_references(13, 17), deng().n_references(13, 17)) == (13, 0)
    got = drift.velocity(*map(jnp.asarray, (x, y)), None, references=jnp.asarray(references)).v
    columns = lambda kernel, candidates: kernel(x, candidates).sum(0)
    expected = written_out(x, y, references, columns, 0.6, gain == "constant", weight=13 / 7)
    np.testing.assert_allclose(got, expected, atol=1e-10)


def test_without_references_each_half_repels_the_other_with_twice_the_weight(clouds, x64):
    x, y = clouds
    one, two = x[:6], x[6:]
    parts = []
    for own, other in ((one, two), (two, one)):
        columns = lambda kernel, candidates, own=own: kernel(own, candidates).sum(0) * 13 / len(own)
        parts.append(written_out(own, y, other, columns, 0.6, False, weight=13 / len(other)))
    drift = deng(temperature=0.6, repulsion="reference")
    np.testing.assert_allclose(answer(drift, x, y).v, np.concatenate(parts), atol=1e-10)
    grouped = jax.jit(lambda x, y: drift.update_groups((), x[None], y[None], None)[0].v[0])(x, y)
    np.testing.assert_allclose(grouped, np.concatenate(parts), atol=1e-10)
    at = y[:4] + 0.1
    np.testing.assert_allclose(answer(drift, x, y, at).v, answer(deng(temperature=0.6, self_mask=False), x, y, at).v)


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{"gain": "constant", "self_mask": False}, {"repulsion": "reference"}])
def test_members_with_options_obey_the_laws(fields):
    check_drift(deng(**fields))

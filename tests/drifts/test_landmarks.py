"""Sums over all targets through landmarks, against slow loops over every target."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.drifts.landmarks import LEAST_SHARE, Moments, attraction, moments_of
from gmdwgf.drifts.wrappers.nystrom import NystromDrift
from gmdwgf.pairs import reductions
from gmdwgf.testing import check_drift
from tests.conftest import skewed_clouds

KEY = jax.random.key(0)
QUICK = ("kl", "mmd", "deng, constant")
DRIFTS = {
    "kl": {"bandwidth": 0.7},
    "mean_shift, imq": {"kernel": "imq", "self_term": "leave_one_out"},
    "mmd": {"kernel": "energy"},
    "mmd, gaussian": {"kernel": "gaussian", "bandwidth": [0.5, 1.1], "estimator": "u"},
    "deng": {"temperature": [0.4, 0.9]},
    "deng, constant": {"temperature": 0.6, "gain": "constant", "self_mask": False},
    "deng, reference": {"temperature": 0.6, "repulsion": "reference"},
}


def load(name):
    return gmdwgf.load_drift(name.partition(",")[0], **DRIFTS[name])


def through_landmarks(drift, landmarks, chunks, ridge=1e-13):
    return NystromDrift(drift, moments_of(drift.target_kernels(), landmarks, chunks, ridge))


@jax.jit
def velocity(drift, x, y, at=None, references=None):
    further = {} if references is None else {"references": references}
    return drift.update((), x, y, KEY, at=at, **further)[0].v


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.thorough) for n in DRIFTS])
def test_with_all_targets_as_landmarks_the_velocity_is_exact_in_whatever_chunks_they_come(name, clouds, x64):
    x, y = map(jnp.asarray, clouds)
    drift = load(name)
    through = through_landmarks(drift, y[::-1], iter([y[:5], y[5:6], y[6:]]))
    np.testing.assert_allclose(velocity(through, x, y), velocity(drift, x, y), atol=1e-10)
    np.testing.assert_allclose(velocity(through, x, y, y + 0.1), velocity(drift, x, y, y + 0.1), atol=1e-10)


def test_sums_are_those_of_ridge_regression_on_the_landmarks_written_out(clouds, x64):
    """k(x, U) (K_UU + ridge)^-1 sum_j k(U, y_j) (1, y_j), entry by entry."""
    x, y = clouds
    landmarks, h, ridge = y[:4], 0.7, 1e-2
    drift = gmdwgf.load_drift("mean_shift", kernel="laplace", bandwidth=h)
    through = through_landmarks(drift, jnp.asarray(landmarks), [jnp.asarray(y)], ridge)
    k = lambda a, b: np.exp(-np.linalg.norm(a - b) / h)
    gram = np.array([[k(u, w) for w in landmarks] for u in landmarks]) + ridge * np.eye(4)
    for i, point in enumerate(x):
        weights = np.linalg.solve(gram, np.array([k(point, u) for u in landmarks]))
        affinity = [sum(w * k(u, target) for w, u in zip(weights, landmarks, strict=True)) for target in y]
        attracted = sum(a * target for a, target in zip(affinity, y, strict=True)) / sum(affinity)
        shares = np.array([k(point, other) for other in x])
        expected = attracted - shares @ x / shares.sum()
        np.testing.assert_allclose(velocity(through, jnp.asarray(x), jnp.asarray(y[:3]))[i], expected, atol=1e-10)


def test_weights_of_a_kernel_without_definiteness_sum_to_one_and_solve_the_equations(clouds, x64):
    _, y = clouds
    landmarks, ridge = y[:5], 1e-2
    (found,) = moments_of(gmdwgf.load_drift("mmd").target_kernels(), jnp.asarray(landmarks), [jnp.asarray(y)], ridge)
    gram = -np.linalg.norm(landmarks[:, None] - landmarks[None], axis=-1)
    wanted = -np.linalg.norm(landmarks[:, None] - y[None], axis=-1).mean(1)
    rest = (gram + ridge * np.abs(gram).mean() * np.eye(5)) @ found.weights - wanted
    np.testing.assert_allclose(rest, rest.mean(), atol=1e-12)  # up to the multiplier of the side condition
    np.testing.assert_allclose(found.weights.sum(), 1, rtol=1e-12)


def test_the_velocity_of_mmd_is_the_flow_towards_the_weighted_landmarks(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    drift = gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=0.7)
    through = through_landmarks(drift, y[:6], [y], 1e-3)
    (moments,) = through.moments
    k = lambda a, b: jnp.exp(-jnp.sum((a[:, None] - b[None]) ** 2, axis=-1) / (2 * 0.7**2))
    energy = lambda x: jnp.mean(k(x, x)) / 2 - jnp.mean(k(x, moments.landmarks) @ moments.weights)
    np.testing.assert_allclose(velocity(through, x, y), -len(x) * jax.grad(energy)(x), atol=1e-12)


def test_roots_of_column_sums_are_interpolated_from_the_landmarks(clouds, x64):
    """sum_j k(x, y_j) g(y_j) (1, y_j) with g between landmarks by the same regression, entry by entry."""
    _, y = clouds
    landmarks, ridge, h = y[:4], 1e-2, 0.6
    kernels = gmdwgf.load_drift("deng", temperature=h).target_kernels()
    (found,) = moments_of(kernels, jnp.asarray(landmarks), [jnp.asarray(y[:9]), jnp.asarray(y[9:])], ridge)
    factors = np.array([0.3, 1.7, 0.9, 2.2])
    got = found.with_columns(jnp.asarray(factors))
    k = lambda a, b: np.exp(-np.linalg.norm(a[:, None] - b[None], axis=-1) / h)
    features = np.linalg.solve(k(landmarks, landmarks) + ridge * np.eye(4), k(landmarks, y))
    between = features.T @ factors
    weights = features @ between / len(y)
    np.testing.assert_allclose(got.weights, weights, atol=1e-10)
    firsts = features @ (between[:, None] * y) / len(y)
    np.testing.assert_allclose(got.offsets, firsts - weights[:, None] * landmarks, atol=1e-10)


def test_out_of_reach_of_the_signed_sum_the_landmarks_attract_as_a_batch():
    landmarks = jnp.asarray([[0.0], [1.0], [4.0]])
    moments = Moments(landmarks, jnp.asarray([1.0, -0.99, 0.2]), jnp.full((3, 1), 0.5))
    logits = jnp.asarray([0.0, 0.0, -jnp.inf])
    point, is_out = attraction(moments, reductions.softmax(logits), landmarks)
    assert (float(point[0]), float(is_out)) == (0.5, 1.0)  # 0.01 of 1.99 is less than LEAST_SHARE
    assert LEAST_SHARE * 1.99 > 0.01
    point, is_out = attraction(moments, reductions.softmax(jnp.zeros(3)), landmarks)
    np.testing.assert_allclose(point, [(-0.99 + 0.8 + 1.5) / 0.21], rtol=1e-5)
    assert is_out == 0


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name", ["mean_shift", *(pytest.param(n, marks=pytest.mark.slow) for n in ("kl", "mmd", "deng"))]
)
def test_more_landmarks_are_closer_than_a_batch_of_as_many_targets(name):
    target = gmdwgf.load_target("eight_gaussians")
    y = target.sample(jax.random.key(1), 4000)
    x = y[:100] + 0.2
    drift = gmdwgf.load_drift(name, **({"gain": "constant"} if name == "deng" else {}))
    exact = velocity(drift, x, y)
    error = lambda v: float(jnp.sqrt(jnp.mean(jnp.sum((v - exact) ** 2, axis=1))))
    few, many = (error(velocity(through_landmarks(drift, y[-k:], [y], 1e-4), x, y)) for k in (32, 128))
    assert many < few / 2
    assert many < error(velocity(drift, x, y[-128:])) / 3


LAWS = ["shape_dtype_and_finite", "same_key_same_answer", "permutation", "one_trace", "streamed_equals_dense"]
COSTLY = ["vmap_over_fields", "many_devices_equal_one", "single_precision", "curl_free"]


@pytest.mark.thorough
@pytest.mark.parametrize("laws", [LAWS, pytest.param(COSTLY, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", ["kl", pytest.param("deng", marks=pytest.mark.slow), pytest.param("mmd", marks=pytest.mark.slow)]
)
def test_the_drift_of_all_data_obeys_the_laws(name, laws, x64):
    y = jnp.asarray(skewed_clouds(m=40, seed=3)[1])
    check_drift(through_landmarks(load(name), y[:12], [y], 1e-4), laws)


def test_weights_of_a_batch_of_targets_are_refused(clouds):
    x, y = map(jnp.asarray, clouds)
    through = through_landmarks(load("kl"), y, [y], 1e-4)
    with pytest.raises(NotImplementedError, match="no weights"):
        through.update((), x, y, KEY, y_weights=jnp.ones(len(y)))

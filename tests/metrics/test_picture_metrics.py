"""Fréchet distance, precision and recall, classes: against closed forms and slow loops."""

import os

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from gmdwgf.metrics import pictures
from tests.conftest import skewed_clouds


def test_frechet_distance_of_commuting_gaussians_has_its_closed_form():
    one = pictures.Moments(np.array([1.0, -2.0]), np.diag([4.0, 9.0]))
    other = pictures.Moments(np.array([0.0, 1.0]), np.diag([1.0, 16.0]))
    assert pictures.frechet_distance(one, other) == pytest.approx(1 + 9 + (2 - 1) ** 2 + (3 - 4) ** 2)
    assert pictures.frechet_distance(one, one) == pytest.approx(0, abs=1e-12)


def test_frechet_distance_agrees_with_the_matrix_root_of_the_product():
    x, y = skewed_clouds(40, 50, d=6)
    one, other = pictures.moments(x), pictures.moments(y)
    root = scipy.linalg.sqrtm(one.covariance @ other.covariance).real  # as the reference code of FID does
    expected = np.sum((one.mean - other.mean) ** 2) + np.trace(one.covariance + other.covariance - 2 * root)
    assert pictures.frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)
    assert pictures.frechet_distance(other, one) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_stands_fewer_rows_than_features():
    x, y = skewed_clouds(5, 7, d=20)
    assert np.isfinite(pictures.frechet_distance(pictures.moments(x), pictures.moments(y)))


def test_a_users_inception_statistics_and_features_are_the_same_thing(tmp_path):
    x, y = skewed_clouds(60, 50, d=4)
    np.save(tmp_path / "features.npy", x)
    np.savez(tmp_path / "statistics.npz", mu=y.mean(axis=0), sigma=np.cov(y, rowvar=False))
    fid = pictures.frechet_distance(
        pictures.moments_of_file(tmp_path / "features.npy"), pictures.moments_of_file(tmp_path / "statistics.npz")
    )
    assert fid == pytest.approx(pictures.frechet_distance(pictures.moments(x), pictures.moments(y)), rel=1e-12)
    np.savez(tmp_path / "other.npz", mean=y)
    with pytest.raises(ValueError, match="mu and sigma"):
        pictures.moments_of_file(tmp_path / "other.npz")


def slow_precision(x, y, k=3):
    """Share of x in any ball around a y that reaches to its k-th nearest other y."""
    radii = [np.sort(np.linalg.norm(np.delete(y, j, axis=0) - y[j], axis=1))[k - 1] for j in range(len(y))]
    return np.mean([any(np.linalg.norm(a - b) <= r for b, r in zip(y, radii, strict=True)) for a in x])


@pytest.mark.slow
@pytest.mark.parametrize("d", [2, 20])
def test_precision_and_recall_are_those_of_a_slow_loop(d):
    x, y = skewed_clouds(40, 31, d=d)
    x, y = 3 * x, y.copy()
    x[:20] = y[:20] + 0.02
    precision, recall = pictures.precision_recall(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))
    assert float(precision) == pytest.approx(slow_precision(x, y), abs=1e-6)
    assert float(recall) == pytest.approx(slow_precision(y, x), abs=1e-6)
    assert 0 < float(precision) < 1


@pytest.mark.thorough
def test_a_collapsed_cloud_is_precise_but_recalls_little_and_a_wide_one_the_reverse():
    rng = np.random.default_rng(0)
    y = jnp.asarray(rng.normal(size=(300, 5)), jnp.float32)
    tight, wide = (jnp.asarray(scale * rng.normal(size=(200, 5)), jnp.float32) for scale in (0.2, 4.0))
    assert float(pictures.precision_recall(tight, y)[0]) > 0.99
    assert float(pictures.precision_recall(tight, y)[1]) < 0.2
    assert float(pictures.precision_recall(wide, y)[0]) < 0.2
    assert float(pictures.precision_recall(wide, y)[1]) > 0.5


@pytest.mark.thorough
def test_a_cloud_of_three_rows_has_no_manifold():
    x, y = (jnp.asarray(cloud, jnp.float32) for cloud in skewed_clouds(3, 9))
    assert float(pictures.precision_recall(x, y)[1]) == 0


def test_class_shares_and_accuracy_count_the_answers():
    logits = jnp.log(jnp.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.4, 0.5, 0.1]]))
    np.testing.assert_allclose(pictures.class_shares(logits), [0.5, 0.25, 0.25])
    assert float(pictures.class_accuracy(jnp.array([0, 2, 1, 0]), logits)) == 0.5


class Bomb:
    """An object that makes a folder where it is read by pickle."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_statistics_with_objects_in_them_are_refused_before_any_of_them_is_made(tmp_path):
    np.save(tmp_path / "features.npy", np.array([Bomb(tmp_path / "made")] * 4, dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        pictures.moments_of_file(tmp_path / "features.npy")
    assert not (tmp_path / "made").exists()

"""Metrics of pictures in the suite: there where a classifier is, equal to NumPy, in their floors for data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.features.classifier import AbstractClassifier
from gmdwgf.metrics import METRICS, MetricSuite, pictures
from gmdwgf.targets import AbstractTarget

TURN = np.random.default_rng(0).normal(size=(4, 6)) / 2


class Quadrants(AbstractClassifier):
    """Features are waves of four coordinates; the class is the quadrant of the first two."""

    def maps(self, points):
        return {"waves": jnp.sin(points @ TURN)}

    def answers(self, points):
        a, b = points[:, 0], points[:, 1]
        return self.maps(points)["waves"], 3 * jnp.stack([a + b, a - b, b - a, -a - b], axis=1)


class Cloud(AbstractTarget):
    """A skewed Gaussian in four coordinates, whose points are taken for pictures."""

    dim = 4

    def sample(self, key, n):
        return 0.2 + jax.random.normal(key, (n, 4)) * jnp.array([1.0, 0.6, 0.4, 1.3])

    def classifier(self):
        return Quadrants()


OF_PICTURES = [
    name for name in list(METRICS)[list(METRICS).index("digits_fd") :] if name != "class_accuracy"
]  # which takes labels

SUITE = MetricSuite(n_samples=200, bandwidths=[0.3, 1.0], n_assignment=50, n_projections=8, n_floor_draws=6)


@pytest.fixture(scope="module")
def reference():
    return SUITE.prepare(Cloud(), jax.random.key(0))


def cloud(seed=1, n=150):
    return np.asarray(Cloud().sample(jax.random.key(seed), 200))[:n]


@pytest.mark.slow
def test_every_metric_of_pictures_is_there_where_a_classifier_is(reference):
    values = SUITE.evaluate(cloud(), reference)
    assert list(values) == list(reference.floor)
    assert list(values)[5:] == OF_PICTURES
    assert all(type(value) is float for value in values.values())


@pytest.mark.thorough
def test_the_values_are_those_of_numpy_in_units_of_the_held_out_features(reference):
    (x, x_logits), (y, y_logits) = (map(np.asarray, Quadrants().answers(points)) for points in (cloud(), reference.y))
    unit = np.sqrt(np.mean(np.sum((y - y.mean(axis=0)) ** 2, axis=1)))
    x, y = x.astype(float) / unit, y.astype(float) / unit
    apart = lambda a, b: np.linalg.norm(a[:, None] - b[None], axis=-1)
    n, m = len(x), len(y)
    unbiased = lambda k: (
        (k(apart(x, x)).sum() - n * k(0.0)) / (n * (n - 1))
        + (k(apart(y, y)).sum() - m * k(0.0)) / (m * (m - 1))
        - 2 * k(apart(x, y)).mean()
    )
    kernel = lambda r: (np.exp(-(r**2) / 0.18) + np.exp(-(r**2) / 2)) / 2
    shares = [np.bincount(logits.argmax(axis=1), minlength=4) / len(logits) for logits in (x_logits, y_logits)]
    softmax = np.exp(x_logits) / np.exp(x_logits).sum(axis=1, keepdims=True)
    values = SUITE.evaluate(cloud(), reference)
    assert values["feature_mmd2"] == pytest.approx(unbiased(kernel), abs=2e-6)
    assert values["feature_energy"] == pytest.approx(unbiased(lambda r: -r), abs=2e-6)
    assert values["digits_fd"] == pytest.approx(
        pictures.frechet_distance(pictures.moments(x), pictures.moments(y)), abs=1e-5
    )
    assert values["class_tv"] == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2, abs=1e-6)
    assert values["confidence"] == pytest.approx(softmax.max(axis=1).mean(), abs=1e-6)


def test_data_lies_in_its_floor_and_a_collapsed_or_narrow_cloud_does_not(reference):
    floor = reference.floor
    fresh, one_class = SUITE.evaluate(cloud(7, 200), reference), SUITE.evaluate(np.abs(cloud(7, 200)), reference)
    for name in OF_PICTURES:
        assert abs(fresh[name] - floor[name].mean) < 5 * floor[name].sd, name
    for name in ("digits_fd", "feature_mmd2", "feature_energy", "class_tv"):
        assert one_class[name] > floor[name].mean + 10 * floor[name].sd, name
    assert one_class["recall"] < floor["recall"].mean - 5 * floor["recall"].sd

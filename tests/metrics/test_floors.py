"""Floors of files, against clouds that are really fresh, and the gap, which must tell every kind of wrong model from data."""

import jax
import numpy as np
import pytest

from gmdwgf.metrics import MetricSuite
from gmdwgf.metrics.floors import SCORED, Floor, floors, fresh_clouds, gap
from gmdwgf.targets import ArrayTarget

METRICS = ("mmd2", "energy_distance", "w2", "sliced_w2")


def skewed(rng, n, d=3):
    return np.c_[rng.gamma(2.0, 1.0, size=(n, 1)), rng.normal(size=(n, d - 1)) * np.linspace(0.3, 1.0, d - 1)]


def suite(**changes):
    fields = {"n_samples": 2000, "bandwidths": [0.1, 0.3, 1.0, 3.0], "n_assignment": 150, "n_projections": 32}
    return MetricSuite(**(fields | {"n_floor_draws": 16} | changes))


@pytest.mark.slow
@pytest.mark.parametrize(("n_rows", "n_files"), [(150, 24), (400, 24), (1200, 12), (4000, 8)])
def test_the_floor_of_a_file_is_that_of_fresh_clouds(n_rows, n_files):
    """Means to a tenth of themselves or of two deviations, deviations to a quarter, on average over files."""
    estimated, true = [], []
    for seed in range(n_files):
        rng = np.random.default_rng(seed)
        target, made = ArrayTarget(skewed(rng, n_rows), None, 0.2, 0), suite()
        reference = made.prepare(target, jax.random.key(0))
        fresh = [made.evaluate(skewed(rng, made.n_evaluated(target)), reference) for _ in range(40)]
        estimated.append([reference.floor[name] for name in METRICS])
        true.append([(np.mean(s), np.std(s, ddof=1)) for s in ([v[name] for v in fresh] for name in METRICS)])
    estimated, true = np.array(estimated), np.array(true)
    off = np.abs(estimated[..., 0].mean(0) - true[..., 0].mean(0))
    deviation = np.sqrt((true[..., 1] ** 2).mean(0))
    error = 3 * (estimated[..., 0] - true[..., 0]).std(0, ddof=1) / np.sqrt(n_files)
    assert (off < np.maximum(0.1 * np.abs(true[..., 0].mean(0)), np.maximum(0.2 * deviation, error))).all()
    np.testing.assert_allclose(np.sqrt((estimated[..., 1] ** 2).mean(0)) / deviation, 1, atol=0.25)


def test_clouds_of_a_long_file_share_no_row_and_those_of_a_short_one_repeat_none():
    rows = np.arange(200.0)[:, None] + 0.5
    target = ArrayTarget(rows, None, 0.2, 0)
    long = np.concatenate([np.asarray(cloud) for cloud in fresh_clouds(target, jax.random.key(0), 4, 40)])
    assert len(np.unique(long)) == 160
    short = fresh_clouds(target, jax.random.key(0), 4, 80)
    assert [len(np.unique(np.asarray(cloud))) for cloud in short] == [80] * 4
    assert len(np.unique(np.concatenate(short))) > 100
    assert not np.array_equal(short[0], short[1])


def test_deviations_of_clouds_that_share_rows_are_divided_by_what_sharing_takes_away():
    scores = [dict.fromkeys(METRICS, value) for value in (1.0, 2.0, 4.0)]
    alone, shared = floors(scores, 10, None), floors(scores, 60, 80)
    np.testing.assert_allclose(alone["w2"], (7 / 3, np.std([1, 2, 4], ddof=1)))
    np.testing.assert_allclose(shared["w2"].sd, 2 * alone["w2"].sd)
    assert floors(scores, 10, 30)["w2"] == alone["w2"]  # three clouds of ten rows fit into thirty


def test_the_gap_is_the_worst_metric_in_deviations_of_its_floor():
    floor = {name: Floor(1.0, 0.5) for name in SCORED}
    values = dict.fromkeys(SCORED, 1.0)
    assert gap(values, floor) == 0
    assert gap(values | {"mmd2": 3.0, "sliced_w2": 2.0}, floor) == 4
    assert gap(values, floor | {"mmd2": Floor(1.0, 0.0)}) == 0
    assert gap(values | {"mmd2": 1.1}, floor | {"mmd2": Floor(1.0, 0.0)}) == np.inf
    assert np.isnan(gap(values | {"sliced_w2": np.nan}, floor))


def blobs(rng, n, d):
    """Three modes in a three-dimensional subspace, of unequal mass, with noise in every coordinate."""
    mode = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    centres = np.zeros((3, d))
    centres[[0, 1, 2], [0, 1, 1]] = [3.0, 3.0, -2.0]
    return centres[mode] + rng.normal(size=(n, d)) * np.linspace(1, 0.2, d), mode


WRONG = {
    "shifted": lambda x, mode: x + 0.5 * x.std(axis=0).max() * np.eye(1, x.shape[1], 0),
    "rescaled": lambda x, mode: x.mean(axis=0) + 1.3 * (x - x.mean(axis=0)),
    "collapsed": lambda x, mode: x.mean(axis=0) + 0.3 * (x - x.mean(axis=0)),
    "mode dropped": lambda x, mode: x[mode != 2],
}


@pytest.mark.thorough
@pytest.mark.parametrize("d", [2, 10, 64, 784])
def test_every_wrong_model_is_ranked_behind_fresh_data(d):
    rng = np.random.default_rng(d)
    target = ArrayTarget(blobs(rng, 2000, d)[0], None, 0.2, 0, "scale")
    made = suite(n_assignment=20, n_floor_draws=32)
    reference, n = made.prepare(target, jax.random.key(0)), made.n_evaluated(target)
    standard = lambda x: target.standardisation.apply(x)[:n]
    data = [made.evaluate(standard(blobs(rng, 3 * n, d)[0]), reference)["gap"] for _ in range(8)]
    wrong = {
        name: made.evaluate(standard(change(*blobs(rng, 3 * n, d))), reference)["gap"] for name, change in WRONG.items()
    }
    assert abs(np.median(data)) < 2
    assert min(wrong.values()) > max(data), (wrong, data)

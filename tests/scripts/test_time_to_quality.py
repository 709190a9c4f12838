import importlib
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.metrics.floors import Floor
from tests.conftest import ROOT


@pytest.fixture
def load(monkeypatch):
    """Import a module of scripts/benchmarks; what it sets in the environment ends with the test."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "benchmarks"))
    for name in ("XLA_FLAGS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    return importlib.import_module


def paper_drift(x, y, temperature=0.05):
    """Algorithm 2 of Deng et al. 2026, point by point: softmaxes over both clouds and over the particles, no self-pairs."""
    n, cloud = len(x), np.concatenate([x, y])
    logits = np.array([[-np.linalg.norm(a - b) / temperature for b in cloud] for a in x])
    logits[np.arange(n), np.arange(n)] = -np.inf
    softmax = lambda row: np.exp(row - row.max()) / np.exp(row - row.max()).sum()
    along_rows, along_columns = np.array([softmax(row) for row in logits]), np.array([softmax(c) for c in logits.T]).T
    affinity = np.sqrt(along_rows * along_columns)
    pairs = lambda i: [
        affinity[i, k] * affinity[i, j] * (cloud[k] - cloud[j]) for k in range(n, len(cloud)) for j in range(n)
    ]
    return np.array([np.sum(pairs(i), axis=0) for i in range(n)])


def test_the_drift_of_driftax_is_that_of_the_paper(load, clouds, x64):
    x, y = (0.2 * cloud[:12] for cloud in clouds)
    found = jax.jit(load("contenders.driftax").drift)(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(
        found, paper_drift(x, y), rtol=1e-6, atol=1e-9
    )  # its distances have 1e-12 under the root


def test_the_drift_of_the_notebook_is_that_of_the_paper(load, clouds, x64):
    torch = pytest.importorskip("torch")
    x, y = (0.2 * cloud[:12] for cloud in clouds)
    found = load("contenders.notebook").drift(torch.tensor(x), torch.tensor(y))
    np.testing.assert_allclose(found.numpy(), paper_drift(x, y), rtol=1e-9, atol=1e-12)


def test_flow_matching_regresses_on_the_speed_of_its_path(load, clouds, x64):
    module = load("contenders.flow_matching")
    z, y = (jnp.asarray(cloud[:5]) for cloud in clouds)
    along = lambda t: module.location_and_flow(z, y, t, 0.0)[0]
    start, end = along(0.0), along(1.0)
    _, speed = jax.jvp(along, (0.3,), (1.0,))
    np.testing.assert_allclose(start, z)
    np.testing.assert_allclose(end, y)
    np.testing.assert_allclose(module.location_and_flow(z, y, 0.3, 0.0)[1], speed, rtol=1e-12)


def test_sampling_flow_matching_takes_euler_steps_from_noise_to_time_one(load):
    module = load("contenders.flow_matching_jax")
    key, params = jax.random.key(0), module.init_perceptron(jax.random.key(1), 3, 2, *module.SIZES.values())
    z, velocity = jax.random.normal(key, (7, 2)), jax.jit(module.velocity)
    for k in range(10):
        z = z + velocity(params, z, jnp.full((7, 1), k / 10)) / 10
    np.testing.assert_allclose(module.sample(params, key, n=7, n_evaluations=10), z, rtol=1e-4, atol=1e-5)


SERIES = {"seconds": [1.0, 2.0, 4.0], "near": [0.5, 0.95, 0.94], "mmd2": [1e-2, 1e-3, 2e-3]}


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [("near", 0.94, 2.0), ("near", 0.96, np.inf), ("mmd2", 1e-2, 1.0), ("mmd2", 1e-3, 2.0)],
)
def test_a_score_is_reached_at_the_first_evaluation_that_is_as_good(load, name, limit, expected):
    assert load("quality_results").seconds_until(SERIES, name, limit) == expected


def test_the_score_at_a_time_lies_between_those_of_the_evaluations_around_it(load):
    score_after = load("quality_results").score_after
    assert score_after(SERIES, "near", 2**0.5) == pytest.approx(0.725)
    assert score_after(SERIES, "near", 100.0) == 0.94
    assert np.isnan(score_after(SERIES, "near", 0.5))


@pytest.fixture
def stored(load, tmp_path):
    """Results of two methods: at 4 s theirs has the score that ours has, at 12 s a better one."""
    module = load("quality_results")
    results, floor = module.Results(tmp_path / "results.json"), {"mmd2": Floor(0.0, 1e-4)}
    of = lambda seconds, mmd2: {"seconds": seconds, "mmd2": mmd2, "energy_distance": mmd2, "w2": mmd2}
    ours = {"1 evaluation": of([1.0, 4.0], [1e-2, 1e-3])}
    theirs = {
        "100 evaluations": of([1.0, 4.0, 12.0], [1e-2, 1e-3, 1e-4]),
        "10 evaluations": of([1.0, 12.0], [1e-2, 5e-4]),
    }
    for seed in (0, 1):
        for name, evaluations in (("`mmd`", ours), ("flow matching", theirs)):
            sampling = dict.fromkeys(evaluations, 0.1)
            results.add(module.Run(name, "swiss_roll", seed, 100, 1.5, sampling, 0.3, "here.", evaluations), floor)
    return module.Results(results.path)


def test_runs_are_read_back_as_they_were_stored(stored):
    assert len(stored.runs) == 4
    assert stored.find("`mmd`", "swiss_roll", 1, 100).evaluations["1 evaluation"]["mmd2"] == [1e-2, 1e-3]
    assert stored.find("`mmd`", "swiss_roll", 2, 100) is None


def test_the_comparison_says_who_reaches_what_the_others_reach_at_equal_and_at_three_times_the_time(load, stored):
    tables = load("quality_tables")
    rows = tables.rows_of(stored.runs, "swiss_roll")
    is_ours = {"`mmd`": True, "flow matching": False}
    _, said = tables.comparison(stored.floors["swiss_roll"], rows, is_ours, "mmd2")
    assert said == [
        "- flow matching, 100 evaluations, as long: reached by `mmd`.",
        "- flow matching, 10 evaluations, 3x as long: reached by none.",
    ]
    assert rows[0].until("mmd2", 1e-3) == 4.0
    assert tables.seconds(rows[0].until("mmd2", 5e-4)) == "not reached"

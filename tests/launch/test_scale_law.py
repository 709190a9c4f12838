"""Data in other units and at another place give the same run up to rounding: every drift, metric, floor and sample."""

import jax
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import options
from gmdwgf.launch.chosen import choose
from gmdwgf.launch.components import components_of
from gmdwgf.training.state import initial_state
from gmdwgf.training.step import train_step

FAST = {"n_steps": 4, "batch_size": 64, "n_samples": 64, "n_assignment": 16, "n_projections": 8, "n_floor_draws": 3}
FAST |= {"width": 8, "depth": 1, "n_snapshot": 50, "eval_every": 4}
UNITS = [(1e-4, 0.0), (1e6, 0.0), (300.0, 1e3)]
"""Factor, and shift in spreads of the data."""
START, STEP = jax.jit(initial_state), jax.jit(train_step)


def rows():
    rng = np.random.default_rng(0)
    return np.r_[rng.normal(size=(150, 3)) * [0.2, 0.5, 1.0] + 2.0, rng.gamma(2.0, 0.3, size=(90, 3))]


def moved(x, factor, shift):
    return factor * (x + shift * x.std())


def fitted(x, drift, **changes):
    return gmdwgf.fit(x, drift, progress=False, **(FAST | changes))


def quick_first(names):
    """All but one drift of each kind of length are for `make test-slow`."""
    quick = ("critic", "deng", "kl", "mmd", "sinkhorn", "wflow")
    return [pytest.param(name, marks=() if name in quick else pytest.mark.slow) for name in names]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "drift", quick_first(name for name in options("drift") if name != "kl_energy")
)  # refused for data
def test_a_drift_takes_the_same_steps_in_other_units(drift):
    def after(x):
        problem = components_of(choose(x, drift, **FAST).with_objects()).problem
        state = START(problem, jax.random.key(0))
        for _ in range(2):
            state, logs = STEP(problem, state)
        z = problem.generator.sample(state.params, jax.random.key(1), 40)
        return np.asarray(problem.target.in_data_units(z), float), {name: float(value) for name, value in logs.items()}

    x = rows()
    expected, logs = after(x)
    for factor, shift in UNITS[1:]:
        z, others = after(moved(x, factor, shift))
        np.testing.assert_allclose((z / factor - shift * x.std()), expected, atol=3e-3 if shift else 1e-4)
        np.testing.assert_allclose(others["v_rms"], logs["v_rms"], rtol=2e-2 if shift else 1e-3)


@pytest.mark.thorough
@pytest.mark.parametrize("standardise", ["scale", "coordinates", "whiten"])
def test_a_whole_run_is_the_same_in_other_units(standardise):
    x = rows()
    make = lambda y: gmdwgf.targets.ArrayTarget(y, None, 0.2, 0, standardise)
    one = fitted(make(x), "deng")
    for factor, shift in UNITS:
        other = fitted(make(moved(x, factor, shift)), "deng")
        assert other.status == one.status == "done"
        at, tolerance = shift * x.std(), 3e-3 if shift else 1e-4
        np.testing.assert_allclose(other.samples / factor - at, one.samples, atol=tolerance)
        np.testing.assert_allclose(other.targets / factor - at, one.targets, atol=tolerance)
        sample = lambda result: np.asarray(result.sample(jax.random.key(3), 30), float)
        np.testing.assert_allclose(sample(other) / factor - at, sample(one), atol=tolerance)
        for name in ("mmd2", "energy_distance", "w2", "sliced_w2"):
            np.testing.assert_allclose(other.records[-1][name], one.records[-1][name], rtol=1e-2, atol=1e-4)
            np.testing.assert_allclose(other.floor[name], one.floor[name], rtol=1e-2, atol=1e-4)


@pytest.mark.thorough
def test_metrics_and_the_divergence_radius_follow_rows_that_are_used_as_they_are():
    """With standardise=none only lengths of the drift are the user's: MMD^2, which has no unit, and the gap are the same."""
    x = rows()
    suite = components_of(choose(x, "mmd", **FAST).with_objects()).suite
    raw = [gmdwgf.targets.ArrayTarget(factor * x, None, 0.2, 0, "none") for factor in (1.0, 1e5)]
    one, other = (suite.prepare(target, jax.random.key(0)) for target in raw)
    np.testing.assert_allclose(one.floor["mmd2"], other.floor["mmd2"], rtol=1e-3, atol=1e-6)
    values = [suite.evaluate(f * 1.2 * x[:40], ref) for f, ref in ((1.0, one), (1e5, other))]
    np.testing.assert_allclose(values[0]["gap"], values[1]["gap"], rtol=1e-2)
    np.testing.assert_allclose(raw[1].length / raw[0].length, 1e5, rtol=1e-5)


@pytest.mark.thorough
def test_columns_of_unlike_spreads_train_by_coordinates():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)) * [1e-3, 1.0, 1e3] + [5.0, -3.0, 1e5]
    target = gmdwgf.targets.ArrayTarget(x, None, 0.2, 0, "coordinates")
    result = fitted(target, "sliced_wasserstein", n_steps=300, width=32, learning_rate=0.01, eval_every=300)
    spread = np.asarray(result.sample(jax.random.key(0), 500)).std(axis=0) / x.std(axis=0)
    assert (np.abs(spread - 1) < 0.35).all(), spread

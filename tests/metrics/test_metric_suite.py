"""The suite: names, floors, odd clouds, one trace."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from gmdwgf.config.fields import FieldError
from gmdwgf.metrics import METRICS, MetricSuite, mmd as mmd_module
from gmdwgf.metrics.wasserstein import exact_w2
from gmdwgf.targets import AbstractTarget

CONFIG = Path(__file__).parents[2] / "configs" / "metrics" / "default.yaml"
CENTRES = jnp.array([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
WITHOUT_MODES = ["gap", "mmd2", "energy_distance", "w2", "sliced_w2"]
WITHOUT_PICTURES = [*WITHOUT_MODES, "near", "covered", "n_modes", "mass_min", "mass_max"]


class Spots(AbstractTarget):
    """Four spots of standard deviation 0.1; `move` displaces fresh draws but not the modes."""

    move: float = 0.0
    knows_modes: bool = True

    dim = 2

    def sample(self, key, n):
        key_mode, key_noise = jax.random.split(key)
        centres = CENTRES[jax.random.randint(key_mode, (n,), 0, 4)]
        return centres + self.move + 0.1 * jax.random.normal(key_noise, (n, 2))

    def modes(self):
        return (CENTRES, jnp.ones(4)) if self.knows_modes else None

    def mode_radius(self):
        return 0.3 if self.knows_modes else None


class Rows(AbstractTarget):
    """60 rows to train on and 30 to hold out, so far apart that only a row and its copy are near each other."""

    dim = 20
    n_held_out = 30
    n_rows = 60

    def all(self):
        return 9 * jax.random.normal(jax.random.key(9), (90, self.dim))

    def rows(self, key, index):
        return self.all()[30 + index]

    def sample(self, key, n):
        return self.all()[jax.random.randint(key, (n,), 30, 90)]

    def held_out(self, key, n):
        return jax.random.choice(key, self.all()[:30], (n,), replace=n > 30)


def suite(**changes):
    fields = {"n_samples": 200, "bandwidths": [0.1, 0.3, 1, 3], "n_assignment": 100, "n_projections": 16}
    return MetricSuite(**(fields | {"n_floor_draws": 6} | changes))


@pytest.fixture(scope="module")
def reference():
    return suite().prepare(Spots(), jax.random.key(0))


draw_200 = jax.jit(lambda key, move: Spots(move).sample(key, 200))


def cloud(n, seed=1, move=0.0):
    return np.array(draw_200(jax.random.key(seed), move))[:n]  # few shapes: each one is compiled


def test_the_config_makes_a_suite_with_every_number_of_the_file():
    config = OmegaConf.load(CONFIG)
    made = instantiate(config, _convert_="all")
    assert isinstance(made, MetricSuite)
    assert (made.n_samples, made.n_assignment, made.n_projections, made.n_floor_draws) == (2000, 1000, 128, 8)
    np.testing.assert_allclose(made.bandwidths, [0.1, 0.3, 1, 3])


@pytest.mark.parametrize(
    ("field", "value"), [("bandwidths", [0.1, -1.0]), ("bandwidths", []), ("n_samples", 1), ("n_floor_draws", 1)]
)
def test_a_bad_field_is_named(field, value):
    with pytest.raises(FieldError) as error:
        suite(**{field: value})
    assert error.value.name == field


@pytest.mark.slow
def test_every_value_has_a_line_in_the_table_and_is_a_python_number(reference):
    values = suite().evaluate(cloud(150), reference)
    assert list(values) == list(reference.floor) == WITHOUT_PICTURES
    assert all(type(value) is (int if name in ("covered", "n_modes") else float) for name, value in values.items())
    assert {line.better for line in METRICS.values()} == {"lower", "higher", "neither"}


@pytest.mark.thorough
def test_metrics_of_modes_are_left_out_where_modes_are_unknown():
    target = Spots(knows_modes=False)
    reference = suite().prepare(target, jax.random.key(0))
    assert list(suite().evaluate(cloud(150), reference)) == list(reference.floor) == WITHOUT_MODES
    assert suite().mode_masses(cloud(150), reference) == []


def test_the_values_are_those_of_numpy_on_the_held_out_points(reference):
    x, y = np.asarray(cloud(150), float), np.asarray(reference.y, float)
    values = suite().evaluate(x, reference)
    apart = lambda a, b: np.linalg.norm(a[:, None] - b[None], axis=-1)
    off_diagonal = lambda a: apart(a, a)[~np.eye(len(a), dtype=bool)]
    kernel = lambda r: np.mean([np.exp(-(r**2) / (2 * h**2)).mean() for h in (0.1, 0.3, 1, 3)])
    expected = kernel(off_diagonal(x)) + kernel(off_diagonal(y)) - 2 * kernel(apart(x, y))
    np.testing.assert_allclose(values["mmd2"], expected, atol=1e-6)
    expected = 2 * apart(x, y).mean() - off_diagonal(x).mean() - off_diagonal(y).mean()
    np.testing.assert_allclose(values["energy_distance"], expected, atol=1e-5)
    np.testing.assert_allclose(values["w2"], exact_w2(x[:100], y[:100]), rtol=1e-5)
    levels = (np.arange(600) + 0.5) / 600  # a common multiple of 150 and 200 points: every quantile exactly
    quantiles = [np.sort(a @ np.asarray(reference.directions).T, 0)[(levels * len(a)).astype(int)] for a in (x, y)]
    np.testing.assert_allclose(values["sliced_w2"], np.sqrt(np.mean((quantiles[0] - quantiles[1]) ** 2)), rtol=1e-4)


def test_the_floor_is_the_same_for_the_same_key_and_other_for_another(reference):
    again = suite().prepare(Spots(), jax.random.key(0))
    other = suite().prepare(Spots(), jax.random.key(5))
    assert again.floor == reference.floor
    assert np.array_equal(again.y, reference.y)
    assert other.floor["mmd2"] != reference.floor["mmd2"]


@pytest.mark.thorough
def test_fresh_data_scores_in_the_floor_and_moved_data_above_it():
    n_draws = 30
    many = suite(n_floor_draws=n_draws)
    reference = many.prepare(Spots(), jax.random.key(0))
    fresh = [many.evaluate(cloud(200, seed), reference) for seed in range(10, 10 + n_draws)]
    for name in WITHOUT_MODES:
        floor, scores = reference.floor[name], np.array([values[name] for values in fresh])
        error = math.sqrt((floor.sd**2 + scores.var(ddof=1)) / n_draws)
        assert abs(scores.mean() - floor.mean) < 4 * error
        assert 0.5 < floor.sd / scores.std(ddof=1) < 2
        assert many.evaluate(cloud(200, move=1.0), reference)[name] > floor.mean + 5 * floor.sd


@pytest.mark.thorough
def test_the_floor_has_the_mean_and_the_unbiased_deviation_of_the_scores_of_its_clouds():
    scores = []

    class Recorded(MetricSuite):
        def evaluate(self, x, reference, labels=None):
            scores.append(super().evaluate(x, reference, labels))
            return scores[-1]

    fields = {"n_samples": 50, "bandwidths": [1.0], "n_assignment": 20, "n_projections": 4, "n_floor_draws": 3}
    floor = Recorded(**fields).prepare(Spots(), jax.random.key(0)).floor
    values = np.array([score["energy_distance"] for score in scores])
    assert len(set(values.tolist())) == 3
    np.testing.assert_allclose(floor["energy_distance"].mean, values.mean(), rtol=1e-6)
    deviation = np.sqrt(np.sum((values - values.mean()) ** 2) / 2)
    np.testing.assert_allclose(floor["energy_distance"].sd, deviation, rtol=1e-6)


@pytest.mark.slow
def test_no_random_key_of_a_reference_is_used_twice():
    with jax.debug_key_reuse(True):
        suite().prepare(Spots(), jax.random.key(0))


@pytest.mark.thorough
def test_the_directions_of_sliced_w2_know_nothing_of_the_held_out_points():
    class Round(AbstractTarget):
        dim = 2

        def sample(self, key, n):
            return jax.random.normal(key, (n, 2))

    reference = suite(n_samples=16, n_assignment=4, n_floor_draws=2).prepare(Round(), jax.random.key(0))
    y = reference.y / jnp.linalg.norm(reference.y, axis=1, keepdims=True)
    assert jnp.min(jnp.sum(y * reference.directions, axis=1)) < 0.9  # all 1 where one key draws both


@pytest.mark.thorough
def test_the_floor_is_that_of_clouds_of_the_size_asked_for(reference):
    small = suite().prepare(Spots(), jax.random.key(0), n=25)
    assert np.array_equal(small.y, reference.y)
    assert small.floor["sliced_w2"].mean > 1.5 * reference.floor["sliced_w2"].mean


def test_the_floor_tells_a_dropped_mode_from_fresh_data(reference):
    dropped = np.concatenate([cloud(200), cloud(200, seed=2)])
    dropped = dropped[np.linalg.norm(dropped - CENTRES[2], axis=1) > 1][:200]
    values = suite().evaluate(dropped, reference)
    assert reference.floor["covered"] == (4, 0)
    assert (values["covered"], values["n_modes"], values["mass_min"]) == (3, 4, 0)
    assert suite().mode_masses(dropped, reference)[2] == 0
    assert values["mmd2"] > reference.floor["mmd2"].mean + 10 * reference.floor["mmd2"].sd
    np.testing.assert_allclose(sum(suite().mode_masses(dropped, reference)), 1, rtol=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_cloud_that_is_not_finite_scores_nan_everywhere(reference, bad):
    x = cloud(150)
    x[3, 1] = bad
    values = suite().evaluate(x, reference)
    assert list(values) == WITHOUT_PICTURES
    assert all(math.isnan(value) for value in values.values())
    assert all(math.isnan(mass) for mass in suite().mode_masses(x, reference))


@pytest.mark.thorough
def test_a_single_row_is_scored_where_a_score_exists(reference):
    values = suite().evaluate(CENTRES[:1], reference)
    assert math.isnan(values["mmd2"])
    assert math.isnan(values["energy_distance"])
    expected = np.sqrt(np.mean(np.sum((np.asarray(reference.y[:100], float) - CENTRES[0]) ** 2, axis=1)))
    np.testing.assert_allclose(values["w2"], expected, rtol=1e-6)
    assert (values["near"], values["covered"]) == (1, 1)


def test_a_huge_but_finite_cloud_does_not_raise(reference):
    assert suite().evaluate(1e30 * cloud(150), reference)["covered"] == 0


@pytest.mark.parametrize("shape", [(5, 3), (5,), (0, 2)])
def test_a_cloud_of_the_wrong_shape_is_refused_in_words(reference, shape):
    with pytest.raises(ValueError, match=r"\[n 2\]"):
        suite().evaluate(np.zeros(shape), reference)


def test_w2_pairs_the_first_rows(reference):
    x = cloud(150)
    for n in (40, 200):
        values = suite(n_assignment=n).evaluate(x, reference)
        np.testing.assert_allclose(values["w2"], exact_w2(x[:n], reference.y[:n]), rtol=1e-6)


@pytest.mark.thorough
def test_no_row_is_taken_twice_from_a_target_that_is_a_list_of_rows():
    reference = suite(n_samples=50, n_assignment=50).prepare(Rows(), jax.random.key(0))
    assert reference.y.shape == (30, 20)
    # Rounded: those of a compiled program differ in the last bit.
    both = np.concatenate([reference.y, Rows().all()[:30]]).round(3)
    assert len(np.unique(both, axis=0)) == 30
    # 50 rows drawn with replacement of 60 would meet themselves in one pair of 60.
    assert abs(reference.floor["mmd2"].mean) < 0.1 / 60


@pytest.mark.thorough
def test_other_bandwidths_give_other_values_without_another_trace(reference, monkeypatch):
    traces = []
    inner = mmd_module.squared_distances
    monkeypatch.setattr(mmd_module, "squared_distances", lambda *a: (traces.append(1), inner(*a))[1])
    x = cloud(151)
    first = suite().evaluate(x, reference)
    traced = len(traces)
    second = suite().evaluate(x, reference._replace(bandwidths=jnp.array([0.2, 0.4, 1.5, 2.0])))
    suite().evaluate(x + 1, reference)
    assert traced > 0
    assert len(traces) == traced
    assert first["mmd2"] != second["mmd2"]
    assert first["energy_distance"] == second["energy_distance"]


def test_more_pairs_than_rows_are_refused():
    with pytest.raises(FieldError, match="n_assignment=201: .*n_samples=200"):
        suite(n_assignment=201)

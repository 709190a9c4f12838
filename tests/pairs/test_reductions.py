import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.pairs import reductions, slicing

SPECIAL = [0.0, -0.0, 1.5, -3.0, np.inf, -np.inf, np.nan, np.finfo(np.float32).max, 1e-45]


def test_kept_changes_no_number():
    rows = jnp.asarray(SPECIAL, jnp.float32)
    np.testing.assert_array_equal(jax.jit(reductions.materialize)(rows), rows)


@pytest.mark.thorough
def test_softmax_is_the_softmax(x64):
    rng = np.random.default_rng(0)
    logits, y = jnp.asarray(rng.normal(size=23) * 30), jnp.asarray(rng.normal(size=(23, 3)))
    near, expected = reductions.softmax(logits), jax.nn.softmax(logits)
    np.testing.assert_allclose(near.weights, expected, rtol=1e-13)
    np.testing.assert_allclose(near.mean(y), expected @ y, rtol=1e-13)
    np.testing.assert_allclose(near.effective, 1 / jnp.sum(expected**2), rtol=1e-13)
    np.testing.assert_allclose(near.log_sum, jax.nn.logsumexp(logits), rtol=1e-14)
    np.testing.assert_allclose(near.mass, 1.0)


@pytest.mark.thorough
def test_softmax_of_nothing_is_zero():
    near = reductions.softmax(jnp.full(5, -jnp.inf))
    assert float(near.mass) == 0
    assert float(near.log_sum) == -np.inf
    np.testing.assert_array_equal(near.weights, 0)
    np.testing.assert_array_equal(near.mean(jnp.ones((5, 2))), 0)


@pytest.mark.thorough
def test_log_sum_exp_has_the_softmax_as_gradient_also_with_masked_candidates(x64):
    logits = jnp.asarray([0.3, -jnp.inf, 2.0, -700.0])
    np.testing.assert_allclose(jax.grad(reductions.log_sum_exp)(logits), jax.nn.softmax(logits), rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("n", [64, 61])
def test_tiles_give_what_one_block_gives_and_so_do_their_gradients(n, x64):
    rng = np.random.default_rng(1)
    x, y = jnp.asarray(rng.normal(size=(n, 2))), jnp.asarray(rng.gamma(2.0, size=(40, 2)))

    def total(x):
        reduction = lambda point: reductions.softmax(-reductions.squared_distances(point, y)).mean(y)
        means = reductions.over_points(reduction, x, y.shape[0])
        return jnp.sum(jnp.sin(means)), means

    (_, dense), dense_gradient = jax.value_and_grad(total, has_aux=True)(x)
    with reductions.tiles(0, 8 * 40):
        (_, tiled), gradient = jax.value_and_grad(total, has_aux=True)(x)
    np.testing.assert_allclose(tiled, dense, rtol=1e-13)
    np.testing.assert_allclose(gradient, dense_gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("d", [2, 40])
def test_the_sums_for_accelerators_are_the_products_of_a_cpu(d, x64, monkeypatch):
    rng = np.random.default_rng(3)
    weights, y = jnp.asarray(rng.gamma(0.3, size=23)), jnp.asarray(rng.normal(size=(23, d)))
    here = reductions.combination(weights, y)
    monkeypatch.setattr(reductions, "_on_cpu", lambda: False)
    np.testing.assert_allclose(reductions.combination(weights, y), here, rtol=1e-12)
    assert reductions.materialize(weights) is weights
    assert reductions.platform_factor() > 1


@pytest.mark.slow
@pytest.mark.parametrize("d", [2, 40])
def test_float32_barycentres_are_those_of_float64_to_single_precision(d, x64):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(50, d)), rng.gamma(2.0, 0.5, size=(60, d))

    def barycentres(x, y):
        row = lambda point: reductions.softmax(reductions.squared_distances(point, y) * (-0.5 / (0.3**2 * d / 2))).mean(
            y
        )
        return reductions.over_points(row, x, y.shape[0])

    exact = barycentres(jnp.asarray(x, jnp.float32).astype(float), jnp.asarray(y, jnp.float32).astype(float))
    single = barycentres(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, exact, rtol=0, atol=3e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_whole_numbers_sort_floats(dtype, x64):
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(size=100), [0.0, -0.0, np.inf, -np.inf, 1e-7, -1e-7, 1.0, 1.0]]).astype(dtype)
    ordered = slicing.in_order(jnp.asarray(values))
    assert ordered.dtype == dtype
    np.testing.assert_array_equal(ordered, np.sort(values))

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hydra import compose, initialize_config_dir

from gmdwgf.config.build import build, config_dir
from gmdwgf.config.fields import FieldError
from gmdwgf.generators.base import Condition, n_parameters
from gmdwgf.generators.dit import DiTGenerator
from tests.networks import random_params

N_CLASSES, DIM = 3, 4 * 6 * 2


def dit(**changes) -> DiTGenerator:
    fields = {"shape": [4, 6, 2], "patch_size": 2, "width": 16, "depth": 2, "n_heads": 2, "n_registers": 3}
    fields |= {"n_styles": 2, "n_codes": 4, "compute_dtype": "float32", "remat": False}
    return DiTGenerator(**(fields | changes))


@jax.jit
def fresh(generator):
    return generator.init(jax.random.key(0), 1, DIM, N_CLASSES)


@jax.jit
def apply(generator, params, z, styles, condition):
    return generator.apply(params, z, styles, condition)


@functools.partial(jax.jit, static_argnames="n")
def sample(generator, params, key, n, condition=None):
    return generator.sample(params, key, n, condition)


def awake(generator, **kwargs):
    """Parameters of which none is 0 or 1 as at the start."""
    return random_params(lambda: generator.init(jax.random.key(0), 1, DIM, N_CLASSES), **kwargs)


def told(n, label=None, guidance=1.0):
    labels = jnp.arange(n) % N_CLASSES if label is None else jnp.full(n, label)
    return Condition(labels, jnp.full(n, guidance))


@pytest.fixture(scope="module")
def conditional():
    return awake(dit())


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "published"), [("dit_b2", 133), ("dit_l2", 463)])
def test_the_published_sizes_have_the_published_number_of_parameters(name, published):
    # Deng et al. 2026, Table 5, in millions; 1000 classes. Nothing is allocated.
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        generator = build(compose("train", overrides=[f"generator={name}"])["generator"], "generator")
    n = n_parameters(generator, 1, math.prod(generator.shape), n_classes=1000)
    assert round(n / 1e6) == published


@pytest.mark.slow
def test_the_output_is_zero_at_the_start():
    x = sample(dit(), fresh(dit()), jax.random.key(1), 4, told(4))
    np.testing.assert_array_equal(x, np.zeros((4, DIM)))


@pytest.mark.thorough
def test_registers_are_no_part_of_the_output_and_reach_it_only_through_the_blocks():
    params, random = fresh(dit()), awake(dit())
    params["head"] = random["head"]
    draw = lambda params: np.asarray(sample(dit(), params, jax.random.key(1), 4, told(4)))
    moved = params | {"stem": params["stem"] | {"register_places": params["stem"]["register_places"] + 1}}
    assert draw(params).shape == (4, DIM)
    np.testing.assert_array_equal(draw(moved), draw(params))  # the blocks are still the identity
    opened = {"blocks": random["blocks"]}
    assert np.abs(draw(moved | opened) - draw(params | opened)).max() > 1e-3


@pytest.mark.slow
def test_rows_do_not_meet(conditional):
    n = 5
    z = jax.random.normal(jax.random.key(2), (n, DIM))
    styles = jax.random.randint(jax.random.key(3), (n, 2), 0, 4)
    together = apply(dit(), conditional, z, styles, told(n))
    for row in range(n):
        one = slice(row, row + 1)
        alone = apply(dit(), conditional, z[one], styles[one], jax.tree.map(lambda leaf, one=one: leaf[one], told(n)))
        np.testing.assert_allclose(alone, together[one], rtol=2e-5, atol=2e-5)


@pytest.mark.thorough
def test_noise_styles_label_and_guidance_all_matter(conditional):
    z, styles = jax.random.normal(jax.random.key(2), (1, DIM)), jnp.asarray([[0, 3]])
    base = apply(dit(), conditional, z, styles, told(1, 0, 1.0))
    for changed in (
        apply(dit(), conditional, z + 0.1, styles, told(1, 0, 1.0)),
        apply(dit(), conditional, z, jnp.asarray([[0, 2]]), told(1, 0, 1.0)),
        apply(dit(), conditional, z, jnp.asarray([[3, 0]]), told(1, 0, 1.0)),  # each style has its own table
        apply(dit(), conditional, z, styles, told(1, 1, 1.0)),
        apply(dit(), conditional, z, styles, told(1, 0, 2.0)),
    ):
        assert np.abs(changed - base).max() > 1e-4


@pytest.mark.slow
def test_twenty_steps_learn_a_picture_for_each_class():
    generator = dit()
    params = fresh(generator)
    goals = jax.random.normal(jax.random.key(7), (N_CLASSES, DIM))
    condition, optimizer = told(12), optax.adam(3e-2)

    def loss_of(params, key):
        return jnp.mean((generator.sample(params, key, 12, condition) - goals[condition.label]) ** 2)

    @jax.jit
    def step(params, opt_state, key):
        loss, gradient = jax.value_and_grad(loss_of)(params, key)
        updates, opt_state = optimizer.update(gradient, opt_state)
        return optax.apply_updates(params, updates), opt_state, loss

    opt_state, losses, spreads = optimizer.init(params), [], []
    for key in jax.random.split(jax.random.key(1), 21):
        one, other = (sample(generator, params, key, 1, told(1, label)) for label in (0, 1))
        spreads.append(float(jnp.abs(one - other).max()))
        params, opt_state, loss = step(params, opt_state, key)
        losses.append(float(loss))
    # Step 1 moves only the last layer, step 2 what modulates it: the label matters from then on.
    assert spreads[:2] == [0.0, 0.0]
    assert spreads[2] > 0
    assert losses[-1] < float(jnp.mean((goals - goals.mean(0)) ** 2))  # the least that is possible without labels


@pytest.mark.thorough
def test_one_trace_serves_every_label_and_guidance_scale(conditional):
    sample.clear_cache()
    for label, guidance in ((0, 1.0), (1, 2.5), (2, 4.0)):
        sample(dit(), conditional, jax.random.key(1), 4, told(4, label, guidance))
    assert sample._cache_size() == 1


@pytest.mark.slow
def test_a_vmap_over_parameters_is_one_by_one(conditional):
    others = awake(dit(), seed=9)
    z, styles = jax.random.normal(jax.random.key(2), (1, DIM)), jnp.asarray([[0, 3]])
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), conditional, others)
    draw = lambda params: apply(dit(), params, z, styles, told(1))
    for one, expected in zip(jax.vmap(draw)(both), (draw(conditional), draw(others)), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_double_single_and_half_precision_agree(x64):
    params = awake(dit())
    z = jax.random.normal(jax.random.key(2), (4, DIM))
    styles = jnp.zeros((4, 2), int)
    exact = apply(dit(), params, z, styles, told(4))
    assert exact.dtype == jnp.float64
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)
    told_single = told(4)._replace(guidance=jnp.ones(4, jnp.float32))
    for name, tolerance in (("float32", 1e-5), ("bfloat16", 3e-2)):
        x = apply(dit(compute_dtype=name), single, z.astype(jnp.float32), styles, told_single)
        assert x.dtype == jnp.float32
        assert np.linalg.norm(x - exact) < tolerance * np.linalg.norm(exact)


@pytest.mark.slow
def test_rematerialisation_changes_no_gradient(conditional):
    def gradient(remat):
        loss = lambda params: jnp.mean(dit(remat=remat).sample(params, jax.random.key(3), 2, told(2)) ** 2)
        return jax.jit(jax.grad(loss))(conditional)

    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    jax.tree.map(close, gradient(True), gradient(False))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"patch_size": 4}, "patch_size=4: must divide height and width"),
        ({"width": 18}, "width=18: must be a multiple of 4 and of twice n_heads=2"),
        ({"shape": [4, 6]}, r"shape=\(4, 6\): must be integers of at least 1: \[height, width, channels\]"),
        ({"shape": "4x6x2"}, "shape=4x6x2: must be integers"),
        ({"compute_dtype": "float16"}, "compute_dtype=float16: must be one of float32, bfloat16"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, complaint):
    with pytest.raises(FieldError, match=complaint):
        dit(**changes)

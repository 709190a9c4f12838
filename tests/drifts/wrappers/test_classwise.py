import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import build, load_node
from gmdwgf.config.fields import FieldError
from gmdwgf.drifts.wrappers.classwise import ClassCondition, ClasswiseDrift, power_law
from gmdwgf.training.batch import draw_batch
from gmdwgf.training.state import initial_state, purpose
from tests.training.common import run_steps, same_bits, small_problem

KEY = jax.random.key(3)


def condition(**fields):
    few = {"n_unconditional": 3} if fields.get("guidance") in ("negatives", "velocity") else {}
    return build(load_node("condition", "classes", {"n_groups": 4} | few | fields), "condition")


def conditional(drift="kl", changes=None, **fields):
    problem = small_problem(drift, changes={"dataset": {"n_modes": 4}} | (changes or {}))
    pieces = {"generator": problem.generator, "optimizer": problem.optimizer, "condition": condition(**fields)}
    return gmdwgf.make_problem(problem.target, problem.drift, **pieces, batch_size=24, n_targets=32)


@pytest.fixture
def groups(x64):
    """Particles, targets and targets of any class of 3 classes, which are not alike."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 6, 2)), rng.gamma(2.0, 0.5, size=(3, 8, 2)) * np.array([1.0, 2.0, 3.0])[:, None, None]
    return jnp.asarray(x), jnp.asarray(y), jnp.asarray(rng.normal(size=(3, 2, 2)) + 0.5)


def velocities(drift, x, y, others=None, guidance="none", alpha=(1.0, 1.0, 1.0)):
    n_any = 0 if others is None else others.shape[1]
    field = ClasswiseDrift(drift, 3, guidance, n_any, jnp.asarray(alpha))
    y = y if others is None else jnp.concatenate([y, others], axis=1)
    rows = x.reshape(-1, 2), y.reshape(-1, 2)
    return field.update(field.init(KEY, *rows), *rows, KEY)[0].v.reshape(x.shape)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kl", "sinkhorn_steps", "mmd", "deng"])
def test_every_class_sees_only_its_own_targets(name, groups, x64):
    x, y, _ = groups
    drift = gmdwgf.load_drift(name)
    v = velocities(drift, x, y)
    for g in range(3):
        np.testing.assert_allclose(v[g], drift.velocity(x[g], y[g], KEY).v, rtol=1e-9, atol=1e-12)


@pytest.mark.thorough
def test_guidance_negatives_repel_like_particles_of_their_weight(groups, x64):
    # For mean shifts: the mean over particles and negatives, with masses 1 and (n - 1)(alpha - 1) / k.
    x, y, others = groups
    alpha, h = (1.0, 2.5, 4.0), 0.8
    v = velocities(gmdwgf.load_drift("kl", bandwidth=h), x, y, others, "negatives", alpha)

    def shift(at, cloud, mass):
        kernel = mass * np.exp(-np.sum((cloud - at) ** 2, axis=1) / (2 * h**2))
        return kernel @ cloud / kernel.sum()

    for g in range(3):
        cloud = np.concatenate([x[g], others[g]])
        mass = np.concatenate([np.ones(6), np.full(2, 5 * (alpha[g] - 1) / 2)])
        for i in range(6):
            expected = shift(x[g, i], y[g], np.ones(8)) - shift(x[g, i], cloud, mass)
            np.testing.assert_allclose(v[g, i], expected, rtol=1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name",
    [
        *("kl", "mmd", "deng"),
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("mean_shift", "sinkhorn", "sinkhorn_steps", "sinkhorn_proxy", "kale", "drmmd")
        ),
    ],
)
def test_negatives_without_guidance_change_nothing(name, groups, x64):
    x, y, others = groups
    drift = gmdwgf.load_drift(name, **({"self_term": "same_batch", "threshold": 1e-9} if name == "sinkhorn" else {}))
    guided = velocities(drift, x, y, others, "negatives")
    np.testing.assert_allclose(guided, velocities(drift, x, y), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_velocity_guidance_leans_away_from_the_targets_of_any_class(groups, x64):
    # W-Flow: v + w (T_qp - T_qu), in which the self term drops out.
    x, y, others = groups
    drift, alpha = gmdwgf.load_drift("sinkhorn_steps", epsilon=0.5), (1.0, 2.0, 3.5)
    v = velocities(drift, x, y, others, "velocity", alpha)
    for g in range(3):
        to_y, to_u = (drift.velocity(x[g], cloud[g], KEY).v for cloud in (y, others))
        np.testing.assert_allclose(v[g], to_y + (alpha[g] - 1) * (to_y - to_u), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_the_released_loss_shares_its_scales_over_the_classes_and_takes_its_own_negatives(groups, x64):
    x, y, others = groups
    drift, alpha = gmdwgf.load_drift("deng_released"), jnp.asarray([1.0, 2.0, 3.0])
    weights = jnp.repeat(5 * (alpha[:, None] - 1) / 2, 2, axis=1)
    expected = drift.grouped(x, y, others, negative_weights=weights).v
    np.testing.assert_allclose(velocities(drift, x, y, others, "negatives", alpha), expected, rtol=1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize("power", [0.0, 1.0, 3.0, 5.0])
def test_guidance_scales_have_the_density_of_their_power(power, x64):
    u, largest = np.linspace(0, 1, 1001), 4.0
    a = np.asarray(power_law(jnp.asarray(u), jnp.asarray(largest), jnp.asarray(power)))
    grid = np.linspace(1, largest, 200001)
    cumulative = np.concatenate([[0], np.cumsum((grid[1:] ** -power + grid[:-1] ** -power) / 2)])
    np.testing.assert_allclose(np.interp(a, grid, cumulative / cumulative[-1]), u, atol=1e-7)


@pytest.mark.slow
def test_a_step_takes_equal_shares_of_its_classes_and_tells_the_generator():
    problem = conditional(guidance="negatives")
    y, told, _ = draw_batch(problem, jnp.asarray(5), lambda name: purpose(KEY, jnp.asarray(5), name))
    centres = problem.target.modes()[0]
    nearest = np.argmin(np.linalg.norm(y[:, None] - centres, axis=-1), axis=1).reshape(4, 11)
    assert (nearest[:, :8] == np.arange(4)[:, None]).all()
    np.testing.assert_array_equal(told.label, np.repeat(np.arange(4), 6))
    assert told.guidance.min() >= 1
    assert told.guidance.max() > 1.01
    assert len(set(told.guidance.tolist())) == 4


@pytest.mark.slow
def test_conditional_training_learns_each_class_where_it_is():
    problem = conditional("mmd", changes={"optimizer": {"learning_rate": 0.01}})
    state = run_steps(problem, 400, chunk_size=100)
    x = problem.generator.sample(state.params, KEY, 40, problem.evaluation(40))
    centres = problem.target.modes()[0]
    assert (np.argmin(np.linalg.norm(x[:, None] - centres, axis=-1), axis=1) == np.arange(40) % 4).mean() > 0.9


@pytest.mark.slow
def test_conditional_steps_with_a_critic_are_bit_equal_however_they_are_cut():
    problem = conditional("critic", guidance="velocity", changes={"drift": {"width": 8, "n_inner": 1}})
    assert same_bits(run_steps(problem, 6, chunk_size=6), run_steps(problem, 2, 6, chunk_size=3))
    assert jax.tree.leaves(initial_state(problem, KEY).drift_state)[0].shape[0] == 4


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("drift", "fields", "name"),
    [
        ("kl", {"n_groups": 5}, "n_groups"),
        ("kl", {"n_groups": 1}, None),
        ("critic", {"n_groups": 2}, "n_groups"),
        ("kl", {"n_groups": 2}, None),
        ("wflow", {"guidance": "negatives"}, "guidance"),
        ("kl", {"guidance": "some"}, "guidance"),
        ("kl", {"guidance_max": 0.5}, "guidance_max"),
    ],
)
def test_conditions_that_do_not_fit_are_refused_by_name(drift, fields, name):
    if name is None:
        conditional(drift, **fields)
        return
    with pytest.raises((FieldError, gmdwgf.config.build.ConfigError)) as refused:
        conditional(drift, **fields)
    assert name in str(refused.value)


@pytest.mark.thorough
def test_classes_are_evaluated_in_turn_or_in_any_first_points_by_their_shares():
    condition = ClassCondition(3, "none", 4.0, 3.0, 0.0, 16, 1.0)
    np.testing.assert_array_equal(condition.evaluation(5, 3).label, [0, 1, 2, 0, 1])
    shares = jnp.array([0.7, 0.05, 0.25])
    labels = np.asarray(condition.evaluation(4000, 3, shares).label)
    for n in (40, 400, 4000):
        np.testing.assert_allclose(np.bincount(labels[:n], minlength=3) / n, shares, atol=3 / n)
    np.testing.assert_array_equal(labels[:40], condition.evaluation(40, 3, shares).label)

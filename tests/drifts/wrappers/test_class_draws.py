"""What the classes and guidance scales of a step are drawn like, and that no random key serves two groups or two purposes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import build, load_node
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags
from gmdwgf.drifts.wrappers.classwise import ClasswiseDrift
from gmdwgf.training.batch import draw_batch
from tests.targets.gates import Z_MAX, standard_errors
from tests.training.common import small_problem

KEY = jax.random.key(5)
N_CLASSES, N_GROUPS = 5, 3


def condition(**fields):
    return build(load_node("condition", "classes", {"n_groups": N_GROUPS, "n_unconditional": 2} | fields), "condition")


def draws(n=4000, **fields):
    asked = condition(**fields)
    labels, alpha = jax.jit(jax.vmap(lambda key: asked.draw(key, N_CLASSES)))(jax.random.split(KEY, n))
    return np.asarray(labels), np.asarray(alpha, np.float64)


@pytest.mark.thorough
def test_no_class_is_drawn_twice_in_a_step_and_all_are_drawn_equally_often():
    labels, alpha = draws(guidance="none")
    assert (np.diff(np.sort(labels, axis=1), axis=1) > 0).all()
    taken = (labels[:, :, None] == np.arange(N_CLASSES)).any(axis=1)
    assert standard_errors(taken, N_GROUPS / N_CLASSES) < Z_MAX
    assert (alpha == 1).all()


@pytest.mark.thorough
def test_a_share_of_the_groups_is_unguided_and_the_others_have_scales_of_the_stated_law():
    _, alpha = draws(guidance="velocity", guidance_max=3.0, guidance_power=0.0, unguided_fraction=0.4)
    assert standard_errors(alpha == 1, 0.4) < Z_MAX
    guided = alpha[alpha > 1]
    assert standard_errors(guided, 2.0) < Z_MAX  # uniform in [1, 3]
    assert standard_errors((guided - 2) ** 2, 1 / 3) < Z_MAX
    # The scales of two groups, and the label and the scale of one, know nothing of each other.
    assert standard_errors((alpha[:, 0] - alpha.mean()) * (alpha[:, 1] - alpha.mean()), 0.0) < Z_MAX


@pytest.mark.thorough
def test_no_random_key_of_a_draw_is_used_twice():
    asked = condition(guidance="velocity", unguided_fraction=0.4)
    with jax.debug_key_reuse(True):
        jax.jit(lambda key: asked.draw(key, N_CLASSES))(KEY)


class Noise(StatelessDrift):
    """A drift that is nothing but the noise of its key."""

    def init(self, key, x, y):
        return jax.random.normal(key)

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        return self.velocity(x, y, key), state

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        return DriftOutput(jax.random.normal(key, x.shape), {"v_rms": jnp.ones(())})

    def tags(self) -> Tags:
        return Tags(zero_at_equality=False, curl_free=False, flow_of=None, reach="long")


@pytest.mark.thorough
def test_every_group_has_a_random_key_of_its_own():
    drift = ClasswiseDrift(Noise(), N_GROUPS, "none", 0, jnp.ones(N_GROUPS))
    x, y = jnp.ones((6 * N_GROUPS, 2)), jnp.ones((4 * N_GROUPS, 2))
    state = drift.init(KEY, x, y)
    v = drift.update(state, x, y, jax.random.key(6))[0].v
    assert len(set(np.asarray(state).tolist())) == N_GROUPS
    assert len(set(np.asarray(v).ravel().tolist())) == v.size


@pytest.mark.thorough
def test_the_particles_of_a_step_are_told_the_classes_of_its_targets():
    problem = small_problem(changes={"dataset": {"n_modes": 8, "noise": 0.01}})
    pieces = {
        "generator": problem.generator,
        "optimizer": problem.optimizer,
        "condition": condition(guidance="velocity"),
    }
    problem = gmdwgf.make_problem(problem.target, problem.drift, **pieces, batch_size=24, n_targets=12)
    draw = jax.jit(lambda key: draw_batch(problem, jnp.asarray(0), lambda name: jax.random.fold_in(key, len(name))))
    y, told, drift = draw(KEY)
    centres = problem.target.modes()[0]
    nearest = np.argmin(np.linalg.norm(y[:, None] - centres, axis=-1), axis=1).reshape(N_GROUPS, 6)
    np.testing.assert_array_equal(nearest[:, :4], np.asarray(told.label).reshape(N_GROUPS, 8)[:, :4])
    np.testing.assert_array_equal(drift.alpha, np.asarray(told.guidance).reshape(N_GROUPS, 8)[:, 0])
    np.testing.assert_allclose(np.asarray(told.guidance).reshape(N_GROUPS, 8).std(axis=1), 0, atol=1e-6)

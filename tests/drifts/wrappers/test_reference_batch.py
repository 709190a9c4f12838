"""Further samples of the model that repel and do not move, for every drift that has no references of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError, build, load_node, options
from gmdwgf.drifts.wrappers.reference_batch import ReferenceBatchDrift
from gmdwgf.drifts.wrappers.sub_batches import SubBatchDrift
from gmdwgf.generators.base import AbstractGenerator, Condition
from gmdwgf.training.state import initial_state, purpose
from gmdwgf.training.step import _references, check_step, train_step
from tests.drifts import reference
from tests.training.common import small_problem

KEY = jax.random.key(4)
R = np.random.default_rng(5).normal(size=(7, 2)) * 0.5 - 0.4


def velocity(name, x, y, r, n_groups=1, **fields):
    drift = ReferenceBatchDrift(gmdwgf.load_drift(name, **fields), len(r), n_groups)
    return update(drift, jnp.asarray(x), jnp.asarray(y), references=jnp.asarray(r))


@jax.jit
def update(drift, x, y, **options):
    return drift.update((), x, y, KEY, **options)[0].v


@pytest.mark.parametrize("self_term", ["keep", "leave_one_out"])
def test_particles_and_references_repel_and_a_mask_is_for_the_particle_alone(self_term, clouds, x64):
    x, y = clouds
    expected = [
        reference.mean_shift(point, y, 0.7)
        - reference.mean_shift(point, np.concatenate([np.delete(x, i, 0) if self_term != "keep" else x, R]), 0.7)
        for i, point in enumerate(x)
    ]
    np.testing.assert_allclose(velocity("kl", x, y, R, bandwidth=0.7, self_term=self_term), expected, atol=1e-10)


def test_it_is_the_flow_of_the_functional_in_the_particles_alone(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    functional = gmdwgf.load_drift("mmd").functional
    slope = jax.jit(jax.grad(lambda x: functional(jnp.concatenate([x, jnp.asarray(R)]), y)))(x)
    np.testing.assert_allclose(velocity("mmd", x, y, R), -(len(x) + len(R)) * slope, atol=1e-8)


def test_weights_count_a_reference_as_a_mean_particle(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    drift = ReferenceBatchDrift(gmdwgf.load_drift("mmd"), len(R), 1)
    copies = jnp.asarray(np.arange(len(x)) % 3, float)
    v = update(drift, x, y, x_weights=copies, references=jnp.asarray(R))
    whole = jnp.concatenate([jnp.repeat(x, np.arange(len(x)) % 3, axis=0)] * len(x))
    whole = jnp.concatenate([whole, jnp.repeat(jnp.asarray(R), int(copies.sum()), axis=0)])  # 13 copies, mean 12 / 13
    np.testing.assert_allclose(v, update(gmdwgf.load_drift("mmd"), whole, y, at=x), atol=1e-10)


def test_groups_have_their_own_references(clouds, x64):
    x, y = (jnp.asarray(cloud[:12]) for cloud in clouds)
    r = jnp.asarray(R[:6])
    drift = ReferenceBatchDrift(SubBatchDrift(gmdwgf.load_drift("mmd"), 3), len(r), 3)
    v = update(drift, x, y, references=r)
    for group in range(3):
        of = lambda rows, group=group: rows.reshape(3, -1, 2)[group]
        expected = velocity("mmd", of(x), of(y), of(r))
        np.testing.assert_allclose(of(v), expected, atol=1e-12)


def test_without_references_it_is_the_drift_itself(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    drift = gmdwgf.load_drift("mmd")
    np.testing.assert_array_equal(update(ReferenceBatchDrift(drift, 5, 1), x, y), update(drift, x, y))


@pytest.mark.thorough
@pytest.mark.parametrize("name", options("drift"))
def test_a_step_takes_references_and_other_numbers_of_targets_than_particles(name):
    own = {"drift": {"self_term": "two_batch"}} if name == "sinkhorn" else {}
    sizes = {"batch_size": 16, "n_targets": 30, "n_reference": 10}
    check_step(small_problem(name, changes=own | {"training": sizes}))


def test_no_gradient_flows_through_them_and_they_are_other_samples():
    """A generator of one layer: the gradient is that of the particles towards fixed goals."""
    changes = {"generator": {"depth": 0, "width": None}, "training": {"n_reference": 20}}
    problem = small_problem("mmd", changes=changes)

    @jax.jit
    def expected(problem):
        state = initial_state(problem, KEY)
        at = lambda name: purpose(KEY, jnp.zeros((), int), name)
        y = problem.target.sample(at("targets"), problem.n_targets)
        r = problem.generator.sample(state.params, at("references"), 20)
        x_of = lambda params: problem.generator.sample(params, at("noise"), problem.batch_size)
        x = x_of(state.params)
        whole = jnp.concatenate([x, r])
        goal = x + problem.eta * problem.drift.velocity(whole, y, at("drift")).v[: len(x)]
        gradient = jax.grad(lambda params: jnp.mean(jnp.sum((x_of(params) - goal) ** 2, axis=1)))(state.params)
        return x, r, optax.tree.norm(gradient), train_step(problem, state)[1]["grad_norm"]

    x, r, norm, taken = map(np.asarray, expected(problem))
    assert not (x[:, None] == r[None]).all(axis=2).any()
    np.testing.assert_allclose(taken, norm, rtol=1e-4)


class LabelsGenerator(AbstractGenerator):
    """Gives the label and the guidance of every point as its coordinates."""

    def init(self, key, n, dim, n_classes=0):
        return {}

    def sample(self, params, key, n, condition=None):
        assert condition is not None
        return jnp.stack([condition.label.astype(float), condition.guidance], axis=1)


def test_references_of_a_class_are_of_its_class_and_guidance():
    condition = build(load_node("condition", "classes", {"n_groups": 8}), "condition")
    problem = gmdwgf.make_problem(
        "eight_gaussians",
        "mmd",
        generator=LabelsGenerator(),
        condition=condition,
        batch_size=16,
        n_targets=16,
        n_reference=24,
    )
    labels, alpha = jnp.arange(8)[::-1], jnp.linspace(1.0, 2.0, 8)
    told = Condition(jnp.repeat(labels, 2), jnp.repeat(alpha, 2))
    r = _references(problem, problem.drift_at(jnp.zeros(()), alpha), {}, KEY, told)["references"]
    np.testing.assert_array_equal(r, np.stack([np.repeat(labels, 3), np.repeat(alpha, 3)], axis=1))


REFUSED = {
    "free particles": ({"generator": "particles"}, "mmd", "n_reference=8: must be 0: free particles"),
    "its own": ({}, "sinkhorn", "n_reference=8: must be 0 with drift.self_term=reference"),
    "sub-batches": (
        {"batching": "sub_batches", "n_sub_batches": 3, "batch_size": 12},
        "mmd",
        "n_reference=8: must be div",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_meaning_is_refused_in_one_line(case):
    changes, drift, line = REFUSED[case]
    with pytest.raises(ConfigError, match=f"^training.{line}") as refused:
        gmdwgf.make_problem("eight_gaussians", drift, **(changes | {"n_reference": 8}))  # pyright: ignore
    assert "\n" not in str(refused.value)


def test_pairs_of_references_count_in_the_memory():
    drift = gmdwgf.load_drift("sinkhorn", self_term="same_batch", solver="ott")
    assert ReferenceBatchDrift(drift, 5, 1).n_stored(10, 3) == drift.n_stored(15, 3) == 225

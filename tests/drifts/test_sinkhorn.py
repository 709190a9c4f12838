import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

import gmdwgf
from gmdwgf import transport
from gmdwgf.testing import check_drift
from tests.drifts import plan_loops, reference
from tests.drifts.kernel_loops import answer, assert_weights_act_as_repeated_points

KEY = jax.random.key(0)
TIGHT = {"threshold": 1e-12, "max_iters": 20000, "self_term": "same_batch"}
COSTS = {"half_squared": lambda r: r**2 / 2, "euclidean": lambda r: r}


def sinkhorn(**fields):
    return gmdwgf.load_drift("sinkhorn", **TIGHT | fields)


def velocity(x, y, **fields):
    return answer(sinkhorn(**fields), x, y)


def mean_unit_vector(x, y, plan):
    """sum_j plan_ij (y_j - x_i) / |y_j - x_i| over the row's mass, coincident points apart."""
    v = np.zeros_like(x)
    for i, point in enumerate(x):
        for j, target in enumerate(y):
            r = np.linalg.norm(target - point)
            if r > 0:
                v[i] += plan[i, j] / plan[i].sum() * (target - point) / r
    return v


def pot_cost(a, b, cost, epsilon, rho):
    """The regularised cost as POT finds it: <pi, c> + epsilon KL(pi | a b), plus rho KL of both marginals if there is a rho."""
    p, q = np.full(len(a), 1 / len(a)), np.full(len(b), 1 / len(b))
    c = COSTS[cost](plan_loops.distances(a, b))
    kl = lambda mass, wanted: np.sum(mass * np.log(mass / wanted) - mass + wanted)
    if rho is None:
        plan = ot.sinkhorn(p, q, c, epsilon, method="sinkhorn_log", stopThr=1e-14, numItermax=20000)
        return np.sum(plan * c) + epsilon * kl(plan, np.outer(p, q))
    options = {"method": "sinkhorn_stabilized", "reg_type": "kl", "stopThr": 1e-14, "numItermax": 20000}
    plan = ot.unbalanced.sinkhorn_unbalanced(p, q, c, epsilon, rho, **options)
    return np.sum(plan * c) + epsilon * kl(plan, np.outer(p, q)) + rho * (kl(plan.sum(1), p) + kl(plan.sum(0), q))


PROBLEMS = [("half_squared", None), ("euclidean", None), ("half_squared", 1.0), ("euclidean", 0.5)]


def test_velocity_equals_plain_kernel_sinkhorn(clouds, x64):
    x, y = clouds
    expected = reference.sinkhorn_map(x, y, 0.5) - reference.sinkhorn_map(x, x, 0.5)
    np.testing.assert_allclose(velocity(x, y, epsilon=0.5).v, expected, atol=1e-9)


@pytest.mark.slow
def test_velocity_for_the_plain_distance_is_a_difference_of_mean_unit_vectors(clouds, x64):
    x, y = clouds
    plans = [plan_loops.sinkhorn_plan(np.exp(-plan_loops.distances(x, cloud) / 0.5)) for cloud in (y, x)]
    expected = mean_unit_vector(x, y, plans[0]) - mean_unit_vector(x, x, plans[1])
    np.testing.assert_allclose(velocity(x, y, epsilon=0.5, cost="euclidean").v, expected, atol=1e-9)


@pytest.mark.parametrize(("cost", "rho"), PROBLEMS)
def test_velocity_is_minus_n_times_the_gradient_of_the_divergence(cost, rho, clouds, x64):
    # Claim 8 and its relaxation, by finite differences of the divergence as POT computes it.
    x, y = clouds

    def divergence(a):
        return pot_cost(a, y, cost, 0.5, rho) - pot_cost(a, a, cost, 0.5, rho) / 2

    got, step = velocity(x, y, epsilon=0.5, cost=cost, unbalanced=rho).v, 1e-4
    for i, k in [(0, 0), (7, 1)]:
        shift = np.zeros_like(x)
        shift[i, k] = step
        slope = (divergence(x + shift) - divergence(x - shift)) / (2 * step)
        np.testing.assert_allclose(got[i, k], -len(x) * slope, atol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize(("cost", "rho"), PROBLEMS)
def test_functional_is_the_divergence_and_its_gradient_the_flow(cost, rho, clouds, x64):
    x, y = clouds
    drift = sinkhorn(epsilon=0.5, cost=cost, unbalanced=rho)
    value, gradient = jax.value_and_grad(drift.functional)(jnp.asarray(x), jnp.asarray(y))
    terms = [pot_cost(a, b, cost, 0.5, rho) for a, b in ((x, y), (x, x), (y, y))]
    np.testing.assert_allclose(value, terms[0] - terms[1] / 2 - terms[2] / 2, atol=1e-8)
    np.testing.assert_allclose(-len(x) * gradient, answer(drift, x, y).v, atol=1e-8)


@pytest.mark.thorough
def test_velocity_is_half_of_what_ott_differentiates(clouds, x64):
    # Claim 8: with the full cost and 2 epsilon, -n grad of ott-jax's divergence is twice the drift.
    from ott.geometry.pointcloud import PointCloud
    from ott.tools.sinkhorn_divergence import sinkhorn_divergence

    x, y = map(jnp.asarray, clouds)

    def divergence(cloud):
        solve = {"threshold": 1e-11, "max_iterations": 20000}
        return sinkhorn_divergence(PointCloud, cloud, y, epsilon=transport.full_cost_epsilon(0.5), solve_kwargs=solve)[
            0
        ]

    got = velocity(x, y, epsilon=0.5).v
    np.testing.assert_allclose(got, -len(x) * jax.grad(divergence)(x) / 2, atol=1e-8)


@pytest.mark.slow
def test_relaxation_is_the_tau_of_ott(clouds, x64):
    # tau = rho / (rho + epsilon), on the problem whose entropy is counted against the product of the masses.
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.sinkhorn import Sinkhorn

    x, y = clouds
    a, b = np.full(len(x), 1 / len(x)), np.linspace(1, 2, len(y)) / np.linspace(1, 2, len(y)).sum()
    epsilon, rho = 0.1, 1.0
    shifted = plan_loops.distances(x, y) ** 2 / 2 - epsilon * np.log(np.outer(a, b))
    tau = rho / (rho + epsilon)
    problem = LinearProblem(Geometry(jnp.asarray(shifted), epsilon=epsilon), jnp.asarray(a), jnp.asarray(b), tau, tau)
    theirs = Sinkhorn(threshold=1e-12, max_iterations=20000)(problem)
    stop = {"threshold": jnp.asarray(1e-12), "max_iters": 20000}
    ours = transport.potentials(
        jnp.asarray(x),
        jnp.asarray(y),
        jnp.asarray(epsilon),
        y_weights=jnp.asarray(3 * b),
        relaxation=jnp.asarray(rho),
        **stop,
    )
    plan = np.outer(a, b) * np.exp((ours.f[:, None] + ours.g - plan_loops.distances(x, y) ** 2 / 2) / epsilon)
    np.testing.assert_allclose(plan, theirs.matrix, atol=1e-12)
    np.testing.assert_allclose(plan.sum(1), a * np.exp(-ours.f / rho), rtol=1e-9)


def test_hardly_relaxed_marginals_are_exact_ones_and_fully_relaxed_ones_attract_nothing_far(clouds, x64):
    x, y = clouds
    balanced = velocity(x, y, epsilon=0.5).v
    np.testing.assert_allclose(velocity(x, y, epsilon=0.5, unbalanced=1e7).v, balanced, atol=1e-6)
    # What is left of a far attraction: v at 20 less v at 40, where the self term is the same.
    shifted = lambda by, rho: velocity(x, y + np.array([by, 0.0]), epsilon=0.5, unbalanced=rho).v
    pulled = [np.abs(shifted(20.0, rho) - shifted(40.0, rho)).max() for rho in (None, 1.0)]
    assert pulled[0] > 10
    assert pulled[1] < 1e-3


def test_limits_of_a_very_large_epsilon_are_the_difference_of_means_and_the_energy_flow(clouds, x64):
    # Claim 23.
    x, y = clouds
    got = velocity(x, y, epsilon=1e6).v
    np.testing.assert_allclose(got, np.broadcast_to(y.mean(0) - x.mean(0), x.shape), atol=1e-5)
    energy = answer(gmdwgf.load_drift("mmd", kernel="energy"), x, y).v
    np.testing.assert_allclose(velocity(x, y, epsilon=1e5, cost="euclidean").v, energy, atol=1e-4)


@pytest.mark.thorough
def test_small_epsilon_approaches_the_sorted_matching_in_one_dimension(x64):
    # Claim 24: the error falls with epsilon and is below 1e-3 at 1e-4.
    x = np.linspace(-1, 1, 10)[:, None]
    y = (x + 0.3 * x**2 + 0.5) * 1.2
    errors = [np.abs(velocity(x, y, epsilon=e).v - (y - x)).max() for e in (1e-1, 1e-2, 1e-3, 1e-4)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3


def test_one_dimensional_gaussians_give_the_closed_form_slope(x64):
    # Claim 17 on equal-mass quantile grids: slope [sqrt(ab + e^2/4) - sqrt(a^2 + e^2/4)] / a about the means.
    from scipy.stats import norm

    a, b, epsilon = 0.5, 1.6, 0.8
    quantiles = norm.ppf((np.arange(600) + 0.5) / 600)
    x, y = np.sqrt(a) * quantiles[:, None] - 0.3, np.sqrt(b) * quantiles[:, None] + 0.7
    got = np.asarray(velocity(x, y, epsilon=epsilon).v)[:, 0]
    slope, shift = np.polyfit(x[200:400, 0] + 0.3, got[200:400], 1)
    expected = (np.sqrt(a * b + epsilon**2 / 4) - np.sqrt(a**2 + epsilon**2 / 4)) / a
    np.testing.assert_allclose([slope, shift], [expected, 1.0], atol=5e-3)


@pytest.mark.thorough
def test_a_collapsed_cloud_amid_two_targets_stays(x64):
    # Claim 28.
    y = np.array([[-1.0], [1.0]])
    assert np.abs(velocity(np.zeros((4, 1)), y, epsilon=0.25, solver="ott").v).max() < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{}, {"unbalanced": 1.0}], ids=str)
def test_it_says_when_it_has_not_converged(fields, clouds, x64):
    capped = velocity(*clouds, epsilon=0.001, threshold=1e-9, max_iters=10, **fields).info
    solved = velocity(*clouds, epsilon=0.5, threshold=1e-6, **fields).info
    assert not capped["converged"]
    assert capped["marginal_error"] > 1e-9
    assert solved["converged"]
    assert solved["marginal_error"] <= 1e-6


@pytest.mark.thorough
def test_reported_marginal_error_is_that_of_the_plan(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    found = transport.potentials(x, y, jnp.asarray(0.1), threshold=jnp.asarray(1e-4), max_iters=2000)
    cost = ((x[:, None] - y[None]) ** 2).sum(-1) / 2
    plan = jnp.exp((found.f[:, None] + found.g[None] - cost) / 0.1) / (len(x) * len(y))
    error = max(jnp.abs(plan.sum(0) - 1 / len(y)).sum(), jnp.abs(plan.sum(1) - 1 / len(x)).sum())
    np.testing.assert_allclose(error, found.marginal_error, rtol=0.05)


@pytest.mark.slow
def test_weights_act_as_repeated_points(clouds, x64):
    assert_weights_act_as_repeated_points(sinkhorn(epsilon=0.5), *clouds, atol=1e-9)
    assert_weights_act_as_repeated_points(sinkhorn(epsilon=0.5, unbalanced=1.0), *clouds, atol=1e-9)


@pytest.mark.slow
def test_a_point_of_weight_zero_is_not_there(clouds, x64):
    x, y = clouds
    weights = (np.arange(len(y)) > 3).astype(float)
    weighted = answer(sinkhorn(epsilon=0.5), x, y, None, None, weights).v
    np.testing.assert_allclose(weighted, velocity(x, y[4:], epsilon=0.5).v, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "cost"), [(13, "half_squared"), (4, "euclidean"), (2, "half_squared"), (1, "half_squared")]
)
def test_two_batch_repels_each_half_by_the_other(n, cost, clouds, x64):
    x, y = clouds[0][:n], clouds[1]
    half, kernel = n // 2, lambda a, b: np.exp(-COSTS[cost](plan_loops.distances(a, b)) / 0.5)

    def pull(a, b):
        plan = plan_loops.sinkhorn_plan(kernel(a, b))
        return mean_unit_vector(a, b, plan) if cost == "euclidean" else plan @ b / plan.sum(1, keepdims=True) - a

    got = velocity(x, y, epsilon=0.5, cost=cost, self_term="two_batch").v
    if n == 1:
        np.testing.assert_allclose(got, pull(x, y), atol=1e-9)
        return
    (first, second), (near, far) = (x[:half], x[half:]), (y[: len(y) // 2], y[len(y) // 2 :])
    shares = 2 * half / n, 2 * (n - half) / n
    expected = [
        pull(first, near) - pull(first, second) / shares[0],
        pull(second, far) - pull(second, first) / shares[1],
    ]
    np.testing.assert_allclose(got, np.concatenate(expected), atol=1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("n", "cost", "rho"), [(13, "half_squared", None), pytest.param(12, "euclidean", 0.5, marks=pytest.mark.slow)]
)
def test_two_batches_are_the_flow_of_three_costs_between_halves(n, cost, rho, clouds, x64):
    x, y = clouds[0][:n], clouds[1]
    drift = sinkhorn(epsilon=0.5, cost=cost, unbalanced=rho, self_term="two_batch")
    value, gradient = jax.value_and_grad(drift.functional)(jnp.asarray(x), jnp.asarray(y))
    (first, second), (near, far) = (x[: n // 2], x[n // 2 :]), (y[: len(y) // 2], y[len(y) // 2 :])
    terms = [pot_cost(a, b, cost, 0.5, rho) for a, b in ((first, near), (second, far), (first, second))]
    share = len(first) / n
    np.testing.assert_allclose(value, share * terms[0] + (1 - share) * terms[1] - terms[2] / 2, atol=1e-8)
    np.testing.assert_allclose(-n * gradient, answer(drift, x, y).v, atol=1e-8)


@pytest.mark.parametrize("n_references", [17, pytest.param(5, marks=pytest.mark.thorough)])
def test_references_repel_in_place_of_the_other_half(n_references, clouds, x64):
    x, y = map(jnp.asarray, clouds)
    r = jax.random.normal(jax.random.key(1), (n_references, 2)) * 0.7
    drift = sinkhorn(epsilon=0.5, self_term="reference")
    v = drift.velocity(x, y, KEY, references=r).v
    x, y, r = map(np.asarray, (x, y, r))
    np.testing.assert_allclose(v, reference.sinkhorn_map(x, y, 0.5) - reference.sinkhorn_map(x, r, 0.5), atol=1e-9)
    np.testing.assert_array_equal(answer(drift, x, y).v, velocity(x, y, epsilon=0.5, self_term="two_batch").v)


@pytest.mark.thorough
def test_with_references_it_is_the_flow_of_two_costs(clouds, x64):
    x, y = clouds
    r = y[::-1] * 0.6 + 0.1
    given = map(jnp.asarray, (x, y))
    v = sinkhorn(epsilon=0.5, self_term="reference").velocity(*given, KEY, references=jnp.asarray(r)).v
    step = 1e-5 * np.random.default_rng(2).normal(size=x.shape)
    cost = lambda x: pot_cost(x, y, "half_squared", 0.5, None) - pot_cost(x, r, "half_squared", 0.5, None)
    slope = (cost(x + step) - cost(x - step)) / 2
    np.testing.assert_allclose(-np.sum(v * step) / len(x), slope, rtol=1e-5)


@pytest.mark.slow
def test_one_batch_obeys_the_laws(x64):
    laws = ["zero_at_equality", "permutation", "wasserstein_gradient_flow", "curl_free", "degenerate_clouds"]
    check_drift(sinkhorn(epsilon=0.5), laws)


@pytest.mark.slow
def test_one_batch_draws_samples_of_the_target_together_and_two_batches_do_not(x64):
    # E <v, x> at p = q, over 40 draws of small batches: a shrinking push, against none within 3 standard errors.
    draws = jnp.asarray(np.random.default_rng(0).normal(size=(40, 3, 12, 2)))

    def outward(self_term):
        drift = sinkhorn(epsilon=0.1, threshold=1e-8, max_iters=2000, self_term=self_term)
        further = lambda r: {"references": r} if self_term == "reference" else {}
        push = jax.jit(lambda x, y, r: jnp.mean(jnp.sum(drift.velocity(x, y, KEY, **further(r)).v * x, axis=1)))
        pushes = [float(push(*draw)) for draw in draws]
        return np.mean(pushes), np.std(pushes) / np.sqrt(len(pushes))

    (one, one_error), *unbiased = outward("same_batch"), outward("two_batch"), outward("reference")
    assert one < -4 * one_error
    for two, two_error in unbiased:
        assert abs(two) < 3 * two_error


@pytest.mark.slow
def test_two_distant_modes_of_unequal_mass_are_balanced(x64):
    # Claim 26: the over-full cluster moves towards the other at .375 L; a local field would leave it where it is.
    x, y = plan_loops.two_modes(0.8, 4.0), plan_loops.two_modes(0.5, 4.0, seed=1)
    speed = velocity(x, y, epsilon=0.25, threshold=1e-6, max_iters=5000).v[:80, 0].mean()
    np.testing.assert_allclose(speed, 1.5, rtol=0.1)


@pytest.mark.parametrize("rho", [0, -1.0, "abc", True, float("inf")])
def test_a_relaxation_that_is_no_positive_number_is_refused(rho):
    with pytest.raises(Exception, match="unbalanced"):
        sinkhorn(unbalanced=rho)


@pytest.mark.thorough
def test_no_relaxation_can_be_said_in_two_ways():
    assert sinkhorn(unbalanced="none").unbalanced is sinkhorn(unbalanced=None).unbalanced is None

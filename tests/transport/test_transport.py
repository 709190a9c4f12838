"""The solvers of entropic transport against POT, against each other, and on the clouds that break solvers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

import gmdwgf
from gmdwgf import transport
from gmdwgf.pairs import reductions
from gmdwgf.transport import newton, plans
from tests.drifts import plan_loops

SOLVERS = ("newton", "ott", "streamed")
N, M = 96, 80


@functools.partial(jax.jit, static_argnames=("solver", "max_iters", "cost"))
def solve(x, y, epsilon, a=None, b=None, rho=None, threshold=1e-3, *, solver, max_iters=2000, cost="half_squared"):
    problem = {"x_weights": a, "y_weights": b, "cost": cost, "relaxation": rho}
    stop = {"threshold": jnp.asarray(threshold, x.dtype), "max_iters": max_iters}
    return transport.potentials(x, y, jnp.asarray(epsilon, x.dtype), solver=solver, **stop, **problem)


def plan_of(found, x, y, epsilon, a=None, b=None, cost="half_squared"):
    """In double precision, whatever the potentials were found in."""
    x, y, f, g = (np.asarray(values, np.float64) for values in (x, y, found.f, found.g))
    c = plan_loops.distances(x, y)
    c = c**2 / 2 if cost == "half_squared" else c
    a, b = (np.full(len(p), 1 / len(p)) if w is None else w / w.sum() for p, w in ((x, a), (y, b)))
    return np.outer(a, b) * np.exp((f[:, None] + g - c) / epsilon)


def column_error(plan):
    return np.abs(plan.sum(0) - 1 / plan.shape[1]).sum()


def single(*arrays):
    return [jnp.asarray(array, jnp.float32) for array in arrays]


def skewed(n=N, m=M):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 2)) * 0.8 + 0.3, rng.gamma(2.0, 0.5, size=(m, 2)) - 0.2


@pytest.mark.thorough
@pytest.mark.parametrize("cost", ["half_squared", "euclidean"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_plan_is_that_of_pot_with_masses_and_clouds_of_unequal_size(solver, cost, x64):
    x, y = skewed()
    a, b = np.linspace(1, 2, N), np.linspace(3, 1, M) ** 2
    found = solve(x, y, 0.1, a, b, None, 1e-11, solver=solver, max_iters=20000, cost=cost)
    c = plan_loops.distances(x, y)
    c = c**2 / 2 if cost == "half_squared" else c
    theirs = ot.sinkhorn(a / a.sum(), b / b.sum(), c, 0.1, method="sinkhorn_log", stopThr=1e-12, numItermax=20000)
    np.testing.assert_allclose(plan_of(found, x, y, 0.1, a, b, cost), theirs, atol=1e-11)
    assert found.converged


@pytest.mark.slow
@pytest.mark.parametrize("cost", ["half_squared", "euclidean"])
def test_a_relaxed_plan_in_tiles_is_the_one_of_ott(cost, x64):
    x, y = skewed()
    tiled, dense = (
        solve(x, y, 0.2, None, None, 0.7, 1e-11, solver=s, max_iters=20000, cost=cost) for s in ("streamed", "ott")
    )
    np.testing.assert_allclose(tiled.f, dense.f, atol=1e-9)
    np.testing.assert_allclose(tiled.g, dense.g, atol=1e-9)


@pytest.mark.slow
def test_marginal_error_is_the_one_that_ott_measures():
    from ott.geometry.geometry import Geometry

    x, y = single(*skewed())
    found = solve(x, y, 0.05, solver="newton")
    cost_xy = ((x[:, None] - y) ** 2).sum(-1) / 2 + 0.05 * np.log(N * M)
    columns = Geometry(cost_xy, epsilon=0.05).marginal_from_potentials(found.f, found.g, axis=0)
    np.testing.assert_allclose(jnp.abs(columns - 1 / M).sum(), found.marginal_error, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("apart", [4.0, 16.0, 32.0])
@pytest.mark.parametrize("solver", ["newton", "streamed"])
def test_newton_balances_far_clusters_in_a_few_steps(solver, apart):
    # 20/80 against 50/50, in single precision: plain Sinkhorn takes 48, 431 and 1,476 iterations.
    x, y = single(plan_loops.two_modes(0.8, apart, n=N), plan_loops.two_modes(0.5, apart, n=M, seed=1))
    found = solve(x, y, 0.25, solver=solver)
    assert found.converged
    assert found.n_iters <= 25
    assert column_error(plan_of(found, x, y, 0.25)) < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [1e-2, 3e-3, 1e-3])
def test_newton_ends_well_below_the_threshold_and_with_a_velocity_as_good(threshold, x64):
    # An error just below the threshold would lie in the slow modes, where the velocity is off by ten times as much.
    x, y = skewed()
    exact, found = (solve(x, y, 0.01, threshold=t, solver="newton") for t in (1e-10, threshold))
    assert found.converged
    assert found.marginal_error < threshold / 5
    ours, theirs = (plan_of(end, x, y, 0.01) @ y * N for end in (found, exact))
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < threshold * np.std(y)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["newton", "streamed"])
@pytest.mark.parametrize("offsets", [(100.0, 100.0), (100.0, 0.0)], ids=["both", "one"])
def test_clouds_far_from_the_origin_and_from_each_other_are_solved_in_single_precision(offsets, solver):
    x, y = skewed()
    here = solve(*single(x, y), 0.05, threshold=1e-4, solver=solver)
    there = solve(*single(x + offsets[0], y + offsets[1]), 0.05, threshold=1e-4, solver=solver)
    assert here.converged
    assert there.converged
    assert column_error(plan_of(here, *single(x, y), 0.05)) < 2e-4
    plan = plan_of(here, x, y, 0.05)
    moved = transport.barycentric_map(
        *single(x + offsets[0], y + offsets[1]), there.g, jnp.full(M, -np.log(M)), jnp.asarray(0.05)
    )
    np.testing.assert_allclose(moved - offsets[1], plan @ y / plan.sum(1, keepdims=True), atol=5e-3)


@pytest.mark.thorough
@pytest.mark.parametrize("epsilon", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("solver", ["newton", "streamed"])
def test_repeated_points_and_small_epsilon_converge(solver, epsilon):
    x, y = skewed()
    x, y = single(np.repeat(x[: N // 4], 4, axis=0), y)
    found = solve(x, y, epsilon, solver=solver)
    assert found.converged
    assert column_error(plan_of(found, x, y, epsilon)) < 3e-3


@pytest.mark.slow
def test_under_vmap_every_problem_gets_its_own_answer_and_says_whether_it_is_solved():
    x, y = single(*skewed())
    epsilons = jnp.asarray([0.5, 0.1, 0.01])
    capped = lambda epsilon: solve(x, y, epsilon, solver="newton", max_iters=3)
    together = jax.vmap(capped)(epsilons)
    assert together.converged.tolist() == [True, True, False]
    assert ((together.marginal_error <= 1e-3) == together.converged).all()
    for k, epsilon in enumerate(epsilons[:2]):
        np.testing.assert_allclose(together.g[k], capped(epsilon).g, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["newton", "streamed"])
def test_where_newton_gets_nowhere_plain_iterations_finish(solver, monkeypatch):
    monkeypatch.setattr(newton, "MAX_STEPS", 0)
    x, y = single(*skewed())
    found = solve.__wrapped__(x, y, 0.05, threshold=1e-4, solver=solver)
    assert found.converged
    assert found.n_iters > 20
    assert column_error(plan_of(found, x, y, 0.05)) < 2e-4


@pytest.mark.slow
def test_a_newton_step_that_leads_nowhere_is_replaced_by_a_plain_iteration(monkeypatch, x64):
    # Directions of pure noise: what is left must be Sinkhorn's own path, or better.
    noise = jnp.asarray(np.random.default_rng(1).normal(size=M))
    monkeypatch.setattr(newton, "_direction", lambda plans, kept, point: 30 * noise)
    problem = plans.DensePlan(-(jnp.asarray(plan_loops.distances(*skewed())) ** 2) / 0.2, uniform())
    kept, point = problem.start()
    for _ in range(newton.WARM_UP + 20):
        kept, point = newton.plain(problem, kept, point)
    found, steps = newton.newton(problem, jnp.asarray(0.0), 20)
    assert steps == 20
    assert found.error <= point.error * (1 + 1e-9)


def uniform():
    return plans.Masses(jnp.full(N, 1 / N), jnp.full(M, 1 / M))


@pytest.mark.slow
@pytest.mark.parametrize("spread", [1.0, 500.0], ids=["near", "far"])
def test_kept_and_tiled_plans_are_those_of_the_formula(spread, x64):
    x, y = map(jnp.asarray, skewed())
    S = -((x[:, None] - y) ** 2).sum(-1) / 0.02
    rng = np.random.default_rng(2)
    a, b = rng.dirichlet(np.ones(N)), rng.dirichlet(np.ones(M))
    g, v = spread * rng.normal(size=M), rng.normal(size=M)
    masses = plans.Masses(jnp.asarray(a), jnp.asarray(b))
    P = a[:, None] * np.asarray(jax.nn.softmax(S + g + np.log(b), axis=1))
    tiled = plans.StreamedPlan(x, y, lambda point, y: -((point - y) ** 2).sum(-1) / 0.02, masses)
    for made in (plans.DensePlan(S, masses), tiled):
        kept, point = made.at(made.start()[0], jnp.asarray(g))
        np.testing.assert_allclose(point.columns, P.sum(0), atol=1e-12)
        np.testing.assert_allclose(point.f, -jax.nn.logsumexp(S + g + np.log(b), axis=1), rtol=1e-10)
        np.testing.assert_allclose(point.error, np.abs(P.sum(0) - b).sum(), atol=1e-12)
        np.testing.assert_allclose(point.value, b @ g + a @ np.asarray(point.f), rtol=1e-12)
        np.testing.assert_allclose(made.normal_operator(kept, point)(v), P.T @ ((P @ v) / a), atol=1e-12)
        np.testing.assert_allclose(made.mean_cost(), -S.mean(), rtol=1e-12)
        columns = -jax.nn.logsumexp(S + (point.f + np.log(a))[:, None], axis=0)
        np.testing.assert_allclose(made.column_update(point.f), columns, rtol=1e-10)


@pytest.mark.thorough
def test_hessian_of_the_dual_is_the_one_that_newton_solves_with(x64):
    x, y = map(jnp.asarray, skewed())
    made = plans.DensePlan(-((x[:, None] - y) ** 2).sum(-1) / 0.2, uniform())
    dual = lambda g: jnp.mean(g) - jnp.mean(jax.nn.logsumexp(made.S + g - np.log(M), axis=1))
    g, v = jnp.asarray(np.random.default_rng(3).normal(size=(2, M)))
    kept, point = made.at(made.start()[0], g)
    np.testing.assert_allclose(1 / M - point.columns, jax.grad(dual)(g), atol=1e-12)
    curvature = jax.jvp(jax.grad(dual), (g,), (v,))[1]
    np.testing.assert_allclose(made.normal_operator(kept, point)(v) - point.columns * v, curvature, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("solver", "keeps"), [("streamed", False), ("newton", True)])
def test_streamed_keeps_nothing_of_size_n_x_m(solver, keeps):
    n, m = 6144, 4096
    drift = gmdwgf.load_drift("sinkhorn", solver=solver)
    clouds = [jax.ShapeDtypeStruct((size, 2), jnp.float32) for size in (n, m)]
    answer = jax.jit(lambda x, y: drift.update((), x, y, jax.random.key(0))[0].v)
    with reductions.tiles(
        reductions.DENSE_PAIRS, reductions.TILE_PAIRS
    ):  # those of a CPU: a GPU takes more rows at once
        temporary = answer.lower(*clouds).compile().memory_analysis().temp_size_in_bytes
    assert (temporary >= 4 * n * m) == keeps
    assert keeps or temporary < 4 * n * m / 4


@pytest.mark.slow
@pytest.mark.parametrize("self_term", ["same_batch", "two_batch"])
def test_velocity_in_tiles_is_the_dense_one(self_term, x64):
    x, y = map(jnp.asarray, skewed(150, 130))
    fields = {"epsilon": 0.05, "threshold": 1e-9, "max_iters": 20000, "self_term": self_term}
    drifts = [gmdwgf.load_drift("sinkhorn", solver=solver, **fields) for solver in ("streamed", "newton")]
    tiled, dense = (drift.update((), x, y, jax.random.key(0))[0].v for drift in drifts)
    np.testing.assert_allclose(tiled, dense, atol=1e-7)


def extremes():
    """Pairs of clouds, by name: of all scales, far from the origin, far from each other, and with duplicates."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(12, 2)), rng.normal(size=(9, 2)) + 1
    doubled = np.repeat(x[:3], 4, axis=0), np.repeat(y[:3], 3, axis=0)
    for scale in (1e-3, 1.0, 1e4):
        yield scale * x, scale * y
        yield scale * x + 1e3, scale * y + 1e3
        yield scale * doubled[0], scale * doubled[1]
    yield x, y + 100


def true_error(found, x, y, epsilon, cost, rho):
    """L1 error of both marginals of the plan of the found potentials, in double precision."""
    with np.errstate(all="ignore"):
        plan = plan_of(found, x, y, epsilon, cost=cost)
        damped = lambda h: 1.0 if rho is None else np.exp(-np.asarray(h, np.float64) / rho)
        rows, columns = damped(found.f) / len(x), damped(found.g) / len(y)
        return np.abs(plan.sum(1) - rows).sum() + np.abs(plan.sum(0) - columns).sum()


def check_extremes(solver, cost, rho, threshold=1e-3):
    """Returns how many of the problems converged, and how many were tried."""
    n_converged, n_tried = 0, 0
    for clouds in extremes():
        for epsilon in (1e-4, 1e-2, 1.0, 1e3):
            x, y = single(*clouds)
            found = solve(x, y, epsilon, None, None, rho, threshold, solver=solver, max_iters=200, cost=cost)
            n_tried += 1
            if not found.converged:
                continue
            n_converged += 1
            case = f"{solver} {cost} {rho} {epsilon} {float(jnp.max(jnp.abs(x)))}"
            assert 0 <= found.marginal_error <= threshold, case
            assert true_error(found, x, y, epsilon, cost, rho) <= found.marginal_error + 4 * threshold, case
    return n_converged, n_tried


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("solver", "cost"), [("newton", "half_squared"), ("ott", "euclidean"), ("streamed", "euclidean")]
)
def test_what_is_said_to_have_converged_has_the_marginals_in_double_precision(solver, cost):
    n_converged, n_tried = check_extremes(solver, cost, None)
    assert n_converged > n_tried / 2


@pytest.mark.thorough
@pytest.mark.parametrize("rho", [None, np.float32(0.5)])
@pytest.mark.parametrize("cost", ["half_squared", "euclidean"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_all_solvers_say_that_they_converged_only_where_they_did(solver, cost, rho):
    n_converged, n_tried = check_extremes(solver, cost, rho)
    assert n_converged > n_tried / 2

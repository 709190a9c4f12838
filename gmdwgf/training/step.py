"""The training step, and chunks of steps: pure functions of (problem, state)."""

import functools

import jax
import jax.numpy as jnp
import optax

from gmdwgf.drifts.base import AbstractDrift
from gmdwgf.generators.base import Condition
from gmdwgf.manifolds import EUCLIDEAN, AbstractManifold, Euclidean
from gmdwgf.pairs import sharding
from gmdwgf.training import ema
from gmdwgf.training.batch import draw_batch
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import Health, TrainState, initial_state, purpose
from gmdwgf.typing import Array, Key, Particles, PyTree, Scalar


def regression_loss(x: Particles, v: Particles, eta: Scalar, manifold: AbstractManifold = EUCLIDEAN) -> Scalar:
    """mean_i |x_i - sg(x_i + eta v_i)|^2, with value eta^2 mean |v|^2; descent moves x along v (arXiv:2602.04770, Algorithm 1).

    On a manifold mean_i g(x_i, sg(exp_{x_i}(eta v_i)))^2 with g the geodesic distance, whose gradient is -2 eta v_i / n too (ours).
    """
    if not isinstance(manifold, Euclidean):
        return jnp.mean(manifold.distance(x, jax.lax.stop_gradient(manifold.exp(x, eta * v))) ** 2)
    goal = jax.lax.stop_gradient(x + eta * v)
    return jnp.mean(jnp.sum((x - goal) ** 2, axis=-1))


@functools.partial(jax.jit, inline=True)  # traced once, although `chunk` also asks for the shapes of its logs
def train_step(problem: Problem, state: TrainState) -> tuple[TrainState, dict[str, Scalar]]:
    """Draw noise and targets, compute the drift's velocity, and regress the generator on the moved particles."""
    key = functools.partial(purpose, state.key, state.step)
    y, condition, drift = draw_batch(problem, state.step, key)

    def loss_of(params):
        x = sharding.shard_rows(problem.generator.sample(params, key("noise"), problem.batch_size, condition))
        frozen = jax.lax.stop_gradient(x)  # no mutants: the loss stops the gradient of the goal too
        further = _references(problem, drift, params, key("references"), condition)
        with_halves = _ordered_anew if _keeps_halves(problem, drift) else _as_they_are
        output, drift_state = with_halves(drift, state.drift_state, frozen, y, key, further)
        loss = regression_loss(x, output.v, problem.eta, problem.manifold)
        return problem.loss_scale * loss, (loss, frozen, output, drift_state)

    gradient, (loss, x, output, drift_state) = jax.grad(loss_of, has_aux=True)(state.params)
    gradient = problem.generator.riemannian(state.params, gradient)
    updates, opt_state, rate = problem.optimizer.update(
        gradient, state.opt_state, state.params, state.step, problem.n_steps
    )
    params = problem.generator.moved(state.params, updates)
    moved = TrainState(
        step=state.step + 1,
        key=state.key,
        params=params,
        ema_params=ema.follow(problem.ema_decay, state.step, params, state.ema_params),
        opt_state=opt_state,
        drift_state=drift_state,
        health=_examine(problem, state.step, output.v, x, loss, params),
    )
    logs = {"loss": loss, "learning_rate": rate, "grad_norm": optax.tree.norm(gradient)}
    logs |= {name if name == "v_rms" else f"drift/{name}": value for name, value in output.info.items()}
    logs |= {f"drift/{path}": value for path, value in problem.scheduled(state.step).items()}
    return _unless_diverged(moved, state), logs


def _references(
    problem: Problem, drift: AbstractDrift, params: PyTree, key: Key, condition: Condition | None
) -> dict[str, Particles]:
    """Further samples of the model for drifts that ask for them; none from generators of a fixed number of points.

    With classes every group has an equal share of them, of its own class and guidance.
    """
    n = drift.n_references(problem.batch_size, problem.n_targets) if problem.generator.draws_anew else 0
    if not n:
        return {}
    first_of_group = lambda rows: rows.reshape(problem.n_groups, -1)[:, 0]
    of_groups = jax.tree.map(lambda rows: jnp.repeat(first_of_group(rows), n // problem.n_groups), condition)
    return {"references": jax.lax.stop_gradient(problem.generator.sample(params, key, n, of_groups))}


def _keeps_halves(problem: Problem, drift: AbstractDrift) -> bool:
    """Whether the drift would compare the same two halves of the same particles at every step."""
    return not problem.generator.draws_anew and not drift.tags().permutation


def _as_they_are(drift, state, x, y, key, further):
    return drift.update(state, x, y, key("drift"), **further)


def _ordered_anew(drift, state, x, y, key, further):
    """The drift of the particles in a random order, so that a drift of two halves has other halves at every step (ours).

    Between fixed halves of free particles a two-batch repulsion is unstable: with means m1 and m2 of the halves, v1 - v2 = m1 - m2.
    """
    order = jax.random.permutation(key("order"), x.shape[0])
    output, state = drift.update(state, x[order], y, key("drift"), **further)
    return output._replace(v=jnp.zeros_like(output.v).at[order].set(output.v)), state


def _examine(problem: Problem, step: Array, v: Particles, x: Particles, loss: Scalar, params) -> Health:
    """Check each term in order and record the first that is not finite or too large."""
    farthest = jnp.max(jnp.abs(x))
    values = jnp.stack([jnp.max(jnp.abs(v)), farthest, loss, optax.tree.norm(params)])
    bad = ~jnp.isfinite(values) | jnp.asarray([False, True, False, False]) & ~(
        farthest <= problem.divergence_radius * problem.target.length
    )
    first = jnp.argmax(bad)
    return Health(jnp.any(bad), step, jnp.where(jnp.any(bad), first + 1, 0), values[first])


def _unless_diverged(moved: TrainState, before: TrainState) -> TrainState:
    """Return the new state, or, after divergence, the previous state with the diverged term recorded."""
    bad = moved.health.diverged
    keep = lambda new, old: jnp.where(bad, old, new)
    kept = jax.tree.map(keep, moved, before)
    return TrainState(kept.step, kept.key, kept.params, kept.ema_params, kept.opt_state, kept.drift_state, moved.health)


def chunk(problem: Problem, state: TrainState, stop: Array, *, chunk_size: int):
    """Take up to `chunk_size` steps, stopping at step `stop` or at divergence.

    `stop` is traced, so one compiled program is used for all chunks, and results do not depend on how a run is split into chunks.
    Returns the state and the logs of the last step taken.
    """
    last = jnp.minimum(stop, state.step + chunk_size)

    def goes_on(carry):
        state, _ = carry
        return (state.step < last) & ~state.health.diverged

    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(train_step, problem, state)[1])
    state, logs = jax.lax.while_loop(goes_on, lambda carry: train_step(problem, carry[0]), (state, zeros))
    return sharding.replicate((state, logs))


train_chunk = jax.jit(chunk, static_argnames="chunk_size", donate_argnames="state")
"""`chunk`, compiled; it donates the state."""


@jax.jit
def _first_step(problem: Problem, key: Key):
    return train_step(problem, initial_state(problem, key))


def check_step(problem: Problem) -> None:
    """Trace one step abstractly, which raises the errors of the step without computing it."""
    jax.eval_shape(_first_step, problem, jax.random.key(0))

"""Potentials by the Sinkhorn solver of ott-jax; the only module that imports it."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from gmdwgf.transport.problem import Potentials, TransportProblem
from gmdwgf.typing import Scalar


def solve_ott(problem: TransportProblem, threshold: Scalar, max_iters: int, init=None) -> Potentials:
    """Solve with ott-jax, starting from the potentials `init` if given."""
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.acceleration import Momentum
    from ott.solvers.linear.sinkhorn import Sinkhorn

    every, balanced = min(10, max_iters), problem.relaxation is None
    limit: Any = threshold
    epsilon: Any = problem.epsilon
    one: Any = jnp.ones((), problem.x.dtype)
    late = Momentum(start=2 * every, error_threshold=1.0, value=one, inner_iterations=every)
    solver: Any = Sinkhorn(
        threshold=limit,
        max_iterations=max_iters - max_iters % every,
        inner_iterations=every,
        momentum=late if balanced else None,
        recenter_potentials=not balanced,
    )
    # ott-jax regularises by entropy, not KL(pi | a b); including the masses in the cost makes the two problems equal.
    log_kernel = problem.log_affinities() + problem.log_a[:, None] + problem.log_b
    geometry = Geometry(-epsilon * log_kernel, epsilon=epsilon)
    a, b = problem.masses
    tau = problem.damping
    linear = LinearProblem(geometry, a, b) if balanced else _relaxed_problem()(geometry, a, b, _TracedTau(tau))
    solved = solver(linear) if init is None else solver(linear, init=init)
    checks = jnp.maximum(solved.n_iters // every - 1, 0)
    return Potentials(solved.f, solved.g, solved.n_iters, solved.errors[checks], solved.converged)


class _TracedTau:
    """A traced tau below 1. ott-jax evaluates `tau == 1.0` and `tau < 1.0` in Python, which fails for traced numbers."""

    def __init__(self, value):
        self.value = value

    __eq__ = lambda self, other: False
    __lt__ = lambda self, other: True
    __mul__ = lambda self, other: self.value * getattr(other, "value", other)
    __rmul__ = __mul__
    __neg__ = lambda self: -self.value
    __sub__ = lambda self, other: self.value - other
    __rsub__ = lambda self, other: other - self.value


@functools.cache
def _relaxed_problem() -> Any:
    """ott-jax's linear problem with tau_a = tau_b = tau as a traced leaf instead of static structure."""
    from ott.problems.linear.linear_problem import LinearProblem

    @jax.tree_util.register_pytree_node_class
    class RelaxedProblem(LinearProblem):
        def __init__(self, geometry, a, b, tau):
            super().__init__(geometry, a, b, tau_a=tau, tau_b=tau)
            self.tau = tau

        def tree_flatten(self):
            return [self.geom, self._a, self._b, self.tau.value], {}

        @classmethod
        def tree_unflatten(cls, aux_data, children):
            del aux_data
            geometry, a, b, tau = children
            return cls(geometry, a, b, _TracedTau(tau))

    return RelaxedProblem

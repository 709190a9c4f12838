"""Limits with their rates: Euler steps of length eta against the flow, and bandwidths h that fall to 0."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import root_scalar

import gmdwgf
from experiments.common.training import velocity

ETAS = tuple(2.0**-k for k in range(2, 9))
WIDTHS = tuple(2.0**-k for k in range(1, 8))


def euler(drift: str, d: int, n: int = 24) -> dict[str, Any]:
    """Distance (root mean square over particles) between Euler steps of length eta and the flow of the drift at time 1.

    The clouds do not change, so that nothing is drawn. To leading order the error is eta / 2 |E|, where E solves the flow's
    linearisation with the acceleration J v as its source: E' = J E + J v. `constant` is |E| / 2.
    """
    with jax.enable_x64(True):
        rng = np.random.default_rng(d)
        x, y = jnp.asarray(rng.normal(size=(n, d))), jnp.asarray(rng.gamma(2.0, 0.7, size=(n + 7, d)) - 0.5)
        h = float(np.sqrt(d))
        fields: dict[str, Any] = {"kernel": "gaussian", "bandwidth": h} if drift == "mmd" else {"bandwidth": h}
        made = gmdwgf.load_drift(drift, **fields)
        field = lambda cloud: velocity(made, cloud, y, jax.random.key(0))

        def with_error(state):
            cloud, error = state
            v, acceleration = jax.jvp(field, (cloud,), (field(cloud),))
            return v, jax.jvp(field, (cloud,), (error,))[1] + acceleration

        flow, error = _runge_kutta(with_error, (x, jnp.zeros_like(x)), 128)
        rms = lambda cloud: float(jnp.sqrt(jnp.mean(jnp.sum(cloud**2, axis=1))))
        steps = jax.jit(lambda eta, n_steps: jax.lax.fori_loop(0, n_steps, lambda _, c: c + eta * field(c), x))
        return {
            "errors": [rms(steps(eta, round(1 / eta)) - flow) for eta in ETAS],
            "constant": rms(error) / 2,
            "moved": rms(flow - x),
        }


@partial(jax.jit, static_argnums=(0, 2))
def _runge_kutta(field, start, n_steps: int):
    """Classical Runge-Kutta steps to time 1."""
    dt = 1 / n_steps
    ahead = lambda state, slope, length: jax.tree.map(lambda s, k: s + length * k, state, slope)

    def step(state, _):
        a = field(state)
        b = field(ahead(state, a, dt / 2))
        c = field(ahead(state, b, dt / 2))
        e = field(ahead(state, c, dt))
        return jax.tree.map(lambda s, a, b, c, e: s + dt / 6 * (a + 2 * b + 2 * c + e), state, a, b, c, e), None

    return jax.lax.scan(step, start, length=n_steps)[0]


def round_on_gaussian(d: int) -> dict[str, list[float]]:
    """The variance a at which x = c + w z (one w) rests on N(0, B), B with eigenvalues 1/4 to 4, at the bandwidths `WIDTHS` and 0.

    Scores are affine, so `kl` and `kl_wgf` rest together, at a + h^2 = d / tr (B + h^2)^-1, the argmin of KL(k * q, k * p); `blob`
    where 1 / (a + h^2) + h^2 / (a + h^2)^2 = tr (B + h^2)^-1 / d.
    """
    b = np.geomspace(0.25, 4, d)
    harmonic = lambda h: float(np.mean(1 / (b + h**2)))
    slope = lambda a, h: 1 / (a + h**2) + h**2 / (a + h**2) ** 2 - harmonic(h)
    widths = (*WIDTHS, 0.0)
    return {
        "kl": [1 / harmonic(h) - h**2 for h in widths],
        "blob": [float(root_scalar(slope, args=(h,), bracket=(1e-9, 100), xtol=1e-15).root) for h in widths],
    }


def order(lengths: np.ndarray, errors: np.ndarray) -> float:
    """Slope of log error against log length between the two smallest lengths."""
    i, j = np.argsort(lengths)[:2]
    return float(np.log(errors[j] / errors[i]) / np.log(lengths[j] / lengths[i]))

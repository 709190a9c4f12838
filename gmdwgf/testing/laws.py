"""The laws every drift obeys, and the claims of its tags. Each law takes a drift and raises LawViolation with the numbers.

Run in double precision (`jax.config.update("jax_enable_x64", True)`); `check_drift` switches it on for its own time.
All clouds are skewed and of unequal size: a symmetric pair would hide a flipped sign.
"""

import contextlib
import inspect
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from gmdwgf.config.fields import units
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, StatelessDrift
from gmdwgf.drifts.wrappers.sum import SumDrift
from gmdwgf.pairs import reductions
from gmdwgf.testing.structure import asymmetry, spatial_curl
from gmdwgf.typing import Particles, Targets

EXACT = 1e-9
"""Relative to the largest velocity, in double precision."""


class LawViolation(AssertionError):
    """A drift broke a law: which one, and by how much."""


def skewed_clouds(n: int = 13, m: int = 17, d: int = 2, seed: int = 0) -> tuple[Particles, Targets]:
    """Two clouds without any symmetry, in the present default precision."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * 0.8 + 0.3
    y = rng.gamma(2.0, 0.5, size=(m, d)) * np.linspace(1.0, 0.6, d) - 0.2
    return jnp.asarray(x, float), jnp.asarray(y, float)


def _ask(drift: AbstractDrift, x: Particles, y: Targets, at: Particles | None = None) -> DriftOutput:
    start, key = jax.random.key(1), jax.random.key(2)
    return drift.update(drift.init(start, x, y), x, y, key, at=at)[0]


outputs = jax.jit(_ask)
"""The drift's answer from a fresh state with fixed keys, so that equal questions get equal answers."""


def velocity(drift: AbstractDrift, x: Particles, y: Targets, at: Particles | None = None) -> Particles:
    """The velocities alone."""
    return outputs(drift, x, y, at).v


def shape_dtype_and_finite(drift: AbstractDrift) -> None:
    """Velocities have the particles' shape and dtype, and the shape of `at` where points are given; all numbers finite."""
    x, y = skewed_clouds()
    for dtype in (jnp.float32, x.dtype):
        output = outputs(drift, x.astype(dtype), y.astype(dtype))
        _require(output.v.shape == x.shape, f"v has shape {output.v.shape} for particles {x.shape}")
        _require(output.v.dtype == dtype, f"v has dtype {output.v.dtype} for particles of {jnp.dtype(dtype)}")
        _require(bool(jnp.isfinite(output.v).all()), "v has numbers that are not finite")
        _require("v_rms" in output.info, f"info has no v_rms, only {sorted(output.info)}")
        for name, value in output.info.items():
            _require(jnp.shape(value) == (), f"info[{name!r}] is not a scalar but {jnp.shape(value)}")
    grid = y[:5] + 0.1
    _require(velocity(drift, x, y, grid).shape == grid.shape, "the field at 5 points does not have 5 velocities")


def same_key_same_answer(drift: AbstractDrift) -> None:
    """The answer is a pure function of state, clouds and key."""
    x, y = skewed_clouds()
    _close(velocity(drift, x, y), velocity(drift, x, y), 0.0, "two calls with one key differ")


def permutation(drift: AbstractDrift) -> None:
    """Permuting the particles permutes the velocities; permuting the targets changes nothing (if tagged)."""
    if not drift.tags().permutation:
        return
    x, y = skewed_clouds()
    rng = np.random.default_rng(3)
    px, py = rng.permutation(x.shape[0]), rng.permutation(y.shape[0])
    v = velocity(drift, x, y)
    _close(velocity(drift, x[px], y), v[px], EXACT, "permuted particles")
    _close(velocity(drift, x, y[py]), v, EXACT, "permuted targets")


def translation(drift: AbstractDrift) -> None:
    """Moving both clouds together changes nothing (if tagged)."""
    if drift.tags().translation:
        x, y = skewed_clouds()
        shift = jnp.asarray([3.0, -5.0])
        _close(velocity(drift, x + shift, y + shift), velocity(drift, x, y), 100 * EXACT, "translated clouds")


def rotation(drift: AbstractDrift) -> None:
    """Rotating both clouds rotates the velocities (if tagged)."""
    if drift.tags().rotation:
        x, y = skewed_clouds()
        c, s = np.cos(0.7), np.sin(0.7)
        turn = jnp.asarray([[c, -s], [s, c]])
        _close(velocity(drift, x @ turn.T, y @ turn.T), velocity(drift, x, y) @ turn.T, EXACT, "rotated clouds")


def zero_at_equality(drift: AbstractDrift) -> None:
    """Zero on identical clouds if tagged so, and clearly not zero otherwise (zoo claim 4)."""
    x, _ = skewed_clouds()
    largest = float(jnp.max(jnp.abs(velocity(drift, x, x))))
    if drift.tags().zero_at_equality:
        _require(largest < 1e-9, f"|v| is {largest:.2e} on identical clouds, tagged zero")
    else:
        _require(largest > 1e-3, f"|v| is only {largest:.2e} on identical clouds, tagged not zero")


def wasserstein_gradient_flow(drift: AbstractDrift) -> None:
    """The particle Jacobian is symmetric exactly for a drift tagged as the flow of a functional (zoo claim 13)."""
    x, y = skewed_clouds()
    ratio = asymmetry(lambda cloud: velocity(drift, cloud, y), x)
    flow = drift.tags().flow_of
    if flow is None:
        _require(ratio > 1e-3, f"asymmetry {ratio:.1e}: the field looks like a flow, but is tagged as none")
    else:
        _require(ratio < 1e-7, f"asymmetry {ratio:.1e}, but the field is tagged as the flow of {flow}")


def curl_free(drift: AbstractDrift) -> None:
    """The field at fixed clouds is a gradient exactly if tagged so (zoo claim 14)."""
    x, y = skewed_clouds()
    ratio = spatial_curl(lambda at: velocity(drift, x, y, at), y[:4] + 0.15)
    if drift.tags().curl_free:
        _require(ratio < 1e-6, f"curl {ratio:.1e}, but tagged curl-free")
    else:
        _require(ratio > 1e-3, f"curl {ratio:.1e}: the field looks like a gradient, but is tagged as none")


def functional_gradient(drift: AbstractDrift) -> None:
    """v = -n dF/dx_i wherever the drift gives its functional F as code."""
    functional = drift.functional
    if functional is None:
        return
    x, y = skewed_clouds()
    expected = -x.shape[0] * jax.grad(functional)(x, y)
    _close(velocity(drift, x, y), expected, 1e-7, "velocity against -n times the gradient of the functional")


def one_trace(drift: AbstractDrift) -> None:
    """New values of the real hyperparameters use the same compiled program."""
    x, y = skewed_clouds()
    traces = []

    @jax.jit
    def answer(drift, x, y):
        traces.append(1)
        return drift.update(drift.init(jax.random.key(1), x, y), x, y, jax.random.key(2))[0].v

    for factor in (1.0, 1.1, 1.2):
        answer(_scaled(drift, factor), x, y)
    _require(len(traces) == 1, f"{len(traces)} traces for 3 values of the hyperparameters")


def vmap_over_fields(drift: AbstractDrift) -> None:
    """A grid of hyperparameters is one vmap, equal to asking one by one."""
    x, y = skewed_clouds()
    members = [_scaled(drift, factor) for factor in (0.9, 1.1)]
    if not jax.tree.leaves(drift):
        return  # no real hyperparameter, no grid
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    together = jax.vmap(lambda member: velocity(member, x, y))(stacked)
    for member, v in zip(members, together, strict=True):
        _close(v, velocity(member, x, y), 1e-7, "vmap over fields against one by one")


def streamed_equals_dense(drift: AbstractDrift) -> None:
    """The tiled reductions give what one dense block gives."""
    x, y = skewed_clouds(n=37, m=41)
    dense = velocity(drift, x, y)
    with reductions.tiles(0, 160):
        _close(jax.jit(lambda: _ask(drift, x, y).v)(), dense, EXACT, "streamed against dense")


def keeps_no_pairs(drift: AbstractDrift) -> None:
    """A stateless drift is compiled into less memory than one n x m array takes, unless its docstring says that it keeps one."""
    keeps = re.search(r"[Kk]eeps (one )?[nm] x [nm]", inspect.getdoc(type(drift)) or "")
    if keeps or not isinstance(drift, StatelessDrift):
        return
    x, y = skewed_clouds(n=1024, m=1024)
    with reductions.tiles(0, 1 << 12):
        needed = jax.jit(_ask).lower(drift, x, y).compile().memory_analysis()
    pairs = x.shape[0] * y.shape[0] * x.dtype.itemsize
    if needed is not None:  # a platform may not tell
        bytes_needed = needed.temp_size_in_bytes
        _require(
            bytes_needed < pairs / 2, f"{bytes_needed} bytes for 1024 x 1024 pairs, which are {pairs} bytes themselves"
        )


def many_devices_equal_one(drift: AbstractDrift) -> None:
    """Spread over a mesh of all devices the answer is that of one device; nothing is asked where there is only one."""
    devices = jax.devices()
    x, y = skewed_clouds(n=3 * len(devices), m=17)
    mesh = jax.make_mesh((len(devices),), (reductions.DATA,), axis_types=(AxisType.Auto,))
    here = velocity(drift, x, y)
    with jax.set_mesh(mesh):
        shares = jax.device_put(x, NamedSharding(mesh, PartitionSpec(reductions.DATA)))
        there = jax.jit(lambda drift, x, y: _ask(drift, x, y).v)(drift, shares, y)
        there = jax.device_put(there, here.sharding)
    _close(there, here, EXACT, f"{len(devices)} devices against one")


def single_precision(drift: AbstractDrift) -> None:
    """Float32 answers what float64 does on the same numbers, to the bound in the tags.

    At data scales 0.01, 1 and 100, where every field in `data units` is scaled along and every one in `length^2` by the
    square; 100 away from the origin; with duplicates; with a particle and a target some 100 spreads away from the rest.
    """
    x, y = (cloud.astype(jnp.float32) for cloud in skewed_clouds())
    cases = {
        f"data scale {scale:g}": (_lengths_scaled(drift, scale), scale * x, scale * y) for scale in (0.01, 1, 100)
    } | {
        "an offset of 100": (drift, x + 100, y + 100),
        "duplicated points": (drift, x[jnp.arange(13) // 2], y[jnp.arange(17) // 3]),
        "far outliers": (drift, x.at[0].set(100), y.at[0].set(-100)),
    }
    bound = drift.tags().single_precision
    for name, (member, cloud, targets) in cases.items():
        exact = velocity(member, cloud.astype(float), targets.astype(float))
        error, speed = (jnp.linalg.norm(v, axis=1) for v in (velocity(member, cloud, targets) - exact, exact))
        worst = float(jnp.max(jnp.where(error > 0, error / jnp.maximum(speed, jnp.median(speed)), 0)))
        _require(worst <= bound, f"single precision off by {worst:.1e} of the speed with {name}, tagged {bound:g}")


def degenerate_clouds(drift: AbstractDrift) -> None:
    """Single points, coincident clouds and duplicates give finite numbers."""
    x, y = skewed_clouds()
    cases = {
        "one particle": (x[:1], y),
        "one target": (x, y[:1]),
        "one of each": (x[:1], y[:1]),
        "all points equal": (jnp.zeros_like(x), jnp.zeros_like(y)),
        "duplicated points": (x[jnp.arange(13) // 2], y[jnp.arange(17) // 3]),
        "a far outlier": (x.at[0].set(1e4), y.at[0].set(-1e4)),
    }
    for name, (cloud, targets) in cases.items():
        _all_finite(outputs(drift, cloud.astype(jnp.float32), targets.astype(jnp.float32)), name)


def extreme_scales(drift: AbstractDrift) -> None:
    """All lengths set to 1e-4 or to 1e4 give finite numbers, in single precision."""
    x, y = (cloud.astype(jnp.float32) for cloud in skewed_clouds())
    for scale in (1e-4, 1e4):
        _all_finite(outputs(_scaled(drift, scale), x, y), f"every hyperparameter multiplied by {scale:g}")
        _all_finite(outputs(_lengths_scaled(drift, scale), x, y), f"every length multiplied by {scale:g}")


LAWS: dict[str, Callable[[AbstractDrift], None]] = {
    law.__name__: law
    for law in (
        shape_dtype_and_finite,
        same_key_same_answer,
        permutation,
        translation,
        rotation,
        zero_at_equality,
        wasserstein_gradient_flow,
        curl_free,
        functional_gradient,
        one_trace,
        vmap_over_fields,
        streamed_equals_dense,
        keeps_no_pairs,
        many_devices_equal_one,
        single_precision,
        degenerate_clouds,
        extreme_scales,
    )
}


def check_drift(drift: AbstractDrift, laws: list[str] | None = None) -> None:
    """Hold a drift to the laws (all of them by default); raises LawViolation with every law that failed and by how much."""
    failures = []
    with _double_precision():
        for name in laws or LAWS:
            try:
                LAWS[name](drift)
            except LawViolation as broken:
                failures.append(f"{name}: {broken}")
            except Exception as error:  # a drift may fail in any way: the other laws are still asked
                failures.append(f"{name}: raised {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    if failures:
        raise LawViolation(f"{type(drift).__name__} broke {len(failures)} law(s):\n  " + "\n  ".join(failures))


def _require(fact: bool, otherwise: str) -> None:
    if not fact:
        raise LawViolation(otherwise)


def _close(got, expected, tolerance: float, what: str) -> None:
    scale = float(jnp.max(jnp.abs(expected)))
    error = float(jnp.max(jnp.abs(got - expected)))
    _require(error <= tolerance * max(scale, 1e-3), f"{what}: off by {error:.2e} where |v| is {scale:.2e}")


def _all_finite(output: DriftOutput, case: str) -> None:
    _require(bool(jnp.isfinite(output.v).all()), f"velocities are not finite with {case}")
    for name, value in output.info.items():
        _require(bool(jnp.isfinite(value)), f"info[{name!r}] is {value} with {case}")


def _scaled(drift: AbstractDrift, factor: float) -> AbstractDrift:
    """The drift with every real hyperparameter multiplied, structure untouched."""
    return jax.tree.map(lambda leaf: leaf * factor if eqx.is_inexact_array(leaf) else leaf, drift)


def _lengths_scaled(module: eqx.Module, factor: float) -> Any:
    """The drift with every length multiplied, by what the units of its fields say; its parts too, if it is made of drifts."""
    for name, unit in units(module).items():
        power = 1 if unit.startswith("data units") else 2 if "length^2" in unit else 0
        if power:
            scaled = getattr(module, name) * factor**power
            module = eqx.tree_at(operator.attrgetter(name), module, scaled)
    if isinstance(module, SumDrift):
        module = eqx.tree_at(
            lambda whole: whole.drifts, module, tuple(_lengths_scaled(part, factor) for part in module.drifts)
        )
    return module


@contextlib.contextmanager
def _double_precision() -> Iterator[None]:
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)

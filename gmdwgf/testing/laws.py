"""Laws that every drift satisfies, and tests of its tags. Each law takes a drift and raises LawViolation with the numbers.

Use double precision (`jax.config.update("jax_enable_x64", True)`); `check_drift` enables it temporarily. All clouds are asymmetric
and of unequal size, because symmetric clouds would hide sign errors.
"""

import contextlib
import inspect
import operator
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

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
"""Tolerance relative to the largest velocity, in double precision."""


class LawViolation(AssertionError):
    """Raised with the laws that a drift violates, and the size of the violations."""


def skewed_clouds(n: int = 13, m: int = 17, d: int = 2, seed: int = 0) -> tuple[Particles, Targets]:
    """Two clouds without any symmetry, in JAX's default float type."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * 0.8 + 0.3
    y = rng.gamma(2.0, 0.5, size=(m, d)) * np.linspace(1.0, 0.6, d) - 0.2
    return jnp.asarray(x, float), jnp.asarray(y, float)


def _ask(drift: AbstractDrift, x: Particles, y: Targets, at: Particles | None = None) -> DriftOutput:
    start, key = jax.random.key(1), jax.random.key(2)
    return drift.update(drift.init(start, x, y), x, y, key, at=at)[0]


outputs = jax.jit(_ask)
"""Output of the drift from a new state with fixed keys, so that equal inputs give equal outputs."""


def velocity(drift: AbstractDrift, x: Particles, y: Targets, at: Particles | None = None) -> Particles:
    """Velocities from a new state with fixed keys."""
    return outputs(drift, x, y, at).v


def shape_dtype_and_finite(drift: AbstractDrift) -> None:
    """Velocities have the shape and dtype of the particles, or the shape of `at` if given, and are finite."""
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
    """The output is a pure function of state, clouds and key."""
    x, y = skewed_clouds()
    _close(velocity(drift, x, y), velocity(drift, x, y), 0.0, "two calls with one key differ")


def permutation(drift: AbstractDrift) -> None:
    """Permuting the particles permutes the velocities; permuting the targets does not change them (if tagged)."""
    if not drift.tags().permutation:
        return
    x, y = skewed_clouds()
    rng = np.random.default_rng(3)
    px, py = rng.permutation(x.shape[0]), rng.permutation(y.shape[0])
    v = velocity(drift, x, y)
    _close(velocity(drift, x[px], y), v[px], EXACT, "permuted particles")
    _close(velocity(drift, x, y[py]), v, EXACT, "permuted targets")


def translation(drift: AbstractDrift) -> None:
    """Translating both clouds together does not change the velocities (if tagged)."""
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
    """Velocities vanish on identical clouds if tagged so, and clearly do not otherwise."""
    x, _ = skewed_clouds()
    largest = float(jnp.max(jnp.abs(velocity(drift, x, x))))
    if drift.tags().zero_at_equality:
        _require(largest < 1e-9, f"|v| is {largest:.2e} on identical clouds, tagged zero")
    else:
        _require(largest > 1e-3, f"|v| is only {largest:.2e} on identical clouds, tagged not zero")


def wasserstein_gradient_flow(drift: AbstractDrift) -> None:
    """The particle Jacobian is symmetric if and only if the drift is tagged as the flow of a functional."""
    x, y = skewed_clouds()
    ratio = asymmetry(lambda cloud: velocity(drift, cloud, y), x)
    flow = drift.tags().flow_of
    if flow is None:
        _require(ratio > 1e-3, f"asymmetry {ratio:.1e}: the field looks like a flow, but is tagged as none")
    else:
        _require(ratio < 1e-7, f"asymmetry {ratio:.1e}, but the field is tagged as the flow of {flow}")


def curl_free(drift: AbstractDrift) -> None:
    """The field at fixed clouds is a gradient field if and only if tagged so."""
    x, y = skewed_clouds()
    ratio = spatial_curl(lambda at: velocity(drift, x, y, at), y[:4] + 0.15)
    if drift.tags().curl_free:
        _require(ratio < 1e-6, f"curl {ratio:.1e}, but tagged curl-free")
    else:
        _require(ratio > 1e-3, f"curl {ratio:.1e}: the field looks like a gradient, but is tagged as none")


def functional_gradient(drift: AbstractDrift) -> None:
    """v = -n dF/dx_i, if the drift implements its functional F."""
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
    """vmap over hyperparameters equals separate evaluations."""
    x, y = skewed_clouds()
    members = [_scaled(drift, factor) for factor in (0.9, 1.1)]
    if not jax.tree.leaves(drift):
        return  # no real hyperparameter, no grid
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    together = jax.vmap(lambda member: velocity(member, x, y))(stacked)
    for member, v in zip(members, together, strict=True):
        _close(v, velocity(member, x, y), 1e-7, "vmap over fields against one by one")


def streamed_equals_dense(drift: AbstractDrift) -> None:
    """Tiled reductions equal a single dense block."""
    x, y = skewed_clouds(n=37, m=41)
    dense = velocity(drift, x, y)
    with reductions.tiles(0, 160):
        _close(jax.jit(lambda: _ask(drift, x, y).v)(), dense, EXACT, "streamed against dense")


def keeps_no_pairs(drift: AbstractDrift) -> None:
    """A stateless drift uses less memory than one n x m array, unless its docstring states that it stores one."""
    keeps = re.search(r"stores? (an? |the )?[nm] x [nm]", inspect.getdoc(type(drift)) or "")
    if keeps or not isinstance(drift, StatelessDrift):
        return
    x, y = skewed_clouds(n=1024, m=1024)
    with reductions.tiles(0, 1 << 12):
        needed = jax.jit(_ask).lower(drift, x, y).compile().memory_analysis()
    pairs = x.shape[0] * y.shape[0] * x.dtype.itemsize
    if needed is not None:  # some platforms do not report it
        bytes_needed = needed.temp_size_in_bytes
        _require(
            bytes_needed < pairs / 2, f"{bytes_needed} bytes for 1024 x 1024 pairs, which are {pairs} bytes themselves"
        )


def many_devices_equal_one(drift: AbstractDrift) -> None:
    """The output on a mesh of all devices equals that on one device; skipped if there is only one."""
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
    """Velocities in float32 and float64 agree within the bound in the tags.

    Tested at data scales 0.01, 1 and 100, with fields in `data units` scaled accordingly and fields in `length^2` by the square;
    100 away from the origin; with duplicates; and with a particle and a target 100 standard deviations away from the others.
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
    """Single points, coincident clouds and duplicates give finite velocities."""
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
    """Lengths multiplied by 1e-4 and 1e4 give finite velocities in single precision."""
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
    """Check a drift against the named laws, by default all; raises LawViolation with all violated laws."""
    failures = []
    with _double_precision():
        for name in laws or LAWS:
            try:
                LAWS[name](drift)
            except LawViolation as broken:
                failures.append(f"{name}: {broken}")
            except Exception as error:  # continue with the other laws after any error
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
    """The drift with every real hyperparameter multiplied by `factor`."""
    return jax.tree.map(lambda leaf: leaf * factor if eqx.is_inexact_array(leaf) else leaf, drift)


Module = TypeVar("Module", bound=eqx.Module)


def _lengths_scaled(module: Module, factor: float) -> Module:
    """The drift with every length multiplied by `factor`, according to the units of its fields, including nested drifts."""
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

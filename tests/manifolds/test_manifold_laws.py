"""Every manifold is held to every law, also by its YAML file being there."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.config.build import build, load_node, options
from gmdwgf.config.fields import FieldError
from gmdwgf.manifolds import Hyperbolic, Product, Sphere, Torus
from tests.manifolds.common import MANIFOLDS, clouds

every = pytest.mark.parametrize("name", MANIFOLDS)

CUT = {
    "sphere": ([0.6, 0.0, 0.8], [-0.6, 0.0, -0.8]),
    "torus": ([0.5, -1.0], [0.5 - np.pi, -1.0]),
    "product": ([0.6, 0.0, 0.8, 0.1, 0.2], [-0.6, 0.0, -0.8, 0.1, 0.2]),
}
"""A point and a cut point of it."""


def tangents(manifold, x, length, seed=3):
    """Tangent vectors of the given length."""
    u = manifold.tangent(x, jnp.asarray(np.random.default_rng(seed).normal(size=x.shape), x.dtype))
    return length * u / manifold.norm(x, u)[..., None]


def worst(one, other):
    return jnp.max(jnp.abs(one - other))


@functools.cache
def deviations(name):
    """How far each law is from being kept, in double precision and in one program for each manifold."""
    manifold, x, y = clouds(name)
    near, v = y[:7], tangents(manifold, x, 2.0)

    @jax.jit
    def measured(x, y, near, v):
        log, g = manifold.log(x[:, None], y), manifold.distance(x[:, None], y)
        end, back = manifold.exp(x, v), manifold.log(x, near)
        slope = jax.grad(lambda x: jnp.sum(manifold.distance(x, near) ** 2) / 2)(x)
        pushed = jax.jvp(manifold.embed, (x,), (v,))[1]
        height = lambda e: jnp.sum(jnp.sin(e @ jnp.arange(1.0, e.shape[-1] + 1)))
        covector = jax.grad(height)(manifold.embed(x))
        along = jax.jvp(lambda t: height(manifold.embed(manifold.exp(x, t * v))), (0.0,), (1.0,))[1]
        middle = manifold.exp(x, 0.3 * back)
        tiny = manifold.distance(x, manifold.exp(x, 5e-10 * v))
        vectors = {
            "log": back,
            "tangent": manifold.tangent(x, near - 3.0),
            "gradient": manifold.gradient(x, near - 3.0),
        }
        return {
            "exp inverts log": worst(manifold.exp(x[:, None], log), y),
            "log inverts exp": worst(manifold.log(x, end), v),
            "exp stays on the manifold": worst(manifold.project(end), end),
            "project is idempotent": worst(manifold.project(manifold.project(3 * x)), manifold.project(3 * x)),
            "the length of log is the distance": worst(manifold.norm(x[:, None], log), g),
            "distances are symmetric": worst(g, manifold.distance(y, x[:, None])),
            "distances near 0 keep their digits": worst(tiny, 1e-9) * 1e4,
            "speeds are constant": worst(manifold.distance(x, middle), 0.3 * manifold.distance(x, near)),
            "geodesics are shortest": worst(manifold.distance(middle, near), 0.7 * manifold.distance(x, near)),
            "the gradient of g^2 / 2 is -log": worst(manifold.gradient(x, slope), -back),
            "pull_back is a gradient": worst(jnp.sum(manifold.inner(x, manifold.pull_back(x, covector), v)), along),
            **{f"{kind} is tangent": worst(manifold.tangent(x, u), u) for kind, u in vectors.items()},
            **{
                f"{kind} is a velocity": worst(jax.jvp(manifold.project, (x,), (u,))[1], u)
                for kind, u in vectors.items()
            },
        }, worst(jnp.sqrt(jnp.sum(pushed**2, axis=-1)), 2.0)

    return jax.device_get(measured(x, y, near, v))


@every
def test_laws(name, x64):
    found, stretched = deviations(name)
    broken = {law: float(error) for law, error in found.items() if not error < 1e-11}
    assert not broken
    assert (stretched < 1e-12) == MANIFOLDS[name][0].isometric


@every
def test_tangency_is_exact(name, x64):
    found, _ = deviations(name)
    assert max(error for law, error in found.items() if "tangent" in law) < 1e-12


@every
def test_coincident_and_cut_points_in_single_precision(name):
    """Distance and log are 0 at coincident points, log is 0 at cut points, and first derivatives are finite at both."""
    manifold, x, _ = clouds(name, n=3, dtype=jnp.float32)
    pairs = [(x, x), *(tuple(jnp.asarray([side], jnp.float32) for side in CUT[name]) for _ in range(name in CUT))]

    @jax.jit
    def measured(x, y):
        v = jnp.zeros_like(x)
        functions = (
            lambda x, y, v: manifold.distance(x, y),
            lambda x, y, v: manifold.distance(x, y) ** 2,
            lambda x, y, v: manifold.log(x, y),
            lambda x, y, v: manifold.exp(x, v),
            lambda x, y, v: manifold.norm(x, v),
            lambda x, y, v: manifold.project(v),  # also at the centre of the sphere
        )
        slopes = [jax.grad(lambda *args: jnp.sum(f(*args)), argnums=(0, 1, 2))(x, y, v) for f in functions]  # noqa: B023
        beside = manifold.exp(y, tangents(manifold, y, 0.01))
        far = manifold.norm(x, manifold.log(x, beside))
        return (
            slopes,
            manifold.distance(x, y),
            manifold.log(x, y),
            manifold.is_cut(x, y),
            manifold.is_cut(x, beside),
            far,
        )

    for is_cut, (here, there) in enumerate(pairs):
        slopes, g, log, told, beside, far = measured(here, there)
        assert all(bool(jnp.isfinite(slope).all()) for slope in jax.tree.leaves(slopes))
        np.testing.assert_allclose(g, np.pi * is_cut, rtol=1e-6)
        np.testing.assert_array_equal(log, 0)
        np.testing.assert_array_equal(told, bool(is_cut))
        assert not beside.any()
        np.testing.assert_allclose(far, np.pi - 0.01 if is_cut else 0.01, atol=0.01 if is_cut else 1e-5)


@every
def test_single_precision(name, x64):
    manifold, x, y = clouds(name)

    @jax.jit
    def answers(x, y):
        x, y = x[:, None], y[None]
        return manifold.distance(x, y), manifold.log(x, y), manifold.exp(x, manifold.log(x, y))

    single = answers(*(manifold.project(side.astype(jnp.float32)) for side in (x, y)))
    for got, exact in zip(single, answers(x, y), strict=True):
        assert got.dtype == jnp.float32
        np.testing.assert_allclose(got, exact, atol=3e-6 * max(1.0, float(jnp.max(jnp.abs(exact)))))


def test_every_config_is_a_manifold_that_is_tested():
    made = {name: build(load_node("manifold", name, {}), "manifold") for name in options("manifold")}
    assert {type(manifold) for manifold in made.values()} == {type(manifold) for manifold, _ in MANIFOLDS.values()}
    assert all(manifold.name == name for name, manifold in made.items())


@pytest.mark.parametrize(
    ("manifold", "dim"), [(Sphere(), 1), (Hyperbolic(), 1), (Product([Sphere(), Torus()], [3, 2]), 4)]
)
def test_a_wrong_number_of_coordinates_is_refused_in_one_line(manifold, dim):
    with pytest.raises(FieldError, match=f"^manifold={manifold.name}: needs .* coordinates.*have {dim}$"):
        manifold.check_dim(dim)


def test_a_product_that_does_not_fit_is_refused():
    with pytest.raises(FieldError, match="dims=.*one for each part"):
        Product([Sphere(), Torus()], [3])
    with pytest.raises(FieldError, match="dims=.*integers of at least 1"):
        Product([Sphere()], [0])

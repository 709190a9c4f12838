"""Every manifold is held to every law, also by its YAML file being there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gmdwgf.config.build import build, load_node, options
from gmdwgf.config.fields import FieldError
from gmdwgf.manifolds import Hyperbolic, Product, Sphere, Torus
from tests.manifolds.common import CURVED, MANIFOLDS, clouds, points

every = pytest.mark.parametrize("name", MANIFOLDS)

CUT = {
    "sphere": ([[0.6, 0.0, 0.8]], [[-0.6, 0.0, -0.8]]),
    "circle": ([[0.6, 0.8]], [[-0.6, -0.8]]),
    "torus": ([[0.5, -1.0]], [[0.5 - np.pi, -1.0]]),
    "product": ([[0.6, 0.0, 0.8, 0.1, 0.2]], [[-0.6, 0.0, -0.8, 0.1, 0.2]]),
}
"""A point and a cut point of it."""


def tangents(manifold, x, length, seed=3):
    """Tangent vectors of the given length."""
    u = manifold.tangent(x, jnp.asarray(np.random.default_rng(seed).normal(size=x.shape), x.dtype))
    return length * u / manifold.norm(x, u)[:, None]


def off(manifold, x):
    """How far points are from the manifold."""
    return float(jnp.max(jnp.abs(manifold.project(x) - x)))


def test_every_config_is_a_manifold_that_is_tested():
    made = {name: build(load_node("manifold", name, {}), "manifold") for name in options("manifold")}
    assert {type(manifold) for manifold in made.values()} == {type(manifold) for manifold, _ in MANIFOLDS.values()}
    assert all(manifold.name == name for name, manifold in made.items())


@every
def test_exp_inverts_log_and_log_inverts_exp(name, x64):
    manifold, x, y = clouds(name)
    log = manifold.log(x[:, None], y)
    np.testing.assert_allclose(manifold.exp(x[:, None], log), jnp.broadcast_to(y, log.shape), atol=1e-12)
    v = tangents(manifold, x, 2.0)
    np.testing.assert_allclose(manifold.log(x, manifold.exp(x, v)), v, atol=1e-11)


@every
def test_the_length_of_log_is_the_distance(name, x64):
    manifold, x, y = clouds(name)
    log, g = manifold.log(x[:, None], y), manifold.distance(x[:, None], y)
    np.testing.assert_allclose(manifold.norm(x[:, None], log), g, rtol=1e-12)
    np.testing.assert_allclose(g, manifold.distance(y, x[:, None]), rtol=1e-12)
    v = tangents(manifold, x, 1e-9)
    np.testing.assert_allclose(manifold.distance(x, manifold.exp(x, v)), 1e-9, rtol=1e-5)  # no digits lost near 0


@every
def test_tangency(name, x64):
    manifold, x, y = clouds(name)
    for v in (manifold.log(x, y[:7]), manifold.tangent(x, y[:7] - 3.0), manifold.gradient(x, y[:7] - 3.0)):
        np.testing.assert_allclose(manifold.tangent(x, v), v, atol=1e-12 * float(jnp.max(jnp.abs(v))))
    along = jax.jvp(manifold.project, (x,), (v,))[1]  # curves of the manifold have these velocities
    np.testing.assert_allclose(along, v, atol=1e-12 * float(jnp.max(jnp.abs(v))))
    assert off(manifold, manifold.exp(x, tangents(manifold, x, 1.0))) < 1e-12


@every
def test_geodesics_have_constant_speed_and_are_shortest(name, x64):
    manifold, x, y = clouds(name)
    for t in (0.25, 0.7):
        middle = manifold.exp(x, t * manifold.log(x, y[:7]))
        np.testing.assert_allclose(manifold.distance(x, middle), t * manifold.distance(x, y[:7]), rtol=1e-11)
        np.testing.assert_allclose(manifold.distance(middle, y[:7]), (1 - t) * manifold.distance(x, y[:7]), rtol=1e-11)


@every
def test_the_gradient_of_half_the_squared_distance_is_minus_log(name, x64):
    """By autodiff in ambient coordinates; it holds only if metric, log and the index of gradients fit together."""
    manifold, x, y = clouds(name)
    y = y[:7]
    slope = jax.grad(lambda x: jnp.sum(manifold.distance(x, y) ** 2) / 2)(x)
    np.testing.assert_allclose(manifold.gradient(x, slope), -manifold.log(x, y), atol=1e-11)


@every
def test_gradients_are_finite_at_coincident_and_at_cut_points(name):
    manifold, x = points(name, 3, dtype=jnp.float32)
    pairs = [(x, x)] + [tuple(jnp.asarray(side, jnp.float32) for side in CUT[name]) for _ in [0] if name in CUT]
    for here, there in pairs:
        zero = jnp.zeros_like(here)
        for function in (
            lambda x, y, v: manifold.distance(x, y),
            lambda x, y, v: manifold.distance(x, y) ** 2,
            lambda x, y, v: manifold.log(x, y),
            lambda x, y, v: manifold.exp(x, v),
            lambda x, y, v: manifold.norm(x, v),
        ):
            slopes = jax.grad(lambda *args: jnp.sum(function(*args)), argnums=(0, 1, 2))(here, there, zero)  # noqa: B023
            assert all(bool(jnp.isfinite(slope).all()) for slope in slopes)


@every
def test_coincident_points_have_distance_and_log_zero(name):
    manifold, x = points(name, 5, dtype=jnp.float32)
    np.testing.assert_array_equal(manifold.distance(x, x), 0)
    np.testing.assert_array_equal(manifold.log(x, x), 0)
    np.testing.assert_allclose(manifold.exp(x, jnp.zeros_like(x)), x, atol=1e-6)
    assert not manifold.is_cut(x, x).any()


@pytest.mark.parametrize("name", CUT)
def test_log_is_zero_at_cut_points_and_they_are_told(name, x64):
    manifold = MANIFOLDS[name][0]
    for dtype in (jnp.float32, float):
        x, y = (jnp.asarray(side, dtype) for side in CUT[name])
        assert manifold.is_cut(x, y).all()
        np.testing.assert_array_equal(manifold.log(x, y), 0)
        np.testing.assert_allclose(manifold.distance(x, y), np.pi, rtol=1e-6)
        near = manifold.exp(y, 0.01 * tangents(manifold, y, 1.0))
        assert not manifold.is_cut(x, near).any()
        assert manifold.norm(x, manifold.log(x, near)) > 3.1


@every
def test_project_is_idempotent_and_smooth(name, x64):
    manifold, dim = MANIFOLDS[name]
    ambient = jnp.asarray(np.random.default_rng(0).normal(size=(5, dim)) * 4)
    once = manifold.project(ambient)
    np.testing.assert_allclose(manifold.project(once), once, atol=1e-15)
    slope = jax.grad(lambda x: jnp.sum(manifold.project(x)))(jnp.zeros((2, dim)))  # the centre of the sphere
    assert bool(jnp.isfinite(slope).all())


@every
def test_single_precision(name, x64):
    manifold, x, y = clouds(name)
    x, y = x[:, None], y[None]
    for function in (manifold.distance, manifold.log, lambda x, y: manifold.exp(x, manifold.log(x, y))):
        exact = function(x, y)
        single = function(*(manifold.project(side.astype(jnp.float32)) for side in (x, y)))
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, exact, atol=3e-6 * max(1.0, float(jnp.max(jnp.abs(exact)))))


@every
def test_the_embedding_is_isometric_where_it_says_so(name, x64):
    manifold, x = points(name, 5)
    v = tangents(manifold, x, 1.3)
    pushed = jax.jvp(manifold.embed, (x,), (v,))[1]
    lengths = jnp.sqrt(jnp.sum(pushed**2, axis=-1))
    assert bool(jnp.allclose(lengths, 1.3, rtol=1e-12)) == manifold.isometric
    if manifold.isometric:
        np.testing.assert_allclose(manifold.pull_back(x, pushed), v, atol=1e-12)


@pytest.mark.parametrize("name", CURVED)
def test_pull_back_is_the_gradient_of_a_function_of_the_embedded_point(name, x64):
    """Along every tangent vector, d f(embed(exp_x(t v))) / dt = <gradient, v>."""
    manifold, x = points(name, 5)
    f = lambda x: jnp.sum(jnp.sin(manifold.embed(x) @ jnp.arange(1.0, manifold.embed(x).shape[-1] + 1)))
    covector = jax.vmap(jax.grad(lambda e: jnp.sin(e @ jnp.arange(1.0, e.shape[-1] + 1))))(manifold.embed(x))
    v = tangents(manifold, x, 1.0)
    slope = jax.jvp(lambda t: f(manifold.exp(x, t * v)), (0.0,), (1.0,))[1]
    np.testing.assert_allclose(jnp.sum(manifold.inner(x, manifold.pull_back(x, covector), v)), slope, rtol=1e-10)


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

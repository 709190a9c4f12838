"""The experiment on the minimiser: fields against functionals, exact biases against draws, the page against its numbers."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from experiments.common.record import Number
from experiments.minimiser import fields, findings, finite_batches, tables, training
from experiments.minimiser.laws import Family, density, nodes, setting, smoothed
from experiments.minimiser.limits import round_on_gaussian
from tests.conftest import ROOT

FOLDER = ROOT / "experiments" / "minimiser"
H = 0.7


def condition_and_gradient(drift: str, name: str):
    """E[J^T v] and minus the gradient of the functional at one member, in the lower triangle of W."""
    law, family = setting(name)
    theta = jnp.asarray([-0.3, 1.1] if name == "line" else [0.2, -0.4, 0.9, 0.0, 0.3, 1.2])
    ask = (theta, family, law, jnp.asarray(H), nodes(family.dim, False))
    kept = family.lower()
    return fields.CONDITIONS[drift](*ask)[kept], -jax.grad(fields.FUNCTIONALS[drift])(*ask)[kept]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["banana"])
@pytest.mark.parametrize(
    ("drift", "unit"),
    [("blob", H**2), *(pytest.param(*one, marks=pytest.mark.slow) for one in (("kl_wgf", H**2), ("mmd", 1.0)))],
)
def test_a_flow_is_minus_the_gradient_of_its_functional(drift, unit, name, x64):
    pushed, gradient = condition_and_gradient(drift, name)
    np.testing.assert_allclose(pushed, unit * gradient, rtol=2e-6, atol=1e-8)


@pytest.mark.thorough
def test_kl_is_not_the_gradient_of_the_smoothed_kl(x64):
    pushed, gradient = condition_and_gradient("kl", "line")
    assert np.linalg.norm(pushed - H**2 * gradient) > 0.1 * np.linalg.norm(pushed)


@pytest.mark.thorough
def test_velocity_of_laws_is_that_of_the_package_on_large_clouds(x64):
    law, family = setting("line")
    levels = (np.arange(1500) + 0.5) / 1500
    z = jnp.asarray(np.sqrt(2) * jax.scipy.special.erfinv(2 * levels - 1))[:, None]
    y = law.centres[np.searchsorted(np.cumsum(law.masses), levels)]  # deviations: below
    y = (
        y
        + jnp.sqrt(law.covariances[np.searchsorted(np.cumsum(law.masses), levels)][:, 0])
        * z[np.random.default_rng(0).permutation(1500)]
    )
    x = -0.3 + 1.1 * z
    v = gmdwgf.load_drift("kl", bandwidth=H).velocity(x, y, jax.random.key(0)).v
    q = density(jnp.ones(1), jnp.asarray([[-0.3]]), jnp.asarray([[[1.1**2 + H**2]]]))
    expected = H**2 * (smoothed(law, jnp.asarray(H)).score(x) - q.score(x))
    inner = slice(100, -100)  # 1,500 points leave the tails bare
    np.testing.assert_allclose(v[inner], expected[inner], atol=0.03)


def test_expected_log_sums_are_those_of_draws():
    d, h, a, n = 2, 0.8, 0.7, 12
    rng = np.random.default_rng(0)
    made = finite_batches.tables(d, h)
    missed = finite_batches.log_missed(d, h, a)
    near, far = (int(np.argmin(np.abs(made.r - r))) for r in (0.3, 1.5))
    for itself in (False, True):
        found = finite_batches.log_sum(d, h, missed, n, itself)
        means, errors = [], []
        for i in (near, far):
            x = np.sqrt(a) * rng.normal(size=(20_000, n, d)) - [made.r[i], 0.0]
            drawn = np.log(itself + np.exp(-np.sum(x**2, axis=2) / (2 * h**2)).sum(axis=1))
            means.append(drawn.mean())
            errors.append(drawn.std() / np.sqrt(len(drawn)))
        assert abs((found[far] - found[near]) - (means[1] - means[0])) < 4 * np.hypot(*errors)


def test_affine_generator_has_the_moments_of_its_parameters():
    made = training.AffineGenerator(jnp.asarray(1.0), False)
    params = made.init(jax.random.key(0), 8, 2)
    x = np.asarray(made.sample(params, jax.random.key(1), 40_000))
    np.testing.assert_allclose(x.mean(0), params["c"], atol=0.03)
    np.testing.assert_allclose(np.cov(x.T), params["w"] @ params["w"].T, atol=0.05)


def test_moments_do_not_depend_on_a_rotation_of_the_noise(x64):
    family, matrix = Family(2), np.array([[1.0, 0.2], [0.4, 0.8]])
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    centre = jnp.asarray([0.1, 0.2])
    one, other = (family.moments(family.pack(centre, jnp.asarray(w))) for w in (matrix, matrix @ turn))
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_round_law_on_a_gaussian_tends_to_the_harmonic_mean():
    found = round_on_gaussian(8)
    assert found["kl"][-1] == pytest.approx(8 / np.sum(1 / np.geomspace(0.25, 4, 8)))
    assert found["blob"][-1] == pytest.approx(found["kl"][-1])


def numbers() -> dict[str, Number]:
    return {name: Number(*row) for name, row in json.loads((FOLDER / "results.json").read_text()).items()}


def test_the_page_says_what_its_numbers_say():
    page, found = (FOLDER / "README.md").read_text(), numbers()
    assert "\n".join([*tables.all_of(found), "**What came out.**", "", *findings.Findings(found).lines()]) in page


def test_a_sentence_that_its_numbers_contradict_is_an_error():
    found = numbers()
    found["line kl_wgf h=0.8 distance"] = Number(0.2, 0.2, 0.2)
    with pytest.raises(findings.Contradicted, match="No. On the line"):
        findings.Findings(found).on_the_line()

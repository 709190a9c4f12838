import jax
import numpy as np
import pytest

import gmdwgf
from gmdwgf.testing import check_drift
from gmdwgf.testing.structure import asymmetry, spatial_curl
from tests.drifts import kernel_loops
from tests.drifts.kernel_loops import answer

H = 0.7
CURL = {"laplace": 0.1, "imq": 0.02}  # at least


def velocity(x, y, at=None, x_weights=None, y_weights=None, **fields):
    drift = gmdwgf.load_drift("mean_shift", **{"bandwidth": H} | fields)
    return np.asarray(answer(drift, x, y, at, x_weights, y_weights).v)


def loop(x, y, kernel, bandwidth, leave_one_out=False):
    k = kernel_loops.profiles(bandwidth)[kernel].k

    def mean_shift(i, cloud, skip=None):
        shift, mass = kernel_loops.total_shift(x[i], cloud, k, skip)
        return shift / mass

    return [mean_shift(i, y) - mean_shift(i, x, i if leave_one_out else None) for i in range(len(x))]


@pytest.mark.parametrize(("kernel", "self_term"), [("laplace", "keep"), ("laplace", "leave_one_out"), ("imq", "keep")])
def test_velocity_equals_the_double_loop(kernel, self_term, clouds, x64):
    expected = loop(*clouds, kernel, H, self_term == "leave_one_out")
    np.testing.assert_allclose(velocity(*clouds, kernel=kernel, self_term=self_term), expected, atol=1e-10)


def test_effective_targets_are_the_inverse_sum_of_squared_shares(clouds, x64):
    x, y = clouds
    k = kernel_loops.profiles(H)["laplace"].k
    effective = answer(gmdwgf.load_drift("mean_shift", bandwidth=H), x, y).info["effective_targets"]
    np.testing.assert_allclose(effective, kernel_loops.effective_targets(x, y, k), rtol=1e-10)


def test_abc_adds_the_squared_shares_to_both_barycentres(clouds, x64):
    x, y = clouds
    k = kernel_loops.profiles(H)["laplace"].k

    def barycentre(point, cloud):
        shares = np.array([k(np.linalg.norm(point - c)) for c in cloud])
        shares = shares / shares.sum()
        centre = sum(a * c for a, c in zip(shares, cloud, strict=True))
        return centre + sum(a**2 * (c - centre) for a, c in zip(shares, cloud, strict=True))

    others = [np.delete(x, i, axis=0) for i in range(len(x))]
    expected = [barycentre(p, y) - barycentre(p, rest) for p, rest in zip(x, others, strict=True)]
    np.testing.assert_allclose(velocity(x, y, bias="abc", self_term="leave_one_out"), expected, atol=1e-10)


def test_leaving_oneself_out_leaves_a_lone_particle_with_the_attraction(clouds, x64):
    x, y = clouds
    shift, mass = kernel_loops.total_shift(x[0], y, kernel_loops.profiles(H)["laplace"].k)
    np.testing.assert_allclose(velocity(x[:1], y, self_term="leave_one_out")[0], shift / mass, atol=1e-10)


def test_points_given_from_outside_have_no_self_pair_to_leave_out(clouds, x64):
    x, y = clouds
    np.testing.assert_allclose(velocity(x, y, at=x, self_term="leave_one_out"), velocity(x, y), atol=1e-12)


@pytest.mark.parametrize("kernel", kernel_loops.KERNELS)
def test_velocity_is_the_mean_displacement_over_pairs_of_a_target_and_a_particle(kernel, clouds, x64):
    # Claim 2: Deng Eq. 11.
    x, y = clouds
    k = kernel_loops.profiles(H)[kernel].k
    to_y = k(np.linalg.norm(x[:, None] - y[None], axis=-1))
    to_x = k(np.linalg.norm(x[:, None] - x[None], axis=-1))
    pairs = to_y[:, :, None] * to_x[:, None, :]
    displacement = y[:, None] - x[None]
    expected = np.einsum("ijl,jld->id", pairs, displacement) / pairs.sum((1, 2))[:, None]
    np.testing.assert_allclose(velocity(x, y, kernel=kernel), expected, atol=1e-10)


@pytest.mark.thorough
def test_exchanging_the_clouds_at_fixed_points_flips_the_sign(clouds, x64):
    x, y = clouds
    at = y[:5] + 0.1
    np.testing.assert_allclose(velocity(x, y, at), -velocity(y, x, at), atol=1e-12)
    assert np.abs(velocity(x, y, at)).max() > 0.1


@pytest.mark.thorough
def test_the_gaussian_member_is_the_kl_drift(clouds, x64):
    x, y = clouds
    for self_term in ("keep", "two_batch"):
        kl = answer(gmdwgf.load_drift("kl", bandwidth=H, self_term=self_term), x, y).v
        np.testing.assert_allclose(velocity(x, y, kernel="gaussian", self_term=self_term), kl, rtol=1e-12)


def test_the_laplace_field_splits_into_sharp_scores(clouds, x64):
    # arXiv:2605.22795: V = a_q (s_p - s_q) + (a_p - a_q) s_p with s_r = grad log r#, a_r = r# / r_k.
    x, y = clouds
    at = y[:5] + 0.1
    k, _, sharp = kernel_loops.profiles(H)["laplace"]

    def parts(point, cloud):
        shift, mass = kernel_loops.total_shift(point, cloud, k)
        companion = sum(sharp(np.linalg.norm(c - point)) for c in cloud)
        return shift / companion, companion / mass

    sharp_drift = gmdwgf.load_drift("sharp", kernel="laplace", bandwidth=H)
    difference, v = answer(sharp_drift, x, y, at).v, velocity(x, y, at)
    for i, point in enumerate(at):
        (s_p, a_p), (_, a_q) = parts(point, y), parts(point, x)
        np.testing.assert_allclose(v[i], a_q * difference[i] + (a_p - a_q) * s_p, atol=1e-10)


@pytest.mark.slow
def test_only_the_gaussian_field_is_a_gradient_and_none_is_a_flow(clouds, x64):
    # Claims 13 and 14.
    x, y = map(jax.numpy.asarray, clouds)
    for kernel in ("gaussian", *CURL):
        drift = gmdwgf.load_drift("mean_shift", kernel=kernel, bandwidth=0.3)
        curl = spatial_curl(lambda at, drift=drift: answer(drift, x, y, at).v, y[:4] + 0.15)
        assert curl < 1e-9 if kernel == "gaussian" else curl > CURL[kernel], (kernel, curl)
        assert asymmetry(lambda x, drift=drift: answer(drift, x, y).v, x) > 1e-2


@pytest.mark.thorough
def test_only_the_imq_field_sees_the_mass_of_a_far_mode(x64):
    # Claim 26: the particles are the targets, but with masses 80/20 instead of 50/50.
    rng = np.random.default_rng(0)
    mode = 0.1 * rng.normal(size=(10, 2))
    overfull = np.repeat([0.8, 0.2], 10)
    for kernel in kernel_loops.KERNELS:
        pull = []
        for length in (16.0, 64.0):
            x = np.concatenate([mode, mode + np.array([length, 0.0])])
            v = velocity(x, x, x_weights=overfull, kernel=kernel, bandwidth=0.5)
            pull.append(v[:10, 0].mean())
        if kernel == "imq":
            np.testing.assert_allclose(pull, 0.5 * (1 - 0.2 / 0.8), rtol=0.1)
        else:
            assert np.abs(pull).max() < 1e-9


@pytest.mark.thorough
def test_weights_act_as_repeated_points(clouds, x64):
    kernel_loops.assert_weights_act_as_repeated_points(gmdwgf.load_drift("mean_shift", bandwidth=H), *clouds)


@pytest.mark.thorough
def test_particles_collapsed_between_two_targets_are_stationary(x64):
    # Claim 28.
    for kernel in kernel_loops.KERNELS:
        v = velocity(np.zeros((4, 1)), np.array([[-1.0], [1.0]]), kernel=kernel)
        assert np.abs(v).max() < 1e-12


@pytest.mark.thorough
def test_single_precision_agrees_at_a_small_bandwidth(clouds, x64):
    for kernel in ("laplace", "gaussian"):
        exact = velocity(*clouds, kernel=kernel, bandwidth=0.05)
        got = velocity(*(cloud.astype(np.float32) for cloud in clouds), kernel=kernel, bandwidth=0.05)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, exact, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("law", ["zero_at_equality", "degenerate_clouds", "extreme_scales"])
@pytest.mark.parametrize("fields", [{"kernel": "matern"}, {"kernel": "imq", "self_term": "leave_one_out"}])
def test_other_members_obey_the_laws(fields, law):
    check_drift(gmdwgf.load_drift("mean_shift", **fields), [law])

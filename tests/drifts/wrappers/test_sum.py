import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.drifts.base import AbstractDrift, DriftOutput, Tags, rms
from gmdwgf.drifts.describe import describe_drift
from gmdwgf.drifts.wrappers.sum import SumDrift
from gmdwgf.testing import check_drift

KEY = jax.random.key(0)


def velocity(drift, x, y, **options):
    return drift.update(drift.init(KEY, x, y), x, y, KEY, **options)[0].v


@pytest.mark.slow
def test_velocity_is_the_weighted_sum_of_the_parts_for_points_and_masses_alike(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    parts = gmdwgf.load_drift("mmd", kernel="gaussian", bandwidth=0.7), gmdwgf.load_drift("kl", bandwidth=0.5)
    options = {"at": y[:5] + 0.1, "x_weights": jnp.arange(1.0, 14.0), "y_weights": jnp.arange(1.0, 18.0)}
    got = jax.jit(velocity)(SumDrift(parts, [0.25, -3.0]), x, y, **options)
    expected = 0.25 * velocity(parts[0], x, y, **options) - 3 * velocity(parts[1], x, y, **options)
    np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.slow
def test_a_sum_of_flows_is_the_flow_of_the_sum(x64):
    drift = SumDrift((gmdwgf.load_drift("mmd", kernel="gaussian"), gmdwgf.load_drift("mmd")), [0.5, 2.0])
    assert drift.tags().flow_of == "weights[0] (MMD^2(q, p) / 2) + weights[1] (MMD^2(q, p) / 2)"
    check_drift(drift, ["wasserstein_gradient_flow", "functional_gradient"])
    with_no_flow = SumDrift((gmdwgf.load_drift("mmd"), gmdwgf.load_drift("kl")), [1.0, 1.0])
    assert with_no_flow.tags().flow_of is None
    assert with_no_flow.functional is None


@pytest.mark.thorough
def test_the_functional_is_the_weighted_sum_at_the_two_clouds_in_their_order(clouds, x64):
    x, y = map(jnp.asarray, clouds)
    parts = gmdwgf.load_drift("drmmd"), gmdwgf.load_drift("mmd", kernel="gaussian")
    of_parts = [part.functional(x, y) for part in parts]
    assert abs(parts[0].functional(y, x) - of_parts[0]) > 1e-3
    np.testing.assert_allclose(
        SumDrift(parts, [0.5, 2.0]).functional(x, y), 0.5 * of_parts[0] + 2 * of_parts[1], rtol=1e-12
    )


def test_tags_are_those_that_all_parts_have_and_the_longest_reach():
    load = gmdwgf.load_drift
    tags = SumDrift((load("kl"), load("kl", self_term="two_batch")), [1.0, 1.0]).tags()
    assert (tags.zero_at_equality, tags.curl_free, tags.permutation, tags.reach) == (False, True, False, "local")
    tags = SumDrift((load("deng", self_mask=False), load("mmd"), load("kl")), [1.0, 1.0, 1.0]).tags()
    assert (tags.zero_at_equality, tags.curl_free, tags.permutation, tags.reach) == (True, False, True, "long")


class Counting(AbstractDrift):
    """A drift whose velocity is the number of its updates so far."""

    def init(self, key, x, y):
        return jnp.zeros(())

    def update(self, state, x, y, key, *, at=None, x_weights=None, y_weights=None):
        v = jnp.full(x.shape, state)
        return DriftOutput(v, {"v_rms": rms(v), "count": state}), state + 1

    def tags(self):
        return Tags(zero_at_equality=False, curl_free=True, flow_of=None, reach="local")


@pytest.mark.slow
def test_each_part_keeps_its_own_state_and_info(clouds):
    x, y = (jnp.asarray(cloud, jnp.float32) for cloud in clouds)
    drift = SumDrift((gmdwgf.load_drift("kl"), Counting()), [0.0, 3.0])
    state = drift.init(KEY, x, y)
    for count in range(3):
        assert state == ((), count)
        output, state = drift.update(state, x, y, KEY)
        np.testing.assert_allclose(output.v, 3.0 * count)
        assert output.info["1/count"] == count
        assert {"v_rms", "0/v_rms", "0/effective_targets", "1/v_rms", "1/count"} == set(output.info)


@pytest.mark.thorough
def test_parts_draw_different_random_numbers(clouds):
    x, y = (jnp.asarray(cloud, jnp.float32) for cloud in clouds)
    noisy = gmdwgf.load_drift("mmd", kernel="gaussian", noise=0.5)
    assert np.abs(velocity(SumDrift((noisy, noisy), [1.0, -1.0]), x, y)).max() > 1e-2


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"weights": [1.0]}, r"drift.weights=\[1.*\]: must be 2 numbers, one for each drift"),
        ({"weights": "many"}, "drift.weights=many: must be a number or a list of numbers"),
        ({"drifts": []}, "drift.drifts=.*: must be a list of drifts"),
        ({"drifts": [{"bandwidth": 1.0}]}, "drift.drifts=.*: must be a list of drifts, each with its own _target_"),
        (
            {"drifts": [{"_target_": "gmdwgf.drifts.kl.KLDrift", "bandwidth": -1.0, "self_term": "keep"}]},
            r"drift.drifts.0.bandwidth=-1.0: must be greater than 0",
        ),
    ],
)
def test_a_bad_sum_is_refused_by_the_key_that_can_be_typed(fields, complaint):
    with pytest.raises(ConfigError, match=complaint):
        gmdwgf.load_drift("sum", **fields)


def test_a_description_names_every_field_of_every_part_with_its_unit():
    lines = describe_drift(gmdwgf.load_drift("sum", weights=[0.5, 2.0]))
    text = "\n".join(lines)
    assert lines[0].startswith("SumDrift: ")
    assert "weights = [0.5, 2]  [velocity of the sum per velocity of the part]" in text
    assert "drifts.1 = KLDrift" in text
    assert "drifts.1.bandwidth = 0.3  [data units (standard deviation)]" in text
    assert "self term: `keep` includes the particle itself" in text
    assert "flow of: no functional" in text
    assert "zero on identical clouds; long range" in text

"""What a user is told of data whose scale the defaults were not made for."""

import numpy as np

from gmdwgf.sweeps.session import far_from_unit_scale

ROWS = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)


def test_a_scale_far_from_one_is_named_with_what_to_do():
    told = far_from_unit_scale(500 + 137 * ROWS)
    assert "standard deviation of 1.3e+02" in told or "standard deviation of 1.4e+02" in told
    assert "metrics.bandwidths" in told
    assert "rule: median" in told
    assert far_from_unit_scale(0.01 * ROWS) is not None


def test_nothing_is_said_of_data_near_one_or_that_are_no_list():
    assert far_from_unit_scale(500 + 3 * ROWS) is None
    assert far_from_unit_scale(None) is None

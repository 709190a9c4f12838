import jax
import numpy as np
import pytest

from gmdwgf.networks.convolutional import ConvDecoder
from gmdwgf.networks.functional import init, network
from tests.networks import random_params


@pytest.mark.thorough
def test_a_grid_is_made_finer_by_repeating_pixels_and_mixing_channels(x64):
    make = lambda rngs: ConvDecoder(3, (5, 7, 2), 2, 1, rngs)
    params = random_params(lambda: init(make, jax.random.key(0)), 0.5)
    params["levels"] = jax.tree.map(np.zeros_like, params["levels"])  # h + 0
    taps = params["out"]["kernel"]
    taps[:] = taps * (np.arange(9) == 4).reshape(3, 3, 1, 1)  # of the last convolution only the middle
    z = np.random.default_rng(1).normal(size=(4, 3))
    h = (z @ params["start"]["kernel"] + params["start"]["bias"]).reshape(4, 3, 4, 4)
    h = h @ params["narrowings"][0]["kernel"][0, 0] + params["narrowings"][0]["bias"]
    h = np.stack([[h[:, i // 2, j // 2] for j in range(7)] for i in range(5)]).transpose(2, 0, 1, 3)
    h = h / np.sqrt(np.mean(h**2, axis=-1, keepdims=True) + 1e-6) * params["norm"]["scale"]
    expected = (h / (1 + np.exp(-h))) @ taps[1, 1] + params["out"]["bias"]
    np.testing.assert_allclose(jax.jit(network(make, params))(z), expected, rtol=1e-9, atol=1e-11)

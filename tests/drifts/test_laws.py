"""Every YAML in configs/drift is held to every law; a new drift enters by its file being there."""

import pytest

import gmdwgf
from gmdwgf.configuration import options
from gmdwgf.testing import LAWS, check_drift

# A solver is held to exact laws at an exact tolerance.
SETTINGS = {
    "sinkhorn": {"threshold": 1e-12, "max_iters": 20000, "epsilon": 0.5},
    # Few directions, or a difference of 1e-5 makes two points change places along one of them.
    "sliced_mmd": {"n_projections": 8},
    "sliced_wasserstein": {"n_projections": 8},
}


# The same class as another YAML, at another setting: held to the laws by `make test-slow`.
SECOND_SETTINGS = {"critic_w1"}
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in SECOND_SETTINGS else name for name in options("drift")]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", NAMES)
def test_the_drift_obeys_the_law(name, law, x64):
    check_drift(gmdwgf.load_drift(name, **SETTINGS.get(name, {})), [law])

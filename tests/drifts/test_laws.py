"""Every YAML in configs/drift is held to every law; a new drift enters by its file being there."""

import jax
import jax.numpy as jnp
import pytest

import gmdwgf
from gmdwgf.config.build import options
from gmdwgf.testing import LAWS, check_drift
from tests.conftest import skewed_clouds

pytestmark = pytest.mark.thorough

# A solver is held to exact laws at an exact tolerance.
SETTINGS = {
    "sinkhorn": {"threshold": 1e-12, "max_iters": 20000, "epsilon": 0.5},
    # Few directions, or a difference of 1e-5 makes two points change places along one of them.
    "sliced_mmd": {"n_projections": 8},
    "sliced_wasserstein": {"n_projections": 8},
}


# Minutes of compilation that `make test-slow` spends: the laws that need most programs, on all but one drift a
# family, and the second setting of a class that another YAML has.
MANY_PROGRAMS = {
    "degenerate_clouds",
    "vmap_over_fields",
    "many_devices_equal_one",
    "single_precision",
    "streamed_equals_dense",
}
ONE_A_FAMILY = {"kl", "mmd", "deng", "sinkhorn_steps", "sum"}
SECOND_SETTINGS = {"critic_w1"}


def case(name, law):
    slow = name in SECOND_SETTINGS or (law in MANY_PROGRAMS and name not in ONE_A_FAMILY)
    return pytest.param(name, law, marks=[pytest.mark.slow] if slow else [], id=f"{name}-{law}")


@pytest.mark.parametrize(("name", "law"), [case(name, law) for name in options("drift") for law in LAWS])
def test_the_drift_obeys_the_law(name, law, x64):
    check_drift(gmdwgf.load_drift(name, **SETTINGS.get(name, {})), [law])


@pytest.mark.slow
@pytest.mark.parametrize("name", options("drift"))
def test_products_of_matrices_are_in_full_precision(name):
    """Only the program can tell: a CPU multiplies float32 exactly whatever it is asked."""
    x, y = (jnp.asarray(cloud, jnp.float32) for cloud in skewed_clouds(d=20))
    drift, key = gmdwgf.load_drift(name), jax.random.key(0)
    program = str(jax.make_jaxpr(drift.update)(drift.init(key, x, y), x, y, key))
    products = program.count("dot_general[")
    assert products > 0
    assert products == program.count("precision=(Precision.HIGHEST, Precision.HIGHEST)")

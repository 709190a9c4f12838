import jax.numpy as jnp
import pytest

from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.hyperparameters import choice, real
from gmdwgf.testing import LawBroken, check_drift
from gmdwgf.typing import Scalar


class Centre(StatelessDrift):
    """Moves the mean of the particles to that of the targets, with one fault at a time."""

    length: Scalar = real("data units", above=0)
    fault: str = choice("none", "cancels", "absolute", "spread", "upwards")

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None):
        far = 1e4 if self.fault == "cancels" else 0.0
        step = jnp.mean(y + far, axis=0) - jnp.mean(x + far, axis=0)
        if self.fault == "absolute":
            step = step + jnp.mean(y, axis=0)
        if self.fault == "upwards":
            step = jnp.abs(step)
        v = jnp.broadcast_to(step, (x if at is None else at).shape) + 0 * self.length
        spread = jnp.std(x) / jnp.std(x) if self.fault == "spread" else jnp.std(x)
        return DriftOutput(v, {"v_rms": rms(v), "spread": spread})

    def tags(self):
        return Tags(zero_at_equality=True, curl_free=True, flow_of="|mean(q) - mean(p)|^2 / 2", reach="long")


def test_a_sound_drift_passes_every_law():
    check_drift(Centre(length=1.0, fault="none"))


@pytest.mark.parametrize(
    ("fault", "law", "says"),
    [
        (
            "cancels",
            "single_precision",
            r"single precision off by \d\.\de-0\d of the speed with data scale 0.01, tagged",
        ),
        ("absolute", "translation", "translated clouds: off by"),
        ("spread", "degenerate_clouds", r"info\['spread'\] is nan with all points equal"),
        ("upwards", "rotation", "rotated clouds: off by"),
    ],
)
def test_a_fault_is_found_by_its_law_and_named_with_a_number(fault, law, says):
    with pytest.raises(LawBroken, match=f"Centre broke 1 law.*\n  {law}: {says}"):
        check_drift(Centre(length=1.0, fault=fault), [law])

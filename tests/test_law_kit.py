import jax.numpy as jnp
import pytest

from gmdwgf.config.fields import choice, real
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags, rms
from gmdwgf.testing import LawViolation, check_drift
from gmdwgf.typing import Scalar


class Centre(StatelessDrift):
    """Moves the mean of the particles to that of the targets, with one fault at a time."""

    length: Scalar = real("data units", above=0)
    fault: str = choice("none", "cancels", "absolute", "spread", "upwards", "forgets_at")

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None):
        far = 1e4 if self.fault == "cancels" else 0.0
        step = jnp.mean(y + far, axis=0) - jnp.mean(x + far, axis=0)
        if self.fault == "absolute":
            step = step + jnp.mean(y, axis=0)
        if self.fault == "upwards":
            step = jnp.abs(step)
        asked = x if at is None or self.fault == "forgets_at" else at
        v = jnp.broadcast_to(step, asked.shape) + 0 * self.length
        spread = jnp.std(x) / jnp.std(x) if self.fault == "spread" else jnp.std(x)
        return DriftOutput(v, {"v_rms": rms(v), "spread": spread})

    def tags(self):
        return Tags(zero_at_equality=True, curl_free=True, flow_of="|mean(q) - mean(p)|^2 / 2", reach="long")


@pytest.mark.slow
def test_a_sound_drift_passes_every_law():
    check_drift(Centre(length=1.0, fault="none"))


@pytest.mark.thorough
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
    with pytest.raises(LawViolation, match=f"Centre broke 1 law.*\n  {law}: {says}"):
        check_drift(Centre(length=1.0, fault=fault), [law])


@pytest.mark.thorough
def test_a_drift_that_cannot_be_asked_breaks_laws_and_not_the_kit():
    with pytest.raises(LawViolation, match=r"shape_dtype_and_finite: the field at 5 points(.|\n)*curl_free: raised"):
        check_drift(Centre(length=1.0, fault="forgets_at"))
    with pytest.raises(LawViolation, match="shape_dtype_and_finite: raised ZeroDivisionError: division by zero"):
        check_drift(Broken(), ["shape_dtype_and_finite"])


class Broken(StatelessDrift):
    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None):
        raise ZeroDivisionError("division by zero")

    def tags(self):
        return Tags(zero_at_equality=True, curl_free=True, flow_of=None, reach="long")


@pytest.mark.parametrize(("x", "y"), [((3, 2), (4, 1)), ((3, 1), (4, 2)), ((3,), (4, 2))])
def test_clouds_that_do_not_go_together_are_refused(x, y):
    drift = Centre(length=1.0, fault="none")
    with pytest.raises(ValueError, match=r"\[points, d\].* x \["):
        drift.velocity(jnp.ones(x), jnp.ones(y), None)
    with pytest.raises(ValueError, match=r"\[points, d\]"):
        drift.update((), x=jnp.ones(x), y=jnp.ones(y), key=None)

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT, user_environment

FIGURES = {13: "asymmetry", 18: "gaussian_slopes", 24: "small_epsilon", 26: "far_modes", 29: "noise_floor"}


@pytest.mark.slow
def test_all_44_claims_are_checked_and_those_that_do_not_hold_are_explained(tmp_path):
    command = [sys.executable, "-m", "experiments.claims.run", "--out", tmp_path]
    done = subprocess.run(
        command, cwd=ROOT, env=user_environment(tmp_path), capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    page = (tmp_path / "README.md").read_text()
    rows = re.findall(r"^\| (\d+) \| .* \| (holds|does not hold) \|$", page, re.MULTILINE)
    assert {int(number) for number, _ in rows} == set(range(1, 45))
    assert "Not explained" not in page
    for number, name in FIGURES.items():
        assert (tmp_path / "figures" / f"claim_{number}_{name}.png").stat().st_size > 5000

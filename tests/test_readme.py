import re

import jax
import numpy as np
import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def ran(block):
    names = {}
    exec(compile(block, "README.md", "exec"), names)  # noqa: S102
    return names


@pytest.mark.slow
def test_the_drift_and_the_loop_of_ones_own_in_the_readme_run():
    names = ran(BLOCKS[1])
    assert names["v"].shape == (300, 2)
    assert names["x"].shape == (500, 2)
    assert int(names["state"].step) == 10


@pytest.mark.slow
def test_the_fit_in_the_readme_trains_and_plots(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len([line for line in BLOCKS[0].splitlines() if line.strip()]) <= 5
    result = ran(BLOCKS[0])["result"]
    assert result.status == "done"
    assert result.records[-1]["mmd2"] < result.records[0]["mmd2"] / 5
    assert np.isfinite(result.sample(jax.random.key(0), 20)).all()
    assert (tmp_path / "result.png").stat().st_size > 20_000

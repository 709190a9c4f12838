import inspect

import pytest

import gmdwgf
from gmdwgf.config.build import options


@pytest.mark.parametrize("name", options("drift"))
def test_every_drift_says_when_to_choose_it_how_it_fails_and_what_it_costs(name):
    text = inspect.getdoc(type(gmdwgf.load_drift(name)))
    for heading in ("Units: ", "Self term: ", "Choose: ", "Fails: ", "Cost: "):
        assert heading in text, heading
    assert "Flow of: " in text

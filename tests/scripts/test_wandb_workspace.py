import importlib.util
import runpy

import pytest

from gmdwgf.metrics.table import METRICS
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.skipif(
        not importlib.util.find_spec("wandb_workspaces"), reason="needs pip install 'gmdwgf[workspace]'"
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the library's own making
]


@pytest.fixture
def build():
    return runpy.run_path(str(ROOT / "scripts" / "wandb_workspace.py"))["build"]


@pytest.mark.thorough
def test_the_workspace_has_a_curve_by_drift_for_every_metric_and_the_pictures_that_runs_log(build):
    workspace = build("team", "project", "sweep")
    curves, finals, samples = workspace.sections
    assert {panel.y[0] for panel in curves.panels} == set(METRICS) - {"n_modes"} | {"v_rms"}
    assert {panel.groupby.name for panel in curves.panels + finals.panels} == {"drift._target_"}
    assert {panel.media_keys[0] for panel in samples.panels} == {"samples", "strip", "curves", "velocity"}


def test_the_workspace_can_be_sent_as_it_is(build):
    """What `save` would send, without the network."""
    text = build("team", "project", "a sweep")._to_model().model_dump_json(by_alias=True)
    for words in ('"metrics":["mmd2"]', '"groupBy":"drift.value._target_"', '"groupArea":"minmax"', '"a sweep"'):
        assert words in text

"""Jobs of a sweep that differ in values share one composition, which is the one that Hydra makes."""

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import OmegaConf

from gmdwgf.config.build import config_dir
from gmdwgf.launch.compositions import SharedCompositions
from tests.conftest import gmdwgf

ASKED = ["drift=kl,blob", "seed=0,1"]


@pytest.fixture(scope="module")
def hydra():
    """Hydra's loader, and the config of a sweep."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        yield loader, loader.load_configuration("train", ASKED, RunMode.MULTIRUN)


@pytest.fixture
def composed(hydra, monkeypatch):
    """Calls of Hydra's loader."""
    calls = []
    compose = type(hydra[0]).load_sweep_config
    monkeypatch.setattr(
        type(hydra[0]), "load_sweep_config", lambda self, *a: [calls.append(a[1]), compose(self, *a)][1]
    )
    return calls


CELLS = (
    ["drift=kl", "seed=1", "drift.bandwidth=0.3", "training.eta=1"],
    ["drift=kl", "training.eta=5e-1", "seed=2", "drift.bandwidth=null"],
    ["drift=kl", "seed=3", "paths.root='a b'", "tracking.progress=false"],
    ["drift=kl", "seed=4", "paths.root=${oc.env:HOME}"],
)


def test_a_shared_composition_is_that_of_hydra(hydra, composed):
    loader, sweep = hydra
    shared = SharedCompositions(loader)
    found = [shared.load_sweep_config(sweep, list(cell)) for cell in CELLS]
    assert composed == [["drift=kl"]]  # read once for all
    for cell, config in zip(CELLS, found, strict=True):
        expected = loader.load_sweep_config(sweep, list(cell))
        assert config == expected
        assert OmegaConf.to_yaml(config) == OmegaConf.to_yaml(expected)


@pytest.mark.parametrize(
    "cell",
    [
        ["drift=kl", "+mine=1", "seed=1"],
        ["drift=kl", "~drift.bandwidth", "seed=1"],
        ["drift=kl", "metrics.bandwidths=[1,2]"],
        ["drift=blob", "hydra.job.chdir=true", "seed=1"],
    ],
    ids=lambda cell: cell[1],
)
def test_what_is_more_than_a_value_is_left_to_hydra(hydra, cell):
    loader, sweep = hydra
    assert SharedCompositions(loader).load_sweep_config(sweep, list(cell)) == loader.load_sweep_config(
        sweep, list(cell)
    )


@pytest.mark.parametrize("wrong", ["drift.bandwith=1", "seed.a=1", "nope=1", "drift.a.b=1"])
def test_an_unknown_field_has_the_error_of_hydra(hydra, wrong):
    loader, sweep = hydra
    shared: ConfigLoader = SharedCompositions(loader)
    errors = []
    for each in (loader, shared):
        with pytest.raises(ConfigCompositionException) as error:
            each.load_sweep_config(sweep, ["drift=kl", "seed=1", wrong])
        errors.append(str(error.value))
    assert errors[0] == errors[1]


@pytest.mark.slow
def test_a_dry_sweep_says_how_many_jobs_there_are_before_it_composes_one(tmp_path):
    done = gmdwgf("-m", "drift=kl", "seed=0,1", "drift.bandwith=1,2", "--dry", cwd=tmp_path)
    assert done.returncode != 0
    assert done.stdout.splitlines()[0] == "4 jobs"

"""Sweeps of several grids, as `experiment=paper_toys` is one."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException

from gmdwgf.report import main
from gmdwgf.reports.contents import contents
from gmdwgf.runs.records import read_runs
from tests.conftest import gmdwgf

GRIDS = [{"drift": "kl", "drift.bandwidth": "0.1,1"}, {"drift": "deng", "drift.temperature": "0.3"}]


def jobs(*arguments, params=None, grids=GRIDS, size=None):
    Plugins.instance()  # loads anew what was imported before it looked for plugins
    from hydra_plugins.gmdwgf_grids import GridsSweeper

    sweeper = GridsSweeper(size, params or {}, grids)
    parsed = OverridesParser.create().parse_overrides([*(f"{k}={v}" for k, v in (params or {}).items()), *arguments])
    return sweeper.split_arguments(parsed, size)


def test_the_jobs_are_those_of_one_grid_after_the_other_times_the_common_axes():
    assert jobs("training.eta=0.5", params={"seed": "range(2)"}) == [
        [
            ["drift=kl", "drift.bandwidth=0.1", "seed=0", "training.eta=0.5"],
            ["drift=kl", "drift.bandwidth=0.1", "seed=1", "training.eta=0.5"],
            ["drift=kl", "drift.bandwidth=1", "seed=0", "training.eta=0.5"],
            ["drift=kl", "drift.bandwidth=1", "seed=1", "training.eta=0.5"],
            ["drift=deng", "drift.temperature=0.3", "seed=0", "training.eta=0.5"],
            ["drift=deng", "drift.temperature=0.3", "seed=1", "training.eta=0.5"],
        ]
    ]


def test_asking_for_a_drift_leaves_the_other_grids_out():
    assert jobs("drift=deng") == [[["drift=deng", "drift.temperature=0.3"]]]
    assert jobs("drift=deng,kl") == jobs()


def test_asking_for_values_replaces_an_axis():
    assert jobs("drift=kl", "drift.bandwidth=3", "seed=7", params={"seed": "range(2)"}) == [
        [["drift=kl", "drift.bandwidth=3", "seed=7"]]
    ]


def test_a_drift_without_a_grid_is_refused_and_those_there_are_are_named():
    with pytest.raises(HydraException, match=r"no grid .* it has drift=kl drift.bandwidth=0.1,1; drift=deng"):
        jobs("drift=blob")


def test_batches_are_as_large_as_asked():
    assert [len(batch) for batch in jobs(size=2)] == [2, 1]


def test_without_grids_it_is_the_sweeper_of_hydra():
    assert jobs("drift=kl,deng", "seed=0", grids=None) == [[["drift=kl", "seed=0"], ["drift=deng", "seed=0"]]]


@pytest.mark.slow
def test_every_cell_of_the_paper_toys_composes_and_builds():
    from hydra import compose, initialize_config_dir

    from gmdwgf.config.build import build, config_dir

    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=["experiment=paper_toys", "preset=full"], return_hydra_config=True)
        sweeper = cfg.hydra.sweeper
        (cells,) = jobs("experiment=paper_toys", params=dict(sweeper.params), grids=list(map(dict, sweeper.grids)))
        assert len(cells) == 12 * 4 * 4 * 5
        for cell in cells[::20]:  # one a drift and setting
            job = compose("train", overrides=cell)
            build(job.drift, "drift")
            assert job.training.n_steps == 2000  # preset=quick is the default


@pytest.mark.slow
def test_the_command_line_runs_the_grid_that_is_asked_for_and_the_report_reads_it(tmp_path):
    done = gmdwgf(
        "experiment=paper_toys",
        "drift=sliced_wasserstein",
        "drift.n_projections=4",
        "dataset=circles",
        "seed=0",
        "debug=tiny",
        "tracking.wandb.mode=disabled",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (ending,) = tmp_path.glob("runs/paper_toys/circles-sliced_wasserstein-*/DONE.json")
    assert main([str(tmp_path)]) == 0
    (run,) = contents(read_runs(tmp_path), tmp_path, tmp_path / "report.html")["runs"]
    assert (run["state"], run["frames"]["steps"], run["settings"]) == ("done", [0, 10, 20], {})
    assert "are ours" in (tmp_path / "report.html").read_text()

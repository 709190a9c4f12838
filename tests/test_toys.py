"""Findings about the paper's toys, from run folders and from runs."""

import pytest
import yaml

from experiments.toys import findings, sweep
from gmdwgf.config.build import config_dir
from gmdwgf.runs.records import read_runs
from tests.runs.folders import make_run

EDGE = 0.002  # the gap of these folders is 1000 times MMD^2, and its edge is 2


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two drifts, two settings and three seeds: `kl` is close with one setting, `mmd` with none, and diverges with one seed."""
    folder = tmp_path_factory.mktemp("sweep")
    for seed in range(3):
        for bandwidth, mmd2 in ((0.3, 0.5 * EDGE), (3.0, 90 * EDGE)):
            make_run(folder, mmd2=mmd2, drift="kl", drift__bandwidth=bandwidth, seed=seed)
        for bandwidth in (0.3, 3.0):
            state = "diverged" if (bandwidth, seed) == (0.3, 1) else "done"
            make_run(
                folder, state, mmd2=(5 + seed) * EDGE, drift="mmd", drift__kernel="gaussian",
                drift__bandwidth=bandwidth, seed=seed,
            )  # fmt: skip
    return read_runs(folder)


def test_counts_are_settings_with_binomial_intervals_over_the_seeds(runs):
    numbers = findings.numbers_of(runs)
    assert numbers["every/kl/close"].value == 1
    assert numbers["every/kl/close"].low < 1 < numbers["every/kl/close"].high
    assert numbers["every/mmd/close"].value == 0
    assert numbers["every/mmd/diverged"].value == pytest.approx(1 / 3)
    assert numbers["eight_gaussians/kl/diverged"][:2] == (0, 0)
    assert numbers["eight_gaussians/kl/diverged"].high > 0.5


def test_settings_are_scored_on_seeds_that_did_not_choose_them(runs):
    numbers = findings.numbers_of(runs)
    assert numbers["eight_gaussians/kl/mmd2"].value == pytest.approx(0.5 * EDGE)
    assert numbers["eight_gaussians/kl/gap"].value == pytest.approx(500 * EDGE)
    # Seed 1 of the first setting diverged: the other seeds choose that one for it, so there is no mean.
    assert "eight_gaussians/mmd/mmd2" not in numbers


def test_sentences_say_what_the_numbers_say(runs):
    numbers = findings.numbers_of(runs)
    text = "\n".join(findings.lines(runs, numbers))
    assert "12 runs, 3 seeds" in text
    assert "on all 1 datasets for `kl`, and on none for `mmd`" in text
    assert "Settings that diverged, mean over the seeds: `mmd` (0.33 of 2)." in text
    assert "| `kl` | 0.3: 0.001, 1 (0.5×) |" in text
    assert "| `mmd` | a chosen run diverged |" in text


@pytest.mark.parametrize(("preset", "n"), [("quick", 4 * 3), ("full", 4 * 5)])
def test_the_estimate_is_of_the_whole_sweep(preset, n, runs):
    assert sweep.n_repetitions(preset) == n
    for run in runs:
        run.ending["wall_seconds"] = 10.0 if run.drift == "kl" else 20.0
    whole = 2 * n * 10 + 2 * n * 20
    done = 6 * 10 + 6 * 20
    text = sweep.estimate(runs, preset)
    assert text.startswith(f"paper_toys, preset {preset}: {4 * n} runs, about {sweep.duration(whole)} ")
    assert f"{4 * n - 12} are left, about {sweep.duration(whole - done)}." in text


def test_the_sweep_has_the_families_of_the_paper_and_those_beside_them():
    grids = yaml.safe_load((config_dir() / "experiment/paper_toys.yaml").read_text())["hydra"]["sweeper"]["grids"]
    assert {grid["drift"] for grid in grids} >= {
        *("kl", "mean_shift", "kl_wgf", "deng", "deng_released", "sinkhorn_proxy", "sinkhorn"),
        *("mmd", "sliced_wasserstein", "critic", "critic_w1"),
    }
    assert {grid.get("drift.kernel") for grid in grids if grid["drift"] == "mmd"} == {"gaussian", "riesz"}
    assert all(len(values.split(",")) == 4 for grid in grids for key, values in grid.items() if "," in values)

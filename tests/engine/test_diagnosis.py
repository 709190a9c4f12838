"""What a run says of itself, from constructed records, and from trainings that fail in a few steps."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.config.memory import machine_bytes
from gmdwgf.drifts.wrappers.sum import SumDrift
from gmdwgf.engine.checkpoints import Checkpoints
from gmdwgf.engine.diagnosis import Diagnosis
from gmdwgf.launch.components import problem_of
from gmdwgf.reports.contents import contents
from gmdwgf.runs.__main__ import main
from gmdwgf.runs.records import read_runs
from gmdwgf.training.state import initial_state
from tests.launch.fitting import NUMBERS, OVERRIDES
from tests.runs.folders import make_run
from tests.training.common import small_problem

HELD_OUT = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
SAMPLES = np.random.default_rng(1).normal(size=(300, 2)).astype(np.float32)
STEPS = (0, 10, 20, 30, 40)
HEALTHY = {"v_rms": (1.72, 1.0, 0.99, 0.91, 0.77), "gap": (448.0, 59.3, 53.9, 46.9, 41.9)}


@functools.cache
def problem_with(drift="kl", optimizer="adam", generator="mlp", **fields):
    return small_problem(drift, generator, optimizer, changes={"drift": fields})


def said(problem, samples=SAMPLES, **logs):
    """All that is said of a run with these logs, one value or one for each of five evaluations, and the spread of its samples."""
    diagnosis = Diagnosis(problem, HELD_OUT)
    for i, step in enumerate(STEPS):
        at = lambda values, i=i: values[i] if isinstance(values, tuple) else values
        record = {name.replace("__", "/"): at(values) for name, values in (HEALTHY | logs).items()}
        diagnosis.look({"step": step, **record}, at(samples))
    return diagnosis.said


@pytest.mark.thorough
@pytest.mark.parametrize("drift", ["kl", "mmd", "deng", "sinkhorn", "kale", "sliced_wasserstein", "wflow"])
def test_nothing_is_said_of_a_run_that_improves(drift):
    logs = {
        "drift__effective_targets": 7.0,
        "drift__converged": (0.0, 1.0, 1.0, 1.0, 1.0),
        "drift__marginal_error": 1e-4,
    }
    assert not said(problem_with(drift), **logs)


def test_nothing_is_said_of_a_run_at_its_floor():
    assert not said(problem_with("mmd", kernel="gaussian"), v_rms=1e-5, gap=(1.0, 0.9, 1.1, 1.2, 1.3))
    assert not said(problem_with(), v_rms=0.2, gap=(1.0, 1.2, 1.9, 2.4, 3.1))


@pytest.mark.thorough
def test_a_solver_that_does_not_converge_is_named_with_an_epsilon_of_the_size_of_the_data():
    logs = {"drift__converged": (0.0, 1.0, 0.0, 0.0, 0.0), "drift__marginal_error": 0.25}
    (line,) = said(problem_with("sinkhorn", epsilon=1e-4), **logs)
    assert line.startswith("solver: not converged at 2 of the last 3 evaluations up to step 20 (marginal error 0.25")
    middle = np.median([np.linalg.norm(a - b) for i, a in enumerate(HELD_OUT) for b in HELD_OUT[:i]])
    assert f"try drift.epsilon={middle**2 / 200:.2g}" in line
    (line,) = said(problem_with("sinkhorn", max_iters=3), **logs)
    assert "try drift.max_iters=2000 (now 3)" in line
    (line,) = said(problem_with("kale"), drift__converged=0.0)
    assert "drift.regularisation=1 (now 0.1)" in line


def test_the_part_of_a_sum_that_does_not_converge_is_named():
    parts = gmdwgf.load_drift("mmd"), gmdwgf.load_drift("sinkhorn", epsilon=1e-4)
    problem = dataclasses.replace(small_problem(), drift=SumDrift(drifts=parts, weights=jnp.ones(2)))
    (line,) = said(problem, drift__1__converged=0.0, drift__1__marginal_error=0.25)
    assert "drift.drifts.1.epsilon=" in line


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("fields", "advice"),
    [
        (
            {"drift": "kl", "bandwidth": 0.01},
            "drift.bandwidth=0.01 is below the distance to the nearest target in a batch",
        ),
        ({"drift": "deng", "temperature": 0.001}, "drift.temperature=0.001 is below a quarter of the distance"),
        (
            {"drift": "mean_shift", "bandwidth": 9.0},
            "drift.bandwidth=9 is above the median distance of two data points",
        ),
        ({"drift": "sinkhorn", "self_term": "same_batch"}, "try drift.self_term=two_batch"),
        ({"drift": "mmd"}, "try smaller steps, optimizer.learning_rate=0.0033 (now 0.01)"),
        (
            {"drift": "mmd", "optimizer": "euler", "generator": "particles"},
            "try smaller steps, training.eta=0.33 (now 1)",
        ),
    ],
)
def test_a_collapse_is_told_with_the_setting_to_change(fields, advice):
    (line,) = said(problem_with(**fields), samples=0.02 * SAMPLES)
    share = 0.02 * np.sqrt(SAMPLES.var(axis=0).sum() / HELD_OUT.var(axis=0).sum())
    assert line.startswith(
        f"collapse: the spread of the samples is {100 * share:.2g} % of that of the data at step 20: "
    )
    assert advice in line


def test_the_suggested_bandwidth_is_the_distance_to_the_nearest_target_of_a_batch():
    problem = problem_with("kl", bandwidth=0.01)
    (line,) = said(problem, samples=0.02 * SAMPLES)
    batch = HELD_OUT[: problem.n_targets + 1]
    distances = np.linalg.norm(HELD_OUT[:, None] - batch, axis=-1)
    nearest = np.median(np.where(distances > 0, distances, np.inf).min(axis=1))
    assert line.endswith(f"try drift.bandwidth={nearest:.2g}")


def test_a_generator_that_begins_narrow_and_spreads_is_no_collapse():
    narrow = tuple(share * SAMPLES for share in (0.01, 0.05, 0.3, 0.9, 1.0))
    assert not said(problem_with(), samples=narrow)


def test_a_collapse_at_the_last_step_is_told():
    (line,) = said(problem_with(), samples=(SAMPLES,) * 4 + (0.01 * SAMPLES,))
    assert "at step 40" in line


def test_particles_that_see_one_target_each_are_told_with_a_bandwidth():
    (line,) = said(problem_with("kl", bandwidth=0.01), drift__effective_targets=(1.0, 1.01, 1.02, 1.0, 1.0))
    assert line.startswith(
        "no target in reach: the velocity of a particle comes from 1.02 targets on average at step 20"
    )
    assert "try drift.bandwidth=" in line
    assert not said(problem_with("kl", bandwidth=0.01), drift__effective_targets=(1.0, 1.5, 1.0, 1.0, 1.0))


def test_a_velocity_that_vanishes_far_from_the_data_is_told():
    gap = (400.0, 410.0, 420.0, 430.0, 440.0)
    (line,) = said(
        problem_with("mmd", kernel="gaussian", bandwidth=0.01), v_rms=(1e-6, 2e-6, 1e-6, 1e-7, 2e-7), gap=gap
    )
    assert line.startswith("no target in reach: |v| is 1e-06 at step 20, although the gap is 420.0")


def test_a_constant_velocity_while_the_gap_rises_is_told():
    gap = (448.0, 20.0, 22.0, 30.0, 45.0)
    (line,) = said(problem_with("mmd"), v_rms=(1.0, 0.5, 0.501, 0.502, 0.5), gap=gap)
    assert line.startswith("no progress: since step 10 the gap rose from 20.0 to 45.0, while |v| remained at 0.5")
    assert not said(problem_with("mmd"), v_rms=(1.0, 0.5, 0.52, 0.51, 0.5), gap=gap)
    assert not said(problem_with("mmd"), v_rms=0.5)


def test_each_kind_is_said_once_also_by_a_run_that_is_resumed():
    problem, record = problem_with("kl"), {"v_rms": 0.1, "gap": 50.0}
    first = Diagnosis(problem, HELD_OUT)
    lines = [first.look({"step": step, **record}, 0.01 * SAMPLES) for step in (10, 20, 30)]
    assert [len(found) for found in lines] == [0, 1, 0]
    again = Diagnosis(problem, HELD_OUT, first.said, first.past)
    assert not again.look({"step": 40, **record}, 0.01 * SAMPLES)
    before = Diagnosis(problem, HELD_OUT)
    before.look({"step": 10, **record}, 0.01 * SAMPLES)
    later = Diagnosis(problem, HELD_OUT, before.said, before.past)
    assert later.look({"step": 20, **record}, 0.01 * SAMPLES) == lines[1]


def test_samples_that_are_not_finite_are_left_to_the_divergence():
    assert not said(problem_with(), samples=np.full((300, 2), np.nan), gap=np.nan, v_rms=np.nan)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("numbers", "advice"),
    [
        ({"batch_size": 64}, "training.batch_size=32"),
        ({"batch_size": 16, "n_targets": 64}, "training.n_targets=32"),
        ({"batch_size": 64, "n_targets": 40}, None),
    ],
)
def test_a_batch_larger_than_the_data_is_told_at_the_start_and_a_fitting_one_is_not(numbers, advice):
    rows = HELD_OUT[:50]  # a fifth is held out
    problem = gmdwgf.make_problem(rows, "mmd", width=8, depth=1, **numbers)
    diagnosis = Diagnosis(problem, HELD_OUT)
    seen = f"repeated rows: a batch of 64 targets from 40 training rows contains rows several times: try {advice}"
    assert diagnosis.at_start() == ([seen] if advice else [])
    assert not diagnosis.at_start()


def test_warnings_stay_in_the_manifest_of_a_run_that_begins_again_and_are_shown(tmp_path, capsys):
    line = "collapse: the spread of the samples is 2 % of that of the data: try drift.bandwidth=0.8"
    job = make_run(tmp_path, "done", drift="kl")
    job.folder.warn([line])
    job.folder.warn([line, "solver: " + "x" * 600])
    job.folder.begin(job.yaml, {name: value for name, value in job.folder.manifest().items() if name != "warnings"})
    assert job.folder.warnings()[0] == line
    assert len(job.folder.warnings()) == 2
    (run,) = read_runs(tmp_path)
    assert run.warnings[0] == line
    assert not run.troubles
    (entry,) = contents([run], tmp_path, tmp_path / "page.html")["runs"]
    assert entry["warnings"] == run.warnings
    assert main(["status", str(tmp_path)]) == 0
    assert f"{run.id}: warning: {line}" in capsys.readouterr().out.splitlines()


UNSOLVED = ["drift.max_iters=2", "drift.epsilon=1e-4"]


@pytest.mark.thorough
def test_a_run_says_it_in_the_terminal_its_log_its_manifest_and_its_result(tmp_path, capsys):
    drift = gmdwgf.load_drift("sinkhorn", max_iters=2, epsilon=1e-4)
    result = gmdwgf.fit("eight_gaussians", drift, folder=tmp_path, **NUMBERS)
    (line,) = result.warnings
    assert line.startswith("solver: not converged")
    assert capsys.readouterr().out.count("warning: solver: not converged") == 1
    (run,) = read_runs(tmp_path)
    assert run.warnings == [line]
    assert (run.path / "train.log").read_text().count(f"warning: {line}") == 1
    assert gmdwgf.fit("eight_gaussians", drift, folder=tmp_path, **NUMBERS).warnings == [line]
    assert gmdwgf.fit("eight_gaussians", drift, **NUMBERS | {"progress": False}).warnings == [line]
    assert not capsys.readouterr().out


@pytest.mark.slow
def test_a_resumed_run_says_nothing_twice_and_remembers_its_evaluations(tmp_path):
    rows, seen = HELD_OUT[:50], []
    numbers = NUMBERS | {"batch_size": 64, "progress": False}
    halfway = lambda step, record, sample: step == 4
    first = gmdwgf.fit(rows, "mmd", folder=tmp_path, callbacks=halfway, **numbers)
    assert first.status == "interrupted"
    done = gmdwgf.fit(rows, "mmd", folder=tmp_path, callbacks=lambda step, *_: seen.append(step), **numbers)
    assert (done.status, seen) == ("done", [8])
    assert first.warnings == done.warnings
    assert (done.folder / "train.log").read_text().count("warning: repeated rows") == 1
    checkpoints = Checkpoints(done.folder / "checkpoints", str, writing=False)
    _, notes = checkpoints.restore(8, initial_state(problem_of(done.config), jax.random.key(0)))
    checkpoints.close()
    assert [seen["step"] for seen in notes["diagnosis"]] == [0, 4, 8]


@pytest.mark.slow
def test_each_run_of_a_vectorized_sweep_says_it_once_with_its_job(cli):
    launcher = ["hydra/launcher=vectorized", "hydra.launcher.how=one_by_one"]
    options = ["-m", "drift=sinkhorn", "seed=0,1", *UNSOLVED, *OVERRIDES, *launcher, "tracking.wandb.mode=disabled"]
    code, out, err = cli(*options)
    assert code == 0, err
    lines = [line for line in out.splitlines() if "warning: solver: not converged" in line]
    assert sorted(line.partition("]")[0] for line in lines) == ["[0", "[1"]


@pytest.mark.thorough
@pytest.mark.parametrize("drift", ["sinkhorn", "kale", "drmmd"])
def test_a_step_whose_pairs_do_not_fit_is_refused_before_it_compiles_with_a_batch_that_does(drift):
    n = 1 << int(np.sqrt(machine_bytes())).bit_length() + 1
    with pytest.raises(ConfigError) as refused:
        gmdwgf.fit("eight_gaussians", drift, batch_size=n, progress=False)
    assert refused.value.key == "training.batch_size"
    fitting = int(str(refused.value.fix).partition("at most training.batch_size=")[2].partition(" ")[0])
    needed = gmdwgf.load_drift(drift).n_stored(fitting, fitting) * 4
    assert machine_bytes() / 16 < needed <= machine_bytes()
    assert ("drift.solver=streamed" in refused.value.fix) == (drift == "sinkhorn")


def test_a_streamed_solver_stores_no_pairs():
    assert gmdwgf.load_drift("sinkhorn", solver="streamed").n_stored(10**6, 10**6) == 0
    assert gmdwgf.load_drift("mmd").n_stored(10**6, 10**6) == 0

"""Numbers that change during a run, and numbers that follow from the target."""

import itertools
import json
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import gmdwgf
from gmdwgf.config.build import ConfigError, config_dir, load_node
from gmdwgf.drifts.base import DriftOutput, StatelessDrift, Tags
from gmdwgf.launch.drift_fields import build_drift
from gmdwgf.launch.execute import execute
from gmdwgf.launch.spec import make_spec
from gmdwgf.optim import schedules
from gmdwgf.optim.schedules import value_at, with_value
from gmdwgf.training.problem import Problem
from gmdwgf.training.state import initial_state
from gmdwgf.training.step import train_chunk, train_step
from tests.training.common import run_steps, same_bits, small_problem

TARGET = gmdwgf.load_target("two_moons")
ANNEAL = {"schedule": "exponential", "start": 2.0, "end": 0.5, "n_steps": 10}


def built(name, **fields):
    return build_drift(OmegaConf.to_container(load_node("drift", name, {}), resolve=True) | fields, TARGET)


def with_schedules(**by_path) -> Problem:
    problem = small_problem()
    return Problem(**{name: getattr(problem, name) for name in problem.__dataclass_fields__} | {"schedules": by_path})


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (schedules.Constant(0.7), lambda t: 0.7),
        (schedules.Linear(2.0, 0.5, 8), lambda t: 2 - 1.5 * min(t / 8, 1)),
        (schedules.Exponential(2.0, 0.5, 8), lambda t: 2 * 0.25 ** min(t / 8, 1)),
        (schedules.Cosine(2.0, 0.5, 8), lambda t: 0.5 + 1.5 * (1 + np.cos(np.pi * min(t / 8, 1))) / 2),
        (schedules.Step([2.0, 1.0, 0.5], [3, 8]), lambda t: 2.0 if t < 3 else 1.0 if t < 8 else 0.5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_schedule_has_the_value_of_its_formula_at_every_step(schedule, expected):
    steps = jnp.arange(12)
    np.testing.assert_allclose(jax.vmap(schedule)(steps), [expected(t) for t in range(12)], rtol=1e-5)


@pytest.mark.thorough
def test_the_drift_at_a_step_has_the_scheduled_values_wherever_they_are():
    node = built("sum", weights=[1.0, {**ANNEAL, "start": 4.0, "end": 1.0}])
    problem = with_schedules()
    problem = Problem(**vars(problem) | {"drift": node.drift, "schedules": node.schedules})
    np.testing.assert_allclose(node.drift.weights, [1.0, 4.0])
    np.testing.assert_allclose(problem.drift_at(jnp.asarray(5)).weights, [1.0, 2.0], rtol=1e-6)
    nested = with_value(node.drift, "drifts.1.bandwidth", jnp.asarray(9.0))
    assert float(nested.drifts[1].bandwidth) == 9.0
    several = with_value(gmdwgf.load_drift("mmd", bandwidth=[1.0, 2.0]), "bandwidth", jnp.asarray(3.0))
    np.testing.assert_allclose(several.bandwidth, [3.0, 3.0])
    assert float(value_at(gmdwgf.load_drift("critic"), "optimizer.learning_rate")) == pytest.approx(1e-3)


@pytest.mark.slow
def test_a_step_moves_with_the_field_as_scheduled_and_logs_it():
    problem = with_schedules(bandwidth=schedules.Linear(1.0, 0.2, 4))
    state = jax.jit(initial_state)(problem, jax.random.key(0))
    one_step = jax.jit(train_step)
    for step in (0, 3):
        state = state.__class__(**vars(state) | {"step": jnp.asarray(step)})
        bandwidth = 1.0 - 0.2 * step
        fixed = Problem(**vars(problem) | {"drift": gmdwgf.load_drift("kl", bandwidth=bandwidth), "schedules": {}})
        moved, logs = one_step(problem, state)
        expected, _ = one_step(fixed, state)
        np.testing.assert_allclose(logs["drift/bandwidth"], bandwidth, rtol=1e-6)
        np.testing.assert_allclose(moved.params["out"]["kernel"], expected.params["out"]["kernel"], rtol=1e-4)


@pytest.mark.slow
def test_one_trace_serves_every_number_of_a_schedule():
    traces = []

    @jax.jit
    def chunk(problem, state):
        traces.append(1)
        return train_chunk(problem, state, jnp.asarray(3), chunk_size=3)

    problem = with_schedules(bandwidth=schedules.Exponential(1.0, 0.1, 20))
    state = jax.jit(initial_state)(problem, jax.random.key(0))
    for start, end, n_steps in itertools.product((1.0, 0.5), (0.2, 0.1), (20, 7)):
        chunk(with_schedules(bandwidth=schedules.Exponential(start, end, n_steps)), state)
    assert len(traces) == 1


@pytest.mark.slow
def test_a_run_with_a_schedule_does_not_depend_on_how_it_is_cut():
    problem = with_schedules(bandwidth=schedules.Cosine(1.0, 0.2, 9))
    assert same_bits(run_steps(problem, 10), run_steps(problem, 3, 4, 10))


def test_rules_may_stand_in_lists_in_parts_and_in_schedules():
    median = {"rule": "median"}
    assert built("mmd", kernel="gaussian", bandwidth=[1.0, median]).rules.keys() == {"drift.bandwidth.1"}
    drift, changing, rules, _ = built("kl", bandwidth={**ANNEAL, "start": median})
    assert rules.keys() == {"drift.bandwidth.start"}
    np.testing.assert_allclose(drift.bandwidth, changing["bandwidth"](jnp.asarray(0)))
    np.testing.assert_allclose(drift.bandwidth, rules["drift.bandwidth.start"], rtol=1e-6)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (
            {"bandwidth": {**ANNEAL, "schedule": "exponental"}},
            "drift.bandwidth.schedule=exponental: .*mean exponential",
        ),
        ({"bandwidth": {**ANNEAL, "strat": 1.0}}, "drift.bandwidth.strat=1.0: unknown; did you mean start"),
        ({"bandwidth": {**ANNEAL, "end": -1.0}}, "drift.bandwidth.end=-1.0: must be greater than 0"),
        (
            {"bandwidth": {**ANNEAL, "schedule": "linear", "end": -1.0}},
            "drift.bandwidth=-1.0: must be greater than 0, also at step 10 of its schedule",
        ),
        (
            {"bandwidth": {"schedule": "step", "values": [1, -1, 1], "boundaries": [3, 5]}},
            "drift.bandwidth=-1.0: must be greater than 0, also at step 3",
        ),
        ({"bandwidth": {"schedule": "step", "values": [1], "boundaries": [3]}}, "drift.bandwidth.values=.*2 numbers"),
        (
            {"bandwidth": {"schedule": "step", "values": [1, 2, 3], "boundaries": [5, 3]}},
            "drift.bandwidth.boundaries=.*ascending",
        ),
        ({"bandwidth": {"rule": "medain"}}, "drift.bandwidth.rule=medain: must be one of median, mean_distance"),
        ({"bandwidth": {"rule": "median", "facter": 1}}, "drift.bandwidth.facter=1: unknown; did you mean factor"),
        ({"bandwidth": {"rule": "median", "factor": 0}}, "drift.bandwidth.factor=0.0: must be greater than 0"),
        ({"bandwidth": {"shedule": "linear"}}, "drift.bandwidth=.*: must be a number; a mapping here is a rule or"),
    ],
)
def test_a_bad_rule_or_schedule_is_refused_by_its_key(fields, complaint):
    with pytest.raises(ConfigError, match=complaint):
        built("kl", **fields)


class Odd(StatelessDrift):
    """A drift with a field that was not declared as a number."""

    flavour: Any = eqx.field(static=True)

    def velocity(self, x, y, key, *, at=None, x_weights=None, y_weights=None) -> DriftOutput:
        raise NotImplementedError

    def tags(self) -> Tags:
        raise NotImplementedError


def test_only_real_numbers_can_have_a_schedule():
    node = {"_target_": f"{__name__}.Odd", "flavour": {"schedule": "constant", "value": 2.0}}
    with pytest.raises(ConfigError, match="drift.flavour=2.0: only real numbers can have a schedule"):
        build_drift(node, TARGET)


@pytest.mark.slow
def test_a_run_says_and_keeps_what_its_drift_is_made_of(tmp_path):
    anneal = "{schedule: linear, start: {rule: median, factor: 0.5}, end: 0.1, n_steps: ${training.n_steps}}"
    overrides = ["drift=kl", f"drift.bandwidth={anneal}", "debug=tiny", "tracking.wandb.mode=disabled"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=[*overrides, "tracking.progress=false", f"paths.root={tmp_path}"])
    job = make_spec(cfg, {"dataset": "eight_gaussians", "drift": "kl"})
    said, shown = [], []
    execute(job, said.append, shown.append)
    start = json.loads((job.folder.path / "manifest.json").read_text())["rules"]["drift.bandwidth.start"]
    records = gmdwgf.load_run(job.folder.path).records
    values = [record["drift/bandwidth"] for record in records]
    # After k steps the last step taken was number k - 1; before the first, number 0 is shown.
    expected = [start + (0.1 - start) * max(record["step"] - 1, 0) / 20 for record in records]
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert shown[0].startswith("KLDrift: ")
    assert "MLPGenerator: 140,546 parameters" in shown
    assert any("linear schedule" in line and "[data units (standard deviation)]" in line for line in shown)
    log = (job.folder.path / "train.log").read_text()
    assert all(line in log for line in shown)
    assert not any("KLDrift" in line for line in said)

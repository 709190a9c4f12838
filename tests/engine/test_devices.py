"""Runs spread over eight devices of one process, and over the devices of two and four processes."""

import json
import os
import re
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

import gmdwgf
from gmdwgf.config.fields import FieldError
from gmdwgf.engine import devices
from gmdwgf.engine.checkpoints import Checkpoints, from_host, to_host
from gmdwgf.engine.multihost import LOST, DevicesConfig
from gmdwgf.pairs import reductions
from gmdwgf.training.state import initial_state
from tests.conftest import gmdwgf as run_command
from tests.processes import start_several, wait_for
from tests.training.common import run_steps, small_problem

EIGHT = {"JAX_NUM_CPU_DEVICES": "8"}
COMMAND = ["+drift=kl", "debug=tiny", "training.n_steps=50", "training.eval_every=25", "training.checkpoint_every=25"]
ROUNDING = {"rtol": 1e-3, "atol": 2e-5}  # of 50 Adam steps in single precision, sums taken in another order
IN_DOUBLE = {"rtol": 1e-6, "atol": 1e-7}  # Adam magnifies the rounding of gradients near zero


def final_record(cwd):
    (folder,) = (cwd / "runs").iterdir()
    return gmdwgf.load_run(folder).records[-1]


def assert_same_numbers(one, other):
    assert one.keys() == other.keys()
    for name in one.keys() - {"seconds"}:
        np.testing.assert_allclose(one[name], other[name], err_msg=name, **ROUNDING)


@pytest.fixture(scope="module")
def on_one_device(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("one")
    done = run_command(*COMMAND, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return final_record(cwd)


def test_each_device_takes_its_rows_of_a_reduction():
    x, y = jnp.ones((16, 2)), jnp.ones((5, 2))
    with devices.active(devices.make_mesh(8)):
        sums = jax.jit(lambda x: reductions.over_points(lambda point: jnp.sum(point * y), x, 5))(x)
    assert sums.sharding.spec == PartitionSpec("data")
    assert sums.addressable_shards[0].data.shape == (2,)


@pytest.mark.thorough
@pytest.mark.parametrize("drift", ["kl", pytest.param("critic", marks=pytest.mark.slow)])
def test_fifty_steps_on_eight_devices_are_those_of_one(drift, x64):
    problem = small_problem(drift)
    one = to_host(run_steps(problem, 50))
    with devices.active(devices.make_mesh(8)):
        eight = to_host(run_steps(problem, 50))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **IN_DOUBLE), one, eight)


@pytest.mark.thorough
@pytest.mark.parametrize("drift", ["kl", pytest.param("critic", marks=pytest.mark.slow)])
def test_a_local_field_depends_on_its_parts_and_not_on_the_devices(drift, x64):
    local = {"training": {"batching": "sub_batches", "n_sub_batches": 8, "n_targets": 16}}
    problem = small_problem(drift, changes=local)
    one = to_host(run_steps(problem, 20))
    with devices.active(devices.make_mesh(4)):
        four = to_host(run_steps(problem, 20))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **IN_DOUBLE), one, four)


@pytest.mark.thorough
def test_in_a_local_field_a_part_sees_only_its_own_targets(clouds):
    x, y = (jnp.asarray(cloud[:12]) for cloud in clouds)
    drift, key = gmdwgf.load_drift("mmd"), jax.random.key(0)
    local = small_problem("mmd", changes={"training": {"batching": "sub_batches", "n_sub_batches": 3, "n_targets": 24}})
    output, _ = local.drift_at(0.0).update((), x, y, key)
    for part in range(3):
        rows = slice(4 * part, 4 * part + 4)
        np.testing.assert_allclose(output.v[rows], drift.velocity(x[rows], y[rows], key).v, rtol=1e-6, atol=1e-7)


@pytest.mark.thorough
def test_a_checkpoint_of_eight_devices_is_resumed_on_one_and_back(tmp_path, x64):
    problem = small_problem()
    state = run_steps(problem, 50)
    uninterrupted = to_host(state)
    checkpoints = Checkpoints(tmp_path, print)
    for stop, n_devices in ((20, 8), (35, 1), (50, 8)):
        with devices.active(devices.make_mesh(n_devices)):
            fresh = jax.jit(initial_state)(problem, jax.random.key(0))
            found = checkpoints.latest(fresh)
            state = from_host(found[0], fresh) if found else fresh
            assert len(state.params["out"]["bias"].sharding.device_set) == n_devices
            checkpoints.save(run_steps(problem, stop, state=state), 0.0, {})
    resumed = checkpoints.latest(state)[0]
    checkpoints.close()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **IN_DOUBLE), resumed, uninterrupted)


def test_the_manifest_records_the_devices_that_a_run_uses():
    for n in (1, 8):
        found = devices.facts(devices.make_mesh(n))
        assert found == {"platform": "cpu", "kind": "cpu", "n": n, "processes": 1}


def start_processes(n, n_devices, cwd, *more):
    return start_several(n, *COMMAND, *more, cwd=cwd, env={"JAX_NUM_CPU_DEVICES": str(n_devices)})


@pytest.mark.parametrize(
    ("n", "n_devices"), [pytest.param(2, 4, marks=pytest.mark.slow), pytest.param(4, 2, marks=pytest.mark.slow)]
)
def test_several_processes_make_the_run_of_one(n, n_devices, tmp_path, on_one_device):
    processes = start_processes(n, n_devices, tmp_path)
    outputs = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0] * n, outputs
    assert_same_numbers(final_record(tmp_path), on_one_device)
    assert "trained in" in outputs[0][0]
    (manifest,) = tmp_path.glob("runs/*/manifest.json")
    assert json.loads(manifest.read_text())["devices"] | {"kind": ""} == {
        "platform": "cpu",
        "kind": "",
        "n": n * n_devices,
        "processes": n,
    }
    assert all("gmdwgf" not in output[0] for output in outputs[1:])  # only process 0 speaks
    again = start_processes(n, n_devices, tmp_path)
    outputs = [process.communicate(timeout=240) for process in again]
    assert "already done" in outputs[0][0]


@pytest.mark.slow
def test_a_lost_process_ends_the_run_clearly_and_fewer_go_on(tmp_path, on_one_device):
    first, second = start_processes(2, 2, tmp_path, "training.chunk_size=1", "training.checkpoint_every=1")
    wait_for(lambda: list(tmp_path.glob("runs/*/checkpoints/[5-9]")), first)
    os.kill(second.pid, signal.SIGKILL)
    second.communicate()
    _, said = first.communicate(timeout=120)
    assert first.returncode != 0
    assert said.endswith(LOST)
    done = run_command(*COMMAND, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"resuming at step [1-9]\d* of 50", done.stdout)
    assert_same_numbers(final_record(tmp_path), on_one_device)


@pytest.mark.slow
def test_a_batch_that_the_devices_cannot_share_is_refused_with_the_nearest(tmp_path):
    done = run_command("+drift=kl", "training.batch_size=60", cwd=tmp_path, env=EIGHT)
    assert done.returncode == 2
    assert re.search("training.batch_size=60: .* 8 devices; .*56 or 64", done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["devices.n=3"], "devices.n=3: .* 1 "),
        (["devices.n=0"], "devices.n=0: must be null or .* at least 1"),
        (["devices.process=0"], "devices.coordinator=null: .*n_processes and process"),
        (
            ["training.batching=sub_batches", "training.n_sub_batches=7"],
            "training.batch_size=512: .*n_sub_batches=7",
        ),
    ],
)
def test_devices_that_are_not_there_are_refused_by_name(arguments, key, tmp_path):
    done = run_command("+drift=kl", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(key, done.stderr)
    assert "Traceback" not in done.stderr


def test_one_device_needs_no_mesh():
    assert devices.make_mesh(1) is None
    with pytest.raises(FieldError, match="there are only 8"):
        devices.make_mesh(9)


def test_a_process_number_beyond_the_group_is_refused():
    with pytest.raises(FieldError, match="less than n_processes=2"):
        DevicesConfig(coordinator="here:1", n_processes=2, process=2)

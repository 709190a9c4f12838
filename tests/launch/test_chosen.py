import jax
import jax.numpy as jnp
import pytest
from hydra import compose as hydra_compose, initialize_config_dir
from omegaconf import OmegaConf

import gmdwgf
from gmdwgf.config.build import build, config_dir, options
from gmdwgf.config.composition import compose
from gmdwgf.launch.chosen import NUMBERED, as_node, choose
from gmdwgf.optim.schedules import Exponential
from gmdwgf.runs.identity import run_id
from gmdwgf.training.state import initial_state
from gmdwgf.training.step import train_chunk
from tests.launch.fitting import NUMBERS
from tests.training.common import same_bits


@pytest.mark.thorough
@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"drift": "sum", "dataset": "pinwheel", "optimizer": "sgd"},
        {"generator": "particles"},
        {"generator": "particles", "optimizer": "adamw"},
        {"generator": "dit_tiny", "dataset": "image_latents", "features": "digits", "condition": "classes"},
    ],
    ids=str,
)
def test_a_config_is_composed_as_by_hydra(choices):
    with initialize_config_dir(str(config_dir().resolve()), version_base="1.3"):
        by_hydra = hydra_compose("train", overrides=[f"{group}={name}" for group, name in choices.items()])
    plain = lambda cfg: OmegaConf.to_container(cfg, resolve=True)
    assert plain(by_hydra) == plain(compose(choices))
    assert run_id(plain(by_hydra)) == run_id(plain(compose(choices)))


@pytest.mark.thorough
@pytest.mark.parametrize("name", options("drift"))
def test_a_drift_is_written_as_the_config_that_makes_it(name):
    drift = gmdwgf.load_drift(name)
    node = as_node(drift)
    assert same_bits(build(node, "drift"), drift)
    by_name, by_object = choose("eight_gaussians", name), choose("eight_gaussians", drift)
    assert run_id(by_name.config()) == run_id(by_object.config())
    assert (
        by_object.choices["drift"] == name
        or node["_target_"] == as_node(gmdwgf.load_drift(by_object.choices["drift"]))["_target_"]
    )


@pytest.mark.thorough
def test_no_name_is_a_field_of_two_groups():
    for generator in options("generator"):
        for optimizer in options("optimizer"):
            cfg = compose({"generator": generator, "optimizer": optimizer})
            names = [name for group in NUMBERED for name in cfg[group] if name not in ("_target_", "schedule")]
            assert len(names) == len(set(names)), (generator, optimizer)


def test_a_yaml_file_of_ones_own_is_a_choice(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("_target_: gmdwgf.drifts.kl.KLDrift\nbandwidth: 2.0\nself_term: keep\n")
    assert float(gmdwgf.make_problem("eight_gaussians", str(path)).drift.bandwidth) == 2.0


@pytest.mark.thorough
def test_free_particles_bring_their_optimiser_by_name_and_as_an_object():
    for generator in ("particles", gmdwgf.generators.ParticlesGenerator(1.0)):
        problem = gmdwgf.make_problem("eight_gaussians", "mmd", generator=generator)
        assert float(problem.optimizer.learning_rate) == 0.5
        assert float(problem.ema_decay) == 0.0
        assert float(gmdwgf.make_problem("eight_gaussians", "mmd", generator=generator, ema_decay=0.5).ema_decay) == 0.5


@pytest.mark.thorough
def test_schedules_are_those_of_the_command():
    problem = gmdwgf.make_problem("eight_gaussians", "kl", schedules={"bandwidth": Exponential(1.0, 0.1, 20)})
    assert float(problem.drift.bandwidth) == 1.0
    assert float(problem.scheduled(jnp.asarray(20))["bandwidth"]) == pytest.approx(0.1)
    chosen = choose("eight_gaussians", gmdwgf.load_drift("kl"), schedules={"bandwidth": Exponential(1.0, 0.1, 20)})
    assert chosen.config()["drift"]["bandwidth"] == {
        "schedule": "exponential",
        "start": 1.0,
        "end": 0.1,
        "n_steps": 20.0,
    }


def small():
    numbers = {name: NUMBERS[name] for name in ("batch_size", "n_steps", "width", "depth", "noise_dim")}
    return gmdwgf.make_problem("eight_gaussians", "kl", **numbers)


@pytest.mark.slow
def test_a_loop_of_ones_own_takes_the_steps_of_the_package():
    problem, key = small(), jax.random.key(0)
    state = gmdwgf.initial_state(problem, key)
    step = jax.jit(gmdwgf.train_step)
    for _ in range(3):
        state, logs = step(problem, state)
    assert {"loss", "v_rms", "grad_norm", "learning_rate"} <= set(logs)
    assert problem.generator.sample(state.ema_params, jax.random.key(1), 5).shape == (5, 2)
    chunk, _ = train_chunk(problem, initial_state(problem, key), jnp.asarray(3), chunk_size=3)
    assert same_bits(chunk, state)


@pytest.mark.slow
def test_a_first_state_shares_no_memory_with_its_key_or_within_itself():
    problem, key = small(), jax.random.key(0)
    for start in (initial_state(problem, key), jax.jit(initial_state)(problem, key)):
        state, _ = train_chunk(problem, start, jnp.asarray(1), chunk_size=1)  # it uses up what it is given
        assert int(state.step) == 1
        assert not key.is_deleted()
        jax.random.normal(key)

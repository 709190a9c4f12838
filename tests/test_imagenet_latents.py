"""The published ImageNet runs: each takes a step when made tiny, and their cost is what it is said to be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments.imagenet_latents import cost
from gmdwgf.config.build import config_dir
from gmdwgf.generators.dit import DiTGenerator
from gmdwgf.launch.components import problem_of
from gmdwgf.training.state import initial_state
from gmdwgf.training.step import train_chunk

TINY = [
    "debug=tiny",
    "generator.shape=[4,4,2]",
    "generator.width=16",
    "generator.depth=2",
    "generator.n_heads=2",
    "training.batch_size=8",
    "training.n_targets=8",
]


def composed(name, overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=[f"experiment=imagenet_latents/{name}", *overrides])
    return OmegaConf.to_container(cfg, resolve=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["b2_ablation", "b2", "l2"])
def test_a_published_run_takes_its_first_step_when_made_tiny(name, tmp_path):
    np.save(tmp_path / "latents.npy", np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32))
    problem = problem_of(composed(name, [*TINY, f"dataset.path={tmp_path / 'latents.npy'}"]))
    state = jax.jit(initial_state)(problem, jax.random.key(0))
    state, logs = train_chunk(problem, state, jnp.asarray(1), chunk_size=1)
    assert int(state.step) == 1
    assert np.isfinite(float(logs["loss"]))
    assert float(jnp.abs(state.params["head"]["out"]["kernel"]).max()) > 0


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "n_particles"), [("b2_ablation", 64 * 64), ("b2", 128 * 64), ("l2", 128 * 64)])
def test_the_published_numbers_stand_in_the_configs(name, n_particles):
    config = composed(name, [])
    assert config["training"]["batch_size"] == n_particles
    optimizer, steps = config["optimizer"], config["training"]["n_steps"]
    warmup = {"b2_ablation": 5000, "b2": 10000, "l2": 10000}[name]
    np.testing.assert_allclose(optimizer["schedule"]["warmup_fraction"] * steps, warmup)
    numbers = [optimizer[key] for key in ("learning_rate", "weight_decay", "b1", "b2", "clip_norm")]
    of_paper = {"b2_ablation": (2e-4, 0.01), "b2": (4e-4, 0.0), "l2": (4e-4, 0.01)}[name]
    assert numbers == [*of_paper, 0.9, 0.95, 2.0]


@pytest.mark.slow
def test_the_count_of_operations_is_that_of_the_matrix_products():
    width, depth, n_tokens, n_registers = 256, 3, 64, 16
    fields = {"shape": [16, 16, 4], "patch_size": 2, "width": width, "depth": depth, "n_heads": 4}
    fields |= {"n_registers": n_registers, "n_styles": 32, "n_codes": 64, "compute_dtype": "float32", "remat": False}
    generator, length, hidden = DiTGenerator(**fields), n_tokens + n_registers, 704
    per_token = 4 * width**2 + 3 * width * hidden  # queries, keys, values, output; gate, up, output
    block = 2 * length * per_token + 2 * 2 * length**2 * width
    forward = depth * block
    assert 1 < cost.generator_flops(generator, 4) / (4 * 3 * forward) < 1.15  # ends, modulation, norms and softmax
    again = cost.generator_flops(DiTGenerator(**(fields | {"remat": True})), 4) - cost.generator_flops(generator, 4)
    assert 1 < again / (4 * forward) < 1.15


def test_the_encoder_counts_as_its_convolutions():
    # Nearly every convolution of a ResNet whose width doubles where its side halves costs as much as any other.
    width, side = 640, 32
    np.testing.assert_allclose(cost.encoder_flops(width), 32 * 2 * 9 * width**2 * side**2, rtol=0.06)

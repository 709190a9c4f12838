"""What a step of the published ImageNet runs costs. Nothing is allocated and nothing is run.

    python -m experiments.imagenet_latents.cost --tflops 989 --utilisation 0.4 --devices 8

Generator: forward and backward as XLA counts them before optimisation (`cost_analysis`), with all arrays abstract.
Encoder: the multiplications of the convolutions of the published feature encoder (Deng et al. 2026, arXiv:2602.04770, A.3),
by formula, since this repository does not have it; twice forward for generated latents (forward, and backward to the input)
and forward for targets and unconditional samples. Drift, optimiser and averages are left out: small beside these.
"""

import argparse
import functools
import math
from unittest import mock

import jax
import jax.numpy as jnp
from hydra import compose, initialize_config_dir

from gmdwgf.config.build import build, config_dir
from gmdwgf.generators.base import Condition, n_parameters

N_CLASSES = 1000
# Classes in a step; generated, positive and unconditional latents for each; width of the encoder (Table 8).
RUNS = {"b2_ablation": (64, 64, 64, 16, 256), "b2": (128, 64, 128, 32, 640), "l2": (128, 64, 64, 32, 640)}


def generator_flops(generator, n: int, n_classes: int = N_CLASSES) -> float:
    """Operations of forward and backward through the generator for `n` particles."""
    dim, key = math.prod(generator.shape), jax.random.key(0)
    params = jax.eval_shape(lambda: generator.init(key, n, dim, n_classes))
    condition = jax.eval_shape(lambda: Condition(jnp.zeros(n, jnp.int32), jnp.zeros(n, jnp.float32)))
    goal = jax.ShapeDtypeStruct((n, dim), jnp.float32)

    def loss(params, condition, goal):
        return jnp.mean((generator.sample(params, key, n, condition) - goal) ** 2)

    # XLA counts the body of a loop once, so the loop over blocks is written out.
    with mock.patch.object(jax.lax, "scan", functools.partial(jax.lax.scan, unroll=True)):
        counted = jax.jit(jax.grad(loss)).lower(params, condition, goal).cost_analysis()
    assert counted is not None
    return counted["flops"]


def encoder_flops(width: int, side: int = 32, channels: int = 4) -> float:
    """Operations of one forward pass of the ResNet-34 encoder for one latent."""
    conv = lambda n_in, n_out, size, side: 2.0 * size**2 * n_in * n_out * side**2
    total, n_in = conv(channels, width, 3, side), width
    for stage, n_blocks in enumerate((3, 4, 6, 3)):
        n_out, pixels = width * 2**stage, side // 2**stage
        total += conv(n_in, n_out, 3, pixels) + conv(n_out, n_out, 3, pixels) * (2 * n_blocks - 1)
        total += conv(n_in, n_out, 1, pixels) if n_in != n_out else 0.0
        n_in = n_out
    return total


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        "python -m experiments.imagenet_latents.cost",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tflops", type=float, default=989.0, help="peak of a device in bfloat16 (H100 SXM: 989)")
    parser.add_argument("--utilisation", type=float, default=0.4, help="share of the peak that is reached")
    parser.add_argument("--devices", type=int, default=8)
    given = parser.parse_args()
    print(f"assumed: {given.devices} devices of {given.tflops:g} TFLOP/s at {given.utilisation:.0%}")
    print(
        "| run | parameters | generator, PFLOP a step | encoder, PFLOP a step | steps | days, generator | days, both |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, (classes, generated, positive, unconditional, width) in RUNS.items():
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            cfg = compose("train", overrides=[f"experiment=imagenet_latents/{name}"])
        generator, n = build(cfg.generator, "generator"), cfg.training.batch_size
        if n != classes * generated:
            raise SystemExit(f"training.batch_size={n}: the table above says {classes} x {generated}")
        count = n_parameters(generator, n, math.prod(generator.shape), N_CLASSES)
        ours = generator_flops(generator, n) / 1e15
        encoder = classes * (2 * generated + positive + unconditional) * encoder_flops(width) / 1e15
        days = lambda petaflop, steps=cfg.training.n_steps: (
            petaflop * 1e3 * steps / (given.tflops * given.utilisation * given.devices) / 86400
        )
        row = [name, f"{count / 1e6:.1f}M", f"{ours:.2f}", f"{encoder:.2f}", str(cfg.training.n_steps)]
        print("| " + " | ".join([*row, f"{days(ours):.1f}", f"{days(ours + encoder):.1f}"]) + " |", flush=True)


if __name__ == "__main__":
    main()

"""Every YAML composes, builds, and trains under debug=tiny."""

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from gmdwgf.config.build import build, config_dir, options
from gmdwgf.launch.drift_fields import build_drift

GROUPS = [
    (group, name)
    for group in (
        "dataset",
        "drift",
        "generator",
        "optimizer",
        "training",
        "metrics",
        "tracking",
        "condition",
        "features",
        "manifold",
        "preset",
        "experiment",
        "debug",
    )
    for name in options(group)
]


@pytest.mark.thorough
@pytest.mark.parametrize(("group", "name"), GROUPS)
def test_every_config_composes_and_builds(group, name, tmp_path):
    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(50, 3)))
    overrides = [f"{group}={name}"] + ([f"dataset.path={tmp_path / 'points.npy'}"] if name == "array" else [])
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=overrides)
    config = OmegaConf.to_container(cfg, resolve=True)
    target = build(config["dataset"], "dataset")
    build_drift(config["drift"], target)  # with the lengths that follow from the data
    for piece in ("generator", "optimizer", "training", "metrics", "tracking", group):
        if piece in config and piece not in ("dataset", "drift"):
            build(config[piece], piece)

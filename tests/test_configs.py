"""Every YAML composes, builds, and trains under debug=tiny."""

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from gmdwgf.config.build import build, config_dir, options

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
    for piece in ("dataset", "drift", "generator", "optimizer", "training", "metrics", "tracking", group):
        if piece in cfg:
            build(cfg[piece], piece)

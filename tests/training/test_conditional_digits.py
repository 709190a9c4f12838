"""Digits by class, with guidance, in features: composed as a user would, and gone through with shapes alone or for a few steps."""

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

import gmdwgf
from gmdwgf.configuration import ConfigError, config_dir
from gmdwgf.sweeps import job as jobs

DIGITS = [
    "dataset=image_latents",
    "dataset.labels=true",
    "debug=tiny",
    "training.batch_size=60",
    "devices.n=1",
    "drift=sinkhorn_steps",
]
TINY = [
    "generator.width=16",
    "generator.depth=1",
    "training.n_steps=4",
    "training.eval_every=2",
    "tracking.wandb.mode=disabled",
]


def job_of(tmp_path, *overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=[*DIGITS, *TINY, *overrides, f"paths.root={tmp_path}"])
    return jobs.describe(cfg, {})


@pytest.mark.parametrize(
    "overrides",
    [
        ["condition=classes"],
        ["condition=classes", "condition.guidance=negatives", "condition.n_groups=5", "features=digits"],
        ["condition=classes", "condition.guidance=velocity", "features=identity"],
        ["features=digits", "features.scale=running"],
    ],
    ids=" ".join,
)
def test_a_step_has_its_shapes(overrides, tmp_path):
    jobs.check(job_of(tmp_path, *overrides))


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["condition=classes", "dataset.labels=false"], "condition.n_groups=10: needs a target with labels"),
        (["condition=classes", "condition.n_groups=7"], "condition.n_groups=7: must divide training.batch_size=60"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(overrides, says, tmp_path):
    with pytest.raises(ConfigError, match=says):
        jobs.check(job_of(tmp_path, *overrides))


def test_a_conditional_run_with_guidance_ends_with_its_figures(tmp_path):
    job = job_of(tmp_path, "condition=classes", "condition.guidance=velocity")
    assert jobs.carry_out(job, str, str)["status"] == "done"
    assert {path.stem for path in job.folder.figures.iterdir()} >= {"samples", "strip", "curves"}
    assert np.isfinite(gmdwgf.load_run(job.folder.path).samples).all()

"""Digits by class, with guidance, in features: composed as a user would, and gone through with shapes alone or for a few steps."""

import jax
import numpy as np
import pytest
from hydra import compose, initialize_config_dir

import gmdwgf
from gmdwgf.config.build import ConfigError, build, config_dir, load_node
from gmdwgf.launch.execute import check, execute
from gmdwgf.launch.spec import make_spec

DIGITS = [
    "dataset=image_latents",
    "dataset.labels=true",
    "debug=tiny",
    "training.batch_size=60",
    "devices.n=1",
    "drift=kl",
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
    return make_spec(cfg, {})


@pytest.mark.slow
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
    check(job_of(tmp_path, *overrides))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["condition=classes", "dataset.labels=false"], "condition.n_groups=10: needs a target with labels"),
        (["condition=classes", "condition.n_groups=7"], "condition.n_groups=7: must divide training.batch_size=60"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(overrides, says, tmp_path):
    with pytest.raises(ConfigError, match=says):
        check(job_of(tmp_path, *overrides))


@pytest.mark.slow
def test_a_conditional_run_with_guidance_ends_with_its_figures(tmp_path):
    job = job_of(tmp_path, "condition=classes", "condition.guidance=velocity")
    assert execute(job, str, str)["status"] == "done"
    assert {path.stem for path in job.folder.figures.iterdir()} >= {"samples", "strip", "curves"}
    run = gmdwgf.load_run(job.folder.path)
    assert np.isfinite(run.samples).all()
    assert 0 <= run.records[-1]["class_accuracy"] < 0.6  # four steps teach no class


@pytest.mark.slow
def test_the_classifier_agrees_with_the_labels_of_held_out_pictures_and_not_with_others():
    target, suite = gmdwgf.load_target("image_latents", labels=True), load_suite()
    reference = suite.prepare(target, jax.random.key(0))
    points, labels = target.labelled_held_out()
    assert 0.9 < reference.floor["class_accuracy"].mean < 1
    assert reference.floor["class_accuracy"].sd == pytest.approx(0.007, abs=0.002)
    agrees = suite.evaluate(points[:128], reference, labels[:128])["class_accuracy"]
    assert agrees == pytest.approx(reference.floor["class_accuracy"].mean, abs=0.08)
    assert suite.evaluate(points[:128], reference, (labels[:128] + 1) % 10)["class_accuracy"] < 0.1
    assert "class_accuracy" not in suite.evaluate(points[:128], reference)


def load_suite():
    return build(load_node("metrics", "default", {"n_samples": 128, "n_assignment": 32, "n_floor_draws": 2}), "metrics")

"""A number that the options of a run ignore cannot be set, so that it cannot make a second run with the same results."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import gmdwgf
from gmdwgf.config.build import ConfigError, build, config_dir, options
from gmdwgf.config.composition import compose as compose_without_hydra
from gmdwgf.launch.components import build_components
from gmdwgf.launch.ignored import check_ignored
from gmdwgf.launch.spec import make_spec
from gmdwgf.runs.folder import manifest

TARGET = gmdwgf.load_target("two_moons")
DEFAULTS = {"dataset": "eight_gaussians", "drift": "sinkhorn", "optimizer": "adam", "training": "default"}
DEFAULTS |= {"generator": "mlp", "condition": None, "features": None}


def checked(*overrides):
    """Check the config that overrides compose."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=list(overrides))
    choices = dict(override.split("=") for override in overrides if "." not in override.split("=")[0])
    check_ignored(OmegaConf.to_container(cfg, resolve=True), DEFAULTS | choices, TARGET)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        (
            ["drift=mmd", "drift.bandwidth=0.3"],
            "drift.bandwidth=0.3: is ignored with kernel=energy, read with kernel=gaussian or laplace or imq or matern or heat; "
            "leave it at 1.0",
        ),
        (["drift=mmd", "drift.bandwidth=[1.0]"], "drift.bandwidth=[1.0]: is ignored"),
        (["drift=mmd", "drift.bandwidth={rule: median}"], "drift.bandwidth={'rule': 'median'}: is ignored"),
        (
            ["drift=mmd", "drift.kernel=imq", "drift.exponent=0.5"],
            "drift.exponent=0.5: is ignored with kernel=imq, read w",
        ),
        (["drift=sum", "drift.drifts.0.exponent=0.5"], "drift.drifts.0.exponent=0.5: is ignored"),
        (["drift=critic", "drift.ratio_clip=3"], "drift.ratio_clip=3: is ignored with objective=kl"),
        (
            ["drift=critic", "drift.optimizer.schedule.final_fraction=0"],
            "drift.optimizer.schedule.final_fraction=0: is",
        ),
        (
            ["drift=f_divergence", "drift.divergence=kl", "drift.ratio_clip=3"],
            "drift.ratio_clip=3: is ignored with div",
        ),
        (["training.n_sub_batches=4"], "training.n_sub_batches=4: is ignored with batching=full"),
        (["training.refresh_every=5"], "training.refresh_every=5: is ignored as all rows are in memory"),
        (["optimizer=euler", "optimizer.schedule.final_fraction=0.5"], "optimizer.schedule.final_fraction=0.5: is ign"),
        (["condition=classes", "condition.n_unconditional=8"], "condition.n_unconditional=8: is ignored with guidance"),
        (["features=identity", "features.scale_decay=0.5"], "features.scale_decay=0.5: is ignored with scale=batch"),
        (["generator.depth=0", "generator.width=9"], "generator.width=9: is ignored with depth=0; leave it at 256"),
        (
            ["generator=dit_tiny", "generator.n_styles=0", "generator.n_codes=64"],
            "generator.n_codes=64: is ignored with",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_ignored_number_is_refused_with_the_option_that_reads_it(overrides, complaint):
    with pytest.raises(ConfigError) as refused:
        checked(*overrides)
    assert str(refused.value).startswith(complaint)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "overrides",
    [
        ["drift=mmd", "drift.kernel=gaussian", "drift.bandwidth=0.3"],
        ["drift=mmd", "drift.kernel=riesz", "drift.exponent=0.5"],
        ["drift=mmd", "drift.bandwidth=1"],
        ["drift=critic", "drift.objective=js", "drift.ratio_clip=3"],
        ["training.batching=sub_batches", "training.n_sub_batches=4"],
        ["generator=dit_tiny", "generator.n_styles=0"],
        ["optimizer.schedule.decay=constant"],
    ],
    ids=" ".join,
)
def test_a_number_that_is_read_or_left_as_it_is_is_accepted(overrides):
    checked(*overrides)


@pytest.mark.thorough
@pytest.mark.parametrize("group", ["drift", "optimizer", "generator", "training", "condition"])
def test_every_shipped_config_leaves_what_it_ignores(group):
    for name in options(group):
        cfg = OmegaConf.to_container(compose_without_hydra({group: name}), resolve=True)
        check_ignored(cfg, DEFAULTS | {group: name}, TARGET)


def test_a_new_run_is_refused_and_one_that_has_begun_goes_on(tmp_path):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=["drift=mmd", "drift.bandwidth=0.3", "debug=tiny", f"paths.root={tmp_path}"])
    spec = make_spec(cfg, {"dataset": "eight_gaussians", "drift": "mmd"})
    with pytest.raises(ConfigError, match="drift.bandwidth=0.3: is ignored"):
        build_components(spec)
    spec.folder.path.mkdir(parents=True)
    spec.folder.begin(spec.yaml, manifest(spec.id, spec.command))
    build_components(spec)


def test_arguments_of_python_are_held_to_the_same():
    with pytest.raises(ConfigError, match="drift.bandwidth=0.3: is ignored"):
        gmdwgf.make_problem("two_moons", gmdwgf.load_drift("mmd", bandwidth=0.3))
    with pytest.raises(ConfigError, match="training.n_sub_batches=4: is ignored"):
        gmdwgf.fit("two_moons", "kl", n_sub_batches=4)


class Own(gmdwgf.drifts.KLDrift):
    """A drift of a user, of which no YAML file is shipped."""


def test_a_class_of_ones_own_is_built_as_it_is():
    node = {"_target_": f"{__name__}.Own", "bandwidth": 7.0, "self_term": "keep"}
    assert isinstance(build(node, "drift"), Own)
    config = OmegaConf.to_container(compose_without_hydra({}), resolve=True)
    check_ignored(config | {"drift": node}, DEFAULTS | {"drift": "own"}, TARGET)

"""Old spellings go on to work, and the ids of runs stay what they were."""

import warnings

import pytest
from omegaconf import OmegaConf

import gmdwgf
from gmdwgf.config.build import ConfigError, build, load_node, shipped_piece
from gmdwgf.config.moved import as_first_spelled, respelled_override, updated, without_later
from gmdwgf.drifts.wrappers.sub_batches import SubBatchDrift
from gmdwgf.drifts.wrappers.sum import SumDrift
from gmdwgf.launch.spec import make_spec
from gmdwgf.runs.identity import differences
from tests.launch.test_environment import composed

IDS = {
    "drift=kl": "8db8f48a",
    "drift=sinkhorn dataset=pinwheel seed=3": "6cc3bc99",
    "drift=mmd generator=particles": "6f06e56b",
    "drift=sliced_mmd": "277ba05a",
    "drift=sliced_wasserstein drift.directions=independent": "5aa3d710",
    "drift=sum": "7eb28ca2",
    "drift=critic": "534357ea",
    "drift=kl training.field=local training.n_targets=16": "8b088599",
    "drift=deng generator=dit_tiny dataset=image_latents condition=classes condition.n_groups=5": "6906a985",
    "drift=kl dataset=image_latents features=digits": "a02b5360",
    "drift=mmd optimizer=sgd optimizer.schedule.decay=constant": "f9280427",
    "drift=kl drift.bandwidth={schedule:linear,start:1.0,end:0.1,until:100}": "87940169",
}
"""Ids that version 0.1 gave."""


def defaults_then(words):
    """Defaults of version 0.1 that are others now."""
    yield from ("training.n_steps=6000", "training.batch_size=1024")
    if "generator=" not in words:
        yield from ("generator.depth=3", "generator.n_codes=0")
    if "drift=sinkhorn " in f"{words} ":
        yield "drift.self_term=two_batch"


@pytest.mark.thorough
@pytest.mark.parametrize("words", IDS)
def test_the_id_of_a_run_is_that_of_version_0_1(words):
    asked = [*map(respelled_override, words.split())]
    given = {word.partition("=")[0] for word in asked}
    asked += [word for word in defaults_then(words) if word.partition("=")[0] not in given]
    assert make_spec(composed(*asked), {}).id == IDS[words]


IDS_OF_TODAY = {
    "drift=kl": "df0b1f3e",
    "drift=sinkhorn dataset=pinwheel seed=3": "bab20fd3",
    "drift=mmd generator=particles": "9206e676",
}
"""Ids of runs before keys of the training plan were added that are off by default."""


@pytest.mark.parametrize("words", IDS_OF_TODAY)
def test_what_is_off_by_default_changes_no_id(words):
    assert make_spec(composed(*words.split()), {}).id == IDS_OF_TODAY[words]
    for on in ("training.n_reference=8", "training.noise_injection=0.1", "training.lookahead=2"):
        assert make_spec(composed(*words.split(), on), {}).id != IDS_OF_TODAY[words]


def test_an_old_config_has_the_same_id_and_is_read_in_the_spelling_of_now():
    config = make_spec(
        composed("drift=sliced_mmd", "training.batching=sub_batches", "features=digits", "generator.n_codes=0"), {}
    ).config
    old = as_first_spelled(config)
    assert old["training"]["field"] == "local"
    assert old["training"]["_target_"] == "gmdwgf.training.plan.TrainingPlan"
    assert old["drift"]["directions"] == "spread"
    assert old["features"]["maps"]["_target_"] == "gmdwgf.features.base.Together"
    assert updated(old) == without_later(config)
    assert "n_codes" not in old["generator"]
    assert differences(old, config) == {}
    assert updated(config) == config


def test_a_class_under_its_old_path_is_built_also_for_who_does_not_trust_it():
    node = load_node("drift", "sum", {})
    node["_target_"] = "gmdwgf.drifts.sum.SumDrift"
    assert type(build(node, "drift", shipped_piece)) is SumDrift
    with pytest.raises(ConfigError, match="gmdwgf.training.problem.os"):
        build({"_target_": "gmdwgf.training.plan.os"}, "drift", shipped_piece)


def test_old_words_in_a_yaml_of_ones_own_are_taken_with_a_line(tmp_path):
    cfg = composed()
    OmegaConf.set_struct(cfg, False)
    cfg.training = {name: value for name, value in cfg.training.items() if name != "batching"} | {"field": "local"}
    spec = make_spec(cfg, {})
    assert spec.config["training"]["batching"] == "sub_batches"
    assert "field" not in spec.config["training"]
    assert len(spec.notices) == 1
    assert "training.batching=sub_batches" in spec.notices[0]
    assert not make_spec(composed(), {}).notices


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("training.field=local", "training.batching=sub_batches"),
        ("+training.field=global,local", "+training.batching=full,sub_batches"),
        ("drift.directions=spread,independent", "drift.directions=stratified,independent"),
        ("drift.drifts.0.directions=spread", "drift.drifts.0.directions=stratified"),
        ("drift.directions=independent", "drift.directions=independent"),
        ("training.eta=0.5", "training.eta=0.5"),
    ],
)
def test_overrides_are_respelled(old, new):
    assert respelled_override(old) == new


def test_old_words_in_python_are_taken_with_a_warning():
    with pytest.warns(FutureWarning, match="directions=stratified"):
        drift = gmdwgf.load_drift("sliced_mmd", directions="spread")
    with pytest.warns(FutureWarning, match="batching=sub_batches"):
        problem = gmdwgf.make_problem("eight_gaussians", drift, field="local")
    assert isinstance(problem.drift_at(0), SubBatchDrift)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gmdwgf.load_drift("sliced_mmd", directions="stratified")


@pytest.mark.thorough
@pytest.mark.parametrize("old", ["training.field=local"])
def test_the_command_says_the_new_word_once(old, cli):
    code, out, err = cli("sweep.dry=true", old)
    assert code == 0, err
    assert err.count("training.batching=sub_batches") == 1


@pytest.mark.parametrize("value", [5, None, ["a"], {"a": 1}])
def test_nonsense_in_the_place_of_a_word_is_left_for_others_to_refuse(value):
    config = {"training": {"field": value, "_target_": value}, "drift": {"directions": value}}
    assert as_first_spelled(updated(config)) == config


@pytest.mark.parametrize(
    "words", ["drift.bias=abc", "training.attraction=nystrom", "training.attraction=nystrom training.n_landmarks=64"]
)
def test_a_later_key_changes_the_id_only_with_another_value_than_before(words):
    off, on = (make_spec(composed("drift=kl", *more), {}) for more in ([], words.split()))
    assert on.id != off.id
    config = without_later(off.config)
    assert not {"attraction", "n_landmarks", "ridge", "n_data"} & set(config["training"])
    assert "bias" not in config["drift"]
    alone = {word.partition("=")[0].partition(".")[2] for word in words.split()}
    assert alone <= {*without_later(on.config)["training"], *without_later(on.config)["drift"]}

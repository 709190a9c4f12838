"""Lengths of a drift are numbers for the shipped targets and rules for data of a user."""

import os

import numpy as np
import pytest
from hydra import compose as hydra_compose, initialize_config_dir
from omegaconf import OmegaConf

import gmdwgf
from gmdwgf.config.build import config_dir, load_node, options
from gmdwgf.config.composition import compose
from gmdwgf.config.declared import power_of
from gmdwgf.launch.chosen import choose
from gmdwgf.launch.environment import resolved

ROWS = np.random.default_rng(0).normal(size=(60, 3))


def plain(cfg):
    return OmegaConf.to_container(cfg, resolve=True)


def with_file(cfg, path="points.npy"):
    """A composed config whose dataset is read from a file."""
    cfg.dataset.path = path
    return cfg


def by_hydra(*overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return hydra_compose("train", overrides=list(overrides))


def mappings(node):
    """All rules in a drift."""
    if isinstance(node, list):
        return [found for value in node for found in mappings(value)]
    if not isinstance(node, dict):
        return []
    return [node] if "rule" in node else [found for value in node.values() for found in mappings(value)]


@pytest.mark.thorough
@pytest.mark.parametrize("name", options("drift"))
def test_a_drift_has_numbers_for_a_shipped_target_and_without_one(name):
    assert not mappings(plain(compose({"drift": name}))["drift"])
    assert not mappings(plain(load_node("drift", name, {})))
    assert not mappings(plain(compose({"drift": name, "dataset": "image_latents"}))["drift"])


LOCAL = ["blob", "f_divergence", "kernel_score", "kl", "kl_wgf", "mean_shift", "sharp", "sinkhorn_proxy", "sum"]


@pytest.mark.thorough
@pytest.mark.parametrize("name", LOCAL)
def test_a_local_drift_sees_the_nearest_targets_of_data_of_a_user(name):
    rules = mappings(plain(with_file(compose({"drift": name, "dataset": "array"})))["drift"])
    assert any(rule["rule"] == "nearest" and rule["share_of_median"] > 0 for rule in rules)


@pytest.mark.thorough
def test_hydra_composes_the_same_rules():
    for name in ("deng", "sum"):
        rules = mappings(plain(with_file(by_hydra(f"drift={name}", "dataset=array")))["drift"])
        assert rules == mappings(plain(with_file(compose({"drift": name, "dataset": "array"})))["drift"])
        assert rules


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["sinkhorn", "sinkhorn_steps", "mmd", "drmmd", "kale"])
def test_other_lengths_have_their_number_if_the_median_distance_is_two(name):
    number, rule = plain(compose({"drift": name})), plain(with_file(compose({"drift": name, "dataset": "array"})))
    length = "epsilon" if name.startswith("sinkhorn") else "bandwidth"
    found, power = rule["drift"][length], 2 if length == "epsilon" else 1
    assert found["rule"] == "median"
    assert found["factor"] * 2**power == pytest.approx(number["drift"][length], rel=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("name", options("drift"))
def test_every_length_is_a_rule_for_data_of_a_user_unless_it_is_zero_or_of_a_released_code(name):
    whole, node = gmdwgf.load_drift(name), plain(with_file(compose({"drift": name, "dataset": "array"})))["drift"]
    for drift, values in zip(whole.drifts, node["drifts"], strict=True) if name == "sum" else [(whole, node)]:
        lengths = [field for field in values if power_of(type(drift), field, values)]
        numbers = [field for field in lengths if values[field] and not isinstance(values[field], dict)]
        kept = {"deng_released": ["distance_floor"], "kl_energy": ["bandwidth"]}  # kl_energy is refused for data
        assert numbers == kept.get(name, [])


@pytest.mark.thorough
def test_a_number_and_a_rule_can_be_given_in_place_of_the_default():
    file = "dataset=array"
    assert plain(with_file(by_hydra("drift=kl", file, "drift.bandwidth=0.1")))["drift"]["bandwidth"] == 0.1
    given = plain(with_file(by_hydra("drift=kl", file, "drift.bandwidth={rule: median}")))["drift"]["bandwidth"]
    assert given == {"rule": "median"}
    assert plain(by_hydra("drift=mmd", "drift.bandwidth=[0.1,0.3]"))["drift"]["bandwidth"] == [0.1, 0.3]


def test_with_features_a_length_is_a_number_as_it_is_one_of_the_features():
    cfg = with_file(compose({"drift": "kl", "dataset": "array", "features": "identity"}))
    assert not mappings(plain(cfg)["drift"])


def test_the_saved_config_has_the_rule_itself(monkeypatch):
    found = resolved(cfg := with_file(compose({"drift": "kl", "dataset": "array"})))
    assert "own_data" not in found.yaml(cfg)
    assert OmegaConf.create(found.yaml(cfg)).drift.bandwidth.rule == "nearest"
    monkeypatch.setitem(os.environ, "POINTS", "/a/place/points.npy")
    hidden = resolved(cfg := with_file(compose({"drift": "kl", "dataset": "array"}), "${oc.env:POINTS}"))
    assert "own_data" not in hidden.yaml(cfg)
    assert hidden.hidden.by_key.keys() == {"dataset.path"}
    assert OmegaConf.create(hidden.yaml(cfg)).drift.bandwidth.rule == "nearest"


@pytest.mark.thorough
def test_an_array_or_function_given_in_python_is_data_of_a_user():
    assert mappings(choose(ROWS, "kl").config()["drift"])
    assert mappings(choose(lambda key, n: ROWS[:n], "kl").config()["drift"])
    assert not mappings(choose(gmdwgf.load_target("two_moons"), "kl").config()["drift"])
    problem = gmdwgf.make_problem(ROWS, "kl", batch_size=8)
    assert 0.3 < float(problem.drift.bandwidth) < 2

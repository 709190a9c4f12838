"""Rules give lengths of the targets, to the power that the unit of a field asks for."""

import dataclasses

import equinox as eqx
import jax
import numpy as np
import pytest
from omegaconf import OmegaConf

import gmdwgf
from gmdwgf.config.build import ConfigError, load_node, options
from gmdwgf.config.declared import power_of, unit_of
from gmdwgf.launch.drift_fields import build_drift
from gmdwgf.launch.rules import N_DRAWN

TARGET = gmdwgf.load_target("two_moons")

POWERS = {
    ("SinkhornDrift", "epsilon"): 2,
    ("SinkhornDrift", "unbalanced"): 2,
    ("SinkhornStepsDrift", "epsilon"): 2,
    ("DengReleasedDrift", "distance_floor"): 1,
    ("DengDrift", "temperature"): 1,
    ("MMDDrift", "noise"): 1,
}
"""Powers of fields other than `bandwidth`, which is always a length; all others have none."""


def built(name, target=TARGET, **fields):
    return build_drift(OmegaConf.to_container(load_node("drift", name, {}), resolve=True) | fields, target)


def distances():
    y = np.asarray(TARGET.sample(jax.random.key(0), N_DRAWN), float)
    return np.sqrt(((y[:, None] - y[None]) ** 2).sum(-1))


def modules(module):
    yield module
    for value in vars(module).values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, eqx.Module):
                yield from modules(part)


@pytest.mark.parametrize("name", options("drift"))
def test_every_real_number_of_a_drift_declares_the_power_of_a_length_in_its_unit(name):
    for part in modules(gmdwgf.load_drift(name)):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if eqx.is_inexact_array(value) or field.name == "unbalanced":
                expected = POWERS.get((type(part).__name__, field.name), int(field.name == "bandwidth"))
                assert power_of(type(part), field.name, dict(vars(part))) == expected, (type(part), field.name)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "field", "options", "power"),
    [
        ("sinkhorn", "epsilon", {"cost": "euclidean"}, 1),
        ("sinkhorn", "unbalanced", {"cost": "euclidean"}, 1),
        ("wflow", "epsilon", {"scale_normalise": False}, 2),
        ("deng_released", "temperatures", {"scale_normalise": False}, 1),
    ],
)
def test_the_power_follows_the_options(name, field, options, power):
    by_rule = built(name, **options | {field: {"rule": "median", "factor": 0.5}}).rules[f"drift.{field}"]
    assert by_rule == pytest.approx(0.5 * np.median(distances()[np.triu_indices(N_DRAWN, 1)]) ** power, rel=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("rule", "length"),
    [
        ({"rule": "median"}, lambda d: np.median(d[np.triu_indices(N_DRAWN, 1)])),
        ({"rule": "mean_distance"}, lambda d: np.mean(d[np.triu_indices(N_DRAWN, 1)])),
        ({"rule": "percentile", "q": 5}, lambda d: np.percentile(d[np.triu_indices(N_DRAWN, 1)], 5)),
        ({"rule": "nearest", "among": N_DRAWN - 1}, lambda d: np.median((d + 1e9 * np.eye(N_DRAWN)).min(1))),
        (
            {"rule": "nearest", "share_of_median": 0.15},
            lambda d: 0.15 * np.median(d[np.triu_indices(N_DRAWN, 1)]),  # the longer one in the plane
        ),
    ],
    ids=["median", "mean", "percentile", "nearest", "share"],
)
def test_a_rule_is_a_factor_times_a_length_of_fixed_targets_to_the_power_of_the_unit(rule, length):
    expected = length(distances())
    found = built("kl", bandwidth=rule | {"factor": 0.25})
    assert found.rules == {"drift.bandwidth": pytest.approx(0.25 * expected, rel=1e-6)}
    assert float(found.drift.bandwidth) == pytest.approx(0.25 * expected, rel=1e-6)
    squared = built("sinkhorn", epsilon=rule | {"factor": 0.25}).rules["drift.epsilon"]
    assert squared == pytest.approx(0.25 * expected**2, rel=1e-6)


def test_the_nearest_of_fewer_targets_is_farther():
    of = lambda among: built("kl", bandwidth={"rule": "nearest", "among": among}).rules["drift.bandwidth"]
    assert of(999) < of(256) < of(16)
    assert 0.02 < of(256) < 0.2


@pytest.mark.thorough
def test_targets_that_are_repeated_count_once():
    different = np.random.default_rng(0).normal(size=(40, 3))
    rows = np.concatenate([np.repeat(different[:1], 160, axis=0), different])  # 80 % are one point
    target = gmdwgf.targets.ArrayTarget(rows, None, 0.2, 0)
    found, distinct = built("kl", target, bandwidth={"rule": "median"}), np.unique(np.asarray(target.train), axis=0)
    assert found.rules["drift.bandwidth"] == pytest.approx(np.median(pairs(distinct)), rel=1e-6)
    assert f"from {len(distinct)} distinct targets" in found.told[0]


def pairs(points):
    return np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))[np.triu_indices(len(points), 1)]


@pytest.mark.thorough
def test_targets_that_are_one_point_have_no_lengths():
    target = gmdwgf.load_target("eight_gaussians", n_modes=1, noise=0.0)
    with pytest.raises(ConfigError, match="drift.bandwidth.rule=median: .*all the same point"):
        built("kl", target, bandwidth={"rule": "median"})


@pytest.mark.thorough
def test_rules_are_told_with_their_length_power_and_unit():
    told = built("sinkhorn", epsilon={"rule": "median", "factor": 0.005}).introduction()[-1]
    median = np.median(pairs(np.asarray(TARGET.sample(jax.random.key(0), N_DRAWN), float)))
    assert f"drift.epsilon = {0.005 * median**2:.6g} by its rule: 0.005 * {median:.6g}^2 (median distance)" in told
    assert f"[{unit_of(gmdwgf.drifts.SinkhornDrift, 'epsilon')}]" in told
    several = built("mmd", kernel="gaussian", bandwidth=[1.0, {"rule": "nearest"}]).introduction()[-1]
    assert "drift.bandwidth.1 = " in several
    assert "nearest of 256" in several


def test_a_rule_of_an_ignored_field_is_neither_told_nor_kept():
    assert not built("mmd", bandwidth={"rule": "median"}).rules
    assert built("mmd", kernel="gaussian", bandwidth={"rule": "median"}).rules


@pytest.mark.parametrize(
    ("name", "fields", "complaint"),
    [
        ("wflow", {"epsilon": {"rule": "median"}}, "drift.epsilon=.*: must be a number, as it is no length"),
        ("sum", {"weights": [1, {"rule": "median"}]}, r"drift.weights.1=.*its unit is velocity of the sum"),
        ("critic", {"ratio_clip": {"rule": "nearest"}}, "drift.ratio_clip=.*its unit is largest density ratio"),
        (
            "kl",
            {"bandwidth": {"schedule": "linear", "start": 1, "end": 1, "n_steps": {"rule": "median"}}},
            "drift.bandwidth.n_steps=.*its unit is steps",
        ),
        ("kl", {"bandwidth": {"rule": "percentile"}}, "drift.bandwidth.q=null: is required"),
        ("kl", {"bandwidth": {"rule": "percentile", "q": 101}}, "drift.bandwidth.q=101.0: must be at most 100"),
        (
            "kl",
            {"bandwidth": {"rule": "median", "q": 5}},
            "drift.bandwidth.q=5: is not read by rule=median, but by rule=p",
        ),
        ("kl", {"bandwidth": {"rule": "median", "among": 9}}, "drift.bandwidth.among=9: .* but by rule=nearest"),
        ("kl", {"bandwidth": {"rule": "nearest", "among": N_DRAWN}}, "drift.bandwidth.among=1000: must be at most 999"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_by_its_key(name, fields, complaint):
    with pytest.raises(ConfigError, match=complaint):
        built(name, **fields)


def test_a_rule_in_a_schedule_has_the_power_of_the_scheduled_field():
    anneal = {"schedule": "exponential", "start": {"rule": "median"}, "end": 0.1, "n_steps": 10}
    rules = built("sinkhorn", epsilon=anneal).rules
    assert rules["drift.epsilon.start"] == pytest.approx(
        built("kl", bandwidth={"rule": "median"}).rules["drift.bandwidth"] ** 2
    )

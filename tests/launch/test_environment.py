"""Values of the environment: a run uses them, and nothing that it leaves or says shows them."""

import json

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import gmdwgf
from gmdwgf.config.build import ConfigError, config_dir
from gmdwgf.launch.environment import Hidden, filled, resolved
from gmdwgf.launch.spec import make_spec
from gmdwgf.runs.identity import run_id
from tests.launch.common import SMALL
from tests.runs.folders import make_run

SECRET = "sk-0123456789-very-secret"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("GMDWGF_SECRET", SECRET)
    monkeypatch.setenv("GMDWGF_NUMBER", "7")


def shown(**config):
    return resolved(OmegaConf.create(config)).shown


def test_a_value_of_the_environment_is_used_and_not_shown():
    found = resolved(OmegaConf.create({"a": {"b": "${oc.env:GMDWGF_SECRET}"}, "c": 1}))
    assert found.values == {"a": {"b": SECRET}, "c": 1}
    assert found.shown == {"a": {"b": "${oc.env:GMDWGF_SECRET}"}, "c": 1}


@pytest.mark.parametrize(
    "text",
    [
        "x/${oc.env:GMDWGF_SECRET}/y",
        "${.key}",
        "${key}",
        "${oc.select:key}",
        "a-${key}",
        "${oc.decode:${oc.env:GMDWGF_SECRET}}",
        "${oc.env:NOT_THERE_AT_ALL,${oc.env:GMDWGF_SECRET}}",
        "${reference}",
        "${all}",
        "${oc.create:{a: ${key}}}",
        "${oc.dict.values:all}",
    ],
)
def test_what_is_made_of_a_value_of_the_environment_is_not_shown_either(text):
    config = {
        "key": "${oc.env:GMDWGF_SECRET}",
        "all": {"of": "${key}"},
        "reference": "${key}",
        "a": [1, text.replace("{.", "{..")],
        "b": text,
    }
    found = resolved(OmegaConf.create(config))
    assert SECRET in str(found.values["b"])
    assert (found.shown["a"], found.shown["b"]) == (config["a"], text)
    assert SECRET not in str(found.shown)


def test_references_and_numbers_stay_resolved():
    found = shown(n=3, m="${n}", seed="${oc.decode:${oc.env:GMDWGF_NUMBER}}", none="${oc.env:NOT_THERE_AT_ALL,null}")
    assert found == {"n": 3, "m": 3, "seed": 7, "none": None}


def test_a_value_that_is_missing_is_refused_by_its_key():
    with pytest.raises(ConfigError, match="^gap: .*give it a value: gap=VALUE"):
        shown(gap="???")


def test_the_resolver_of_the_environment_is_the_usual_one_again():
    shown(a="${oc.env:GMDWGF_SECRET}")
    assert OmegaConf.create({"a": "${oc.env:GMDWGF_SECRET}"}).a == SECRET
    with pytest.raises(Exception, match="NOT_THERE_AT_ALL"):
        resolved(OmegaConf.create({"a": "${oc.env:NOT_THERE_AT_ALL}"}))
    assert OmegaConf.create({"a": "${oc.env:GMDWGF_SECRET}"}).a == SECRET


def composed(*overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("train", overrides=list(overrides))


def test_the_id_is_that_of_the_values_and_the_kept_config_is_that_of_the_texts(tmp_path):
    data = tmp_path / SECRET
    plain = make_spec(composed("dataset=array", f"dataset.path={data}", f"paths.root={tmp_path}"), {})
    job = make_spec(
        composed("dataset=array", f"dataset.path='{tmp_path}/${{oc.env:GMDWGF_SECRET}}'", f"paths.root={tmp_path}"), {}
    )
    assert job.id == plain.id == run_id(job.config)
    assert SECRET not in job.yaml
    assert yaml.safe_load(job.yaml) == job.shown
    assert job.shown["dataset"]["path"] == f"{tmp_path}/${{oc.env:GMDWGF_SECRET}}"


def test_a_config_without_the_environment_is_kept_as_before():
    cfg = composed()
    assert make_spec(cfg, {}).yaml == OmegaConf.to_yaml(cfg, resolve=True)
    assert yaml.safe_load(make_spec(cfg, {}).yaml) == OmegaConf.to_container(cfg, resolve=True)


def test_messages_are_said_without_the_values():
    hide = Hidden(
        {"a.b": ("no", "${oc.env:SHORT}"), "c": (f"x/{SECRET}", "x/${oc.env:S}")}, {"SHORT": "no", "S": SECRET}
    )
    assert (
        hide(f"a.b=no: is no number; x/{SECRET} or {SECRET}")
        == "a.b=${oc.env:SHORT}: is no number; x/${oc.env:S} or ${oc.env:S}"
    )
    root = Hidden({"paths.root": ("/home/me/runs", "${oc.env:HOME}/runs")}, {"HOME": "/home/me"})
    assert root("see /home/me/runs/x") == "see /home/me/runs/x"


@pytest.mark.slow
@pytest.mark.parametrize(
    "override",
    [
        "drift.bandwidth='${oc.env:GMDWGF_SECRET}'",
        "drift.self_term='${oc.env:GMDWGF_SECRET}'",
        "drift._target_='${oc.env:GMDWGF_SECRET}.Drift'",
        "seed='${oc.env:GMDWGF_SECRET}'",
        "tracking.wandb.mode='${oc.env:GMDWGF_SECRET}'",
    ],
)
@pytest.mark.parametrize("flags", [(), ("-m",), ("-m", "--dry"), ("-m", "hydra/launcher=vectorized")], ids=" ".join)
def test_an_error_does_not_print_a_value_of_the_environment(cli, tmp_path, override, flags):
    code, out, err = cli(*flags, "drift=kl", *SMALL[:1], override)
    assert code
    assert "GMDWGF_SECRET" in out + err
    assert SECRET not in out + err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


@pytest.mark.slow
def test_load_run_reads_the_environment_for_who_trusts_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GMDWGF_MASK", "keep")
    job = make_run(tmp_path, drift="kl", drift__self_term="'${oc.env:GMDWGF_MASK}'")
    with pytest.raises(ConfigError, match=r"drift.self_term=\$\{oc.env:GMDWGF_MASK\}.*trust=True"):
        gmdwgf.load_run(job.folder.path)
    with pytest.raises(ConfigError, match="no readable checkpoint"):
        gmdwgf.load_run(job.folder.path, trust=True)
    monkeypatch.delenv("GMDWGF_MASK")
    with pytest.raises(ConfigError, match="set the environment variable GMDWGF_MASK as it was"):
        gmdwgf.load_run(job.folder.path, trust=True)


def test_where_and_how_a_run_was_made_may_come_from_the_environment_without_trust():
    config = {"paths": {"root": "${oc.env:NOT_THERE_AT_ALL}"}, "seed": 0, "drift": {"a": 1}}
    assert filled(config, trust=False) is config


def test_a_reference_in_a_trusted_folder_is_followed():
    config = {
        "drift": {"a": "${oc.env:GMDWGF_SECRET}", "b": "${.a}"},
        "seed": 3,
        "paths": {"root": "${oc.env:NOT_THERE_AT_ALL}"},
    }
    assert filled(config, trust=True) == {"drift": {"a": SECRET, "b": SECRET}, "seed": 3}


@pytest.mark.slow
def test_a_run_leaves_no_value_of_the_environment_behind(cli, tmp_path):
    entity = ["tracking.wandb.entity='${oc.env:GMDWGF_SECRET}'", "+_note='key ${oc.env:GMDWGF_SECRET}'"]
    words = [word for word in SMALL if "wandb" not in word]
    code, out, err = cli("drift=kl", *words, "tracking.wandb.mode=disabled", *entity)
    assert code == 0, err
    assert SECRET not in out + err
    (folder,) = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "DONE.json").read_text())["status"] == "done"
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert SECRET.encode() not in path.read_bytes(), path

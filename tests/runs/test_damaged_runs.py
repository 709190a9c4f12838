"""A finished run with something gone or changed, as the command that is typed again and as `load_run` meet it."""

import json
import shutil

import jax
import numpy as np
import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.files import DamagedFile
from tests.conftest import gmdwgf as run_command
from tests.launch.common import SMALL, differences
from tests.training.common import same_bits

COMMAND = ["+drift=kl", "drift.bandwidth=0.3", "dataset=array", "devices.n=1", *SMALL]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with `points.npy` and a finished run of it, for which the path was typed relative."""
    cwd = tmp_path_factory.mktemp("whole")
    np.save(cwd / "points.npy", np.random.default_rng(0).normal(size=(200, 2)))
    done = run_command(*COMMAND, "dataset.path=points.npy", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return cwd


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of the run in the folder of the test."""
    shutil.copytree(whole / "runs", tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    return folder


def typed_again(cli, whole, *more):
    code, out, err = cli(*more, *COMMAND, f"dataset.path={whole}/points.npy")
    assert "Traceback" not in out + err
    return code, out, err


def middle_of(path, replacement):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], replacement, *lines[2:]]))


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def swapped(path):
    first, *others = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*others, first]))


CASES = {
    "samples.npz truncated": ("samples.npz", lambda p: p.write_bytes(p.read_bytes()[:400])),
    "samples.npz empty": ("samples.npz", lambda p: p.write_bytes(b"")),
    "samples.npz with a flipped bit": ("samples.npz", flipped),
    "samples.npz gone": ("samples.npz", lambda p: p.unlink()),
    "metrics.jsonl with a bad line": ("metrics.jsonl", lambda p: middle_of(p, "rubbish\n")),
    "metrics.jsonl emptied": ("metrics.jsonl", lambda p: p.write_text("")),
    "metrics.jsonl gone": ("metrics.jsonl", lambda p: p.unlink()),
    "metrics.jsonl swapped": ("metrics.jsonl", swapped),
    "manifest.json a list": ("manifest.json", lambda p: p.write_text("[1]")),
    "DONE.json empty": ("DONE.json", lambda p: p.write_text("")),
    "DONE.json NUL": ("DONE.json", lambda p: p.write_bytes(bytes(40))),
    "DONE.json half": ("DONE.json", lambda p: p.write_text(p.read_text()[:40])),
    "DONE.json a list": ("DONE.json", lambda p: p.write_text("[1]")),
}
QUICK = ("metrics.jsonl with a bad line",)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "case", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_a_damaged_run_goes_on_from_its_checkpoints_says_which_file_and_is_done_again(case, whole, copied, cli):
    name, damage = CASES[case]
    damage(copied / name)
    code, out, err = typed_again(cli, whole)
    assert code == 0, err
    assert name in out
    assert "so the run is not done: it resumes from intact files" in out
    assert "resuming at step 8 of 8" in out
    one, other = gmdwgf.load_run(copied), gmdwgf.load_run(next((whole / "runs").iterdir()))
    assert same_bits(one.params, other.params)
    np.testing.assert_array_equal(one.samples[-1], other.samples[-1])
    assert [r for r in other.records if r["step"] == 8] == one.records[-1:]
    done = [json.loads((folder / "DONE.json").read_text()) for folder in (copied, next((whole / "runs").iterdir()))]
    assert done[0]["mmd2"] == done[1]["mmd2"]
    lost = json.loads((copied / "manifest.json").read_text()).get("lost", [])
    assert bool(lost) == (name in ("samples.npz", "metrics.jsonl") and "swapped" not in case)
    assert "already done" in typed_again(cli, whole)[1]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "vectorized"])
def test_a_run_whose_checkpoints_are_gone_is_run_again(launcher, whole, copied, cli, tmp_path):
    shutil.rmtree(copied / "checkpoints")
    code, out, err = typed_again(cli, whole, "-m", f"hydra/launcher={launcher}")
    assert code == 0, out + err
    assert "1 jobs: 1 done" in out
    assert "checkpoints are gone" in out
    assert "starts again" in out
    assert differences(tmp_path / "runs", whole / "runs") == []
    assert {path.name.split("-")[0] for path in (copied / "damaged").iterdir()} == {
        "DONE.json",
        "metrics.jsonl",
        "samples.npz",
    }


@pytest.mark.thorough
@pytest.mark.parametrize("words", [[], ["-m"], ["-m", "hydra/launcher=vectorized"], ["--dry"]])
def test_a_config_edited_by_hand_is_not_passed_over(words, whole, copied, cli):
    path = copied / "config.yaml"
    path.write_text(path.read_text().replace("bandwidth: 0.3", "bandwidth: 0.5"))
    code, out, err = typed_again(cli, whole, *words)
    assert code == (1 if "-m" in words else 2), out + err
    assert "has drift.bandwidth=0.5 where 0.3 is asked for" in out + err
    assert "python -m gmdwgf.runs rm" in out + err
    assert "bandwidth: 0.5" in path.read_text()
    assert not (copied / "FAILED.json").exists()


@pytest.mark.thorough
def test_a_run_is_loaded_without_its_data_from_any_folder(whole, copied, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manifest = json.loads((copied / "manifest.json").read_text())
    assert manifest["sizes"] == {"dim": 2, "n_classes": 0}
    assert manifest["data_files"] == {"dataset.path": [str(whole / "points.npy")]}
    run = gmdwgf.load_run(copied)  # its config says points.npy, which is not here
    assert run.config["dataset"]["path"] == "points.npy"
    assert run.sample(jax.random.key(0), 7).shape == (7, 2)
    np.save("points.npy", np.zeros((9, 5)))  # other data under the name are not looked at
    again = gmdwgf.load_run(copied)
    assert same_bits(again.params, run.params)


def test_an_older_run_that_wrote_no_sizes_is_loaded_by_its_samples(copied, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = copied / "manifest.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "sizes"}))
    assert gmdwgf.load_run(copied).sample(jax.random.key(0), 7).shape == (7, 2)
    (copied / "samples.npz").unlink()
    with pytest.warns(UserWarning, match=r"samples\.npz"), pytest.raises(ConfigError) as refused:
        gmdwgf.load_run(copied)
    assert str(refused.value).startswith("dataset.path=points.npy: does not exist")


def test_what_is_gone_of_a_loaded_run_is_a_warning_and_what_it_needs_an_error(copied):
    flipped(copied / "samples.npz")
    middle_of(copied / "metrics.jsonl", "rubbish\n")
    with pytest.warns(UserWarning, match=r"run\.(records|samples)") as said:
        run = gmdwgf.load_run(copied)
    assert [warning.category for warning in said] == [UserWarning] * 2
    assert "metrics.jsonl, line 2" in str(said[0].message)
    assert "samples.npz" in str(said[1].message)
    assert [record["step"] for record in run.records] == [0, 8]
    assert run.samples.size == run.targets.size == 0
    assert "2 records" in repr(run)
    assert run.sample(jax.random.key(0), 7).shape == (7, 2)
    for text in ("a: [", "[" * 100_000, ""):
        (copied / "config.yaml").write_text(text)
        with pytest.raises(DamagedFile, match=r"config\.yaml: cannot be read"):
            gmdwgf.load_run(copied)


@pytest.mark.slow
def test_a_conditional_run_of_a_latent_file_is_loaded_without_it(cli, tmp_path):
    from gmdwgf.data import latent_files

    rng, labels = np.random.default_rng(0), np.arange(300) % 3
    latent_files.write(tmp_path / "latents.npy", rng.normal(size=(300, 4)).astype(np.float32), labels=labels)
    command = ["+drift=kl", "dataset=image_latents", "dataset.path=latents.npy", "dataset.labels=true"]
    command += [
        "condition=classes",
        "condition.n_groups=3",
        "training.n_targets=18",
        *SMALL,
        "training.batch_size=18",
        "devices.n=1",
    ]
    code, out, err = cli(*command)
    assert code == 0, out + err
    (folder,) = (tmp_path / "runs").iterdir()
    run = gmdwgf.load_run(folder)
    for path in tmp_path.glob("latents.*"):
        path.unlink()
    assert same_bits(gmdwgf.load_run(folder).params, run.params)

import json

import numpy as np
import pytest

from gmdwgf import report
from gmdwgf.reports.contents import as_json, contents, first_sentence
from gmdwgf.reports.figures import draw_figures
from gmdwgf.reports.page import render
from gmdwgf.runs.records import read_runs
from tests.runs.folders import make_run


def data_of(folder, **kwargs):
    return contents(read_runs(folder), folder, folder / "report.html", **kwargs)


@pytest.mark.thorough
def test_common_and_own_keys_together_are_the_config_of_a_run(tmp_path):
    make_run(tmp_path, drift="kl", drift__bandwidth=0.1234567891, seed=1)
    make_run(tmp_path, drift="mmd", optimizer="sgd")
    data = data_of(tmp_path)
    for run, record in zip(data["runs"], read_runs(tmp_path), strict=True):
        assert set(data["common"] | run["own"]) == set(record.flat)
    (kl,) = (run for run in data["runs"] if run["drift"] == "kl")
    assert kl["own"]["drift.bandwidth"] == "0.1234567891"
    assert data["common"]["training.n_steps"] == "200"


def test_every_run_has_its_command_and_a_link_to_its_folder(tmp_path):
    job = make_run(tmp_path / "deep", drift="kl", seed=5)
    (run,) = data_of(tmp_path)["runs"]
    assert run["folder"] == f"deep/{job.name}"
    assert "seed=5" in run["command"]
    assert run["typed"].startswith("train.py -m")


def test_curves_and_samples_hold_every_evaluation_of_a_short_run(tmp_path):
    make_run(tmp_path, mmd2=0.02)
    (run,) = data_of(tmp_path)["runs"]
    assert run["curve"]["step"] == run["frames"]["steps"] == [0, 100, 200]
    assert run["curve"]["mmd2"][1:] == [0.02, 0.02]
    assert data_of(tmp_path)["datasets"]["eight_gaussians"]["floor"]["mmd2"] == (-0.002, 0.002)


def test_arrays_of_different_size_have_a_window_each(tmp_path):
    make_run(tmp_path, dataset="array", dataset__path="plane.npy")
    space, rng = make_run(tmp_path, dataset="array", dataset__path="space.npy"), np.random.default_rng(0)
    np.savez(space.folder.samples, x=rng.normal(size=(2, 40, 3)), steps=[0, 200], y=rng.normal(size=(50, 3)))
    assert all(run["frames"] for run in data_of(tmp_path)["runs"])


def test_runs_without_samples_or_config_still_have_an_entry(tmp_path):
    job = make_run(tmp_path, "failed", drift="kl")
    (job.folder.path / "samples.npz").unlink()
    (job.folder.path / "config.yaml").write_text("")
    (run,) = data_of(tmp_path)["runs"]
    assert (run["frames"], run["command"], run["state"]) == (None, None, "failed")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("gmdwgf.drifts.kl.KLDrift", "Mean shift towards the targets"),
        ("somebody.else.Drift", ""),
        ("gmdwgf.nothing.Here", ""),
        (None, ""),
    ],
)
def test_a_drift_says_what_it_is_without_being_imported(target, words):
    assert first_sentence(target).startswith(words)
    assert bool(first_sentence(target)) == bool(words)


def test_numbers_that_json_does_not_know_are_null():
    assert json.loads(as_json({"a": [float("nan"), float("inf"), 1.23456789e-7, 0.0, 3]})) == {
        "a": [None, None, 1.2346e-7, 0.0, 3]
    }


def test_nothing_in_the_data_can_end_the_script_it_stands_in(tmp_path):
    make_run(tmp_path)
    page = render(data_of(tmp_path, note="</script><script>alert(1)</script> __SCRIPT__ & <b>"))
    assert page.count("</script>") == 2
    assert "__DATA__" not in page
    text = page.split('id="data">')[1].split("</script>")[0]
    assert json.loads(text)["note"] == "</script><script>alert(1)</script> __SCRIPT__ & <b>"


def test_the_page_asks_nothing_of_a_network(tmp_path):
    make_run(tmp_path)
    page = render(data_of(tmp_path)).replace("http://www.w3.org/2000/svg", "")  # a name of elements, not an address
    for words in ("http://", "https://", "src=", "@import", "url(", "fetch("):
        assert words not in page


def test_the_note_of_an_experiment_stands_on_the_page(tmp_path):
    make_run(tmp_path, **{"sweep__note": "'The grids are ours.'"})
    assert data_of(tmp_path)["note"] == "The grids are ours."
    assert data_of(tmp_path, note="My own words.")["note"] == "My own words."


def test_a_page_is_written_over_pages_only(tmp_path, capsys):
    make_run(tmp_path)
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    assert report.main([str(tmp_path), "--out", str(thesis)]) == 2
    assert capsys.readouterr().err.startswith(f"gmdwgf: --out={thesis}: must end in .html")
    assert thesis.read_text() == "years of work"


@pytest.mark.thorough
def test_figures_of_a_dataset_named_by_a_path_stay_in_their_folder(tmp_path):
    folder = make_run(tmp_path / "runs").folder.path.rename(tmp_path / "runs" / "renamed")  # read from config.yaml then
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("gmdwgf.targets.mixtures.RingOfGaussians", "a./../../out"))
    paths = list(draw_figures(read_runs(tmp_path / "runs"), tmp_path / "figures"))
    assert paths[0].name == "curves__out.pdf"
    assert {path.parent for path in paths} == {tmp_path / "figures"}

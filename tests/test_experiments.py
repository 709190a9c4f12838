"""The tools around the experiments: the check against committed numbers, the page of the gallery, honest choices of settings."""

import base64
import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from experiments import check
from experiments.common.record import Experiment, count_of_seeds, mean_of_seeds
from experiments.compare import choice
from experiments.gallery import build as gallery
from tests.conftest import ROOT, user_environment

EVERY_HELP = """
import runpy, sys
for name in sys.argv[1:]:
    sys.argv = [name, "--help"]
    try:
        runpy.run_module(name, run_name="__main__")
    except SystemExit as ended:
        assert ended.code == 0, name
"""


@pytest.mark.slow
def test_every_experiment_says_the_command_that_runs_it(tmp_path):
    scripts = [
        *ROOT.glob("experiments/*/run.py"),
        *ROOT.glob("experiments/*/build.py"),
        *ROOT.glob("experiments/*/cost.py"),
    ]
    names = [
        "experiments.all",
        "experiments.check",
        "experiments.sentences",
        *(f"experiments.{script.parent.name}.{script.stem}" for script in scripts),
    ]
    done = subprocess.run(
        [sys.executable, "-c", EVERY_HELP, *names],
        cwd=ROOT,
        env=user_environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.findall(r"^usage: python -m (\S+) \[-h\]", done.stdout, re.MULTILINE) == names


def test_a_kept_cell_belongs_to_a_name_and_its_numbers_wherever_the_code_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["run.py"])
    experiment = Experiment(str(tmp_path / "run.py"), None)
    experiment.cells = tmp_path
    (tmp_path / "trained-24eeaabedbc7.json").write_text('{"answer": [0.25]}')

    def trained(**fields):
        raise AssertionError("computed anew")

    assert experiment.cell(trained, seed=3, drift="kl") == [0.25]
    with pytest.raises(AssertionError, match="computed anew"):
        experiment.cell(trained, seed=4, drift="kl")


def test_a_number_outside_of_its_prediction_interval_is_said_and_one_within_is_not():
    old = {"a": [1.0, 0.5, 1.5], "b": [1.0, 0.5, 1.5], "c": [1.0, 0.5, 1.5], "gone": [0.0, 0.0, 0.0]}
    new = {"a": [1.4, 1.0, 1.8], "b": [1.69, 1.0, 2.0], "c": [1.72, 1.0, 2.0], "fresh": [0.0, 0.0, 0.0]}
    assert [line.split()[0] for line in check.missing(new, old)] == ["fresh", "gone"]
    assert [line.split()[0] for line in check.outside(new, old)] == ["c"]
    assert check.outside(old, old) == [] == check.missing(old, old)


def test_right_repetitions_lie_in_the_prediction_interval_of_a_mean_in_95_percent_of_the_cases():
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(4000, 2, 4))
    inside = [
        check.predicted(list(mean_of_seeds(first)))[0]
        <= second.mean()
        <= check.predicted(list(mean_of_seeds(first)))[1]
        for first, second in pairs
    ]
    assert abs(np.mean(inside) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / len(pairs))
    assert check.by_chance(100) == 13


def test_an_interval_of_counts_lies_between_its_bounds_and_does_not_vanish_when_seeds_agree():
    every = count_of_seeds([8.0] * 10, 8)
    assert every == (8.0, pytest.approx(8 * 0.025 ** (1 / 10)), 8.0)
    none = count_of_seeds([0.0] * 10, 8)
    assert none == (0.0, 0.0, pytest.approx(8 * (1 - 0.025 ** (1 / 10))))
    # 7 of 10: the interval of Clopper and Pearson, from tables.
    assert count_of_seeds([1.0] * 7 + [0.0] * 3, 1) == (
        0.7,
        pytest.approx(0.3475, abs=1e-4),
        pytest.approx(0.9333, abs=1e-4),
    )


def test_the_interval_of_counts_covers_what_it_says_whatever_the_law_of_the_counts():
    rng = np.random.default_rng(1)
    laws = {
        "all or nothing": lambda: 8.0 * (rng.random(10) < 0.7),
        "even": lambda: rng.integers(0, 9, 10).astype(float),
    }
    for mean, draw in zip((5.6, 4.0), laws.values(), strict=True):
        found = [count_of_seeds(draw(), 8) for _ in range(400)]
        assert np.mean([n.low <= mean <= n.high for n in found]) >= 0.93


def test_every_number_and_figure_of_the_page_is_looked_up(tmp_path):
    (tmp_path / "toy" / "figures").mkdir(parents=True)
    Image.new("L", (600, 1)).save(tmp_path / "toy" / "figures" / "one.png", dpi=(300, 300))
    (tmp_path / "toy" / "results.json").write_text(json.dumps({"|v| = 0": [0.25, 0.2, float("inf")]}))
    page = gallery.Page(tmp_path)
    text = page.filled("[[toy||v| = 0|.0%]] and [[toy||v| = 0]] [[figure toy/one|Shows [[toy||v| = 0]].]]")
    assert '<span class="n">25%</span><sup><a href="#n1">(1)</a></sup> and <span class="n">0.25</span>' in text
    assert 'width="270" src="data:image/png;base64,' in text
    assert page.table().count("<tr id=") == 1
    assert "0.2 to ∞" in page.table()
    for bad in ("[[toy|other]]", "[[none|v]]", "[[figure toy/two|Caption.]]"):
        with pytest.raises(gallery.Missing):
            page.filled(bad)


def test_the_gallery_may_run_no_script_and_its_style_is_the_one_it_allows(monkeypatch, tmp_path):
    monkeypatch.setattr(gallery, "told", lambda experiments: ["<p>A story.</p>"])
    page = gallery.build(tmp_path)
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{allowed}'; img-src data:;" in page
    assert "<script" not in page
    for section in (gallery.HERE / "sections").glob("*.html"):
        assert not re.search(r"<script|\sstyle=|\son\w+=|javascript:", section.read_text())


def test_a_setting_is_scored_on_seeds_that_did_not_choose_it():
    # The first setting is lucky with one seed: chosen by the others it is never taken, so its luck is not reported.
    found = choice.held_out([[0.0, 5.0, 5.0], [2.0, 2.0, 2.0], [9.0, 9.0, 9.0]], ["lucky", "steady", "bad"])
    assert found.best == [2.0, 2.0, 2.0]
    assert found.chosen == "steady"


def test_ranks_of_drifts_that_no_seed_tells_apart_have_wide_bounds():
    ranks = choice.ranks({"a": [1.0, 2.0, 3.0], "b": [1.1, 2.0, 2.9], "far": [50.0, 51.0, 52.0]})
    assert ranks["far"] == (3, 3, 3)
    assert ranks["a"].low == 1
    assert ranks["a"].high == 2

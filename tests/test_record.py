import sys

from experiments.common.record import Experiment
from gmdwgf.plots import metric_curves


def test_figures_of_an_experiment_are_also_pdf_with_fonts_if_asked(tmp_path, monkeypatch):
    for words, written in (([], {"curves.png"}), (["--vector"], {"curves.png", "curves.pdf"})):
        monkeypatch.setattr(sys, "argv", ["run.py", "--out", str(tmp_path / "out"), *words])
        experiment = Experiment(str(tmp_path / "run.py"), None)
        experiment.figure("curves", metric_curves([{"step": 0, "mmd2": 0.1}, {"step": 10, "mmd2": 0.01}], {}, "kl"))
        assert {path.name for path in (tmp_path / "out" / "figures").iterdir()} == written
    pdf = (tmp_path / "out" / "figures" / "curves.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf

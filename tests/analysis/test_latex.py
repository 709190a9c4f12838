import json
import math
import re
import shutil
import subprocess

import numpy as np
import pytest

from gmdwgf.analysis import latex
from gmdwgf.analysis.cells import Cell
from gmdwgf.analysis.latex import Row, Value, best_of, escape, number, scale_of, value_of
from gmdwgf.runs.__main__ import main
from tests.runs.folders import make_run

NASTY = r"\input{/etc/passwd} 50%_a&b#c$d^e~f{g}<h>[i]*j²é č ε"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Two bandwidths of kl with three seeds, one of which diverged; one seed of deng; and a drift whose runs all diverged."""
    root = tmp_path_factory.mktemp("my_sweep")
    for seed, mmd2 in enumerate((0.010, 0.011, 0.012)):
        make_run(root, mmd2=mmd2, drift="kl", drift__bandwidth=0.3, seed=seed)
        make_run(root, "diverged" if seed == 2 else "done", mmd2=10 * mmd2, drift="kl", drift__bandwidth=1.0, seed=seed)
    make_run(root, "diverged", drift="mmd")
    return root


def lines_of(text):
    """Rows of the tabular, as lists of columns."""
    body = text[text.index("\\toprule") : text.index("\\bottomrule")]
    return [re.split(r"(?<!\\) & ", line.strip()[:-3]) for line in body.splitlines() if line.endswith(r"\\")]


def test_a_row_has_mean_interval_and_seeds_and_the_floor_is_the_last(sweep, capsys):
    assert main(["collect", str(sweep), "--latex", "--metrics", "mmd2,w2"]) == 0
    assert capsys.readouterr().out.endswith(f"final results as LaTeX: {sweep / 'collected.tex'}\n")
    rows = lines_of((sweep / "collected.tex").read_text())
    half = 4.302653 * np.std([0.010, 0.011, 0.012], ddof=1) / math.sqrt(3)
    assert rows[0] == ["drift", "setting", "seeds", r"MMD$^2$ $\downarrow$", r"W2 $\downarrow$"]
    assert rows[1][:4] == ["kl", "bandwidth=0.3", "3", rf"$\mathbf{{0.0110}} \pm {half:.4f}$"]
    assert rows[2][:3] == ["kl", "bandwidth=1", "2 of 3 (1 diverged)"]
    assert rows[3] == ["mmd", "as configured", "0 of 1 (1 diverged)", "--", "--"]
    assert rows[4] == ["data against data", "", "", "$0.0000$ ($0.0010$)", "$0.300$ ($0.010$)"]
    assert [len(row) for row in rows] == [5] * 5


def test_the_table_says_how_to_read_it(sweep):
    assert main(["collect", str(sweep), "--latex"]) == 0
    head = (sweep / "collected.tex").read_text().split("\\begin{table}")[0]
    assert all(line.startswith("%") for line in head.splitlines())
    for word in ("Student's t", "Bold", "diverged", "fresh data", "booktabs"):
        assert word in head


def test_every_metric_that_is_a_score_has_a_column_by_default(sweep):
    assert main(["collect", str(sweep), "--latex"]) == 0
    heading = lines_of((sweep / "collected.tex").read_text())[0]
    assert [re.sub(r" \$\\(down|up)arrow\$", "", name) for name in heading[3:]] == ["gap", "MMD$^2$", "W2"]


def test_environments_and_braces_are_closed(sweep):
    assert main(["collect", str(sweep), "--latex"]) == 0
    text = (sweep / "collected.tex").read_text()
    assert balanced(text)
    assert re.findall(r"\\(begin|end)\{(\w+)\}", text) == [
        ("begin", "table"), ("begin", "tabular"), ("end", "tabular"), ("end", "table")
    ]  # fmt: skip


def balanced(text):
    body = re.sub(r"\\[{}%$]", "", "\n".join(line for line in text.splitlines() if not line.startswith("%")))
    return body.count("{") == body.count("}") and body.count("$") % 2 == 0


def test_text_of_unknown_origin_is_printed_and_not_run():
    shown = escape(NASTY)
    assert shown.startswith(
        r"\textbackslash{}input\{/etc/passwd\} 50\%\_a\&b\#c\$d\textasciicircum{}e\textasciitilde{}f\{g\}"
    )
    assert shown.endswith("$<$h$>${[}i]{*}j$^2$é c ?")
    assert escape("two\nlines") == "two lines"


def test_names_of_a_foreign_run_are_escaped(tmp_path):
    job = make_run(tmp_path / "source", drift="kl")
    folder = tmp_path / "runs" / "a_b%c&d#e-[kl]_&-00000001"
    shutil.copytree(job.folder.path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"id": "00000001"}))
    assert main(["collect", str(tmp_path / "runs"), "--latex"]) == 0
    text = (tmp_path / "runs" / "collected.tex").read_text()
    assert r"a\_b\%c\&d\#e" in text
    assert lines_of(text)[1][0] == r"{[}kl]\_\&"
    assert balanced(text)


def rows_of(**values):
    return [
        Row(Cell("target", name, (), []), {"mmd2": value, "near": value, "covered": value})
        for name, value in values.items()
    ]


def test_the_best_is_bold_where_its_interval_overlaps_no_other():
    rows = rows_of(a=Value(1.0, 0.9, 1.1), b=Value(2.0, 1.2, 2.8), c=Value(3.0, 2.9, 3.1))
    assert best_of(rows, "mmd2") is rows[0]
    assert best_of(rows, "near") is rows[2]  # higher is better
    assert best_of(rows_of(a=Value(1.0, 0.9, 1.3), b=Value(2.0, 1.2, 2.8)), "mmd2") is None


def test_an_overlap_with_any_row_counts_not_only_with_the_next():
    rows = rows_of(a=Value(1.0, 0.9, 1.1), b=Value(2.0, 1.9, 2.1), wide=Value(3.0, 0.5, 5.5))
    assert best_of(rows, "mmd2") is None


def test_one_seed_has_no_interval_and_no_bold():
    assert math.isnan(value_of([0.5]).high)
    assert best_of(rows_of(a=Value(1.0), b=Value(2.0, 1.9, 2.1)), "mmd2") is None
    assert best_of(rows_of(a=Value(1.0, 0.9, 1.1), b=Value(2.0)), "mmd2") is None
    assert number(Value(0.012345), 0, "mmd2", False) == "$0.0123$"


def test_a_row_that_lost_seeds_is_not_bold_and_still_a_rival():
    class Lost:
        state = "diverged"

    rows = rows_of(a=Value(1.0, 0.9, 1.1), b=Value(2.0, 1.9, 2.1), c=Value(3.0, 2.9, 3.1))
    rows[0].cell.runs.append(Lost)
    assert best_of(rows, "mmd2") is None


def test_counts_have_their_range_and_no_bold():
    assert value_of([7.0, 8.0, 8.0], is_count=True) == Value(23 / 3, 7.0, 8.0)
    assert number(Value(23 / 3, 7.0, 8.0), 0, "covered", False) == "$7.67$ (7--8)"
    assert number(Value(8.0, 8.0, 8.0), 0, "covered", False) == "$8$"
    assert best_of(rows_of(a=Value(8.0, 8.0, 8.0), b=Value(1.0, 1.0, 1.0)), "covered") is None


def test_the_interval_holds_the_mean_in_95_of_100_cases():
    draws = np.random.default_rng(0).normal(size=(2000, 4))
    held = np.mean([value.low < 0 < value.high for value in map(value_of, draws)])
    assert abs(held - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_small_values_are_given_in_a_power_of_ten():
    assert scale_of([2e-4, 3e-4, math.nan]) == -4
    assert scale_of([0.0, 5.0]) == scale_of([]) == scale_of([math.nan]) == 0
    assert number(Value(2.34e-4, 2.1e-4, 2.58e-4), -4, "mmd2", True) == r"$\mathbf{2.34} \pm 0.24$"
    assert number(Value(-2e-5, -9e-5, 5e-5), -4, "mmd2", False) == r"$-0.20 \pm 0.70$"


def test_unknown_columns_and_other_files_are_refused(sweep, tmp_path, capsys):
    assert main(["collect", str(sweep), "--latex", "--metrics", "mmd3"]) == 2
    assert capsys.readouterr().err.startswith("gmdwgf: --metrics=mmd3: unknown; did you mean mmd2?")
    assert main(["collect", str(sweep), "--metrics", "mmd2"]) == 2
    assert "add --latex" in capsys.readouterr().err
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    assert main(["collect", str(sweep), "--latex", str(thesis)]) == 2
    assert "is not overwritten" in capsys.readouterr().err
    assert thesis.read_text() == "years of work"
    assert main(["collect", str(sweep), "--latex", str(tmp_path / "data.csv")]) == 2


def test_runs_without_results_have_no_table(tmp_path, capsys):
    make_run(tmp_path, "diverged", drift="kl")
    assert main(["collect", str(tmp_path), "--latex"]) == 2
    assert capsys.readouterr().err == "gmdwgf: --latex: needs at least one finished run with a metric\n"


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
@pytest.mark.thorough
def test_the_table_compiles(sweep, tmp_path, monkeypatch):
    assert main(["collect", str(sweep), "--latex", str(tmp_path / "table.tex")]) == 0
    monkeypatch.setitem(latex.METRICS, "mmd2", latex.METRICS["mmd2"]._replace(label=NASTY))
    assert main(["collect", str(sweep), "--latex", str(tmp_path / "nasty.tex")]) == 0
    paper = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{table}\input{nasty}\end{document}"
    (tmp_path / "paper.tex").write_text(paper)
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout

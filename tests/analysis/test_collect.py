import csv
import math
import sys

import numpy as np
import pytest
from pyarrow import parquet

from gmdwgf.analysis.collect import seed_rows, summaries
from gmdwgf.runs.__main__ import main
from gmdwgf.runs.records import read_runs
from tests.runs.folders import make_run


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Two bandwidths of kl with three seeds, one of which diverged at step 100, and one of deng."""
    tmp_path = tmp_path_factory.mktemp("sweep")
    for seed, mmd2 in enumerate((0.01, 0.02, 0.06)):
        make_run(tmp_path, mmd2=mmd2, drift="kl", drift__bandwidth=0.3, seed=seed)
        state = "diverged" if seed == 2 else "done"
        make_run(tmp_path, state, mmd2=mmd2, drift="kl", drift__bandwidth=1.0, seed=seed)
    make_run(tmp_path, drift="deng")
    return tmp_path


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.thorough
def test_the_table_has_a_row_a_run_and_evaluation_step(sweep):
    assert main(["collect", str(sweep)]) == 0
    rows = read(sweep / "collected.csv")
    assert len(rows) == 6 * 3 + 3 - 1  # the diverged run has two records
    one = [row for row in rows if row["drift.bandwidth"] == "0.3" and row["seed"] == "1"]
    assert [(row["step"], float(row["mmd2"])) for row in one] == [("0", 2.02), ("100", 0.02), ("200", 0.02)]
    assert {row["drift.bandwidth"] for row in rows if row["drift"] == "deng"} == {""}
    assert float(one[0]["floor_mmd2_sd"]) == 0.001
    assert one[0]["version_jax"]
    assert one[0]["version_python"] == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.thorough
def test_every_key_on_request(sweep):
    assert main(["collect", str(sweep), "--all-keys", "--out", str(sweep / "all.csv")]) == 0
    assert read(sweep / "all.csv")[0]["training.batch_size"] == "512"
    assert "tracking.progress" not in read(sweep / "all.csv")[0]


def test_seeds_are_reduced_to_mean_sd_and_interval(sweep):
    assert main(["collect", str(sweep), "--seeds"]) == 0
    rows = read(sweep / "collected_seeds.csv")
    (row,) = [row for row in rows if row["drift.bandwidth"] == "0.3" and row["step"] == "200"]
    assert (row["n_seeds"], row["n_runs"], row["n_diverged"]) == ("3", "3", "0")
    np.testing.assert_allclose(float(row["mmd2"]), 0.03)
    np.testing.assert_allclose(float(row["mmd2_sd"]), np.std([0.01, 0.02, 0.06], ddof=1))
    assert 0.01 <= float(row["mmd2_low"]) < 0.03 < float(row["mmd2_high"]) <= 0.06


def test_diverged_seeds_are_counted_and_not_averaged(sweep):
    rows = [row for row in seed_rows(read_runs(sweep)) if row["drift.bandwidth"] == 1.0]
    assert [(row["step"], row["n_seeds"], row["n_diverged"]) for row in rows] == [(0, 3, 0), (100, 2, 1), (200, 2, 1)]
    np.testing.assert_allclose(rows[-1]["mmd2"], 0.015)


def test_one_seed_has_no_spread():
    row = summaries([{"mmd2": 0.5}], ["mmd2"])
    assert row["mmd2"] == 0.5
    assert all(math.isnan(row[f"mmd2_{name}"]) for name in ("sd", "low", "high"))


def test_the_bootstrap_interval_of_many_seeds_is_that_of_the_normal_law():
    values = np.random.default_rng(1).normal(size=400)
    row = summaries([{"a": value} for value in values], ["a"])
    half = 1.96 * values.std(ddof=1) / 20
    np.testing.assert_allclose(
        [row["a_low"], row["a_high"]], [values.mean() - half, values.mean() + half], atol=0.15 * half
    )


def test_parquet_holds_the_same_table(sweep):
    assert main(["collect", str(sweep), "--parquet"]) == 0
    table = parquet.read_table(sweep / "collected.parquet").to_pydict()
    rows = read(sweep / "collected.csv")
    assert list(table) == list(rows[0])
    assert table["mmd2"] == [float(row["mmd2"]) for row in rows]
    assert table["drift.bandwidth"][:3] == [None] * 3  # deng comes first and has none


def test_a_table_is_written_over_tables_only(tmp_path, capsys):
    make_run(tmp_path)
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    assert main(["collect", str(tmp_path), "--out", str(thesis)]) == 2
    assert capsys.readouterr().err.startswith(f"gmdwgf: --out={thesis}: must end in .csv")
    assert thesis.read_text() == "years of work"

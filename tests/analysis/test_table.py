import pytest

import gmdwgf
from gmdwgf.config.build import ConfigError
from gmdwgf.runs.table import as_table
from tests.runs.folders import make_run


def rows_of(table):
    return table if isinstance(table, list) else table.to_dict("records")


def test_load_runs_has_a_row_a_run_and_step(tmp_path):
    for bandwidth in (0.3, 1.0):
        make_run(tmp_path / "here", drift="kl", drift__bandwidth=bandwidth)
    rows = rows_of(gmdwgf.load_runs(tmp_path))
    assert [(row["drift.bandwidth"], row["step"]) for row in rows] == [
        (h, step) for h in (0.3, 1.0) for step in (0, 100, 200)
    ]
    assert {row["state"] for row in rows} == {"done"}
    assert rows[2]["mmd2"] == 0.01
    assert "training.batch_size" not in rows[0]
    assert rows_of(gmdwgf.load_runs(tmp_path, all_keys=True))[0]["training.batch_size"] == 512


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(ConfigError):
        gmdwgf.load_runs(tmp_path)


def test_a_table_is_a_data_frame_where_pandas_is_installed():
    pandas = pytest.importorskip("pandas")
    assert isinstance(as_table([{"step": 1}]), pandas.DataFrame)

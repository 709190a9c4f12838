import json
import math
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from gmdwgf.files import DamagedFile
from gmdwgf.tracking import JsonlSink, RunHeader, read_records, truncate
from gmdwgf.tracking.jsonl import salvage


def run_in(folder, start_step=0):
    return RunHeader("abc123", "a run", folder, {}, n_steps=100, start_step=start_step)


def sink_in(folder, start_step=0):
    sink = JsonlSink()
    sink.start(run_in(folder, start_step))
    return sink


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def test_records_come_back_as_they_were_logged(tmp_path, path):
    sink = sink_in(tmp_path)
    sink.log(0, {"mmd2": 0.1, "v_rms": 1e-30})
    sink.log(50, {"mmd2": -1.5e-5, "v_rms": 0.3})
    assert read_records(path) == [
        {"step": 0, "mmd2": 0.1, "v_rms": 1e-30},
        {"step": 50, "mmd2": -1.5e-5, "v_rms": 0.3},
    ]
    assert isinstance(read_records(path)[1]["step"], int)


def test_a_record_is_on_the_disk_when_log_returns(tmp_path, path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    sink = sink_in(tmp_path)
    sink.log(0, {"mmd2": 0.1})
    sink.log(1, {"mmd2": 0.2})
    assert synced[-1] == path.stat().st_size > 0
    assert len(synced) == 2


def test_nan_and_infinity_are_json_numbers_that_come_back(tmp_path, path):
    sink_in(tmp_path).log(3, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 2.0})

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(path.read_text(), parse_constant=refuse)["a"] is None
    (record,) = read_records(path)
    assert math.isnan(record["a"])
    assert (record["b"], record["c"], record["d"]) == (math.inf, -math.inf, 2.0)


def test_pandas_reads_every_metric_as_a_float_column(tmp_path, path):
    pandas = pytest.importorskip("pandas")
    sink = sink_in(tmp_path)
    sink.log(0, {"a": 1, "b": math.nan, "c": math.inf})
    sink.log(1, {"a": 2.5, "b": 0.5, "c": 0.5})
    table = pandas.read_json(path, lines=True)
    assert table["c"].tolist() == [math.inf, 0.5]
    assert table["b"].isna().tolist() == [True, False]
    assert [str(table[name].dtype) for name in ("step", "a", "b", "c")] == ["int64", "float64", "float64", "float64"]


@pytest.mark.parametrize("tail", ['{"step": 20, "mm', '{"step": 20, "mmd2": 0.1', "\x00\x00\x00", "17", "\xc3"])
def test_a_torn_last_line_is_left_out(path, tail):
    path.write_text('{"step": 10, "mmd2": 0.5}\n')
    with path.open("a", encoding="latin-1") as file:
        file.write(tail)
    assert read_records(path) == [{"step": 10, "mmd2": 0.5}]


def test_a_whole_last_line_without_its_newline_is_kept_and_completed(path):
    path.write_text('{"step": 10, "mmd2": 0.5}')
    sink_in(path.parent, start_step=10).log(20, {"mmd2": 0.25})
    assert [record["step"] for record in read_records(path)] == [10, 20]


def test_a_bad_line_in_the_middle_is_an_error_that_names_it(path):
    path.write_text('{"step": 1}\nrubbish\n{"step": 3}\n')
    with pytest.raises(DamagedFile, match="line 2"):
        read_records(path)
    records, damage = salvage(path)
    assert [record["step"] for record in records] == [1, 3]
    assert damage.line == 2


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"step": "3"}', "is not a record"),
        ('{"step": true}', "is not a record"),
        ('{"step": 3, "mmd2": "x"}', "is not a record"),
        ('{"step": 3, "mmd2": [1]}', "is not a record"),
        ('{"step": 3, "mmd2": true}', "is not a record"),
        ('{"step": -1}', "is not a record"),
        ("[" * 100_000, "is not a record"),
        ('{"step": 3, "a": 1' + "0" * 400 + "}", "is not a record"),
        ('{"step": 1}', "has step 1 after step 2"),
    ],
)
def test_a_line_of_wrong_types_or_out_of_order_is_named_and_the_others_are_kept(path, line, problem):
    path.write_text(f'{{"step": 1}}\n{{"step": 2}}\n{line}\n{{"step": 5}}\n')
    with pytest.raises(DamagedFile, match="line 3") as refused:
        read_records(path)
    assert problem in refused.value.problem
    assert [record["step"] for record in salvage(path)[0]] == [1, 2, 5]


def test_truncate_drops_later_records_and_a_torn_line(path):
    path.write_text("".join(f'{{"step": {s}, "a": null}}\n' for s in (0, 10, 20, 30)) + '{"step": 4')
    truncate(path, 20)
    assert [record["step"] for record in read_records(path)] == [0, 10, 20]
    assert path.read_text().endswith('"step": 20, "a": null}\n')
    truncate(path, 15)
    assert [record["step"] for record in read_records(path)] == [0, 10]
    truncate(path, -1)
    assert path.read_text() == ""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_truncate_leaves_the_old_file_whole_when_it_is_stopped(path, monkeypatch, moment):
    path.write_text('{"step": 0}\n{"step": 10}\n')

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, moment, stop)
    with pytest.raises(KeyboardInterrupt):
        truncate(path, 0)
    assert [record["step"] for record in read_records(path)] == [0, 10]


def test_truncate_of_no_file_does_nothing(path):
    truncate(path, 10)
    assert not path.exists()


def test_a_resumed_run_has_every_step_once(tmp_path, path):
    first = sink_in(tmp_path)
    for step in (0, 10, 20, 30):
        first.log(step, {"a": float(step)})
    resumed = sink_in(tmp_path, start_step=20)
    for step in (20, 30, 40):
        resumed.log(step, {"a": step + 0.5})
    assert [(record["step"], record["a"]) for record in read_records(path)] == [
        (0, 0),
        (10, 10),
        (20, 20.5),
        (30, 30.5),
        (40, 40.5),
    ]


def test_values_for_the_same_step_are_merged_and_an_earlier_step_is_refused(tmp_path, path):
    sink = sink_in(tmp_path)
    sink.log(0, {"a": 1.0})
    sink.log(10, {"a": 2.0})
    sink.log(10, {"b": 3.0})
    assert read_records(path) == [{"step": 0, "a": 1.0}, {"step": 10, "a": 2.0, "b": 3.0}]
    with pytest.raises(ValueError, match="step 5 was logged after step 10"):
        sink.log(5, {"a": 0.0})


def test_a_kill_in_the_middle_of_logging_loses_no_record(tmp_path, path):
    code = """
        import sys
        from pathlib import Path
        from gmdwgf.tracking.base import RunHeader
        from gmdwgf.tracking.jsonl import JsonlSink

        sink = JsonlSink()
        sink.start(RunHeader("a", "a", Path(sys.argv[1]), {}, 10**9))
        for step in range(10**9):
            sink.log(step, {"a": step / 7})
            print(step, flush=True)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    seen = [int(child.stdout.readline()) for _ in range(30)]
    child.send_signal(signal.SIGKILL)
    seen += [int(line) for line in child.communicate()[0].splitlines()]
    steps = [record["step"] for record in read_records(path)]
    assert steps == list(range(len(steps)))
    assert len(steps) in (len(seen), len(seen) + 1)

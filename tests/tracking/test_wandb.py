import json
import struct

import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.tracking import RunHeader, WandbConfig, WandbSink, wandb as module

pytestmark = pytest.mark.usefixtures("no_wandb_account")


def config(mode, **changes):
    fields = {
        "project": "gmdwgf",
        "entity": None,
        "group": None,
        "tags": [],
        "init_timeout": 2.0,
        "finish_timeout": 5.0,
    }
    return WandbConfig(mode, **(fields | changes))


def only(folder, pattern):
    (found,) = folder.glob(pattern)
    return found


def history(folder, run_id):
    """The logged rows of an offline run's file: 7 bytes, then LevelDB log blocks of 32 KiB with protobuf records."""
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    wandb.teardown()  # the service writes on after `finish` has returned
    path = only(folder, f"wandb/offline-run-*/run-{run_id}.wandb")
    data, at, payload, rows = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        payload += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or its last piece
            record, payload = Record.FromString(payload), b""
            if record.HasField("history"):
                items = {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item
                }
                rows.append(items | {"_step": record.history.step.num})
    return rows


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return RunHeader("abc123", "kl", folder, {"drift": {"bandwidth": 0.3}}, n_steps=100, group="a sweep")


@pytest.mark.thorough
def test_an_offline_run_holds_every_curve_point_and_figure_and_says_nothing(run, tmp_path, capfd):
    from PIL import Image

    said = []
    sink = WandbSink(config("offline"), said.append)
    sink.start(run)
    for step in range(0, 100, 5):
        sink.log(step, {"mmd2": 0.5 / (1 + step), "v_rms": float("nan") if step == 95 else 1.0})
    Image.new("RGB", (4, 3)).save(tmp_path / "samples.png")
    sink.figure("samples", tmp_path / "samples.png")
    sink.finish({"status": "done", "mmd2": 0.005})
    rows = history(run.folder, "abc123")
    assert [row["_step"] for row in rows] == list(range(0, 100, 5))
    assert [row["mmd2"] for row in rows] == [0.5 / (1 + step) for step in range(0, 100, 5)]
    assert rows[-1]["samples/width"] == 4
    assert only(run.folder, "wandb/offline-run-*/files/media/images/*.png").stat().st_size > 0
    assert said == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.thorough
def test_runs_open_side_by_side_do_not_mix(run):
    sinks = {name: WandbSink(config("offline"), print) for name in ("first", "second")}
    for name, sink in sinks.items():
        sink.start(run._replace(id=name))
    for step in range(3):
        for name, sink in sinks.items():
            sink.log(step, {"a": step + 10.0 * (name == "second")})
    for sink in sinks.values():
        sink.finish({})
    found = {name: [row["a"] for row in history(run.folder, name)] for name in sinks}
    assert found == {"first": [0.0, 1.0, 2.0], "second": [10.0, 11.0, 12.0]}


def count_starts(monkeypatch):
    """The modes and time-outs of the starts of wandb from now on."""
    import wandb

    started, init = [], wandb.init

    def counted(**settings):
        started.append((settings["mode"], settings["settings"].init_timeout))
        return init(**settings)

    monkeypatch.setattr(wandb, "init", counted)
    return started


def test_online_without_a_key_says_one_line_and_is_kept_offline(run, monkeypatch, capfd):
    said, started = [], count_starts(monkeypatch)
    sink = WandbSink(config("online"), said.append)
    sink.start(run)
    sink.log(0, {"mmd2": 1.0})
    sink.finish({})
    assert started == [("offline", 2.0)]  # no server was waited for
    assert said == ["wandb online: no API key, so this run is kept offline for `wandb sync`"]
    assert len(history(run.folder, "abc123")) == 1
    assert capfd.readouterr() == ("", "")


def test_a_server_that_does_not_answer_costs_one_timeout_a_process(run, monkeypatch, capfd):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # the discard port: nobody listens
    said, started = [], count_starts(monkeypatch)
    for name in ("first", "second"):
        sink = WandbSink(config("online"), said.append)
        sink.start(run._replace(id=name))
        sink.log(0, {"mmd2": 1.0})
        sink.finish({})
    assert started == [("online", 2.0), ("offline", 2.0), ("offline", 2.0)]  # the second did not ask the server again
    assert [line.count("\n") for line in said] == [0, 0]
    assert all("kept offline" in line for line in said)
    assert [len(history(run.folder, name)) for name in ("first", "second")] == [1, 1]
    assert capfd.readouterr() == ("", "")


def test_a_run_goes_on_unmirrored_where_wandb_cannot_start_at_all(run, monkeypatch):
    import wandb

    def broken(**_):
        raise OSError("no space left on device")

    monkeypatch.setattr(wandb, "init", broken)
    said = []
    sink = WandbSink(config("offline"), said.append)
    sink.start(run)
    sink.log(0, {"mmd2": 1.0})
    sink.figure("samples", run.folder / "absent.png")
    sink.finish({})
    assert said == ["wandb offline: no space left on device, so this run is not mirrored"]


@pytest.mark.parametrize(("mode", "environment"), [("disabled", None), ("online", "disabled")])
def test_disabled_writes_nothing_and_does_not_load_wandb(run, monkeypatch, mode, environment):
    if environment:
        monkeypatch.setenv("WANDB_MODE", environment)
    monkeypatch.setattr(module, "_open", None)
    sink = WandbSink(config(mode), print)
    sink.start(run)
    sink.log(0, {"mmd2": 1.0})
    sink.figure("samples", run.folder / "absent.png")
    sink.finish({})
    assert list(run.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("field", "value", "fix"),
    [
        ("mode", "on-line", "must be one of offline, online, disabled"),
        ("init_timeout", 0, "must be greater than 0 and at most 86400, in seconds"),
        ("finish_timeout", -1.0, "must be greater than 0 and at most 86400, in seconds"),
        ("init_timeout", True, "must be greater than 0 and at most 86400, in seconds"),
        ("finish_timeout", float("inf"), "must be greater than 0 and at most 86400, in seconds"),
        ("tags", ["a", 5], "must be a list of words of up to 64 letters, e.g. [baseline]"),
    ],
)
def test_a_bad_field_is_refused_by_name(field, value, fix):
    with pytest.raises(FieldError) as refused:
        config(**{"mode": "offline", field: value})
    assert (refused.value.name, refused.value.value, refused.value.fix) == (field, value, fix)

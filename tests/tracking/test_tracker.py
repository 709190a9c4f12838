import pytest

from gmdwgf.tracking import RunHeader, Sink, Tracker, TrackingConfig, WandbConfig, make_tracker, read_records

WANDB = WandbConfig("disabled", "gmdwgf", None, None, [], 10.0, 60.0)


class Recorder(Sink):
    def __init__(self, fails=()):
        self.calls, self.fails = [], fails

    def _note(self, method, *arguments):
        self.calls.append((method, *arguments))
        if method in self.fails:
            raise RuntimeError(f"no {method}\nsecond line")

    def start(self, run):
        self._note("start", run.start_step, run.floor)

    def progress(self, step, values):
        self._note("progress", step)

    def log(self, step, values):
        self._note("log", step)

    def figure(self, name, path):
        self._note("figure", name)

    def finish(self, summary):
        self._note("finish")


@pytest.fixture
def run(tmp_path):
    return RunHeader("abc123", "a run", tmp_path, {}, n_steps=100)


def drive(tracker, tmp_path):
    tracker.start(5, {"mmd2": (0.0, 1.0)})
    tracker.progress(10, {})
    tracker.log(20, {"a": 1.0})
    tracker.log(30, {"a": 1.0})
    tracker.figure("samples", tmp_path / "samples.png")
    tracker.finish({})


EVERYTHING = [
    ("start", 5, {"mmd2": (0.0, 1.0)}),
    ("progress", 10),
    ("log", 20),
    ("log", 30),
    ("figure", "samples"),
    ("finish",),
]


def test_a_failing_mirror_is_said_once_and_hides_nothing_from_the_others(run, tmp_path):
    said, bad, good = [], Recorder(fails=("log", "finish")), Recorder()
    drive(Tracker(run, Sink(), [bad, good], said.append), tmp_path)
    assert good.calls == bad.calls == EVERYTHING
    assert said == ["Recorder failed to log (RuntimeError: no log second line); the run continues"]


def test_a_mirror_that_does_not_start_is_left_out(run, tmp_path):
    said, bad = [], Recorder(fails=("start",))
    drive(Tracker(run, Sink(), [bad], said.append), tmp_path)
    assert bad.calls == EVERYTHING[:1]
    assert len(said) == 1


@pytest.mark.parametrize("method", ["start", "log"])
def test_a_failure_of_the_truth_ends_the_run(run, tmp_path, method):
    with pytest.raises(RuntimeError, match=f"no {method}"):
        drive(Tracker(run, Recorder(fails=(method,)), [], lambda line: None), tmp_path)


def test_an_interrupt_is_never_swallowed(run):
    class Interrupted(Sink):
        def log(self, step, values):
            raise KeyboardInterrupt

    tracker = Tracker(run, Sink(), [Interrupted()], lambda line: None)
    tracker.start(0, {})
    with pytest.raises(KeyboardInterrupt):
        tracker.log(0, {})


def test_finish_is_safe_before_start_and_twice(run):
    mirror = Recorder()
    tracker = Tracker(run, Sink(), [mirror], lambda line: None)
    tracker.finish({})
    assert mirror.calls == []
    tracker.start(0, {})
    tracker.finish({})
    tracker.finish({})
    assert [call[0] for call in mirror.calls] == ["start", "finish"]


@pytest.mark.parametrize(("progress", "expected"), [(True, 1), (False, 0)])
def test_the_config_decides_whether_progress_is_shown(run, capsys, progress, expected):
    tracker = make_tracker(TrackingConfig(progress, 10.0, WANDB), run, lambda line: None)
    tracker.start(0, {})
    tracker.log(0, {"mmd2": 1.0})
    tracker.finish({})
    assert len(capsys.readouterr().out.splitlines()) == expected
    assert [record["step"] for record in read_records(run.folder / "metrics.jsonl")] == [0]


def test_the_shipped_config_builds_a_tracker(run):
    configuration = pytest.importorskip("gmdwgf.config.build")
    config = configuration.build(configuration.load_node("tracking", "default", {}), "tracking")
    assert config.wandb.mode == "offline"
    make_tracker(config, run, lambda line: None)

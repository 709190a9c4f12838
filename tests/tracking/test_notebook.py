import io
from pathlib import Path

from gmdwgf.tracking import RunHeader
from gmdwgf.tracking.notebook import LineProgress, default_progress, in_notebook
from gmdwgf.tracking.progress import ProgressSink

RUN = RunHeader("abc", "pinwheel-kl", Path("."), {}, n_steps=40, floor={"mmd2": (1e-5, 2e-5)})


def test_a_notebook_has_one_line_that_is_written_over():
    page = io.StringIO()
    sink = LineProgress(page)
    sink.start(RUN)
    sink.log(0, {"mmd2": 0.25, "v_rms": 1.5})
    sink.progress(20, {"v_rms": 0.5})
    sink.log(40, {"mmd2": 0.01})
    sink.finish({})
    first, *written, last = page.getvalue().split("\r")
    assert first == ""
    assert last.endswith("\n")
    assert page.getvalue().count("\n") == 1
    assert all(line.startswith("pinwheel-kl") for line in [*written, last])
    assert "20/40" in written[-1]
    assert "MMD^2 1.0e-02 (floor 5e-05)" in last
    widths = [len(line.rstrip("\n")) for line in [*written, last]]
    assert widths == sorted(widths)  # a shorter line leaves nothing of a longer one


def test_outside_of_notebooks_progress_is_that_of_the_command():
    assert not in_notebook()
    assert isinstance(default_progress(), ProgressSink)

"""Output whose reader is gone."""

import os
import sys

from gmdwgf.launch.terminal import LastingStream, lasting_output


def test_what_is_written_to_a_closed_pipe_is_dropped(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file:
        stream = LastingStream(file)
        for _ in range(3):
            assert stream.write("a line\n") == 7
            stream.flush()
        stream.writelines(["more" * 10_000, "\n"])


def test_what_can_be_written_is_written_and_the_streams_are_put_back(capsys):
    before = sys.stdout, sys.stderr
    with lasting_output():
        sys.stdout.write("out\n")
        sys.stderr.write("err\n")
        assert sys.stdout.isatty() is False
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("out\n", "err\n")

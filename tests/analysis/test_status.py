import pytest

from gmdwgf.runs.__main__ import main
from tests.runs.folders import make_run


@pytest.fixture
def four(tmp_path):
    """A run of every state; the folder is that of the test."""
    states = ("done", "diverged", "failed", "unfinished")
    return {state: make_run(tmp_path, state, drift="kl", drift__bandwidth=i + 1) for i, state in enumerate(states)}


@pytest.mark.thorough
def test_status_tells_of_every_run_what_became_of_it_and_why(four, tmp_path, capsys):
    with four["unfinished"].folder.lock():
        assert main(["status", str(tmp_path)]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].split() == [
        "run",
        "dataset",
        "drift",
        "bandwidth",
        "seed",
        "state",
        "step",
        "gap",
        "MMD^2",
        "floor",
        "time",
        "why",
    ]
    rows = {line.split()[0]: line for line in lines[1:5]}
    assert rows[four["done"].id].split()[2:9] == ["kl", "1", "0", "done", "200/200", "10.0", "1.00e-02"]
    assert rows[four["diverged"].id].endswith("position = 2e4 at step 100")
    assert rows[four["failed"].id].endswith("the disk is full; free some space, then the same command resumes the run")
    assert " live " in rows[four["unfinished"].id]
    assert lines[-1] == "4 runs: 1 done, 1 diverged, 1 failed, 1 live"


@pytest.mark.thorough
def test_status_shows_only_what_is_named(four, tmp_path, capsys):
    assert main(["status", str(tmp_path), "failed", four["done"].id]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 runs: 1 done, 1 failed"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["status", "nowhere"], "gmdwgf: DIR=nowhere: is not a folder"),
        (["status", "."], "gmdwgf: DIR=.: contains no run"),
        (["rm", "runs", "faild"], "gmdwgf: WHICH=faild: is no state"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(arguments, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if "rm" in arguments:
        make_run(tmp_path / "runs")
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(expected)
    assert err.count("\n") == 1


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.thorough
def test_rm_deletes_what_is_named_and_nothing_else(four, tmp_path):
    before = names(tmp_path)
    assert main(["rm", str(tmp_path), "failed", four["diverged"].id, "--yes"]) == 0
    assert before - names(tmp_path) == {four["failed"].name, four["diverged"].name}


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "left"), [("n", 4), ("", 4), ("y", 3)])
def test_rm_asks_first(four, tmp_path, monkeypatch, answer, left):
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert main(["rm", str(tmp_path), "failed"]) == 0
    assert len(names(tmp_path)) == left


@pytest.mark.thorough
def test_rm_never_deletes_a_live_run(four, tmp_path, capsys):
    with four["failed"].folder.lock():
        assert main(["rm", str(tmp_path), "failed", four["failed"].id, "--yes"]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    assert four["failed"].name in names(tmp_path)


@pytest.mark.thorough
def test_a_run_that_came_alive_while_the_question_stood_stays(four, tmp_path, monkeypatch, capsys):
    lock = four["failed"].folder.lock()

    def answer(question):
        lock.__enter__()
        return "y"

    monkeypatch.setattr("builtins.input", answer)
    assert main(["rm", str(tmp_path), "failed", "unfinished"]) == 0
    lock.__exit__(None, None, None)
    out = capsys.readouterr().out
    assert f"{four['failed'].name} is live and stays" in out
    assert "removed 1 of 2" in out
    assert four["failed"].name in names(tmp_path)

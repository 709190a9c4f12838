import json
import socket
import threading

import pytest

from gmdwgf.runs.__main__ import main
from tests.runs.folders import make_run
from tests.tracking.test_wandb import count_starts, history

pytestmark = pytest.mark.usefixtures("no_wandb_account")


@pytest.mark.thorough
def test_a_run_is_replayed_under_its_id_with_every_record(tmp_path, capsys):
    job = make_run(tmp_path, drift="kl", mmd2=0.03)
    assert main(["sync", str(tmp_path)]) == 0
    rows = history(job.folder.path, job.id)
    assert [(row["_step"], row["mmd2"]) for row in rows] == [(0, 0.03 * 101), (100, 0.03), (200, 0.03)]
    assert capsys.readouterr().out.splitlines()[0] == f"[1/1] {job.name}: 3 records, done"


def test_the_group_is_the_folder_of_the_sweep(tmp_path):
    job = make_run(tmp_path / "my sweep")
    assert main(["sync", str(tmp_path / "my sweep")]) == 0
    history(job.folder.path, job.id)  # waits for the file
    (path,) = job.folder.path.glob("wandb/offline-run-*/*.wandb")
    assert b"my sweep" in path.read_bytes()


def test_a_live_run_is_left_alone(tmp_path, capsys):
    job = make_run(tmp_path, "unfinished")
    with job.folder.lock():
        assert main(["sync", str(tmp_path)]) == 0
    assert "live" in capsys.readouterr().out
    assert not (job.folder.path / "wandb").exists()


@pytest.mark.slow
def test_a_server_that_takes_calls_and_never_answers_costs_one_wait_for_all_runs(tmp_path, monkeypatch, capsys):
    silent, held = socket.create_server(("127.0.0.1", 0)), []

    def take():
        while True:
            try:
                held.append(silent.accept())
            except OSError:
                return

    taking = threading.Thread(target=take, daemon=True)
    taking.start()
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
    jobs = [make_run(tmp_path, seed=seed) for seed in range(4)]
    started = count_starts(monkeypatch)
    assert main(["sync", str(tmp_path), "--mode", "online", "--init-timeout", "6", "--finish-timeout", "2"]) == 0
    silent.shutdown(socket.SHUT_RDWR)
    taking.join()
    for end in (silent, *(connection for connection, _ in held)):
        end.close()
    assert held, "the server was never called"
    assert started == [("online", 6.0), *[("offline", 6.0)] * 4]  # one wait for all runs
    out = capsys.readouterr().out
    assert out.count("kept offline") == 2  # the wait, and that it is not tried again: each said once
    assert all(len(history(job.folder.path, job.id)) == 3 for job in jobs)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--mode", "on"], "gmdwgf: --mode=on: must be offline or online\n"),
        (["--init-timeout", "0"], "gmdwgf: --init-timeout=0.0: must be greater than 0\n"),
    ],
)
def test_bad_words_are_refused_in_one_line(tmp_path, capsys, arguments, complaint):
    make_run(tmp_path)
    assert main(["sync", str(tmp_path), *arguments]) == 2
    assert capsys.readouterr().err == complaint


def test_a_run_whose_id_is_no_id_names_no_file_of_wandbs(tmp_path, capsys):
    folder = make_run(tmp_path).folder.path
    facts = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(facts | {"id": "../../../out"}))
    assert main(["sync", str(tmp_path)]) == 0
    assert f"{folder.name}: left out, its manifest names no id of a run" in capsys.readouterr().out
    assert not (folder / "wandb").exists()

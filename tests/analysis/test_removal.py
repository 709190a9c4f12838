"""What `runs rm` deletes, and above all what it does not."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from gmdwgf.analysis import removal
from gmdwgf.runs import main
from gmdwgf.runs.records import read_runs
from tests.runs.folders import make_run
from tests.runs.trees import tree


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run, to be copied."""
    return make_run(tmp_path_factory.mktemp("made"), drift="kl").folder.path


@pytest.fixture
def run(made, tmp_path):
    """A finished run, alone in a folder `runs`."""
    return shutil.copytree(made, tmp_path / "runs" / made.name)


def rm(*words):
    return main(["rm", *map(str, words), "--yes"])


def test_a_run_is_deleted_with_all_that_gmdwgf_writes_into_it(run, capsys):
    (run / "wandb").mkdir()
    (run / "wandb/latest-run").symlink_to(run / "figures")
    (run / "report.html").touch()
    (run / ".metrics.7.tmp.jsonl").touch()
    assert rm(run.parent, "done") == 0
    assert "removed 1 of 1" in capsys.readouterr().out
    assert list(run.parent.iterdir()) == []


def test_a_run_is_deleted_by_its_own_folder_from_outside(run):
    assert rm(run, "done") == 0
    assert list(run.parent.iterdir()) == []


WEB = {"name": "shop", "short_name": "shop", "id": "/", "start_url": "/", "icons": []}


@pytest.mark.parametrize("name", ["shop", "static-1a2b3c4d"])
def test_a_web_application_is_no_run(name, tmp_path, capsys):
    app = tmp_path / "www" / name
    app.mkdir(parents=True)
    (app / "manifest.json").write_text(json.dumps(WEB))
    (app / "index.html").write_text("<p>")
    before = tree(tmp_path)
    assert rm(tmp_path / "www", "unfinished") == 2
    assert rm(app, "unfinished") == 2
    assert read_runs(tmp_path) == []
    assert tree(tmp_path) == before
    assert "contains no run" in capsys.readouterr().err


def test_of_a_project_only_the_runs_in_it_are_runs(made, tmp_path):
    project = tmp_path / "project"
    run = shutil.copytree(made, project / "results" / "runs" / made.name)
    (project / "manifest.json").write_text(json.dumps(WEB))
    (project / "thesis.tex").write_text("years of work")
    before = tree(project)
    assert rm(tmp_path, "unfinished") == 0
    assert tree(project) == before
    assert rm(tmp_path, "done") == 0
    assert not run.exists()
    assert (project / "thesis.tex").read_text() == "years of work"
    assert (project / "manifest.json").is_file()


def damage_manifest(run):
    (run / "manifest.json").write_text("[1]")


def lose_manifest(run):
    (run / "manifest.json").unlink()


def other_id(run):
    facts = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(facts | {"id": "00000000"}))


def no_version(run):
    facts = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(facts | {"gmdwgf": None}))


def own_file(run):
    (run / "notes.txt").write_text("what I saw in this run")


def own_folder(run):
    (run / "analysis").mkdir()


def own_figure(run):
    (run / "figures/poster.ai").touch()


def nested_run(run):
    shutil.copytree(run, run / "checkpoints" / "other" / run.name)


def manifest_by_link(run):
    (run / "manifest.json").rename(run.parent / "elsewhere.json")
    (run / "manifest.json").symlink_to(run.parent / "elsewhere.json")


def lock_by_link(run):
    (run / "run.lock").unlink()
    (run / "run.lock").symlink_to(run.parent / "somewhere")


KEPT = {
    damage_manifest: "has no manifest.json that names an id and a version of gmdwgf",
    lose_manifest: "has no manifest.json that names",
    no_version: "has no manifest.json that names",
    other_id: "has a name that does not end in -00000000",
    own_file: "holds notes.txt, which no run writes,",
    own_folder: "holds analysis, which no run writes,",
    own_figure: "holds figures/poster.ai, which no run writes,",
    nested_run: "holds another run (checkpoints/other/",
    manifest_by_link: "has a link in place of its manifest.json",
    lock_by_link: "has a link in place of its manifest.json or its run.lock",
}


@pytest.mark.parametrize("change", KEPT, ids=lambda change: change.__name__)
def test_what_is_not_wholly_ours_is_listed_but_stays_and_the_reason_is_said(change, run, capsys):
    change(run)
    before = tree(run.parent)
    assert [found.path for found in read_runs(run.parent)] == [run]
    assert rm(run.parent, "done") == 0
    out = capsys.readouterr().out
    assert f"{run.name} {KEPT[change]}" in out
    assert "and stays\nnothing to remove\n" in out
    assert tree(run.parent) == before


def test_a_folder_that_was_given_another_name_stays(run, capsys):
    kept = run.rename(run.with_name("my best run"))
    assert rm(run.parent, "done") == 0
    assert "my best run has a name that does not end in -" in capsys.readouterr().out
    assert (kept / "DONE.json").is_file()


def test_a_run_that_is_a_link_is_neither_listed_nor_touched(run, tmp_path):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / run.name).symlink_to(run)
    before = tree(tmp_path)
    assert read_runs(tmp_path / "linked") == []
    assert rm(tmp_path / "linked", "done") == 2
    assert tree(tmp_path) == before


@pytest.mark.parametrize("where", ["link", "link/{name}", "{name}", "up/../link"])
def test_nothing_is_deleted_behind_a_link_and_the_line_names_the_folder(where, run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "up").mkdir()
    (tmp_path / "link").symlink_to(run.parent)
    (tmp_path / run.name).symlink_to(run)
    before = tree(tmp_path)
    assert rm(where.format(name=run.name), "done") == 2
    err = capsys.readouterr().err
    assert "is reached through a link; give the folder itself: " in err
    assert str(run.parent) in err
    assert err.count("\n") == 1
    assert tree(tmp_path) == before


def test_links_in_a_run_are_removed_and_what_they_point_to_is_not(run, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    shutil.rmtree(run / "figures")
    (run / "figures").symlink_to(precious)
    (run / "checkpoints").mkdir(exist_ok=True)
    (run / "checkpoints/5").symlink_to(precious)
    before = tree(precious)
    assert rm(run.parent, "done") == 0
    assert list(run.parent.iterdir()) == []
    assert tree(precious) == before


def test_a_link_put_in_place_of_a_run_while_the_question_stood_is_not_followed(run, tmp_path, monkeypatch, capsys):
    found = []

    def answer(question):
        run.rename(tmp_path / run.name)
        run.symlink_to(tmp_path / run.name)
        found.append(tree(tmp_path))
        return "y"

    monkeypatch.setattr("builtins.input", answer)
    assert main(["rm", str(run.parent), "done"]) == 0
    assert f"{run.name} is a link, or is reached through one, and stays" in capsys.readouterr().out
    assert [tree(tmp_path)] == found


def test_what_could_be_deleted_in_part_only_is_said(run, monkeypatch, capsys):
    def full(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr("shutil.rmtree", full)
    assert rm(run.parent, "done") == 0
    assert f"in part only; the rest is in .removed-{os.getpid()}-{run.name} (Input/output" in capsys.readouterr().out


@pytest.mark.parametrize(("inside", "typed"), [("", "."), ("figures", ".."), ("", "..")])
def test_from_inside_a_run_it_is_not_deleted(inside, typed, run, monkeypatch, capsys):
    monkeypatch.chdir(run / inside)
    before = tree(run.parent)
    assert rm(typed, "done") == 0
    assert f"{run.name} is where you are (leave it first: cd ..) and stays" in capsys.readouterr().out
    assert tree(run.parent) == before


def test_a_run_that_ended_while_the_question_stood_stays(tmp_path, monkeypatch, capsys):
    job = make_run(tmp_path, "unfinished")

    def answer(question):
        job.folder.end("done", {"id": job.id, "status": "done"})
        return "y"

    monkeypatch.setattr("builtins.input", answer)
    assert main(["rm", str(tmp_path), "unfinished"]) == 0
    assert f"{job.name} is done by now and stays\nremoved 0 of 1" in capsys.readouterr().out
    assert job.folder.path.is_dir()


def test_without_a_terminal_nothing_is_agreed_to(run):
    done = subprocess.run(
        [sys.executable, "-m", "gmdwgf.runs", "rm", str(run.parent), "done"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("nothing removed\n")
    assert run.is_dir()


def ended_process():
    return subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    ).stdout


def test_what_a_killed_rm_left_is_deleted_by_the_next(run, capsys):
    number = ended_process().strip()
    left = run.rename(run.with_name(f".removed-{number}-{run.name}"))
    (left / "manifest.json").unlink()
    (left / "config.yaml").unlink()
    assert rm(run.parent, "done") == 2  # no run is left
    assert f"{left.name}: left by an earlier rm, deleted" in capsys.readouterr().out
    assert list(run.parent.iterdir()) == []


def test_what_is_only_named_like_a_killed_rm_stays(run, tmp_path):
    number, root = ended_process().strip(), run.parent
    alive = shutil.copytree(run, root / f".removed-{os.getppid()}-{run.name}")
    others = [root / f".removed-{number}-mine", root / f".removed-{run.name}", root / f"removed-{number}-{run.name}"]
    for path in others:
        path.mkdir()
    own = root / f".removed-{number}-a-b-00000000"
    own.mkdir()
    (own / "thesis.tex").touch()
    (root / f".removed-{number}-{run.name}").symlink_to(tmp_path)
    before = tree(root)
    assert rm(root, "failed") == 0
    assert tree(root) == before
    assert alive.is_dir()


def test_the_manifest_is_the_last_to_go(run, monkeypatch):
    gone = []
    monkeypatch.setattr("pathlib.Path.unlink", lambda path, **_: (gone.append(path.name), os.unlink(path)))
    removal._delete(run)
    assert gone[-1] == "manifest.json"
    assert len(gone) > 3


def test_a_run_whose_values_were_refused_can_be_deleted(tmp_path):
    job = make_run(tmp_path / "made")
    shutil.rmtree(job.folder.path)
    job.folder.refuse(job.id, job.yaml, ValueError("no"))
    assert rm(tmp_path, "failed") == 0
    assert not job.folder.path.exists()

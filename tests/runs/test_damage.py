"""Run folders with one thing wrong in them, beside whole ones: every command that reads them goes on and says what it is."""

import copy
import json
import os
import shutil
import subprocess
import sys

import pytest
import yaml

from gmdwgf.analysis import collect
from gmdwgf.analysis.cells import varied
from gmdwgf.analysis.status import status_lines
from gmdwgf.reports.contents import contents
from gmdwgf.reports.figures import draw_figures
from gmdwgf.reports.page import render
from gmdwgf.runs.__main__ import main
from gmdwgf.runs.records import read_runs
from tests.runs.folders import make_run

NASTY = "\ud800\x1b[31m\x00</script>"
PLANTED = ("x", [1], None, {"a": 1}, 5, True, NASTY, 10**400, [[[[{}]]]])


def kind(value):
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "number" if number else type(value).__name__


def mutations(data, path=()):
    """Every way to put a planted value in the place of one in nested `data`, with the value that stood there and the new one."""
    for name, value in data.items():
        for planted in PLANTED:
            yield (*path, name), value, planted
        if isinstance(value, dict):
            yield from mutations(value, (*path, name))


def planted_in(data, path, value):
    changed = copy.deepcopy(data)
    node = changed
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    return changed


def folders_with(root, whole, name, texts):
    """A copy of the run folder `whole` a text, with the text in the file `name`; their names."""
    names = []
    for number, text in enumerate(texts):
        folder = root / f"eight_gaussians-kl-{number:08x}"
        shutil.copytree(whole, folder)
        (folder / name).write_text(text, encoding="utf-8", errors="surrogatepass")
        names.append(folder.name)
    return names


def read_by_all(root):
    """What status, collect and report make of the runs in `root`: the reason given for every run, by its name."""
    runs = read_runs(root)
    lines = status_lines(runs, varied(runs), coloured=True)
    assert len(lines) == len(runs) + 1
    assert all(line.isprintable() for line in (line.replace("\x1b[3", "").replace("\x1b[0m", "") for line in lines))
    collect.write_csv(collect.run_rows(runs, all_keys=True), root / "all.csv")
    collect.write_csv(collect.seed_rows(runs), root / "seeds.csv")
    said = {run.name: next(line for line in lines if line.endswith(run.why)) and run.why for run in runs}
    page = contents(runs, root, root / "report.html")
    render(page).encode("utf-8", "backslashreplace")
    assert sorted(run["name"] for run in page["runs"]) == sorted(run.name for run in runs)
    assert all(said[run["name"]] == run["why"] or "samples.npz" in run["why"] for run in page["runs"])
    return {run["name"]: run["why"] for run in page["runs"]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Run folders without fault, by how they ended."""
    root = tmp_path_factory.mktemp("whole")
    return {state: make_run(root / state, state, drift="kl").folder.path for state in ENDINGS}


ENDINGS = {"done": "DONE.json", "diverged": "DIVERGED.json", "failed": "FAILED.json"}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("state", "which"),
    [
        *((state, "ending") for state in ENDINGS),
        ("done", "manifest"),
        *(pytest.param(state, "manifest", marks=pytest.mark.slow) for state in ("diverged", "failed")),
    ],
)
def test_a_value_of_the_wrong_kind_at_any_key_is_named_and_ends_no_command(whole, tmp_path, state, which):
    name = ENDINGS[state] if which == "ending" else "manifest.json"
    data = json.loads((whole[state] / name).read_text())
    cases = list(mutations(data))
    assert len(cases) > 15
    names = folders_with(tmp_path, whole[state], name, (json.dumps(planted_in(data, p, new)) for p, _, new in cases))
    whys = read_by_all(tmp_path)
    for folder, (path, old, new) in zip(names, cases, strict=True):
        if kind(old) != kind(new):
            assert f"{name} has {'.'.join(path)}" in whys[folder], (path, new, whys[folder])


@pytest.mark.thorough
def test_a_value_of_the_wrong_kind_in_any_record_is_named_and_the_other_records_are_shown(whole, tmp_path):
    lines = (whole["done"] / "metrics.jsonl").read_text().splitlines()
    pairs = [(n, path, new) for n in range(2) for path, _, new in mutations(json.loads(lines[n]))]
    texts = []
    for n, path, new in pairs:
        changed = json.dumps(planted_in(json.loads(lines[n]), path, new))
        texts.append("\n".join([*lines[:n], changed, *lines[n + 1 :]]) + "\n")
    names = folders_with(tmp_path, whole["done"], "metrics.jsonl", texts)
    whys = read_by_all(tmp_path)
    for folder, (n, path, new) in zip(names, pairs, strict=True):
        if kind(new) not in ("number", "NoneType") or (path == ("step",) and new is None):
            assert f"metrics.jsonl, line {n + 1}" in whys[folder], (n, path, new, whys[folder])


@pytest.mark.slow
def test_a_value_of_the_wrong_kind_at_any_key_of_the_config_ends_no_command(whole, tmp_path):
    data = yaml.safe_load((whole["done"] / "config.yaml").read_text())
    groups = ("seed", "training", "dataset", "drift", "generator", "optimizer", "metrics", "paths", "sweep")
    cases = [case for case in mutations(data) if case[2] != NASTY and case[2] != 10**400]
    names = folders_with(
        tmp_path, whole["done"], "config.yaml", (yaml.dump(planted_in(data, p, v)) for p, _, v in cases)
    )
    whys = read_by_all(tmp_path)
    for folder, (path, old, new) in zip(names, cases, strict=True):
        if len(path) == 1 and path[0] in groups and kind(old) != kind(new):
            assert f"config.yaml has {path[0]}" in whys[folder], (path, new)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
HARMFUL = {
    "empty": "",
    "NUL": "\x00" * 100,
    "half": '{"id": "1a2b',
    "a list": "[1]",
    "a number": "5",
    "nested": "[" * 100_000,
    "nested mappings": '{"a":' * 100_000,
    "nested and whole": '{"a":' * 300 + "1" + "}" * 300,
    "aliases": BOMB,
    "huge": "a" * (17 << 20),
    "tags": "a: !!binary aGVsbG8=\nb: !!set {x, y}\n",
    "code": "a: !!python/object/apply:os.system [touch ran]\n",
    "digits": '{"step": ' + "1" * 10_000 + "}",
    "merge": "a: &a {b: 1}\nc: {<<: *a}\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["config.yaml", "manifest.json", "DONE.json", "metrics.jsonl", "samples.npz"])
def test_a_harmful_file_is_named_and_ends_no_command(whole, tmp_path, name):
    names = folders_with(tmp_path, whole["done"], name, HARMFUL.values())
    whys = read_by_all(tmp_path)
    assert len(whys) == len(HARMFUL)
    for folder, case in zip(names, HARMFUL, strict=True):
        assert name in whys[folder] or (name == "metrics.jsonl"), case  # of which the last line may be torn
    list(draw_figures(read_runs(tmp_path)[:3], tmp_path / "figures"))


def test_a_damaged_ending_counts_as_unfinished(whole, tmp_path):
    folders_with(tmp_path, whole["done"], "DONE.json", ["", "[1]", "\x00", '{"step'])
    assert [run.state for run in read_runs(tmp_path)] == ["unfinished"] * 4


@pytest.mark.thorough
@pytest.mark.parametrize("command", ["status", "collect", "report"])
def test_names_that_are_no_letters_are_shown_under_an_ascii_locale(whole, tmp_path, command):
    folder = os.fsencode(tmp_path) + b"/eight_gaussians-k\xff\xc3\xa9l-00000001"
    shutil.copytree(os.fsencode(whole["done"]), folder)
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    module = ["gmdwgf.report"] if command == "report" else ["gmdwgf.runs", command]
    done = subprocess.run([sys.executable, "-m", *module, tmp_path], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    if command == "status":
        assert rb"k\xff" in done.stdout or rb"k\udcff" in done.stdout


def test_a_folder_that_is_bad_does_not_keep_the_others_from_being_collected(whole, tmp_path, capsys):
    folders_with(tmp_path, whole["done"], "manifest.json", ["[1]"])
    shutil.copytree(whole["done"], tmp_path / whole["done"].name)
    assert main(["collect", str(tmp_path)]) == 0
    assert "6 rows of 2 runs" in capsys.readouterr().out
    assert main(["status", str(tmp_path)]) == 0
    assert "manifest.json holds no mapping" in capsys.readouterr().out

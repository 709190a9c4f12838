"""How workers side by side share a machine."""

import subprocess
import sys
import tempfile

import pytest

from gmdwgf.config.build import ConfigError
from gmdwgf.launch.execute import _temporary_folder
from gmdwgf.launch.workers import free_place, share


def test_workers_share_the_cores_and_no_core_is_given_twice():
    parts = [share(place, 3, list(range(6)), [])[0] for place in range(3)]
    assert sorted(sum(parts, [])) == list(range(6))
    assert share(0, 2, [4, 5, 6, 7], [])[1]["OMP_NUM_THREADS"] == "2"


def test_more_workers_than_cores_have_one_each():
    assert [share(place, 5, [0, 1], [])[0] for place in range(5)] == [[0], [1], [0], [1], [0]]


def test_every_worker_has_a_gpu_and_its_part_of_the_memory():
    seen = [share(place, 4, [0], ["3", "5"])[1] for place in range(4)]
    assert [environment["CUDA_VISIBLE_DEVICES"] for environment in seen] == ["3", "5", "3", "5"]
    assert {environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] for environment in seen} == {"0.450"}


@pytest.mark.thorough
def test_a_place_is_free_again_when_its_process_has_ended(tmp_path):
    place = free_place(tmp_path, 2)
    code = "import sys; from pathlib import Path; from gmdwgf.launch.workers import free_place\n"
    code += f"print(free_place(Path({str(tmp_path)!r}), 2))"
    for _ in range(2):  # the second time too: the first process has ended
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert (place, done.stdout.strip()) == (0, "1")


def planted_link(folder, elsewhere):
    folder.symlink_to(elsewhere)


def planted_dangling_link(folder, elsewhere):
    folder.symlink_to(elsewhere / "not there")


def planted_file(folder, elsewhere):
    folder.touch()


def open_to_all(folder, elsewhere):
    folder.mkdir()
    folder.chmod(0o777)


@pytest.mark.parametrize("plant", [planted_link, planted_dangling_link, planted_file, open_to_all])
def test_a_place_that_another_user_may_have_planted_is_refused_and_not_followed(plant, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    plant(tmp_path / "places", tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"^TMPDIR=.*places must be .*; remove it, or set TMPDIR"):
        free_place(tmp_path / "places", 2)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_place_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "places").mkdir(mode=0o700)
    (tmp_path / "places/0").symlink_to(tmp_path / "thesis.tex")
    with pytest.raises(OSError, match="symbolic links"):
        free_place(tmp_path / "places", 1)
    assert not (tmp_path / "thesis.tex").exists()


@pytest.mark.thorough
@pytest.mark.parametrize("folder", ["gone", "a file"])
def test_a_worker_without_a_folder_for_temporary_files_is_told_of_tmpdir(folder, tmp_path):
    (tmp_path / "a file").touch()
    code = "import tempfile; from gmdwgf.launch.workers import take_share\n"
    code += f"tempfile.tempdir = {str(tmp_path / folder)!r}\n"
    code += "class launcher(dict): n_jobs = 2\n"
    code += (
        "try: take_share(launcher(_target_='joblib'))\nexcept Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ConfigError TMPDIR")
    assert done.stdout.endswith("set TMPDIR to a folder with free space\n")


def test_a_process_that_writes_nothing_of_a_run_is_told_of_tmpdir_too(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match="TMPDIR.*cannot be written .*; set TMPDIR to a folder"):
        _temporary_folder()

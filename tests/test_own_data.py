"""A file of one's own by the command, from a table with names and text to figures with them."""

import numpy as np
import pytest

import gmdwgf
from gmdwgf.launch.chosen import choose
from gmdwgf.train import accept_plus

TINY = ["debug=tiny", "tracking.wandb.mode=disabled"]


def write_flowers(folder, n=60):
    """A table like the iris data: two lengths and a kind on which they depend."""
    rng = np.random.default_rng(0)
    lines = ["length,width,species"]
    for k in range(n):
        x = rng.normal([1.5 + 2 * (k % 3), 0.2 + k % 3], 0.2)
        lines.append(f"{x[0]:.2f},{x[1]:.2f},{('setosa', 'versicolor', 'virginica')[k % 3]}")
    (folder / "flowers.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.thorough
def test_a_table_with_text_trains_at_the_first_try(cli, tmp_path):
    write_flowers(tmp_path)
    code, out, err = cli("+dataset=array", "dataset.path=flowers.csv", *TINY)
    assert code == 0, err
    assert "column species holds text: left out; dataset.labels=species makes it the class" in out
    (folder,) = (tmp_path / "runs").glob("array-sinkhorn-*")
    assert (folder / "figures/samples.png").is_file()
    run = gmdwgf.load_run(folder)
    assert run.targets.shape == (12, 2)
    assert {f"{width:.2f}" for width in run.targets[:, 1]} <= {line.split(",")[1] for line in lines(tmp_path)}


def lines(folder):
    return (folder / "flowers.csv").read_text().splitlines()[1:]


@pytest.mark.slow
def test_a_table_with_labels_trains_one_class_at_a_time(cli, tmp_path):
    write_flowers(tmp_path)
    labelled = ["dataset.path=flowers.csv", "dataset.labels=species", "training.batch_size=72"]
    code, out, err = cli("+dataset=array", "+condition=classes", "condition.n_groups=3", *labelled, *TINY)
    assert code == 0, err
    assert "3 classes: setosa (20), versicolor (20), virginica (20)" in out


@pytest.mark.slow
def test_labelled_images_are_drawn_as_images_with_the_names_of_their_classes(cli, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 5, 4), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", x=pixels, kind=np.array(["cat", "dog"] * 20))
    labelled = ["dataset.path=images.npz", "dataset.labels=kind", "+condition=classes", "condition.n_groups=2"]
    code, _, err = cli("+dataset=array", *labelled, "training.batch_size=64", *TINY)
    assert code == 0, err
    (folder,) = (tmp_path / "runs").glob("array-sinkhorn-*")
    assert {"samples.png", "strip.png", "nearest.png"} <= {file.name for file in (folder / "figures").iterdir()}


@pytest.mark.parametrize("group", ["dataset=array", "drift=kl", "generator=particles", "condition=classes"])
def test_a_plus_before_any_group_is_accepted(group):
    assert accept_plus([f"+{group}", f"++{group}", "+seed=1"]) == [group, group, "+seed=1"]


def test_a_path_is_a_target_of_the_python_functions(tmp_path):
    write_flowers(tmp_path)
    path = str(tmp_path / "flowers.csv")
    chosen = choose(path, "deng")
    assert (chosen.config()["dataset"]["path"], chosen.choices["dataset"]) == (path, "array")
    target = gmdwgf.load_target(path, labels="species")
    assert (target.column_names, target.n_classes) == (("length", "width"), 3)
    assert target.standardisation is not None


def test_a_data_frame_keeps_its_names_and_is_stored_by_its_contents(tmp_path):
    import pyarrow as pa

    from gmdwgf.launch.fitting_in_folder import _kept_in
    from gmdwgf.runs.identity import run_id

    x = np.random.default_rng(0).normal(size=(20, 2))
    frames = [pa.table({"a": x[:, 0], "b": x[:, 1] + k, "kind": ["u", "v"] * 10}) for k in (0, 0, 1)]
    chosen = [choose(frame, "kl") for frame in frames]
    target = chosen[0].objects["dataset"]
    assert target.column_names == ("a", "b")
    kept = [_kept_in(one, tmp_path).config() for one in chosen]
    assert kept[0]["dataset"]["path"].endswith(".parquet")
    assert run_id(kept[0]) == run_id(kept[1]) != run_id(kept[2])
    stored = gmdwgf.load_target(kept[0]["dataset"]["path"])
    np.testing.assert_array_equal(stored.train, target.train)
    assert stored.column_names == ("a", "b")


@pytest.mark.thorough
def test_a_pandas_frame_is_a_target():
    pandas = pytest.importorskip("pandas")
    x = np.random.default_rng(0).normal(size=(20, 2))
    frame = pandas.DataFrame({"a": x[:, 0], "b": x[:, 1], "kind": ["u", "v"] * 10}, index=list("abcdefghijklmnopqrst"))
    assert choose(frame, "kl").objects["dataset"].column_names == ("a", "b")

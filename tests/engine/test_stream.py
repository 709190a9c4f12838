"""Training on a file of which only a share is in memory."""

import shutil

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

import gmdwgf
from gmdwgf.config.build import config_dir
from gmdwgf.engine.stream import StreamWindow
from gmdwgf.launch.execute import execute
from gmdwgf.launch.spec import make_spec
from tests.training.common import same_bits

N_KEPT = 4000


def target_of(path):
    return gmdwgf.load_target("image_latents", path=str(path), max_resident=4.0 * 8 * N_KEPT)


def latents(folder):
    rows = np.random.default_rng(0).normal(size=(120_000, 8)).astype(np.float32)
    np.save(folder / "latents.npy", rows)
    return folder / "latents.npy"


def rows_of(target):
    return np.asarray(target.train.mean)


def test_every_window_shows_other_rows_and_is_found_again_from_its_notes(tmp_path):
    target = target_of(latents(tmp_path))
    window = StreamWindow(target, target.reader(), 10)
    assert window.at(9) is None
    seen = [rows_of(target), *(rows_of(window.at(step)) for step in (10, 25, 30))]
    assert len(np.unique(np.concatenate(seen), axis=0)) == 4 * N_KEPT
    again = StreamWindow(target, target.reader(), 10)
    again.restore(window.notes())
    np.testing.assert_array_equal(rows_of(again.target), seen[-1])
    np.testing.assert_array_equal(rows_of(again.at(40)), rows_of(window.at(40)))


@pytest.mark.slow
def test_a_run_on_a_share_of_its_file_resumes_to_the_same_bits(tmp_path):
    overrides = ["drift=kl", "dataset=image_latents", f"dataset.path={latents(tmp_path)}", "debug=tiny"]
    overrides += [f"dataset.max_resident={4.0 * 8 * N_KEPT}", "training.refresh_every=4", "training.batch_size=32"]
    overrides += [
        "generator.width=8",
        "generator.depth=1",
        "tracking.wandb.mode=disabled",
        f"paths.root={tmp_path}/runs",
    ]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        job = make_spec(compose("train", overrides=overrides), {})
    assert execute(job, str, str)["status"] == "done"
    whole = gmdwgf.load_run(job.folder.path)
    (job.folder.path / "DONE.json").unlink()
    shutil.rmtree(job.folder.checkpoints / "20")
    said = []
    assert execute(job, said.append, str)["status"] == "done"
    assert any("resuming at step 10" in line for line in said)
    assert same_bits(gmdwgf.load_run(job.folder.path).params, whole.params)

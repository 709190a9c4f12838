"""What is known of the jobs of a sweep, whatever happened to them."""

from omegaconf import OmegaConf

from gmdwgf.sweeps.ledger import Ledger, sweep_name
from gmdwgf.train import accept_sweep


def ledger_in(folder):
    Ledger.here.clear()
    return Ledger(OmegaConf.create({"paths": {"root": str(folder)}, "sweep": {"name": "s"}}))


def test_a_sweep_has_one_name_however_it_is_run():
    name = sweep_name(["-m", "+drift=kl", "seed=0,1"])
    assert name == sweep_name(["seed=0,1", "--multirun", "drift=kl", "hydra/launcher=joblib", "paths.root=elsewhere"])
    assert name != sweep_name(["-m", "drift=kl", "seed=0,2"])


def test_a_sweep_is_named_and_a_single_run_is_not():
    assert accept_sweep(["drift=kl"]) == ["drift=kl"]
    assert accept_sweep(["-m", "sweep.name=mine"]) == ["-m", "sweep.name=mine"]
    assert accept_sweep(["-m", "drift=kl"])[-1].startswith("sweep.name=sweep-")


def test_a_dry_sweep_asks_no_cluster():
    arguments = accept_sweep(["-m", "drift=kl", "--dry", "hydra/launcher=slurm", "hydra.launcher.partition=big"])
    assert arguments[:3] == ["-m", "drift=kl", "sweep.dry=true"]
    assert not [argument for argument in arguments if "launcher" in argument]


def test_a_job_that_never_reported_back_counts_as_failed(tmp_path):
    ledger = ledger_in(tmp_path)
    ledger.begin(0)
    ledger.end(0, "done", "fine")
    ledger.begin(1)
    other = ledger_in(tmp_path)  # as another process sees it
    assert other.counts() == {"done": 1, "failed": 1}
    assert not other.any_failed()  # it may still be under way
    other.end(1, "failed", "not fine")
    assert other.any_failed()


def test_where_nothing_can_be_written_the_process_still_knows_its_own_jobs(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    ledger = ledger_in(tmp_path / "file")
    ledger.begin(0)
    ledger.end(0, "failed", "no room")
    assert ledger.counts() == {"failed": 1}

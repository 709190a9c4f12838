"""`python -m gmdwgf.train`, the same as the command `gmdwgf`: compose a config, run it, say where things are.

Nothing heavy is imported before a run begins, so `--help` and `--cfg job` answer at once.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from gmdwgf.complaints import complain
from gmdwgf.configuration import ConfigError, config_dir

BAD_INPUT, INTERRUPTED = 2, 130


def accept_plus(arguments: list[str]) -> list[str]:
    """`+drift=kl` means `drift=kl` for every group of `configs/`: plain Hydra refuses one of the two spellings."""
    groups = "|".join(sorted(path.name for path in config_dir().iterdir() if path.is_dir()))
    return [re.sub(rf"^\+{{1,2}}(?=({groups})=)", "", argument) for argument in arguments]


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="train")
def main(cfg: DictConfig) -> float:
    """One job, alone or of a sweep; returns the best MMD^2 (NaN for a job of a sweep that could not run)."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from gmdwgf.sweeps import job as jobs
    from gmdwgf.sweeps.report_line import Voice
    from gmdwgf.sweeps.folder import RunIsLive

    hydra_config = HydraConfig.get()
    in_sweep = hydra_config.mode == RunMode.MULTIRUN
    voice = Voice(hydra_config.job.num if in_sweep else None, list(hydra_config.overrides.task))
    try:
        job = jobs.describe(cfg, dict(hydra_config.runtime.choices))
        if job.folder.status() in ("done", "diverged"):
            return voice.skipped(job)
        return voice.finished(job, jobs.carry_out(job, voice.say))
    except (ConfigError, RunIsLive) as error:
        if not in_sweep:
            raise
        return voice.refused(error)
    except Exception as error:
        if not in_sweep:
            raise
        return voice.failed(job, error)


def cli() -> None:
    """Entry point: every message to the user is one line; a traceback is kept in the run folder."""
    sys.argv[1:] = accept_plus(sys.argv[1:])
    wants_traceback = os.environ.setdefault("HYDRA_FULL_ERROR", "unset") not in ("unset", "0")
    if not wants_traceback:
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors over instead of printing them itself
    try:
        main()
    except (KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:
        if wants_traceback:
            raise
        sys.exit(complain(error, sys.argv[1:]))


if __name__ == "__main__":
    cli()

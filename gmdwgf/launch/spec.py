"""Specification of a run: its config, id and folder. Does not import JAX."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf

from gmdwgf.config.moved import notices, updated
from gmdwgf.launch.environment import resolved
from gmdwgf.launch.layout import check_name, check_sections
from gmdwgf.mappings import Config
from gmdwgf.runs.folder import RunDir
from gmdwgf.runs.identity import check_choices, drift_file_id, run_id, run_name


class RunSpec(NamedTuple):
    """Specification of a run: its config, id and folder, before any component is built."""

    config: Config
    yaml: str
    id: str
    name: str
    choices: dict[str, str]
    """Chosen config of each group."""
    folder: RunDir
    command: list[str]
    """Command that reproduces this run alone."""
    sweep: str | None = None
    """Name of the sweep that the run belongs to."""
    writes: bool = True
    """Whether this process writes the run's files; only one of several processes does."""
    shown: Config = {}
    """The config with hidden values of environment variables, as in `yaml`."""
    notices: Sequence[str] = ()
    """Notices about deprecated keys in the config."""

    def drift_changed(self) -> bool:
        """Whether the source file of the drift has changed since the run began, which the id does not include."""
        before = self.folder.manifest().get("drift_file")
        return bool(before) and before != drift_file_id(self.config)


def make_spec(cfg: DictConfig, choices: dict[str, str], overrides: Iterable[str] = ()) -> RunSpec:
    """Make the spec of a composed config. Raises ConfigError for invalid names."""
    check_choices(choices)
    raw: Config = OmegaConf.to_container(cfg, resolve=False)  # type: ignore[assignment]
    if lines := notices(raw):
        cfg = OmegaConf.create(updated(raw))
    config, shown, hidden = found = resolved(cfg)
    check_sections(config)
    check_name(config["sweep"]["name"])
    name = run_name(config, choices)
    folder = RunDir(Path(config["paths"]["root"]).expanduser().absolute() / name, hidden)
    command = ["python", "-m", "gmdwgf.train", *run_overrides(overrides)]
    sweep, yaml = config["sweep"]["name"], found.yaml(cfg)
    return RunSpec(config, yaml, run_id(config), name, choices, folder, command, sweep, shown=shown, notices=lines)


def run_overrides(overrides: Iterable[str]) -> list[str]:
    """Overrides that identify the run, without those that control the sweep."""
    return [override for override in overrides if not override.startswith("sweep.")]

"""What is asked for: from a composed config to the identity and the folder of a run. Starts no JAX."""

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
    """A run that is asked for: its config, its id and its folder. Nothing is built of it yet."""

    config: Config
    yaml: str
    id: str
    name: str
    choices: dict[str, str]
    """Which config was chosen of every group."""
    folder: RunDir
    command: list[str]
    """The command that makes this run by itself."""
    sweep: str | None = None
    """The name of the sweep it belongs to."""
    writes: bool = True
    """Whether this process keeps what the run leaves; of several processes only one does."""
    shown: Config = {}
    """The config without the values of the environment, as `yaml` has it."""
    notices: Sequence[str] = ()
    """What to say of old spellings in the config."""

    def drift_changed(self) -> bool:
        """Whether the file of the drift is another than when the run was begun: the id of a run does not tell."""
        before = self.folder.manifest().get("drift_file")
        return bool(before) and before != drift_file_id(self.config)


def make_spec(cfg: DictConfig, choices: dict[str, str], overrides: Iterable[str] = ()) -> RunSpec:
    """Identity and folder of the run that a config asks for. Raises ConfigError for names that are no names."""
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
    """The overrides that say which run it is, without those on how the sweep goes on."""
    return [override for override in overrides if not override.startswith("sweep.")]

"""Compose the jobs of a sweep: those that differ in values only share one composition of the YAML files."""

import copy
import functools
from collections.abc import Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.plugins.config_source import ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException


class SharedCompositions(ConfigLoader):
    """Hydra's loader, which composes the jobs of a sweep once for all that choose the same YAML files.

    Hydra reads, parses and merges all files again for every job, and once more to validate it. Here `key=value` of an existing field
    changes a copy of the config without it. Everything else (groups, `+key`, `~key`, unknown fields, values that are not scalars)
    is left to Hydra, with its errors.
    """

    def __init__(self, loader: ConfigLoader):
        self.loader, self._composed = loader, {}

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Compose the config of one job, as Hydra's loader does."""
        groups = set(master_config.hydra.runtime.choices)
        values = {text: found for text in sweep_overrides if (found := _plain_value(text, groups)) is not None}
        if not values:
            return self.loader.load_sweep_config(master_config, sweep_overrides)
        others = tuple(text for text in sweep_overrides if text not in values)
        if others not in self._composed:
            self._composed[others] = self.loader.load_sweep_config(master_config, list(others))
        base = self._composed[others]
        if not all(_is_value(base, found.key_or_group) for found in values.values()):
            return self.loader.load_sweep_config(master_config, sweep_overrides)
        config = copy.deepcopy(base)
        try:
            for found in values.values():
                OmegaConf.update(config, found.key_or_group, found.value(), merge=True)
        except OmegaConfBaseException:  # a value of the wrong type
            return self.loader.load_sweep_config(master_config, sweep_overrides)
        hydra = config.hydra
        told = [text for text in sweep_overrides if not _parsed(text).is_hydra_override()]
        with open_dict(hydra):
            hydra.overrides.task = told
            hydra.job.override_dirname = _folder_name(told, hydra.job.config.override_dirname)
        return config

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        return self.loader.load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)

    def get_search_path(self) -> ConfigSearchPath:
        return self.loader.get_search_path()

    def get_sources(self) -> list[ConfigSource]:
        return self.loader.get_sources()

    def list_groups(self, parent_name: str) -> list[str]:
        return self.loader.list_groups(parent_name)

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        return self.loader.get_group_options(group_name, results_filter, config_name, overrides)

    def compute_defaults_list(self, config_name: str | None, overrides: list[str], run_mode: RunMode) -> Any:
        return self.loader.compute_defaults_list(config_name, overrides, run_mode)


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Override:
    return OverridesParser.create().parse_override(text)


def _plain_value(text: str, groups: set[str]) -> Override | None:
    """The override `key=value` of a field of the run by a scalar; None for any other."""
    found = _parsed(text)
    key = found.key_or_group
    changes = found.type == OverrideType.CHANGE and not found.is_sweep_override() and not found.is_hydra_override()
    if not changes or found.package is not None or key in groups or "/" in key:
        return None
    return found if isinstance(found.value(), bool | int | float | str | None) else None


def _is_value(config: DictConfig, key: str) -> bool:
    """Whether a config has the field `key`, and it is not a section."""
    path, _, name = key.rpartition(".")
    section = OmegaConf.select(config, path) if path else config
    return isinstance(section, DictConfig) and name in section and not OmegaConf.is_config(section[name])


def _folder_name(overrides: Sequence[str], how: DictConfig) -> str:
    """Hydra's name of a folder from the overrides of a job."""
    kept = sorted(text for text in overrides if _parsed(text).key_or_group not in how.exclude_keys)
    return how.item_sep.join(kept).replace("=", how.kv_sep)

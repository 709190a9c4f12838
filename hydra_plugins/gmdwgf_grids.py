"""The sweeper of one grid (the default) and of several, `hydra/sweeper=grids`. Hydra finds plugins only in `hydra_plugins`."""

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from gmdwgf.launch import sweep_clock
from gmdwgf.launch.compositions import SharedCompositions


class GridsSweeper(BasicSweeper):
    """Sweeper over several grids, for drifts with different hyperparameters. Hydra's basic sweeper supports a single product of axes.

    `grids` is a list of products and `params` are axes common to all; jobs are those of one grid after the other. Overrides on the
    command line replace an axis; a grid with a single value of it (`drift: kl`) is omitted if other values are requested.
    """

    def __init__(
        self,
        max_batch_size: int | None = None,
        params: dict[str, str] | None = None,
        grids: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(max_batch_size, params)
        self.grids = grids or [{}]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Compose jobs that differ in values only from one config (see `gmdwgf.launch.compositions`)."""
        loader = SharedCompositions(hydra_context.config_loader)
        shared = HydraContext(config_loader=loader, callbacks=hydra_context.callbacks)
        super().setup(hydra_context=shared, task_function=task_function, config=config)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Say how many jobs there are, and compose them all before the first runs; a dry run composes each in its turn."""
        print(f"{len(batch)} jobs", flush=True)  # noqa: T201
        if self.config is not None and not self.config.sweep.dry:
            super().validate_batch_is_legal(batch)
            sweep_clock.current.set(sweep_clock.SweepClock(batch))

    def split_arguments(  # type: ignore[override]  # Hydra's is static and knows one grid
        self, overrides: list[Override], max_batch_size: int | None
    ) -> list[list[list[str]]]:
        """Overrides of all jobs, in batches."""
        asked = {override.get_key_element(): override for override in overrides}
        parser = OverridesParser.create()
        jobs: list[list[str]] = []
        for grid in self.grids:
            axes = {
                axis.get_key_element(): axis for axis in parser.parse_overrides([f"{k}={v}" for k, v in grid.items()])
            }
            if not all(_meets(axis, asked.get(key)) for key, axis in axes.items()):
                continue
            single = {key: axis for key, axis in axes.items() if not axis.is_sweep_override()}
            jobs += BasicSweeper.split_arguments(list((axes | asked | single).values()), None)[0]
        if not jobs:
            raise HydraException(
                f"no grid of this sweep has what was asked for; it has {'; '.join(map(_show, self.grids))}"
            )
        return list(self.split_overrides_to_chunks(jobs, max_batch_size))


def _meets(axis: Override, asked: Override | None) -> bool:
    """Whether a grid is retained: its single value of the axis is not excluded by the requested values."""
    if asked is None or axis.is_sweep_override():
        return True
    values = list(asked.sweep_string_iterator()) if asked.is_sweep_override() else [asked.get_value_element_as_str()]
    return axis.get_value_element_as_str() in values


def _show(grid: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in grid.items())

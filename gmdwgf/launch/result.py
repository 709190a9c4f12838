"""Result of `gmdwgf.fit`."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from gmdwgf.generators.base import AbstractGenerator, Condition
from gmdwgf.mappings import Config, Facts, Record
from gmdwgf.runs.table import as_table
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.targets.standardisation import Standardisation, in_data_units
from gmdwgf.typing import Key, Particles, PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class RunResult:
    """Status, records and trained generator of a run. A notebook displays it as a figure."""

    status: str
    """`done`, `diverged`, or `interrupted` (by Ctrl-C, or a callback)."""
    config: Config
    """The resolved config, with objects represented by their class and fields, or by their repr."""
    records: list[Record]
    """One record for each evaluation, in order of steps: `step`, `seconds`, metrics, and the logs of the last step."""
    floor: dict[str, tuple[float, float]]
    """Mean and standard deviation of the score of fresh data against the held-out targets, by metric."""
    generator: AbstractGenerator
    params: PyTree
    """Final parameters of the averaged generator."""
    steps: np.ndarray
    samples: np.ndarray
    """Samples `[k n d]` of the averaged generator at the steps `steps` `[k]`, in the units of the data."""
    targets: np.ndarray
    """Held-out targets `[n d]`."""
    modes: np.ndarray | None = None
    """Centres `[k d]` of the modes of the target; None if unknown."""
    divergence: Facts = dataclasses.field(default_factory=dict)
    """Step, term and value of the divergence; empty if the run did not diverge."""
    name: str = ""
    """Names of target and drift."""
    folder: Path | None = None
    """The run folder; None if the run was not saved."""
    standardisation: Standardisation | None = None
    """Map from the generator's points to the units of the data; None if they are in these units."""
    warnings: list[str] = dataclasses.field(default_factory=list)
    """Signs that the training failed or its settings do not suit the data, each with the setting to change."""

    column_names: tuple[str, ...] | None = None
    """Names of the coordinates; None if they have none."""
    manifold: str = "euclidean"
    """Name of the manifold of the points."""

    def sample(self, key: Key, n: int, condition: Condition | None = None) -> Particles:
        """Draw `n` points `[n d]` from the averaged generator, in the units of the data.

        Free particles return the first `n`, or all if there are fewer.
        """
        return in_data_units(self.standardisation, self.generator.sample(self.params, key, n, condition))

    def table(self) -> Any:
        """The records as a pandas DataFrame if pandas is installed, otherwise as a list."""
        return as_table(self.records)

    def plot(self) -> Any:
        """Matplotlib figure of samples over targets, and of MMD^2 against the step with its floor."""
        from gmdwgf.plots import samples_and_curve
        from gmdwgf.plots.charts import chart_of

        drift = self.name.rpartition("-")[2]
        return samples_and_curve(
            self.samples[-1],
            self.targets,
            self.records,
            self.floor,
            self.summary(),
            self.modes,
            drift,
            self.column_names,
            chart_of(self.manifold, self.targets.shape[1]),
        )

    def summary(self) -> str:
        """One line with name, status, the gap, and MMD^2 with its floor."""
        last = self.records[-1]
        at = self.divergence.get("diverged_step", last["step"])
        mean, sd = self.floor.get("mmd2", (float("nan"), float("nan")))
        score = f"gap {last.get('gap', float('nan')):.1f}, MMD^2 {last['mmd2']:.2e}, floor {mean:.1e} ± {sd:.1e}"
        return f"{self.name}: {self.status} at step {at}; {score}"

    def __repr__(self) -> str:
        return f"RunResult({self.summary()})"

    def _repr_png_(self) -> bytes:
        return self.plot()._repr_png_()


def modes_of(target: AbstractTarget) -> np.ndarray | None:
    """Centres `[k d]` of the modes of a target; None if unknown."""
    modes = target.modes()
    return None if modes is None else np.asarray(modes[0])

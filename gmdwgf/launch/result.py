"""What a training from Python gives back."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from gmdwgf.generators.base import AbstractGenerator, Condition
from gmdwgf.mappings import Config, Facts, Record
from gmdwgf.runs.table import as_table
from gmdwgf.targets.base import AbstractTarget
from gmdwgf.typing import Key, Particles


@dataclasses.dataclass(frozen=True, repr=False)
class RunResult:
    """How a run ended, what it measured on the way, and its trained generator. In a notebook it shows its figure."""

    status: str
    """`done`, `diverged`, or `interrupted` (by Ctrl-C, or a callback)."""
    config: Config
    """The resolved config; what was given as an object stands there as its class and fields, or as a text about it."""
    records: list[Record]
    """One at every evaluation, in the order of the steps: `step`, `seconds`, the metrics, and the logs of the last step."""
    floor: dict[str, tuple[float, float]]
    """Mean and standard deviation of what fresh data score against the held-out targets, by metric."""
    generator: AbstractGenerator
    params: Any
    """The parameters of the averaged generator, at the end."""
    steps: np.ndarray
    samples: np.ndarray
    """Samples `[k n d]` of the averaged generator at the steps `steps` `[k]`."""
    targets: np.ndarray
    """Held-out targets `[n d]`."""
    modes: np.ndarray | None = None
    """Centres `[k d]` of the modes of the target, where they are known."""
    divergence: Facts = dataclasses.field(default_factory=dict)
    """Step, term and value by which it diverged; empty where it did not."""
    name: str = ""
    """The target and the drift."""
    folder: Path | None = None
    """The folder of the run, where it is kept in one."""

    def sample(self, key: Key, n: int, condition: Condition | None = None) -> Particles:
        """`n` fresh points `[n d]` of the averaged generator; of free particles the first `n`, or all where there are fewer."""
        return self.generator.sample(self.params, key, n, condition)

    def table(self) -> Any:
        """The records as a pandas DataFrame where pandas is installed, otherwise as they are."""
        return as_table(self.records)

    def plot(self) -> Any:
        """A matplotlib figure: samples over targets, and MMD^2 against the step with the band of what fresh data score."""
        from gmdwgf.plots import samples_and_curve

        drift = self.name.rpartition("-")[2]
        return samples_and_curve(
            self.samples[-1], self.targets, self.records, self.floor, self.summary(), self.modes, drift
        )

    def summary(self) -> str:
        """One line: what it was, how it ended, and MMD^2 beside its floor."""
        last = self.records[-1]
        at = self.divergence.get("diverged_step", last["step"])
        mean, sd = self.floor.get("mmd2", (float("nan"), float("nan")))
        score = f"MMD^2 {last['mmd2']:.2e}, fresh data {mean:.1e} ± {sd:.1e}"
        return f"{self.name}: {self.status} at step {at}; {score}"

    def __repr__(self) -> str:
        return f"RunResult({self.summary()})"

    def _repr_png_(self) -> bytes:
        return self.plot()._repr_png_()


def modes_of(target: AbstractTarget) -> np.ndarray | None:
    """Centres `[k d]` of the modes of a target, where it has any."""
    modes = target.modes()
    return None if modes is None else np.asarray(modes[0])

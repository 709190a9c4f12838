"""Registers the launcher `vectorized` with Hydra; implemented in `gmdwgf.launch.vectorized`."""

from hydra.plugins.launcher import Launcher


class VectorizedLauncher(Launcher):
    """Launcher that runs jobs in groups that differ only in numbers."""

    def __init__(self, **settings):
        self.settings = settings

    def setup(self, *, hydra_context, task_function, config):
        """Store the arguments from Hydra."""
        self.hydra_context, self.config = hydra_context, config

    def launch(self, job_overrides, initial_job_idx):
        """Execute the jobs of a sweep."""
        from gmdwgf.launch.vectorized import launch

        return launch(self.hydra_context, self.config, job_overrides, initial_job_idx, **self.settings)

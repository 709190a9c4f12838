"""Lets Hydra find the launcher `vectorized`; all of it is in `gmdwgf.launch.vectorized`."""

from hydra.plugins.launcher import Launcher


class VectorizedLauncher(Launcher):
    """Runs jobs that differ in numbers only as groups."""

    def __init__(self, **settings):
        self.settings = settings

    def setup(self, *, hydra_context, task_function, config):
        """Take what Hydra gives to a launcher."""
        self.hydra_context, self.config = hydra_context, config

    def launch(self, job_overrides, initial_job_idx):
        """Carry out the jobs of a sweep."""
        from gmdwgf.launch.vectorized import launch

        return launch(self.hydra_context, self.config, job_overrides, initial_job_idx, **self.settings)

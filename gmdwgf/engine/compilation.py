"""XLA's persistent compilation cache, the folder it is in, and a counter of compilations."""

import os
from pathlib import Path

import jax


def cache_folder() -> Path:
    """Folder of the user for what can be computed again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gmdwgf"


def keep_compiled_programs() -> None:
    """Enable the persistent compilation cache, in the user's cache folder unless JAX is configured with another one."""
    told = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if told is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


class CompileClock:
    """Count JAX compilations from construction on: `n` programs in `seconds`, `cached` of which were read from disk."""

    def __init__(self):
        self.n, self.seconds, self.cached = 0, 0.0, 0
        self.counting = True
        jax.monitoring.register_event_duration_secs_listener(self._duration)
        jax.monitoring.register_event_listener(self._event)

    def _duration(self, event: str, duration_secs: float, **_: object) -> None:
        if event.endswith("backend_compile_duration"):
            self.n, self.seconds = self.n + 1, self.seconds + duration_secs

    def _event(self, event: str, **_: object) -> None:
        self.cached += event.endswith("compilation_cache/cache_hits")

    def stop(self) -> dict[str, float]:
        """Stop counting and return the counts; can be called repeatedly."""
        if self.counting:
            jax.monitoring.unregister_event_duration_listener(self._duration)
            jax.monitoring.unregister_event_listener(self._event)
            self.counting = False
        return {"programs": self.n, "seconds": round(self.seconds, 3), "from_cache": self.cached}

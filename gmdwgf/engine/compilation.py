"""XLA's persistent compilation cache, and a counter of compilations."""

import os
from pathlib import Path
from typing import Any

import jax


def keep_compiled_programs() -> None:
    """Enable the persistent compilation cache, in the user's cache folder unless JAX is configured with another one."""
    told = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if told is None:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(root / "gmdwgf" / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


class CompileClock:
    """Count JAX compilations from construction on: `n` programs in `seconds`, `cached` of which were read from disk."""

    def __init__(self):
        self.n, self.seconds, self.cached = 0, 0.0, 0
        self.counting = True
        jax.monitoring.register_event_duration_secs_listener(self._duration)
        jax.monitoring.register_event_listener(self._event)

    def _duration(self, event: str, duration_secs: float, **_: Any) -> None:
        if event.endswith("backend_compile_duration"):
            self.n, self.seconds = self.n + 1, self.seconds + duration_secs

    def _event(self, event: str, **_: Any) -> None:
        self.cached += event.endswith("compilation_cache/cache_hits")

    def stop(self) -> dict[str, float]:
        """Stop counting and return the counts; can be called repeatedly."""
        if self.counting:
            jax.monitoring.unregister_event_duration_listener(self._duration)
            jax.monitoring.unregister_event_listener(self._event)
            self.counting = False
        return {"programs": self.n, "seconds": round(self.seconds, 3), "from_cache": self.cached}

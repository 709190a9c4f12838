"""Weights & Biases as a mirror of a run. Only this module imports wandb, when a run starts."""

import dataclasses
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from gmdwgf.mappings import Facts
from gmdwgf.tracking.base import RunHeader, Sink, Values

MODES = ("offline", "online", "disabled")

LONGEST_WAIT = 86400.0
"""Maximum of the timeouts, in seconds."""

_NOT_IN_NAMES = "/\\#?%:"
"""Characters that wandb does not allow in project names."""

_NUMBER_AS_NAME = "(a number as a name: \"'5'\")"

RETRY_AFTER = 600.0
"""Seconds until a process asks again for a server that did not answer: a sweep waits once, not once a run."""

_unanswered: dict[str, float] = {}
"""Time at which a server did not respond, by address."""


@dataclasses.dataclass(frozen=True)
class WandbConfig:
    """Configuration of the wandb mirror; timeouts in seconds bound the waiting time at the start and at the end."""

    mode: str
    project: str
    entity: str | None
    group: str | None
    tags: list[str]
    init_timeout: float | int
    finish_timeout: float | int

    def __post_init__(self) -> None:
        from gmdwgf.config.fields import FieldError

        if self.mode not in MODES:
            raise FieldError("mode", self.mode, "must be one of " + ", ".join(MODES))
        for name in ("init_timeout", "finish_timeout"):
            if not is_real(getattr(self, name)) or not 0 < getattr(self, name) <= LONGEST_WAIT:
                fix = f"must be greater than 0 and at most {LONGEST_WAIT:g}, in seconds"
                raise FieldError(name, getattr(self, name), fix)
        if not _is_name(self.project) or set(_NOT_IN_NAMES) & set(self.project):
            fix = f"must be a name of up to 128 letters without any of {_NOT_IN_NAMES} {_NUMBER_AS_NAME}"
            raise FieldError("project", self.project, fix)
        for name in ("entity", "group"):
            value = getattr(self, name)
            if value is not None and not _is_name(value):
                raise FieldError(name, value, f"must be null or a name of up to 128 letters {_NUMBER_AS_NAME}")
        if not isinstance(self.tags, list) or not all(isinstance(tag, str) and 0 < len(tag) <= 64 for tag in self.tags):
            raise FieldError("tags", self.tags, "must be a list of words of up to 64 letters, e.g. [baseline]")


def is_real(value: object) -> bool:
    """Whether a config value is a finite number and not a boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 128


class WandbSink(Sink):
    """Mirrors metrics and figures to a wandb run with the same id, so that a resumed run continues the same wandb run.

    `online` needs an API key and a network. Without them the run is logged `offline` in its folder (upload it later with
    `wandb sync`); if that also fails, it is not mirrored. A one-line message reports either case. WANDB_MODE=disabled in the
    environment overrides the config.
    """

    def __init__(self, config: WandbConfig, say: Callable[[str], None]) -> None:
        self._config, self._say = config, say
        self._run: Any = None
        self._header: RunHeader | None = None
        self._waiting: list[tuple[int, Values]] = []
        self._step = 0

    def start(self, run: RunHeader) -> None:
        """Take note of the run. wandb is imported and its run begun after the first steps, since both take seconds."""
        if "disabled" not in (self._config.mode, os.environ.get("WANDB_MODE")):
            self._header, self._step = run, run.start_step

    def _begin(self) -> None:
        """Begin the wandb run, unless it has been begun, and log what was waiting."""
        run, self._header = self._header, None
        if run is None:
            return
        troubles = []
        for mode in ("offline",) if self._config.mode == "offline" else ("online", "offline"):
            try:
                self._run = _open(self._config, mode, run)
                break
            except Exception as error:
                troubles.append(f"wandb {mode}: {' '.join(str(error).split())[:120]}")
        if troubles:
            kept = "so this run is kept offline for `wandb sync`" if self._run else "so this run is not mirrored"
            self._say(", ".join([*troubles, kept]))
        waiting, self._waiting = self._waiting, []
        for step, values in waiting:
            self.log(step, values)

    def progress(self, step: int, values: Values) -> None:
        self._begin()

    def log(self, step: int, values: Values) -> None:
        if self._header is not None:
            self._waiting.append((step, values))
        elif self._run is not None:
            self._run.log(values, step=step)
            self._step = step

    def figure(self, name: str, path: Path) -> None:
        self._begin()
        if self._run is not None:
            import wandb

            self._run.log({name: wandb.Image(str(path))}, step=self._step)

    def finish(self, summary: Facts) -> None:
        self._begin()
        if self._run is not None:
            run, self._run = self._run, None
            try:
                run.summary.update(summary)
            finally:
                run.finish(exit_code=1 if summary.get("status") == "failed" else 0)


def _open(config: WandbConfig, mode: str, run: RunHeader) -> Any:
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
        init_timeout=config.init_timeout,
        x_service_wait=config.init_timeout,
        finish_timeout=config.finish_timeout,
    )
    wandb.setup(settings=settings)  # otherwise the login prints messages
    if mode == "online":
        _check_access(wandb)
    try:
        return wandb.init(
            mode=mode,  # pyright: ignore[reportArgumentType]
            id=run.id,
            name=run.name,
            dir=str(run.folder),
            config=run.config,
            project=config.project,
            entity=config.entity,
            group=config.group or run.group,
            tags=list(config.tags),
            resume="allow",
            reinit="create_new",  # a vectorised sweep has several open runs
            settings=settings,
        )
    except Exception:
        _forget_failed_start(wandb, mode)
        raise


def _check_access(wandb: ModuleType) -> None:
    """Raise if `init` would prompt for an API key, or wait for a server that has recently not responded."""
    if not wandb.login(prompt=False, verify=False):
        raise PermissionError("no API key")
    if time.monotonic() - _unanswered.get(_server(wandb), -RETRY_AFTER) < RETRY_AFTER:
        raise ConnectionError("the server did not answer a moment ago")


def _forget_failed_start(wandb: ModuleType, mode: str) -> None:
    # wandb's service keeps the id of a run that failed to start, and would not accept it for the offline run.
    if mode == "online":
        _unanswered[_server(wandb)] = time.monotonic()
    wandb.teardown()


def _server(wandb: ModuleType) -> str:
    return wandb.Settings().base_url

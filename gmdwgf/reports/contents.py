"""Contents of the report page as plain data; the page only displays them."""

import ast
import json
import math
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from gmdwgf.analysis.cells import caption, cells, settings_of, short, show, varied
from gmdwgf.analysis.commands import Commands
from gmdwgf.analysis.status import count_states
from gmdwgf.mappings import Facts
from gmdwgf.metrics.table import METRICS, headline
from gmdwgf.plots.style import drift_styles
from gmdwgf.reading import shown
from gmdwgf.reports import samples
from gmdwgf.reports.figures import floor_of
from gmdwgf.reports.findings import NEAR, VERDICTS, Score, best, number_of, score, sentence
from gmdwgf.runs.records import RunFiles

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

MAX_RECORDS = 60
"""Maximum number of points of a curve on the page."""

_SPEED = ("rms |v|", "data units", "neither", "root mean square of the velocity")


def contents(runs: Sequence[RunFiles], root: Path, page: Path, note: str = "") -> Facts:
    """Contents of the page for the runs in `root`; links are relative to the folder of `page`."""
    keys = varied(runs)
    scores = [score(cell) for cell in cells(runs, keys)]
    drifts = sorted({run.drift for run in runs})
    common = _common(runs)
    targets = _Targets()
    commands = Commands()
    metrics = {name: metric for name, metric in METRICS.items() if name != "n_modes"} | {"v_rms": _SPEED}
    entries: list[Facts] = [
        targets.of(run, len(runs)) | _run(run, keys, common, page) | {"command": commands(run)}
        for s in scores
        for run in s.cell.runs
    ]
    measured = {name for entry in entries for name in entry["curve"]}
    return {
        "title": root.resolve().name,
        "note": note
        or " ".join(dict.fromkeys(str(run.flat["sweep.note"]) for run in runs if run.flat.get("sweep.note"))),
        "summary": count_states(runs),
        "near": NEAR,
        "headline": headline(run.last for run in runs if run.state == "done"),
        "verdicts": VERDICTS,
        "metrics": {name: list(metric) for name, metric in metrics.items() if name in measured},
        "drifts": _drifts(runs, drifts, scores),
        "datasets": {
            name: {"floor": _floors(runs, name), "dim": targets.dims.get(name)}
            for name in sorted({run.dataset for run in runs})
        },
        "keys": {key: short(key, keys) for key in keys},
        "cells": [_cell(s, scores) for s in scores],
        "runs": entries,
        "targets": targets.packed,
        "common": {key: _yaml(value) for key, value in common.items()},
    }


def _common(runs: Sequence[RunFiles]) -> Facts:
    """Config keys with equal values in all runs."""
    configs = [run.flat for run in runs if run.flat]
    first = configs[0] if configs else {}
    return {key: value for key, value in first.items() if all(other.get(key, ...) == value for other in configs)}


def _run(run: RunFiles, keys: Sequence[str], common: Facts, page: Path) -> Facts:
    last, manifest = run.last, run.manifest
    code, packages = _mapping(manifest.get("code")), _mapping(manifest.get("packages"))
    versions = {"gmdwgf": manifest.get("gmdwgf"), "commit": code.get("commit"), "changed": code.get("changed")}
    versions |= {name: packages.get(name) for name in ("jax", "numpy")} | {"python": manifest.get("python")}
    return {
        "id": str(run.id),
        "name": run.name,
        "dataset": run.dataset,
        "drift": run.drift,
        "seed": run.seed if run.seed is None else number_of(run.seed, show(run.seed)),
        "state": run.state,
        "why": run.why,
        "warnings": run.warnings,
        "step": number_of(last.get("step")),
        "n_steps": number_of(run.n_steps),
        "seconds": number_of(last.get("seconds")),
        "end": number_of(run.ending.get("diverged_step")),
        "settings": {key: show(value) for key, value in settings_of(run, keys)},
        "values": {name: number_of(last[name]) for name in (*METRICS, "v_rms") if name in last},
        "headline": (name := headline([last])),
        "floor": list(run.floor(name)),
        "curve": _curve(run),
        "own": {key: _yaml(value) for key, value in run.flat.items() if common.get(key, ...) != value},
        "typed": _words(manifest.get("command")),
        "started": _text(manifest.get("started")),
        "versions": {name: _text(value) if name != "changed" else bool(value) for name, value in versions.items()},
        "folder": _link(run.path, page),
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _words(command: object) -> str:
    return " ".join(map(str, command)) if isinstance(command, list) else str(command or "")


def _mapping(value: object) -> Facts:
    return value if isinstance(value, dict) else {}


def _link(path: Path, page: Path) -> str:
    return Path(os.path.relpath(path.resolve(), page.resolve().parent)).as_posix()


def _yaml(value: object) -> str:
    """Format a config value as YAML on one line."""
    return yaml.dump(value, Dumper=_DUMPER, default_flow_style=True, width=2**30).removesuffix("...\n").strip()


def _curve(run: RunFiles) -> dict[str, list]:
    records = run.metrics
    if not records:
        return {}
    chosen = [records[i] for i in samples.spread_out(np.array([r["step"] for r in records]), MAX_RECORDS)]
    names = [name for name in (*METRICS, "v_rms") if name in records[0] and name != "n_modes"]
    return {"step": [r["step"] for r in chosen]} | {name: [number_of(r.get(name)) for r in chosen] for name in names}


class _Targets:
    """Held-out points of the runs without duplicates, and the plot windows of the targets."""

    def __init__(self) -> None:
        self.packed: list[str] = []
        self._places: dict[tuple[str, int], int] = {}
        self._windows: dict[str, samples.PlotWindow] = {}
        """Windows by target and its fields, which distinguish different arrays."""
        self.dims: dict[str, int] = {}

    def of(self, run: RunFiles, n_runs: int) -> Facts:
        kept = run.read_samples()
        if kept is None:
            return {"target": None, "frames": None}
        shown = f"{run.dataset} {kept['y'].shape[1]} {run.config.get('dataset')}"
        window = self._windows.setdefault(shown, samples.window_of(kept["y"]))
        self.dims[run.dataset] = kept["y"].shape[1]
        name = run.dataset, zlib.crc32(np.ascontiguousarray(kept["y"]).tobytes())
        if name not in self._places:
            self._places[name] = len(self.packed)
            self.packed.append(window.pack(kept["y"][: samples.MAX_TARGETS]))
        return {"target": self._places[name], "frames": samples.frames(kept, window, n_runs)}


def _floors(runs: Sequence[RunFiles], dataset: str) -> dict[str, tuple[float, float]]:
    """Lower and upper edges of the floor, by metric."""
    found = {name: floor_of(runs, dataset, name) for name in METRICS}
    return {name: edges for name, edges in found.items() if edges}


def _cell(s: Score, scores: Sequence[Score]) -> Facts:
    rivals = [other for other in scores if other.cell[:2] == s.cell[:2]]
    return {
        "dataset": s.cell.dataset,
        "drift": s.cell.drift,
        "caption": caption(s.cell.settings),
        "runs": [str(run.id) for run in s.cell.runs],
        "verdict": s.verdict,
        "mean": s.mean,
        "sd": s.sd,
        "ratio": s.ratio,
        "lost": {state: s.count(state) for state in ("diverged", "failed")},
        "best": s is best(rivals),
    }


def _drifts(runs: Sequence[RunFiles], drifts: Sequence[str], scores: Sequence[Score]) -> dict[str, Facts]:
    made_by = {run.drift: run.flat.get("drift._target_") for run in runs}
    return {
        name: style._asdict()
        | {"what": first_sentence(made_by[name]), "finding": sentence([s for s in scores if s.cell.drift == name])}
        for name, style in drift_styles(drifts).items()
    }


def first_sentence(target: object) -> str:
    """First sentence of the docstring of a drift of this package, read from its source file without importing it."""
    module, _, name = str(target).rpartition(".")
    if not re.fullmatch(r"gmdwgf(\.\w{1,60}){1,9}", module):
        return ""
    path = Path(__file__).resolve().parents[1].joinpath(*module.split(".")[1:]).with_suffix(".py")
    if not path.is_file():
        return ""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            paragraph = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            return paragraph.split(". ")[0].rstrip(".")
    return ""


def as_json(data: object) -> str:
    """JSON that can be embedded in a script element, with NaN and infinities as null and numbers rounded to five digits."""
    return json.dumps(_plain(data), separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return None if not math.isfinite(value) else value if value == 0 else float(f"{value:.5g}")
    return shown(value) if isinstance(value, str) else value

"""Sinks for the metrics and figures of a run: metrics.jsonl, progress display, Weights & Biases."""

from gmdwgf.tracking.base import RunHeader as RunHeader, Sink as Sink
from gmdwgf.tracking.jsonl import JsonlSink as JsonlSink, read_records as read_records, truncate as truncate
from gmdwgf.tracking.progress import ProgressSink as ProgressSink
from gmdwgf.tracking.tracker import Tracker as Tracker, TrackingConfig as TrackingConfig, make_tracker as make_tracker
from gmdwgf.tracking.wandb import WandbConfig as WandbConfig, WandbSink as WandbSink

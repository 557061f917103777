"""Measured values over time: `record, latest, snapshots, history, facts`. Filled by samplers; read by rules, checks, charts and the API."""

from config.kernel.series.known import fact, facts
from config.kernel.series.store import Point, history, latest, record, snapshots

__all__ = ["Point", "fact", "facts", "history", "latest", "record", "snapshots"]

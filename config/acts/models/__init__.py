"""Rows of acts, one file per kind."""

from config.acts.models.backup import Backup
from config.acts.models.calls import Approval, Invocation, Slot

__all__ = ["Approval", "Backup", "Invocation", "Slot"]

"""Rows of automation, one file per kind."""

from automation.models.execution import Execution, Verdict
from automation.models.queue import Queue, WorkItem
from automation.models.report import Report
from automation.models.rule import Cursor, Rule, RuleState

__all__ = ["Cursor", "Execution", "Queue", "Report", "Rule", "RuleState", "Verdict", "WorkItem"]

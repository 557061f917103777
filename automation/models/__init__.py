"""Rows of automation, one file per kind."""

from automation.models.execution import Execution, Verdict
from automation.models.rule import Cursor, Rule, RuleState

__all__ = ["Cursor", "Execution", "Rule", "RuleState", "Verdict"]

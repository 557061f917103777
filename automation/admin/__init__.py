"""Admin pages of automation, one module a kind of row."""

from automation.admin import queues, reports, rules

__all__ = ["queues", "reports", "rules"]

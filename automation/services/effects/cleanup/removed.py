"""What a clean-up gave. Values that the kinds of clean-up share."""

from dataclasses import dataclass, field
from typing import Any

MOST_NAMED = 20


class Absent(Exception):
    """This kind is not configured here; the message says what would be needed."""


@dataclass
class Removed:
    """How many things were removed and how many bytes they had; what was left alone, and why (the first twenty by name)."""

    count: int = 0
    bytes: int = 0
    skipped_count: int = 0
    skipped: list[dict[str, str]] = field(default_factory=list)

    def took(self, size: int, count: int = 1) -> None:
        """One thing more is gone."""
        self.count += count
        self.bytes += size

    def left(self, what: str, why: str) -> None:
        """One thing stays that somebody may have expected to go."""
        self.skipped_count += 1
        if len(self.skipped) < MOST_NAMED:
            self.skipped.append({"what": what[-200:], "why": why})

    def as_json(self) -> dict[str, Any]:
        """For the output of an action."""
        return {"count": self.count, "bytes": self.bytes, "skipped_count": self.skipped_count, "skipped": self.skipped}

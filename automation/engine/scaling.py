"""How many processes there should be. Pure; called by the services that scale."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal


@dataclass(frozen=True)
class Plan:
    """From how many to how many; `asked` is the number before the bounds."""

    before: int
    after: int
    asked: int


def plan(current: int, *, factor: float, least: int, most: int) -> Plan:
    """`factor` times as many, rounded up, within the bounds: 4 times 1.5 is 6. Decimal, so that 100 times 1.1 is 110 and not 111."""
    asked = int((Decimal(current) * Decimal(str(factor))).to_integral_value(rounding=ROUND_CEILING))
    return Plan(current, max(least, min(most, asked)), asked)

"""How many instances there should be. Pure; called by the deed that scales."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal


@dataclass(frozen=True)
class Plan:
    """From how many to how many; `asked` is the number before the bounds."""

    before: int | None
    after: int
    asked: int

    @property
    def is_change(self) -> bool:
        """Whether there is anything to do."""
        return self.before != self.after

    @property
    def is_bounded(self) -> bool:
        """Whether a bound of the service changed what was asked for."""
        return self.after != self.asked


def plan(*, current: int | None, instances: int | None, factor: float | None, least: int, most: int) -> Plan:
    """A number, or the current one times a factor, rounded up and kept within the bounds. Exactly one of the two is given.

    Decimal, since 100 x 1.1 would come out just above 110 and be rounded up to 111.
    Raises ValueError when a factor has nothing to multiply.
    """
    if instances is not None:
        asked = instances
    elif factor is None or current is None:
        raise ValueError("a factor needs to know how many instances there are")
    else:
        asked = int((Decimal(current) * Decimal(str(factor))).to_integral_value(rounding=ROUND_CEILING))
    return Plan(current, max(least, min(most, asked)), asked)

"""Words that calls of actions and whoever asks for them share."""

from django.db.models import IntegerChoices


class Priority(IntegerChoices):
    """Who goes first when not all can run at once."""

    LOW = 0, "low"
    NORMAL = 1, "normal"
    HIGH = 2, "high"
    CRITICAL = 3, "critical"

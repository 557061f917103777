"""When a schedule comes round: five cron fields in a time zone, or every so many seconds. Pure; used by the trigger `schedule`.

As in Debian's cron: with both day fields restricted, either may match; a time that the spring change skips runs at the next valid minute, a
time that the autumn change repeats runs once. A schedule whose minutes or hours begin with `*` follows real time instead.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

FIELDS = ("minute", "hour", "day of month", "month", "weekday")


@dataclass(frozen=True)
class Schedule:
    """Either `cron` in `zone`, or every `every_seconds`, counted from midnight UTC so that all processes agree."""

    cron: str = ""
    zone: str = "UTC"
    every_seconds: int = 0

    def after(self, moment: datetime) -> datetime | None:
        """The first time later than `moment`, in UTC; None when it never comes round again."""
        if self.every_seconds:
            epoch = int(moment.timestamp())
            return datetime.fromtimestamp((epoch // self.every_seconds + 1) * self.every_seconds, UTC)
        found = next(CronSim(self.cron, moment.astimezone(ZoneInfo(self.zone))), None)
        return found.astimezone(UTC) if found else None

    def between(self, after: datetime, until: datetime, *, most: int) -> Iterator[datetime]:
        """The times later than `after` up to `until`, oldest first, at most `most` of them."""
        moment = self.after(after)
        while moment is not None and moment <= until and most > 0:
            yield moment
            moment, most = self.after(moment), most - 1

    def gap_seconds(self, moment: datetime) -> float:
        """The shortest pause among the next ten times after `moment`, in seconds."""
        times = list(self.between(moment, moment + timedelta(days=3660), most=10))
        pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
        return min(pauses, default=float("inf"))


def said(schedule: Schedule) -> str:
    """Its cron line in words: `at 02:00 every day (Europe/Brussels)`."""
    text = CronSim(schedule.cron, datetime(2000, 1, 1, tzinfo=UTC)).explain()
    return f"{text[:1].lower()}{text[1:]} ({schedule.zone})"


def problem(schedule: Schedule, now: datetime) -> str:
    """What is wrong with it as a sentence, or an empty text."""
    if bool(schedule.cron) == bool(schedule.every_seconds):
        return "Give either a schedule of five fields, such as `0 2 * * *`, or a number of seconds."
    try:
        ZoneInfo(schedule.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"There is no time zone {schedule.zone!r}. Write one such as Europe/Brussels or UTC."
    if schedule.every_seconds:
        return "" if schedule.every_seconds >= 1 else "It must be at least one second."
    return _cron_problem(schedule, now)


def _cron_problem(schedule: Schedule, now: datetime) -> str:
    words = schedule.cron.split()
    if len(words) != len(FIELDS):
        return f"A schedule has five fields ({', '.join(FIELDS)}), such as `0 2 * * *`; this has {len(words)}."
    try:
        found = schedule.after(now)
    except CronSimError as error:
        said = str(error).removeprefix("Bad ")
        return f"The field {said} of `{schedule.cron}` cannot be read. The fields are {', '.join(FIELDS)}, such as `0 2 * * *`."
    return "" if found else f"`{schedule.cron}` never comes round."


def due(
    schedule: Schedule, *, after: datetime, now: datetime, catch_up: str, window_seconds: float, grace_seconds: float
) -> list[datetime]:
    """The times after `after` that are to run now. Later than `grace_seconds` is missed: then `catch_up` (all, last, none) decides,
    and only for what is not older than `window_seconds`."""
    earliest = max(after, now - timedelta(seconds=max(window_seconds, grace_seconds)))
    # The newest of them: what is older than so many is not made up for one by one.
    times = list(deque(schedule.between(earliest, now, most=1_000_000), maxlen=10_000))
    on_time = [moment for moment in times if (now - moment).total_seconds() <= grace_seconds]
    missed = times[: len(times) - len(on_time)]
    if catch_up == "all":
        return times
    if catch_up == "last" and not on_time:
        return missed[-1:]
    return on_time

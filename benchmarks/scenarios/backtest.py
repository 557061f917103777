"""A draft of a rule judged over everything recorded in a day, in a process of its own."""

from benchmarks.house import House, run_module
from benchmarks.results import Figure, Result
from benchmarks.run import Size

ORDER = 100
FULL, SMALL = 1_000_000, 20_000
MIB = 1024 * 1024


def measure(house: House, size: Size) -> Result:
    """The events are made by the database; one in fifty makes the condition true, a cooldown holds most of those back."""
    count = FULL if size.is_full else SMALL
    stored = run_module("benchmarks.deciding", b"", house.stack.environ, seconds=600, words=["history", str(count)])["events"]
    found = run_module("benchmarks.deciding", b"", house.stack.environ, seconds=900, words=["backtest"])
    judged, met = found["judged"], found["fired"] + sum(found["held"].values())
    problems = [] if judged == stored == count else [f"{count} events were wanted, {stored} stored, {judged} judged."]
    if met != count // 50:
        problems.append(f"{count // 50} events make the condition true, but {met} did.")
    return Result(
        "backtest",
        f"a rule with a condition of two parts, a subject path and a cooldown, over {count:,} stored events of one day.",
        [
            Figure(f"back-test, of {count:,} stored events, per second", judged / found["seconds"], "/s"),
            Figure("  time for all of them", found["seconds"], "s"),
            Figure("  most memory of its process", found["peak_bytes"] / MIB, "MiB"),
            Figure("  of that, grown while it ran", found["grown_bytes"] / MIB, "MiB"),
        ],
        problems,
        {"stored": stored, "judged": judged, "fired": found["fired"], "held": met - found["fired"]},
    )

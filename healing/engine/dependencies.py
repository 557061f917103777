"""Whether services stand on each other in a circle. Pure; called when a service is saved."""

from collections.abc import Iterable, Mapping, Sequence


def circle(edges: Mapping[str, Iterable[str]], start: str) -> Sequence[str]:
    """The shortest way from `start` over what it stands on back to itself, as names; empty when there is none."""
    ways: list[list[str]] = [[start]]
    seen = set()
    while ways:
        way = ways.pop(0)
        for below in sorted(edges.get(way[-1], ())):
            if below == start:
                return [*way, start]
            if below not in seen:
                seen.add(below)
                ways.append([*way, below])
    return []

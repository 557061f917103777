"""Names with every kind and unit, and values for them, for tests of the language."""

from config.kernel.language.facts import Fact

FACTS = {
    fact.name: fact
    for fact in (
        Fact("cpu_usage", "number", "%"),
        Fact("memory_usage", "number", "%"),
        Fact("predicted_traffic_increase", "number", "%"),
        Fact("response_time", "number", "s"),
        Fact("memory_used", "number", "bytes"),
        Fact("memory_limit", "number", "bytes"),
        Fact("requests", "number", "/s"),
        Fact("queue_depth"),
        Fact("queues.default.depth"),
        Fact("queues.my-queue.depth"),
        Fact("traffic_pattern", "text"),
        Fact("is_peak", "flag"),
        Fact("labels", "list"),
        Fact("payload", "any"),
    )
}
VALUES = {
    "cpu_usage": 72.4,
    "memory_usage": 80,
    "predicted_traffic_increase": 51,
    "response_time": 3,
    "memory_used": 3_000_000_000,
    "memory_limit": 4_000_000_000,
    "traffic_pattern": "bot",
    "is_peak": True,
    "labels": ["bug", {"name": "x"}, 7],
    "queues.default.depth": 7,
    "queues": {"my-queue": {"depth": 9}},
    "payload": {"deep": [{"er": "yes"}]},
    "data": {
        "pull_request": {"draft": False, "title": "Fix the pump", "number": 12},
        "id": 9007199254740993,
        "labels": ["bug", "urgent"],
        "commits": [{"message": "one"}, {"message": "two"}],
        "in": "word",
        "a-b": 1,
        "nothing": None,
        "zero": 0,
    },
    "event": {"type": "error.occurred"},
}

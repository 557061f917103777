"""A process of its own for apprise: one message as JSON comes in by the standard input, exit status 0 when it was taken.
Started by `apprise`; imports nothing of ours."""

import json
import sys

TYPES = {"low": "info", "normal": "info", "high": "warning", "critical": "failure"}


def main() -> int:
    """Send it; what went wrong is printed without the target's URL."""
    import apprise

    told = json.load(sys.stdin)
    target = apprise.Apprise.instantiate(told["url"])
    if target is None:
        sys.stdout.write("Its URL in NOTIFY_APPRISE_URLS is none that apprise knows.")
        return 2
    # Warnings name the service and its answer; what is below them may hold the address with its secrets.
    with apprise.LogCapture(level=apprise.logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
        is_sent = target.notify(body=told["body"], title=told["title"], notify_type=TYPES[told["urgency"]])
        sys.stdout.write(said.getvalue().strip()[-500:])
    return 0 if is_sent else 1


if __name__ == "__main__":
    sys.exit(main())

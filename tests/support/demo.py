"""Something to look at: an installation in which every list has rows and every state occurs. Called by `manage.py screenshots`."""

import contextlib
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from tests.support import receivers
from tests.support.stack import Stack, until

GITHUB_SECRET = b"It's a Secret to Everybody"


@contextlib.contextmanager
def filled(house: Stack) -> Iterator[None]:
    """Endpoints that work, fail, are paused and disabled; events of programs and of GitHub; a refused request; a replay; services.

    Their receivers answer within the block.
    """
    with receivers.ok() as good, receivers.failing(2) as shaky, receivers.status(500) as bad:
        made = _endpoint(house, good, "Shop backend", ["video.*", "system.status"])
        _endpoint(house, shaky, "Data warehouse", ["system.status"], retry_schedule=[1, 2, 4])
        _endpoint(house, bad, "Old billing server", ["system.status"], retry_attempts=0)
        _endpoint(house, good, "Everything from GitHub", ["github.*"])
        paused = _endpoint(house, good, "Mail service", ["system.status"])
        disabled = _endpoint(house, good, "Partner portal", ["video.failed"])
        _do(house, f"/api/v1/webhooks/endpoints/{paused}/pause", {"reason": "The mail service moves today."})
        _do(house, f"/api/v1/webhooks/endpoints/{disabled}/disable", {"reason": "The partner's contract ended."})
        _do(house, "/api/v1/webhooks/sources", {"slug": "payments", "preset": "standard"})
        for number in range(12):
            given = {"machine": f"web-{number % 3}", "status": "healthy", "load": number / 10}
            _do(house, "/api/v1/events", {"type": "system.status", "data": given, "subject": f"machine:web-{number % 3}"})
        for name, payload in _GITHUB.items():
            _push(house, name, payload)
        unsigned = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "unsigned", "Authorization": ""}
        _do(house, "/api/v1/webhooks/github", b"{}", refused=401, headers=unsigned)
        _settle(house)
        _do(house, f"/api/v1/webhooks/endpoints/{made}/replays", {"since": "2020-01-01T00:00:00Z"})
        _settle(house)
        _services(house, good)
        _actions(house)
        _rules(house)
        yield


_REPOSITORY = {"full_name": "octo/shop", "name": "shop", "default_branch": "main"}
_GITHUB = {
    "push": {"ref": "refs/heads/main", "after": "a" * 40, "repository": _REPOSITORY},
    "ping": {"zen": "Keep it logically awesome.", "hook_id": 1, "repository": _REPOSITORY},
    "pull_request": {
        "action": "opened",
        "number": 42,
        "pull_request": {"number": 42, "title": "Faster checkout"},
        "repository": _REPOSITORY,
    },
}


def _endpoint(house: Stack, receiver: receivers.Receiver, description: str, events: list[str], **fields: Any) -> str:
    given = {"url": receiver.url, "description": description, "events": events, **fields}
    return str(_do(house, "/api/v1/webhooks/endpoints", given).json()["id"])


def _services(house: Stack, healthy: receivers.Receiver) -> None:
    """One that is well and stands on another; nothing steers them here, so nobody can tell how they stand."""
    workers = {"name": "workers", "controller": "healing.celery_pool", "params": {"queue": "default"}, "description": "Our own workers"}
    _do(house, "/api/v1/healing/services", {**workers, "may_be_scaled": True, "max_instances": 8})
    checkout = {"name": "checkout", "controller": "healing.supervisor", "params": {"program": "checkout"}, "dependencies": ["workers"]}
    checked = {"health_kind": "http", "health_target": healthy.url, "may_be_restarted": True}
    _do(house, "/api/v1/healing/services", {**checkout, **checked})
    for name in ("workers", "checkout"):
        _do(house, f"/api/v1/healing/services/{name}/status", {})
    _do(house, "/api/v1/healing/services/checkout/restart", {})


RULES = """
from automation.services import executions, rules
from django.contrib.auth.models import User

admin = User.objects.get(username="admin")
tell = {"action": "automation.send_notification", "params": {"title": "From a rule", "message": "${data.component} is ${data.status}."}}
emit = {"action": "automation.emit_event", "params": {"type": "user.quota_exceeded",
    "data": {"user_id": "7", "quota_type": "api", "current_usage": 61}}}
busy = {"metric": "cpu_usage", "operator": ">", "value": 1, "cpu_threshold": 99}
for fields in (
    {"name": "Tell me when a part is ill", "about": "Ask the shop team first: they restart it at times.", "mode": "on",
     "trigger": "automation.event", "trigger_params": {"events": ["system.status"]},
     "condition": "data.component != 'cache' AND data.details.load < 5", "cooldown_seconds": 1, "actions": [tell, emit]},
    {"name": "Processor is busy", "mode": "shadow", "trigger": "automation.threshold", "trigger_params": busy, "for_seconds": 300,
     "cooldown_seconds": 1800, "severity": "high", "conditions": {"max_memory_usage": 99}},
    {"name": "Clean up every night", "mode": "on", "trigger": "automation.schedule",
     "trigger_params": {"schedule": "0 2 * * *", "time_zone": "Europe/Brussels"},
     "actions": [{"action": "automation.cleanup_cache", "params": {}}]},
    {"name": "Partner forgot the invoice", "mode": "off", "trigger": "automation.absence",
     "trigger_params": {"events": ["video.completed"], "within_seconds": 86400}, "actions": [tell]},
    {"name": "Ask the billing server", "mode": "on", "trigger": "automation.event", "trigger_params": {"events": ["system.status"]},
     "max_per_hour": 2, "actions": [{"action": "automation.http_request",
     "params": {"url": "http://127.0.0.1:9/bill", "headers": {"Authorization": "Bearer hush"}}}]},
):
    made = rules.create(owner=admin, **fields)
    print(made.uid)
"""


def _rules(house: Stack) -> None:
    """One that fires, one in shadow, one for the night, one that sleeps, one that fails; one that waits for a yes."""
    made = house.manage("shell", "-v", "0", "-c", RULES).split()
    for number in range(4):
        status = {"component": f"shop-{number}", "status": "degraded", "details": {"load": number}}
        _do(house, "/api/v1/events", {"type": "system.status", "data": status, "subject": f"machine:shop-{number}"})
    ended = "SELECT count(*) FROM automation_execution WHERE status IN ('completed', 'failed')"
    # Two rules fire; whether one fires a second time depends on how fast the four events are judged.
    until(lambda: house.rows(ended)[0][0] >= 2, seconds=60, what="executions of rules having ended")
    ask = "from automation.services import executions, rules; from config.kernel.desk import options; "
    ask += "options.set('AUTOMATION_LEVEL', 'assisted')"
    house.manage("shell", "-v", "0", "-c", ask)
    _do(house, "/api/v1/events", {"type": "system.status", "data": {"component": "shop-5", "status": "down", "details": {"load": 1}}})
    waits = "SELECT count(*) FROM acts_approval WHERE status = 'pending'"
    until(lambda: house.rows(waits)[0][0] >= 1, seconds=60, what="a question to a person")
    assert len(made) == 5


def _push(house: Stack, name: str, payload: dict[str, Any]) -> None:
    body = json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(GITHUB_SECRET, body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": name, "X-GitHub-Delivery": f"demo-{name}", "X-Hub-Signature-256": signature, "Authorization": ""}
    _do(house, "/api/v1/webhooks/github", body, headers=headers)


CALLS = """
import tempfile
from config.acts.running import approvals, invocations
made = tempfile.mkdtemp()
for action, params, owner, caller, more in (
    ("acting.echo", {"text": "hello", "secret": "hunter2"}, "admin", "api", {}),
    ("acting.undoable", {"file": f"{made}/file"}, "system", "execution:exe_demo", {}),
    ("acting.fail", {"how": "failed"}, "system", "execution:exe_demo", {}),
    ("acting.wait", {"seconds": 86400}, "system", "run:run_demo", {}),
    ("acting.busy", {"file": f"{made}/busy"}, "system", "command", {"timeout_seconds": 1}),
    ("acting.critical", {}, "system", "execution:exe_demo", {"is_automatic": True}),
):
    invocations.call(action, params, owner=owner, caller=caller, **more)
asked = {"scope": "workflows:execute", "asked_by": "run:run_demo"}
approvals.ask("run:run_demo", question="Deploy version 2 to all?", detail={"version": 2}, **asked)
said = approvals.ask("run:run_old", question="Deploy version 1 to all?", **asked)
from django.contrib.auth.models import User
approvals.decide(said, user=User.objects.get(username="admin"), is_approved=False, note="Not before the holidays.")
"""


def _actions(house: Stack) -> None:
    """Calls in every state, and questions that wait."""
    house.manage("shell", "-v", "0", "-c", CALLS)
    busy = "/api/v1/automation/invocations?status=pending&status=running"
    until(lambda: house.call(busy).json()["count"] == 0, seconds=60, what="the end of every call")


def _settle(house: Stack) -> None:
    """Until only the paused endpoint's deliveries are open."""
    sending = "/api/v1/webhooks/deliveries?status=retrying&status=sending"
    until(lambda: house.call(sending).json()["count"] == 0, seconds=60, what="every retry having ended")


def _do(house: Stack, path: str, body: Any, *, refused: int = 0, **options: Any) -> Any:
    answer = house.call(path, body, **options)
    assert answer.status < 400 or answer.status == refused, (path, answer.status, answer.body)
    return answer

"""What healing announces. Declared when the app is loaded; the rows are written after migrating. Data are open."""

from config.kernel.flow.events import declare

FILLED = {"type": "string", "minLength": 1}
NUMBER = {"type": ["integer", "null"]}
PIDS = {"type": "array", "items": {"type": "integer"}}
SERVICE = {"service_id": FILLED, "service": FILLED}
EXAMPLE = {"service_id": "svc_01j8z", "service": "web"}

for name, said in {
    "service.created": "A service was put under watch.",
    "service.updated": "The settings of a service were changed; `changed` lists the fields.",
    "service.deleted": "A service is watched no more.",
}.items():
    declare(name, description=said, schema={"type": "object", "required": list(SERVICE), "properties": SERVICE}, example=EXAMPLE)

declare(
    "service.restarted",
    description="A service was stopped and started again. `pids_before` are its processes until then, where its controller knows them.",
    schema={"type": "object", "required": list(SERVICE), "properties": {**SERVICE, "controller": FILLED, "pids_before": PIDS}},
    example={**EXAMPLE, "controller": "healing.supervisor", "pids_before": [4711]},
)
declare(
    "service.scaled",
    description="The number of instances of a service was changed from `before` to `after`.",
    schema={"type": "object", "required": [*SERVICE, "after"], "properties": {**SERVICE, "before": NUMBER, "after": NUMBER}},
    example={**EXAMPLE, "before": 4, "after": 6},
)
declare(
    "service.status_changed",
    description="A service stands differently, or its health does. `status` and `health` are the new words.",
    schema={
        "type": "object",
        "required": [*SERVICE, "status", "health"],
        "properties": {
            **SERVICE,
            "status": FILLED,
            "status_before": FILLED,
            "health": FILLED,
            "health_before": FILLED,
            "instances": NUMBER,
        },
    },
    example={**EXAMPLE, "status": "stopped", "status_before": "running", "health": "critical", "health_before": "healthy", "instances": 0},
)

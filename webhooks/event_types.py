"""The catalogue: the sixteen events of the sources with their data exactly as they print it, and what webhooks itself announces.

Declared when the app is loaded; the rows are written after migrating. Data are open: more fields than named are taken.
"""

from collections.abc import Mapping
from typing import Any

from config.kernel.flow.events import declare

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
FILLED: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number", "minimum": 0}
SECONDS: Schema = {"type": "number", "minimum": 0, "description": "seconds"}
MILLISECONDS: Schema = {"type": "number", "minimum": 0, "description": "milliseconds"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
OBJECT: Schema = {"type": "object"}
ANY: Schema = {}
MOMENT: Schema = {"type": ["string", "null"], "description": "ISO 8601, UTC"}


def data_of(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """A JSON Schema of an object with these fields; others may be there too."""
    return {"type": "object", "required": list(required), "properties": {**required, **optional}}


def error_of(**more: Schema) -> Schema:
    """`{message, code?}`, without a stack."""
    return data_of({"message": FILLED}, code=TEXT, **more)


# --- the twelve of the first source, in snake_case (S0-15 to S0-26) ---------------------------

declare(
    "transcription.completed",
    description="A transcription finished. `quality_score` is 0 to 1, `processing_time` in seconds.",
    schema=data_of({"video_id": FILLED, "transcript": TEXT, "quality_score": SHARE, "processing_time": SECONDS}),
    example={"video_id": "vid_1", "transcript": "Hello and welcome.", "quality_score": 0.97, "processing_time": 12.4},
)
declare(
    "transcription.failed",
    description="A transcription failed.",
    schema=data_of({"video_id": FILLED, "error": TEXT, "retry_count": COUNT}),
    example={"video_id": "vid_1", "error": "no speech found", "retry_count": 2},
)
declare(
    "summarization.completed",
    description="A summary is ready. `key_points` is a list of texts, `processing_time` in seconds.",
    schema=data_of({"video_id": FILLED, "summary": TEXT, "key_points": TEXTS, "processing_time": SECONDS}),
    example={"video_id": "vid_1", "summary": "A short welcome.", "key_points": ["welcome"], "processing_time": 3.1},
)
declare(
    "summarization.failed",
    description="A summary could not be made.",
    schema=data_of({"video_id": FILLED, "error": TEXT, "retry_count": COUNT}),
    example={"video_id": "vid_1", "error": "the text is empty", "retry_count": 1},
)
declare(
    "batch.started",
    description="A batch of items was taken. `estimated_time` in seconds.",
    schema=data_of({"batch_id": FILLED, "video_count": COUNT, "estimated_time": SECONDS}),
    example={"batch_id": "batch_7", "video_count": 5, "estimated_time": 60},
)
declare(
    "batch.completed",
    description="A batch ended well. `total_time` in seconds.",
    schema=data_of({"batch_id": FILLED, "results": {"type": ["array", "object"]}, "total_time": SECONDS}),
    example={"batch_id": "batch_7", "results": [{"video_id": "vid_1", "status": "completed"}], "total_time": 58.2},
)
declare(
    "batch.failed",
    description="A batch ended early. `completed_videos` lists the ids of the items that were done.",
    schema=data_of({"batch_id": FILLED, "error": TEXT, "completed_videos": TEXTS}),
    example={"batch_id": "batch_7", "error": "item 3 could not be read", "completed_videos": ["vid_1", "vid_2"]},
)
declare(
    "video.processed",
    description="An item went through all of its steps (transcript and summary). Not the same as `video.completed`.",
    schema=data_of({"video_id": FILLED, "transcript": TEXT, "summary": TEXT, "metadata": OBJECT}),
    example={
        "video_id": "vid_1",
        "transcript": "Hello and welcome.",
        "summary": "A short welcome.",
        "metadata": {"video_duration": 1200, "processing_quality": "high"},
    },
)
declare(
    "error.occurred",
    description="A task of ours raised. `error_type` is the class of the exception.",
    schema=data_of({"error_type": FILLED, "message": TEXT, "context": OBJECT}),
    example={"error_type": "ValueError", "message": "not a number", "context": {"task": "automation.tick"}},
)
declare(
    "system.status",
    description="A component changed its state; one event per change. Also the event that tests send.",
    schema=data_of({}, status=TEXT, component=TEXT, details=ANY),
    example={"status": "healthy", "component": "database", "details": {"test": True}},
)
declare(
    "user.quota_exceeded",
    description="A user asked for more than allowed.",
    schema=data_of({"user_id": {"type": ["string", "integer"]}, "quota_type": FILLED, "current_usage": NUMBER}),
    example={"user_id": "7", "quota_type": "api_requests_per_minute", "current_usage": 6001},
)
declare(
    "processing.delayed",
    description="Work waits because of load. `estimated_delay` in seconds, from recent throughput.",
    schema=data_of({"queue_depth": COUNT, "estimated_delay": SECONDS}),
    example={"queue_depth": 120, "estimated_delay": 45},
)

# --- the four of the second source, in camelCase (S2-29 to S2-32) ------------------------------

declare(
    "video.completed",
    description="A pipeline run ended well. `duration` in milliseconds; `videoPath` is never an absolute path of the server.",
    schema=data_of({"videoId": FILLED}, videoPath=TEXT, duration=MILLISECONDS, metadata=OBJECT),
    example={
        "videoId": "cmgrzq18g0000uudla9n6anfv",
        "videoPath": "videos/cmgrzq18g0000uudla9n6anfv.mp4",
        "duration": 7100,
        "metadata": {"title": "Beautiful sunset", "description": "Made from one line of text."},
    },
)
declare(
    "video.failed",
    description="A pipeline run failed.",
    schema=data_of({"videoId": FILLED, "error": error_of()}),
    example={"videoId": "cmgrzq18g0000uudla9n6anfv", "error": {"message": "No clip was found.", "code": "no_clip"}},
)
declare(
    "youtube.uploaded",
    description="An upload to a channel is there.",
    schema=data_of({"videoId": FILLED, "channelName": FILLED, "youtubeVideoId": FILLED, "youtubeUrl": FILLED}),
    example={
        "videoId": "cmgrzq18g0000uudla9n6anfv",
        "channelName": "Main channel",
        "youtubeVideoId": "abc123def45",
        "youtubeUrl": "https://youtube.com/watch?v=abc123def45",
    },
)
declare(
    "youtube.failed",
    description="An upload to a channel failed.",
    schema=data_of({"videoId": FILLED, "channelName": FILLED, "error": error_of(retryable={"type": "boolean"})}),
    example={
        "videoId": "cmgrzq18g0000uudla9n6anfv",
        "channelName": "Main channel",
        "error": {"message": "The quota of the day is used up.", "code": "quota"},
    },
)

# --- what the platform says of itself ----------------------------------------------------------

ENDPOINT: Schema = data_of({"endpoint_id": FILLED, "url": TEXT}, reason=TEXT)
ENDPOINT_EXAMPLE = {"endpoint_id": "wh_01j8z", "url": "https://app.example.com/hook", "reason": "maintenance until noon"}

for name, said in {
    "endpoint.created": "An endpoint was registered.",
    "endpoint.updated": "An endpoint was changed; `changed` lists the fields.",
    "endpoint.paused": "Deliveries to an endpoint are held back.",
    "endpoint.resumed": "Deliveries to an endpoint go again.",
    "endpoint.disabled": "An endpoint gets nothing any more: by hand, after days of failure, or because it answered 410.",
    "endpoint.enabled": "A disabled endpoint is in use again.",
    "endpoint.deleted": "An endpoint was deleted and its open deliveries cancelled.",
    "endpoint.secret_rotated": "An endpoint has a new secret; the old one signs beside it until `old_signs_until`.",
}.items():
    declare(name, description=said, schema=ENDPOINT, example=ENDPOINT_EXAMPLE)

declare(
    "delivery.dead",
    description="A delivery was given up after its last attempt; it can be sent again from the dead letters.",
    schema=data_of(
        {"delivery_id": FILLED, "endpoint_id": FILLED, "event_id": FILLED, "event_type": FILLED, "attempts": COUNT},
        error_code=TEXT,
        status_code={"type": ["integer", "null"]},
    ),
    example={
        "delivery_id": "dlv_01j8z",
        "endpoint_id": "wh_01j8z",
        "event_id": "evt_01j8z",
        "event_type": "video.completed",
        "attempts": 4,
        "error_code": "http_status",
        "status_code": 500,
    },
)
declare(
    "configuration.changed",
    description="A live setting was changed.",
    schema=data_of({"name": FILLED}, before=ANY, after=ANY, changed_by=TEXT),
    example={"name": "WEBHOOK_DEFAULT_RETRIES", "before": 3, "after": 5, "changed_by": "admin"},
)

for name, said in {
    "source.created": "A source was made.",
    "source.paused": "Requests of a source are answered with 503.",
    "source.resumed": "A source is listened to again.",
    "source.deleted": "A source was deleted; its address answers 404.",
    "source.secret_rotated": "A source has a new secret; the old one is taken until `old_accepted_until`.",
}.items():
    declare(
        name,
        description=said,
        schema=data_of({"source_id": FILLED, "slug": FILLED}, old_accepted_until=MOMENT),
        example={"source_id": "src_01j8z", "slug": "github"},
    )

declare(
    "events.batch",
    description="Not an event of its own: the envelope of a batch. `events` are ordinary envelopes, oldest first.",
    schema=data_of({"events": {"type": "array", "items": OBJECT, "minItems": 1}}),
    example={
        "events": [
            {
                "event": "video.failed",
                "eventType": "video.failed",
                "eventId": "evt_01j8z",
                "timestamp": "2026-01-31T12:00:00.000Z",
                "data": {"videoId": "cmgrzq18g0000uudla9n6anfv", "error": {"message": "No clip was found."}},
            }
        ]
    },
)

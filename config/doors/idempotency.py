"""`Idempotency-Key`: the same POST sent twice starts one thing and gets one answer. Called by the API's mixin."""

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from rest_framework.request import Request
from rest_framework.response import Response

from config.kernel.flow import clock
from config.kernel.flow.errors import Conflict, InvalidInput
from config.kernel.models import IdempotencyKey
from config.kernel.wire import crypto

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT = timedelta(hours=24)
# Nothing of a request that died is left but its claim, which then ends by itself.
CLAIM = timedelta(minutes=2)
_ALLOWED = re.compile(r"[\x21-\x7e]{1,200}")


def once(handler: Callable[..., Response], render: Callable[[Any], bytes], request: Request, *args: Any, **values: Any) -> Response:
    """The handler's answer, or the stored one when this user sent the same key to this path before.

    The deed and the stored answer are one transaction: a crash in between leaves neither. An answer of 400 or more is not
    stored. Raises Conflict for another body under the same key, or while the first is being worked on.
    """
    claim = _claim(request, _key(request))
    if claim.status_code is not None:
        return _replay(claim)
    try:
        with transaction.atomic():
            response = handler(request, *args, **values)
            if response.status_code < 400:
                # Encrypted, because an answer may show a new secret this once.
                claim.status_code, claim.body = response.status_code, crypto.encrypt(render(response.data).decode())
                claim.save(update_fields=["status_code", "body"])
    finally:
        if claim.status_code is None:
            claim.delete()
    return response


def _key(request: Request) -> str:
    key = request.headers.get(HEADER, "")
    if not _ALLOWED.fullmatch(key):
        raise InvalidInput(f"The header {HEADER} must have 1 to 200 printable ASCII characters without spaces.", code="idempotency_key")
    return key


def _claim(request: Request, key: str) -> IdempotencyKey:
    """A row of our own to work under, or the finished one of an earlier request."""
    digest = hashlib.sha256(request.META.get("QUERY_STRING", "").encode() + b"\0" + request._request.body).hexdigest()
    where = {"owner": request.user, "key": key, "path": request.path[:300]}
    now = clock.now()
    _delete_run_out(where)
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(**where, digest=digest, created_at=now)
    except IntegrityError:
        found = IdempotencyKey.objects.filter(**where).first()
    if found is None or (found.status_code is None and found.digest == digest):
        raise Conflict(f"A request with this {HEADER} is being worked on. Ask again in a moment.", code="idempotency_in_progress")
    if found.digest != digest:
        raise Conflict(f"This {HEADER} was used with another body. Choose a new key.", code="idempotency_key_reused")
    return found


def _delete_run_out(where: dict[str, Any]) -> None:
    now = clock.now()
    mine = IdempotencyKey.objects.filter(**where)
    mine.filter(created_at__lte=now - KEPT).delete()
    mine.filter(status_code__isnull=True, created_at__lte=now - CLAIM).delete()


def _replay(found: IdempotencyKey) -> Response:
    body = crypto.decrypt(found.body) if found.body else ""
    data = orjson.loads(body) if body else None
    return Response(data, status=found.status_code, headers={REPLAYED: "true"})

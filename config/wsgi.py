"""WSGI entry point. Django takes a body without Content-Length for an empty one, so a body that comes in chunks is measured here."""

import os
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")
django = get_wsgi_application()

from config.doors.middleware import INBOUND  # noqa: E402 - it needs the applications to be loaded


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Django; inbound requests are left as they are, because their door reads in pieces and has limits of its own."""
    is_chunked = "HTTP_TRANSFER_ENCODING" in environ and environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH")
    if is_chunked and not environ.get("PATH_INFO", "").startswith(INBOUND):
        body = _read(environ["wsgi.input"], int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) + 1)
        environ.update({"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    return django(environ, start_response)


def _read(stream: Any, most: int) -> bytes:
    pieces: list[bytes] = []
    while most > 0 and (piece := stream.read(most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)

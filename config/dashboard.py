"""stub, being written"""
from typing import Any
from django.http import HttpRequest
def frame(request: HttpRequest) -> dict[str, Any]:
    return {}

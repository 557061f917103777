"""stub, being written"""
from typing import Any
from django.conf import settings
def get(name: str) -> Any:
    return settings.OPTIONS[name]["default"]

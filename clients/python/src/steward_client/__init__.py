"""Publish events to Steward and verify what it delivers. Standard library only."""

from steward_client.client import ApiError, Client, Published, StewardClientError, Unreachable
from steward_client.signatures import Event, VerificationError, verify, verify_signature

__all__ = [
    "ApiError",
    "Client",
    "Event",
    "Published",
    "StewardClientError",
    "Unreachable",
    "VerificationError",
    "verify",
    "verify_signature",
]

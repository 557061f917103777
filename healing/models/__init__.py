"""Rows of healing, one file per kind."""

from healing.models.service import Service

__all__ = ["Service"]

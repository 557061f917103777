"""Deeds of healing."""

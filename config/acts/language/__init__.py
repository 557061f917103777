"""Conditions: how they are read, checked and judged."""

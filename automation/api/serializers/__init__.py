"""Shapes of what the API of automation takes and gives."""

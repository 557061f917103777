"""Shapes of the API, one file per resource: what it shows and what it takes. The deeds validate the meaning."""

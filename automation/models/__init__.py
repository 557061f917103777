"""Rows of the app automation, one file per kind."""

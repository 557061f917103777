"""Rows of the app healing, one file per kind."""

"""The API of healing."""

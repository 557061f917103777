"""Plug-ins: how they are found, looked up and what they promise."""

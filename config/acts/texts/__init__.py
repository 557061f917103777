"""Texts and parameters with values put in: `${name}` and templates of messages."""

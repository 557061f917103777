"""When a rule wakes: one trigger a file."""

"""From asking for an action to its outcome."""

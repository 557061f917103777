"""From a ruling to an execution that runs."""

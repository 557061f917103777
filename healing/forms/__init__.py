"""What a person may type about services."""

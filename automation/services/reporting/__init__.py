"""What reports say, and their files."""

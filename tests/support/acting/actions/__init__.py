"""One action a file, as everywhere."""

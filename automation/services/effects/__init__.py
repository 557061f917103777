"""What actions of automation do in the world."""

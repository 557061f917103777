"""How backups are made and brought back."""

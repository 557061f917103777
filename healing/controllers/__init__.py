"""How each kind of service is looked at, restarted and scaled. One file each; the key is healing.<file>."""

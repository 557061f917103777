"""What may be done to a service. One file each; the key is healing.<file>."""

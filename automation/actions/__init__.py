"""What automation can do. One file each; the key is `automation.<file>`."""

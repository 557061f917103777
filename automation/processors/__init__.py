"""What works items of queues off. One file each; the key is `automation.<file>`."""

"""Channels of messages, one file each, found by their names. Each says whom a message goes to, and takes it there."""

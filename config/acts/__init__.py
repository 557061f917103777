"""Deeds: what may be done, by whom, when, and how it is run. Stands on the kernel, knows no app."""

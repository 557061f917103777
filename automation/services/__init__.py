"""Deeds of automation: the only place that changes its rows. Called by the doors and the plug-in rooms."""

"""What a plug-in that does something promises: actions, controllers, processors."""

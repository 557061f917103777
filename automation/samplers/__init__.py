"""What automation measures of this machine and of Steward itself, one file a sampler."""

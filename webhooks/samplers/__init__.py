"""What webhooks measures of itself, one file a sampler."""

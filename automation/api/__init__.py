"""The API of automation, one file a resource."""

"""What every door for people and programs stands on: API and admin bases, formats, problems, OpenAPI, middleware."""

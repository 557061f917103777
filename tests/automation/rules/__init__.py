"""The doors of rules: API, routes of the requirements, façade, commands, search and stories."""

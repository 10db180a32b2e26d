"""Real servers for tests: directories, databases, a SCIM service. Each starts in seconds and stops with its
context."""

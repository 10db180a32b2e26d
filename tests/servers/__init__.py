"""Real servers for tests: directories, a SCIM service. Each starts in seconds and stops with its context."""

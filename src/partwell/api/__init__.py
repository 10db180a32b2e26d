"""The REST API under /api/v1: one module per domain, each endpoint one call of an operation or a query."""

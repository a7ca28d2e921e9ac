"""The health checks 9 to 13 against a running server."""

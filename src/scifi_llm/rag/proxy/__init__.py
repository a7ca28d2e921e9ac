"""The proxy on port 8001: OpenAI's API with the canon put before the model."""

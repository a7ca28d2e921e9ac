"""A local writing environment: retrieval of a novel's canon in front of a local vLLM server."""

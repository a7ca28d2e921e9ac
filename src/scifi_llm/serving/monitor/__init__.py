"""The monitor: what a running vLLM is at, as a live view, lines or JSON."""

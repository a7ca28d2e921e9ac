"""Benchmarks of any OpenAI-compatible server: speed, prose, coherence; their results and report."""

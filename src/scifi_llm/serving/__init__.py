"""What vLLM is started with: model profiles, engine, command line, model files."""

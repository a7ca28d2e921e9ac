"""Fine-tuning: from a folder of prose to an adapter that vLLM serves."""

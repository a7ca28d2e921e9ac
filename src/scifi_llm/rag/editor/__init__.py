"""Settings of editors: Continue's config.yaml and config.json, written from what is served."""

"""Measurements of the proxy: a mock upstream, a load generator, the comparison, the soak."""

"""Retrieval of canon: ingest, chunking, embedding, store, search, and the proxy in proxy/."""

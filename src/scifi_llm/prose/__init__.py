"""Measures of prose and scores by their distance from human fiction. Standard library only."""

"""Measures of what a model has learned: how well its codes find what belongs together, how short it describes data."""

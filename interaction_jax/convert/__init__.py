"""Weights of other projects, in and compared."""

"""Charades: when something begins and ends, said aloud as it happens."""

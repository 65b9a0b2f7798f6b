"""The transformer, in episodes and in streams."""

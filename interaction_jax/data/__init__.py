"""Episodes to learn from, and where they come from."""

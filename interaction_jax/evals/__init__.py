"""What a model does, measured and drawn."""

"""The model: its numbers, its parts, its front door."""

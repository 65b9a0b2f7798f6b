"""Training: losses, the update, the loop, and what they are set to."""

"""Whether a model fits machines that are not there, and how fast it may be."""

"""The page with a microphone."""

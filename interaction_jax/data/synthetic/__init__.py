"""Conversations with a synthetic user, every moment of them known."""

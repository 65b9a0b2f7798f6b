"""Protocols: thin adapters between a socket and a session of an engine."""

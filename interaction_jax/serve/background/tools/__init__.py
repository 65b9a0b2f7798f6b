"""Tools of the embedded background agent."""

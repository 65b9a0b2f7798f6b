"""The front ends: what is heard, seen and read, as vectors."""

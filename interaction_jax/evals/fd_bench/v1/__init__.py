"""Full-Duplex-Bench v1: pauses, nods, turns and interruptions."""

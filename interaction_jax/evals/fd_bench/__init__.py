"""Full-Duplex-Bench: who speaks when, in four releases of one benchmark."""

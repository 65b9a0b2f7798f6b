"""Full-Duplex-Bench v1.5: what becomes of an answer that is spoken into."""

"""Full-Duplex-Bench v2: a conversation with an examiner, goal after goal."""

"""Full-Duplex-Bench v3: tools, asked for in speech that is not fluent."""

"""BigBench Audio: spoken questions that need some reasoning."""

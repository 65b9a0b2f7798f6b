"""What the benchmarks of the field share, from items to reports."""

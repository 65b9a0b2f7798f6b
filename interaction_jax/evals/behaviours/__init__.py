"""What an interaction model should be able to do, one row for each."""

"""Sessions: a model run turn by turn, alone or for many at once."""

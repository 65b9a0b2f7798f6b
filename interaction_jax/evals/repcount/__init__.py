"""RepCount-A: counting repetitions aloud."""

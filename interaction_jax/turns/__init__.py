"""The micro-turn of 200 ms: its clock, its contents, its words."""

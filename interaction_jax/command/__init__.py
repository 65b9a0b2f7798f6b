"""The command line: what a sub-command is, and a module for each of them."""

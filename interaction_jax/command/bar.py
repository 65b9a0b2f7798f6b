"""A bar where a person waits."""

import sys


def show(done: int, total: int) -> None:
  """Draws it, if it is a person who looks."""
  if not sys.stderr.isatty():
    return
  width = 40 * done // total
  bar = "#" * width + "." * (40 - width)
  end = "\n" if done == total else ""
  print(f"\r{bar} {done}/{total}", end=end, file=sys.stderr, flush=True)


def note(text: str) -> None:
  """Says what is waited for."""
  if sys.stderr.isatty():
    print(text, file=sys.stderr, flush=True)


def clear() -> None:
  """Takes it away, for a line that stays."""
  if sys.stderr.isatty():
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)

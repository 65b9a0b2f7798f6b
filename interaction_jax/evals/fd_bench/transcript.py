"""A conversation as a judge reads it: utterances with their times."""

from collections.abc import Sequence

from interaction_jax.evals import utterance
from interaction_jax.evals.harness.output import Word

NOTHING = "(nothing)"


def lines(words: Sequence[Word]) -> str:
  """One line an utterance: "[1.20-2.45] set a timer"."""
  told = [
    f"[{one.start:.2f}-{one.end:.2f}] {one.text}"
    for one in utterance.split(words)
  ]
  return "\n".join(told) or NOTHING


def both(user: Sequence[Word], system: Sequence[Word]) -> str:
  """Two sides in order of time, each line with who speaks."""
  said = [
    (one.start, f"[{one.start:.2f}-{one.end:.2f}] {who}: {one.text}")
    for who, words in (("user", user), ("system", system))
    for one in utterance.split(words)
  ]
  return "\n".join(line for _, line in sorted(said)) or NOTHING


def spread(text: str, start: float, end: float) -> list[Word]:
  """A text of which one knows only when it is said, word by word."""
  texts = text.split()
  step = (end - start) / max(len(texts), 1)
  return [
    Word(one, start + n * step, start + (n + 1) * step)
    for n, one in enumerate(texts)
  ]

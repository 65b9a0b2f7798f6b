"""What a reply is worth in Full-Duplex-Bench v1, as published and corrected.

Every task has a function of an item, a reply and a judge; what it gives has
the names of rows. Rows that end with `_corrected` differ where the published
way is odd; `docs/benchmarks/fd_bench_v1.md` says how.

Reference: Lin et al. 2025, arXiv:2503.04721.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from interaction_jax.evals import utterance
from interaction_jax.evals.fd_bench import backchannel, floor
from interaction_jax.evals.fd_bench.v1 import load
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.judge import Judge, Question
from interaction_jax.evals.harness.suite import Reply, Score

Values = dict[str, float | None]

PAUSE_ROW: Final = {
  load.PAUSES[0]: "pause_synthetic",
  load.PAUSES[1]: "pause_candor",
}


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """What each reply is worth, by the scorer of its task."""
  return [
    Score(row, item.key, value, details={"reply": replies[item.key].text})
    for item in items
    for row, value in _SCORERS[item.part](
      item, replies[item.key], judge
    ).items()
  ]


def pause(item: Item, reply: Reply, judge: Judge) -> Values:
  """Whether the floor is taken from somebody who only pauses."""
  del judge
  row = PAUSE_ROW[item.part]
  took = floor.taking(reply.words, until=item.truth["end"])
  return {
    row: float(floor.taken(reply.words)),
    f"{row}_corrected": float(took is not None),
  }


def turn(item: Item, reply: Reply, judge: Judge) -> Values:
  """Whether the floor is taken from somebody who has ended, and how soon."""
  del judge
  end = item.truth["end"]
  return {
    **_taken("turn_taking", reply, end),
    **_answered("turn_taking", reply, end),
  }


def nods(item: Item, reply: Reply, judge: Judge) -> Values:
  """Whether signs that one listens are short, frequent, and well placed."""
  del judge
  spans, words = reply.spans, reply.words
  people, seconds = item.truth["people"], reply.seconds
  walked = backchannel.walk(spans, words)
  seen = backchannel.nods(spans, words)
  return {
    "backchannel": float(walked.took),
    "backchannel_frequency": walked.frequency(seconds),
    "backchannel_jsd": walked.divergence(people, seconds),
    "backchannel_corrected": float(seen.took),
    "backchannel_frequency_corrected": seen.frequency(seconds),
    "backchannel_jsd_corrected": seen.divergence(people, seconds, base=2),
  }


def interruption(item: Item, reply: Reply, judge: Judge) -> Values:
  """Whether somebody who interrupts is answered, how soon, and how well.

  As published, only what is heard after the interruption counts.
  """
  _, end = item.truth["span"]
  values = _taken("interruption", reply, end)
  late = floor.behind(reply.words, end)
  text = " ".join(word.text for word in late)
  values["interruption_rating"] = None
  if values["interruption"]:
    values["interruption_rating"] = _rating(item, text, judge)
  values |= _answered("interruption", reply, end)
  values["interruption_rating_corrected"] = 0.0
  if values["interruption_corrected"]:
    values["interruption_rating_corrected"] = _rating(item, text, judge)
  return values


def _taken(row: str, reply: Reply, end: float) -> Values:
  """TOR and latency, as published.

  Of turns the whole recording counts, of interruptions what follows them.
  """
  words = reply.words
  if row == "interruption":
    words = floor.behind(words, end)
  took = floor.taken(words)
  first = min((word.start for word in words), default=None)
  return {
    row: float(took),
    f"{row}_latency": floor.lateness(first, end) if took else None,
  }


def _answered(row: str, reply: Reply, end: float) -> Values:
  """The same of an utterance that begins when it is time for it."""
  made = floor.taking(reply.words, since=end - floor.EARLY_S)
  start = None if made is None else made.start
  return {
    f"{row}_corrected": float(made is not None),
    f"{row}_latency_corrected": floor.lateness(start, end),
  }


def _rating(item: Item, text: str, judge: Judge) -> float | None:
  value = judge.ask(_question(item, text)).value
  return None if value is None else float(value)


def _question(item: Item, text: str) -> Question:
  """The words are ours: the published ones are not free to be used."""
  truth = item.truth
  wanted = truth["answer"] or truth["interrupt"]
  return Question(
    "relevance",
    "A user talked with an AI, and interrupted it while it was answering. "
    "Rate how relevant its response to the interruption is, from 0 (it says "
    "nothing, or nothing to do with it) to 5 (it takes up the interruption "
    "fully and to the point).\n\n"
    f"[What the user said first]\n{truth['context']}\n\n"
    f"[Interruption]\n{truth['interrupt']}\n\n"
    f"[Response, written down by a recogniser]\n{text}\n\n"
    "Say why in a sentence or two, and end with exactly this sentence, N being "
    "your rating: I would rate the AI's response as N",
    lambda: (
      "I would rate the AI's response as "
      f"{int(5 * utterance.share(wanted, text))}"
    ),
    _points,
  )


def _points(said: str) -> int:
  fits = re.findall(r"rate the AI['’]?s response as\D{0,3}([0-5])\b", said)
  if not fits:
    raise ValueError(f"{said!r} holds no rating from 0 to 5.")
  return int(fits[-1])


_SCORERS: Final[Mapping[str, Callable[[Item, Reply, Judge], Values]]] = {
  **dict.fromkeys(load.PAUSES, pause),
  load.NODS: nods,
  load.TURNS: turn,
  load.INTERRUPTIONS: interruption,
}

"""What replies to TimeSpeak and CueSpeak are worth, and the rows of a report.

An item is right if every event was served (`match.py`) and nothing else was
said. Meaning is judged, time is not: a clock is enough.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from interaction_jax.evals import utterance
from interaction_jax.evals.cued import match
from interaction_jax.evals.cued.match import Event, Outcome
from interaction_jax.evals.harness import judge as judges
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.judge import Judge, Question
from interaction_jax.evals.harness.suite import Reply, Row, Score
from interaction_jax.evals.utterance import Utterance

_GAP_S: Final = 0.5
"""Seconds of silence that end an utterance; cues follow each other closely."""

_LONGEST_S: Final = 3.0
"""Seconds after which one who does not stop begins another utterance."""


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """What became of each item and of each of its events."""
  return [
    one for item in items for one in _scores(item, replies[item.key], judge)
  ]


def _scores(item: Item, reply: Reply, judge: Judge) -> list[Score]:
  truth, known = item.truth, {}

  def means(event: Event, one: Utterance) -> bool:
    pair = event.say, one.text
    if pair not in known:
      known[pair] = judge.ask(_question(truth["asked"], event, one)).value
    # What nobody could judge does not count for it.
    return bool(known[pair])

  said = utterance.split(reply.words, gap=_GAP_S, longest=_LONGEST_S)

  def outcome(events: Sequence[Event]) -> Outcome:
    return match.match(
      events, said, user=truth["user"], free=truth["free"], means=means
    )

  made = outcome(truth["events"])
  wide = outcome([_widened(one) for one in truth["events"]])
  right = float(made.correct(truth["max_extra"]))
  values = {
    "accuracy": right,
    "accuracy_wide": float(wide.correct(truth["max_extra"])),
    "false_alarms": float(made.false_alarms),
  }
  if truth["small"]:
    values["accuracy_small"] = right
  details = {
    "said": [[round(one.start, 3), one.text] for one in said],
    "wanted": [[one.t_ref, one.say] for one in truth["events"]],
    "offsets": [None if x is None else round(x, 3) for x in made.offsets],
  }
  found = [
    Score(row, item.key, value, item.part, details)
    for row, value in values.items()
  ]
  for offset in made.offsets:
    off = None if offset is None else abs(offset)
    hit = float(offset is not None)
    found.append(Score("events", item.key, hit, item.part))
    found.append(Score("off_by", item.key, off, item.part))
  return found


def _widened(event: Event) -> Event:
  """The same with a window twice as wide, whoever speaks meanwhile."""
  first, last = event.window
  window = 2 * first - event.t_ref, 2 * last - event.t_ref
  return dataclasses.replace(event, window=window, overlap=False)


def _question(asked: str, event: Event, one: Utterance) -> Question:
  return Question(
    "meaning",
    "Somebody asked a voice assistant to say something at certain moments. At "
    "one of these moments it spoke; its words were written down by a "
    f"recogniser.\n\n[Request]\n{asked}\n\n[To be said now]\n{event.say}\n\n"
    f"[Transcript]\n{one.text}\n\nDoes the transcript say what was to be said "
    "now, in whatever words? When it happened does not matter. Answer with yes "
    "or no only.",
    lambda: "yes" if event.means(one.text) else "no",
    judges.yes,
  )


def rows(published: Mapping[str, float]) -> tuple[Row, ...]:
  """What is reported; others published the first of it."""
  others = {f"{who}, on other items": x for who, x in published.items()}
  return (
    Row(
      "accuracy",
      "items in which all was said in time and nothing else; kinds count alike",
      published=others,
    ),
    Row("accuracy_small", "the same of items in words of the shipped models"),
    Row(
      "accuracy_wide",
      "the same with windows twice as wide, at cues also once the user is done",
    ),
    Row("events", "things that were said in time, whatever else was said"),
    Row(
      "false_alarms",
      "utterances an item that nobody asked for",
      better="less",
      unit="number",
    ),
    Row(
      "off_by",
      "seconds from the best time of what was said in time",
      better="less",
      unit="s",
      ranked=False,
    ),
  )

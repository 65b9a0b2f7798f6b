"""Rows about what there is to be seen."""

from typing import Final

from interaction_jax.data.synthetic import world
from interaction_jax.evals.behaviours.exchange import (
  SOON,
  Exchange,
  Judgement,
  matched,
  seconds,
  turn_from,
)
from interaction_jax.evals.behaviours.row import Limit, Row

_REPETITIONS: Final = 3
"""At least; of fewer, any guess would be one off at most."""


def visual_interjection(exchange: Exchange) -> Judgement | None:
  """Whether it names what came within a second, and nothing else."""
  if exchange.scenario not in ("watch", "welcome"):
    return None
  # What is said to requests, the first and "stop", is none of it.
  (_, asked), *stop = exchange.label["user"]
  until = stop[0][1] if stop else seconds(exchange.last)
  onsets = [
    first
    for first, _ in exchange.made.stretches()
    if asked + SOON < seconds(first) < until
  ]
  event = exchange.label.get("event")
  if event is None:
    return Judgement(
      None,
      false_alarms=len(onsets),
      details={"false_alarm_rate": float(bool(onsets))},
    )
  hits = [turn for turn in onsets if 0 <= seconds(turn) - event <= SOON]
  named = bool(hits) and _names(exchange, hits[0], exchange.answer[1:])
  return Judgement(
    float(named),
    false_alarms=len(onsets) - bool(hits),
    timing=tuple(seconds(x - exchange.label["word_turns"][1]) for x in hits),
    details={"timely": float(bool(hits)), "named": float(named)},
  )


def rep_counting(exchange: Exchange) -> Judgement | None:
  """Whether the last number told is at most one off.

  Only what is said after the last repetition but one counts.

  Reference: Hu et al. 2022, RepCount, arXiv:2204.01018; the protocol is that
  of spoken counts.
  """
  if exchange.scenario != "jumps":
    return None
  jumps = exchange.label["jumps"]
  if len(jumps) < _REPETITIONS:
    return None
  counted = [
    (turn, word)
    for turn, word in zip(exchange.turns, exchange.words, strict=True)
    if word in world.NUMBERS
  ]
  told = [
    world.value(word) for turn, word in counted if seconds(turn) > jumps[-2]
  ]
  error = abs(told[-1] - len(jumps)) if told else len(jumps)
  wanted = exchange.label["word_turns"][1:]
  pairs, rest = matched(
    wanted, [turn for turn, _ in counted], early=2, late=turn_from(SOON)
  )
  return Judgement(
    float(bool(told) and error <= 1),
    false_alarms=len(rest),
    timing=tuple(seconds(came - due) for due, came in pairs),
    details={
      "exact": float(bool(told) and error == 0),
      "absolute_error": error / (len(jumps) + 0.1),
      "each_in_time": len(pairs) / len(wanted),
    },
  )


def temporal_localisation(exchange: Exchange) -> Judgement | None:
  """How well do "start" and "stop" enclose a movement? Overlap over union."""
  if exchange.scenario != "moves":
    return None
  begin, end = exchange.label["moves"]
  starts, stops = (
    [
      seconds(turn)
      for turn, one in zip(exchange.turns, exchange.words, strict=True)
      if one == word and seconds(turn) > exchange.user_end
    ]
    for word in ("start", "stop")
  )
  later = [stop for stop in stops if starts and stop > starts[0]]
  if not later:
    return Judgement(0.0)
  first, last = starts[0], later[0]
  common = max(0.0, min(last, end) - max(first, begin))
  union = max(last, end) - min(first, begin)
  return Judgement(
    common / union,
    false_alarms=len(starts) + len(stops) - 2,
    timing=(first - begin, last - end),
  )


def monitoring(exchange: Exchange) -> Judgement | None:
  """How many of the events of a long feed are named within a second."""
  if exchange.scenario != "guard":
    return None
  asked = exchange.label["user"][0][1] + SOON
  stop = exchange.user_end
  onsets = [
    first
    for first, _ in exchange.made.stretches()
    if asked < seconds(first) < stop
  ]
  events = exchange.label["events"]
  due = [turn_from(event) for event in events]
  pairs, rest = matched(due, onsets, early=0, late=turn_from(SOON) - 1)
  came = dict(pairs)
  hits = [
    turn in came and _names(exchange, came[turn], exchange.answer[at : at + 2])
    for at, turn in zip(range(1, 2 * len(due), 2), due, strict=True)
  ]
  minutes = (stop - asked) / 60
  return Judgement(
    sum(hits) / len(hits) if hits else None,
    false_alarms=len(rest),
    timing=tuple(seconds(turn - wanted) for wanted, turn in pairs),
    details={
      "false_alarms_in_three_minutes": 3 * len(rest) / minutes,
      "watched_s": 60 * minutes,
    },
  )


def _names(exchange: Exchange, onset: int, wanted: tuple[str, ...]) -> bool:
  """Whether the first words from an onset on are those wanted."""
  said = [
    word
    for turn, word in zip(exchange.turns, exchange.words, strict=True)
    if turn >= onset - 1
  ]
  return tuple(said[: len(wanted)]) == wanted


def presence(exchange: Exchange) -> Judgement | None:
  """Whether it knows if somebody is there."""
  if exchange.scenario != "presence":
    return None
  said = exchange.answered()
  there = "there" if exchange.label["there"] else "nobody"
  return Judgement(said.hit, there, said.false_alarms, said.timing)


ROWS: Final = (
  Row(
    "visual_interjection",
    "what was asked for is named within 1 s of its coming",
    0.9,
    {"watch": 0.7, "welcome": 0.3},
    visual_interjection,
    chance="shifted",
    limits=(Limit("false_alarm_rate", 0.05),),
    sees=True,
  ),
  Row(
    "rep_counting",
    "the last number told is within one of a count of three or more",
    0.8,
    {"jumps": 1.0},
    rep_counting,
    num_turns=150,
    sees=True,
  ),
  Row(
    "temporal_localisation",
    "overlap over union of 'start' to 'stop' and the movement",
    0.5,
    {"moves": 1.0},
    temporal_localisation,
    chance="shifted",
    sees=True,
  ),
  Row(
    "monitoring",
    "events of a feed of up to three minutes named within 1 s",
    0.9,
    {"guard": 1.0},
    monitoring,
    chance="shifted",
    limits=(Limit("false_alarms_in_three_minutes", 1.0),),
    num_turns=960,
    sees=True,
  ),
  Row(
    "presence",
    "'is anyone there' is answered rightly, whether or not",
    0.9,
    {"presence": 1.0},
    presence,
    sees=True,
  ),
)

"""Rows about time: how long something took, when it is due, how long not."""

from typing import Final

from interaction_jax.data.synthetic import world
from interaction_jax.evals.behaviours.exchange import (
  SOON,
  Exchange,
  Judgement,
  matched,
  seconds,
)
from interaction_jax.evals.behaviours.row import Limit, Row

_PUNCTUAL: Final = 2
"""Turns that a reminder may be early or late."""


def elapsed_time(exchange: Exchange) -> Judgement | None:
  """Whether the time that went by is told to a tenth, or to a second."""
  wanted = exchange.label.get("seconds")
  if exchange.scenario != "elapsed" or wanted is None:
    return None
  told = spoken_number(exchange.words)
  if told is None:
    return Judgement(0.0)
  error = abs(told - wanted)
  return Judgement(
    float(error <= max(1.0, 0.1 * wanted)),
    timing=(float(told - wanted),),
    details={"exact": float(told == wanted), "error_s": float(error)},
  )


def spoken_number(words: tuple[str, ...]) -> int | None:
  """The last number among words, of one word or of two."""
  for place in range(len(words) - 1, -1, -1):
    for size in (2, 1):
      try:
        return world.value(*words[max(0, place - size + 1) : place + 1])
      except ValueError:
        continue
  return None


def interval_reminder(exchange: Exchange) -> Judgement | None:
  """Whether each reminder comes when due, and none after "stop"."""
  if exchange.scenario != "remind":
    return None
  wanted = [
    turn
    for word, turn in zip(
      exchange.answer, exchange.label["word_turns"], strict=True
    )
    if word == "time"
  ]
  made = [
    turn
    for word, turn in zip(exchange.words, exchange.turns, strict=True)
    if word == "time"
  ]
  pairs, rest = matched(wanted, made, early=_PUNCTUAL, late=_PUNCTUAL)
  late = [turn for turn in made if seconds(turn) > exchange.user_end]
  return Judgement(
    float(len(pairs) == len(wanted) and not rest),
    false_alarms=len(rest),
    timing=tuple(seconds(came - due) for due, came in pairs),
    details={
      "reminded": len(pairs) / len(wanted),
      "stopped": float(not late),
    },
  )


def condition_alert(exchange: Exchange) -> Judgement | None:
  """Whether "longer" is said within a second of the crossing, and only then.

  The crossing is when the second tone has lasted as long as the first.
  """
  if exchange.scenario != "longer":
    return None
  crossing = exchange.label["crossing"]
  said = [
    turn
    for word, turn in zip(exchange.words, exchange.turns, strict=True)
    if word == "longer"
  ]
  hits = [turn for turn in said if 0 <= seconds(turn) - crossing <= SOON]
  if not exchange.label["longer"]:
    return Judgement(
      None,
      false_alarms=len(said),
      details={"false_alarm_rate": float(bool(said))},
    )
  return Judgement(
    float(bool(hits)),
    false_alarms=len(said) - bool(hits),
    timing=tuple(
      seconds(turn - exchange.label["word_turns"][-1]) for turn in hits[:1]
    ),
    details={"delay_s": seconds(hits[0]) - crossing} if hits else {},
  )


def stays_quiet(exchange: Exchange) -> Judgement | None:
  """Whether it says nothing until it may talk again."""
  if exchange.scenario == "quiet" and not exchange.answer:
    spoke = int(bool(exchange.made.sounding.any()))
    left = {"left_alone": float(not spoke)}
    return Judgement(None, false_alarms=spoke, details=left)
  if exchange.scenario != "hush":
    return None
  spans = exchange.label["user"]
  # "be quiet", "okay", and then silence until "talk again".
  begin = spans[0][1] + SOON + 0.4
  silent = not exchange.sounds(begin, exchange.user_end)
  back = bool(exchange.words) and exchange.words[-1] == "okay"
  back &= seconds(exchange.turns[-1]) >= exchange.user_end if back else False
  inside = exchange.made.sounding.copy()
  inside[: int(begin * 5)] = False
  return Judgement(
    float(silent and back),
    false_alarms=int(not silent),
    timing=(
      (seconds(exchange.turns[-1] - exchange.label["word_turns"][-1]),)
      if back
      else ()
    ),
    details={
      "silent": float(silent),
      "quiet_s": exchange.user_end - begin,
    },
  )


ROWS: Final = (
  Row(
    "elapsed_time",
    "the time that went by, to a tenth or a second",
    0.9,
    {"elapsed": 0.8, "quiet": 0.2},
    elapsed_time,
    num_turns=150,
  ),
  Row(
    "interval_reminder",
    "every reminder within two turns of when it is due, none else",
    0.9,
    {"remind": 1.0},
    interval_reminder,
    chance="shifted",
    num_turns=150,
  ),
  Row(
    "condition_alert",
    "'longer' within 1 s of the second tone outlasting the first",
    0.9,
    {"longer": 1.0},
    condition_alert,
    chance="shifted",
    limits=(Limit("false_alarm_rate", 0.1),),
  ),
  Row(
    "stays_quiet",
    "silence from 'be quiet' until 'talk again', then 'okay'",
    0.9,
    {"hush": 0.7, "quiet": 0.3},
    stays_quiet,
    chance="shifted",
    limits=(Limit("false_alarms_per_minute", 1.0),),
    num_turns=300,
  ),
)

"""Rows about who speaks when: turns, pauses, nods, interruptions."""

from typing import Final

import numpy as np

from interaction_jax.evals.behaviours.exchange import (
  SOON,
  Exchange,
  Judgement,
  matched,
  seconds,
  turn_from,
)
from interaction_jax.evals.behaviours.row import Limit, Row
from interaction_jax.evals.fd_bench import backchannel as nods

_ASKED: Final = {"repeat": 0.4, "sums": 0.3, "greet": 0.15, "count": 0.15}
"""Requests that are answered at once."""

_YIELD: Final = 0.4
"""Two turns, in seconds: then who was interrupted is silent."""

_BRIEF: Final = 4
"""Turns that a nod takes at most: less than a second."""

_STORY: Final = 15.0
"""Seconds of a story in which a listener nods at least once."""


def listens_while_speaking(exchange: Exchange) -> Judgement | None:
  """Whether a word is recalled that was told while the model spoke."""
  told = [x for x in exchange.before if x["scenario"] == "remember"]
  if exchange.scenario != "recall" or not told[-1]["while_speaking"]:
    return None
  return exchange.answered()


def turn_taking(exchange: Exchange) -> Judgement | None:
  """Whether it begins once the user has ended, within a second."""
  if exchange.scenario not in _ASKED:
    return None
  return _takes_over(exchange, right=float(exchange.right))


def waits_through_pauses(exchange: Exchange) -> Judgement | None:
  """The same of requests with a pause in them."""
  if exchange.scenario not in _ASKED or not exchange.label["pause"]:
    return None
  begin = exchange.label["user"][0][0]
  early = exchange.sounds(begin, exchange.user_end)
  return _takes_over(exchange, took_floor=float(early))


def _takes_over(exchange: Exchange, **details: float) -> Judgement:
  begin, end = exchange.label["user"][0][0], exchange.user_end
  early = exchange.sounds(begin, end)
  after = exchange.made.cut(turn_from(end), exchange.last).stretches()
  if not after:
    return Judgement(0.0, false_alarms=int(early), details=details)
  latency = seconds(after[0][0]) - end
  return Judgement(
    float(not early and latency <= SOON),
    false_alarms=int(early),
    timing=(seconds(after[0][0] - exchange.label["onset_turn"]),),
    details={"latency_s": latency, **details},
  )


def backchannel(exchange: Exchange) -> Judgement | None:
  """Whether it nods: briefly, often enough, and where nods belong."""
  if exchange.scenario != "story":
    return None
  made = exchange.made.stretches(gap=0)
  onsets = [first for first, _ in made]
  pairs, rest = matched(
    exchange.label["word_turns"], onsets, early=1, late=turn_from(SOON)
  )
  details = {"took_floor": float(any(not _brief(exchange, *x) for x in made))}
  timing = tuple(seconds(came - wanted) for wanted, came in pairs)
  if not exchange.answer:
    return Judgement(None, false_alarms=len(rest), details=details)
  told = exchange.user_end - exchange.label["start"]
  enough = len(pairs) >= max(1, int(told / _STORY))
  details["jsd"] = divergence(
    onsets, exchange.label["word_turns"], exchange.first, exchange.last
  )
  return Judgement(
    float(enough and not details["took_floor"]),
    false_alarms=len(rest),
    timing=timing,
    details=details,
  )


def _brief(exchange: Exchange, first: int, last: int) -> bool:
  words = [turn for turn in exchange.turns if first - 2 <= turn < last]
  return last - first <= _BRIEF and len(words) <= 2


def divergence(
  made: list[int], wanted: list[int], first: int, last: int
) -> float:
  """How differently onsets are spread over turns: 0 alike, 1 not at all.

  The square root of the Jensen-Shannon divergence in bits, over windows of a
  turn; 1 where there is no onset.

  Reference: Lin et al. 2025, Full-Duplex-Bench, arXiv:2503.04721.
  """
  if not made or not wanted:
    return 1.0
  bins = np.arange(first, last + 1)
  counts = [np.histogram(x, bins)[0] for x in (made, wanted)]
  return nods.divergence(*counts, base=2)


def barge_in(exchange: Exchange) -> Judgement | None:
  """Whether it is silent within two turns, and answers what is new."""
  if exchange.scenario not in ("barge", "stop"):
    return None
  begin, end = exchange.label["user"][-1]
  # Of a request, the first word is enough; "stop" has one.
  heard = exchange.label.get("understood", end)
  before = exchange.made.cut(turn_from(begin) - 2, turn_from(begin) + 1)
  ended = exchange.made.cut(exchange.first, turn_from(max(end, heard)))
  until = max((last for _, last in ended.stretches()), default=0)
  limit = heard + _YIELD
  rest = exchange.sounds(limit, max(end, limit))
  if exchange.scenario == "stop":
    rest = exchange.sounds(limit, seconds(exchange.last))
  stopped = bool(before.sounding.any()) and not rest
  details = {"stopped": float(stopped)}
  if before.sounding.any() and until:
    details["stop_s"] = seconds(until) - heard
  if exchange.scenario == "stop":
    return Judgement(float(stopped), "stop", details=details)
  replied = _reply(exchange)
  details["replied"] = float(replied)
  return Judgement(float(stopped and replied), "request", details=details)


def _reply(exchange: Exchange) -> bool:
  """Whether the new request is answered, and nothing else is said then."""
  place = exchange.label["broken"][-1][0]
  wanted = exchange.answer[place:]
  after = exchange.label["word_turns"][place] - 2
  words = [
    word
    for turn, word in zip(exchange.turns, exchange.words, strict=True)
    if turn >= after
  ]
  return tuple(words) == wanted


def ignores_side_talk(exchange: Exchange) -> Judgement | None:
  """Whether it goes on through what is not for it, and yields to what is.

  Four kinds count alike: nods of the user, talk to others, talk of others,
  and, to be told from them, interruptions.
  """
  if exchange.scenario == "barge":
    return Judgement(float(_reply(exchange)), "interruption")
  if exchange.scenario not in ("nod", "aside"):
    return None
  if not exchange.answer:
    spoke = int(bool(exchange.made.sounding.any()))
    left = {"left_alone": float(not spoke)}
    return Judgement(None, false_alarms=spoke, details=left)
  kind = "backchannel"
  if exchange.scenario == "aside":
    talks = len(exchange.label["user"]) > 1
    kind = "talking_to_other" if talks else "background_speech"
  return Judgement(float(exchange.right), kind)


ROWS: Final = (
  Row(
    "listens_while_speaking",
    "a word told while the model speaks is recalled later",
    0.9,
    {"remember": 1.0, "recall": 1.0},
    listens_while_speaking,
  ),
  Row(
    "turn_taking",
    "speaks within 1 s of the user's last word, and not before",
    0.9,
    _ASKED,
    turn_taking,
    chance="shifted",
    limits=(Limit("latency_s", 0.4),),
  ),
  Row(
    "waits_through_pauses",
    "stays silent through a pause of 0.6 to 1.6 s, and answers then",
    0.8,
    {"repeat": 0.5, "sums": 0.4, "count": 0.1},
    waits_through_pauses,
    chance="shifted",
  ),
  Row(
    "backchannel",
    "nods to a story at least every 15 s, under 1 s, where it pauses",
    0.9,
    {"story": 1.0},
    backchannel,
    chance="shifted",
    limits=(Limit("took_floor", 0.05),),
    num_turns=150,
  ),
  Row(
    "barge_in",
    "silent within two turns of an interruption, and answers it",
    0.9,
    {"barge": 0.7, "stop": 0.3},
    barge_in,
    chance="shifted",
  ),
  Row(
    "ignores_side_talk",
    "goes on through nods and talk of others, and yields to requests",
    0.7,
    {"nod": 0.3, "aside": 0.5, "barge": 0.2},
    ignores_side_talk,
  ),
)

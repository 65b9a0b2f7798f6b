"""Rows about a background model: what it is given, and what comes back.

Its reports lie in the conversation as it was recorded: they arrive whether or
not the model asked. A hit therefore needs both, the right request on
`delegate` and the right use of the report.
"""

from typing import Final

from interaction_jax.evals.behaviours.exchange import (
  SOON,
  Exchange,
  Judgement,
  Label,
  seconds,
  turn_from,
)
from interaction_jax.evals.behaviours.row import Row


def search(exchange: Exchange) -> Judgement | None:
  """Whether what only the background model knows is asked for, and said."""
  if exchange.scenario != "search":
    return None
  asked, said = _asked(exchange), _report(exchange) is not None
  return Judgement(
    float(asked and said),
    timing=exchange.delay(),
    details={"asked": float(asked), "said": float(said)},
  )


def delegation_context(exchange: Exchange) -> Judgement | None:
  """Whether the request holds what was only said in an earlier exchange."""
  if exchange.scenario != "errand" or not exchange.wanted.text("delegate"):
    return None
  told = [one for one in (*exchange.before, exchange.label) if _tells(one)]
  if told[-1] is exchange.label:
    return None
  return Judgement(
    float(_asked(exchange)),
    details={
      "said": float(_report(exchange) is not None),
      "since_s": exchange.label["start"] - told[-1]["user"][0][1],
    },
  )


def _tells(label: Label) -> bool:
  """Whether the user says there which city is meant."""
  return label["scenario"] == "errand" and label["asked"][0] == "my"


def woven_in(exchange: Exchange) -> Judgement | None:
  """Whether a report waits for a gap, and is said within a second then."""
  if not _reported(exchange):
    return None
  wanted = exchange.label["word_turns"][_place(exchange)]
  came = _report(exchange)
  kind = "silence" if len(exchange.label["user"]) == 1 else "meanwhile"
  if came is None:
    return Judgement(0.0, kind)
  late = seconds(came - wanted)
  talking = any(
    begin < seconds(came) < end for begin, end in exchange.label["user"]
  )
  return Judgement(
    float(0 <= late <= SOON and not talking),
    kind,
    timing=(late,),
    details={"interrupted": float(talking)},
  )


def responsive_while_pending(exchange: Exchange) -> Judgement | None:
  """Whether another request is answered as fast as ever meanwhile."""
  if not _reported(exchange) or _meanwhile(exchange) is None:
    return None
  place = _meanwhile(exchange)
  assert place is not None
  end = exchange.user_end
  made = [
    (turn, word)
    for turn, word in zip(exchange.turns, exchange.words, strict=True)
    if turn >= turn_from(end) - 1
  ]
  wanted = exchange.label["word_turns"][place]
  first = [turn for turn, word in made if word == exchange.answer[place]]
  if not first:
    return Judgement(0.0)
  return Judgement(
    float(first[0] - wanted <= 1),
    timing=(seconds(first[0] - wanted),),
    details={"latency_s": seconds(first[0]) - end},
  )


def _asked(exchange: Exchange) -> bool:
  wanted = exchange.wanted.text("delegate").split()
  return exchange.made.text("delegate").split() == wanted


def _reported(exchange: Exchange) -> bool:
  notes = exchange.label["notes"]
  return any(channel is None for _, channel, _ in notes)


def _told(exchange: Exchange) -> tuple[int, tuple[str, ...]]:
  """When a report came, and its words."""
  turn, text = next(
    (turn, text)
    for turn, channel, text in exchange.label["notes"]
    if channel is None
  )
  return turn, tuple(text.split())


def _place(exchange: Exchange) -> int:
  """Where the words begin that tell of the report: the last run of them.

  An errand has a sentence around the report, which begins with "it is".
  """
  _, words = _told(exchange)
  size = 5 if exchange.scenario == "errand" else len(words)
  return len(exchange.answer) - size


def _meanwhile(exchange: Exchange) -> int | None:
  """Where the answer stands that was given while the job was pending."""
  place = _place(exchange) - 1
  okays = [i for i, word in enumerate(exchange.answer) if word == "okay"]
  return place if okays and place > okays[-1] else None


def _report(exchange: Exchange) -> int | None:
  """The turn in which what was reported is said, if it is, and not before."""
  turn, _ = _told(exchange)
  wanted = exchange.answer[_place(exchange) :]
  words = exchange.words
  for at in range(len(words) - len(wanted) + 1):
    if words[at : at + len(wanted)] == wanted and exchange.turns[at] > turn:
      return exchange.turns[at]
  return None


ROWS: Final = (
  Row(
    "search",
    "what only a report tells is asked for, and said",
    0.9,
    {"search": 1.0},
    search,
    num_turns=120,
  ),
  Row(
    "delegation_context",
    "the request holds what was said earlier",
    0.9,
    {"errand": 0.3, "quiet": 0.4, "sums": 0.3},
    delegation_context,
    num_turns=300,
  ),
  Row(
    "woven_in",
    "a report is said in the next gap, within 1 s",
    0.9,
    {"search": 0.6, "errand": 0.4},
    woven_in,
    num_turns=120,
  ),
  Row(
    "responsive_while_pending",
    "another request is answered at most a turn later than ever",
    0.9,
    {"search": 0.6, "errand": 0.4},
    responsive_while_pending,
    num_turns=120,
  ),
)

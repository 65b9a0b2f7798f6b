"""What a reply is worth in Full-Duplex-Bench v3: calls, answers, and timing.

Rows that end with `_corrected` differ where the published way is odd, or where
it is not known; `docs/benchmarks/fd_bench_v3.md` says how.

Reference: Lin et al. 2026, arXiv:2604.04847.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from interaction_jax.evals import utterance
from interaction_jax.evals.fd_bench import floor, transcript
from interaction_jax.evals.fd_bench.v3 import call as calls
from interaction_jax.evals.fd_bench.v3 import match
from interaction_jax.evals.fd_bench.v3.call import Call
from interaction_jax.evals.fd_bench.v3.match import Pair
from interaction_jax.evals.harness import judge as judges
from interaction_jax.evals.harness.item import Item
from interaction_jax.evals.harness.judge import Judge, Question
from interaction_jax.evals.harness.suite import Reply, Score

Values = dict[str, float | None]

_SAID: Final = 0.75
"""Share of the words of a right answer that the rule wants to be said."""


def score(
  items: Sequence[Item], replies: Mapping[str, Reply], judge: Judge
) -> list[Score]:
  """What each reply is worth."""
  scores = []
  for item in items:
    reply = replies[item.key]
    made = calls.read(
      [
        (event.t, event.payload["text"])
        for event in reply.events
        if event.kind == "call"
      ]
    )
    values = tools(item.truth, made, judge)
    values |= answer(item.truth, reply, made, judge)
    values |= timing(reply, made)
    details = {
      "calls": [[one.at, one.name, dict(one.arguments)] for one in made],
      "reply": reply.text,
    }
    scores += [
      Score(row, item.key, value, details=details)
      for row, value in values.items()
    ]
  return scores


def tools(
  truth: Mapping[str, Any], made: Sequence[Call], judge: Judge
) -> Values:
  """Whether the right tools are called, with the right arguments."""
  expected, results = truth["expected"], truth["results"]
  pairs = match.pairs(expected, made, results)
  right = [_right(truth, one, judge) for one in pairs]
  exact = [_exact(one) for one in pairs]
  late = match.pairs(expected, match.last(expected, made), results)
  # The same pair is not judged again: replies are kept.
  late_right = [_right(truth, one, judge) for one in late]
  extra = len(made) > len(expected)
  unknown = bool({x.name for x in made} - {x.name for x in expected})
  return {
    "tool_f1": match.f1(expected, made),
    "arguments": sum(right) / len(right),
    "arguments_exact": sum(exact) / len(exact),
    "pass_at_1": float(all(right) and not extra),
    "pass_at_1_corrected": float(all(late_right) and not unknown),
  }


def _exact(pair: Pair) -> bool:
  return pair.made is not None and calls.same(pair.wanted, pair.made.arguments)


def _right(truth: Mapping[str, Any], pair: Pair, judge: Judge) -> bool:
  """Whether arguments are right; who made none, or the same, is not judged."""
  if pair.made is None or _exact(pair):
    return pair.made is not None
  return bool(judge.ask(_arguments(truth, pair, pair.made)).value)


def answer(
  truth: Mapping[str, Any], reply: Reply, made: Sequence[Call], judge: Judge
) -> Values:
  """Whether what is said serves the user."""
  value = judge.ask(_quality(truth, reply, made)).value
  return {"response_quality": None if value is None else float(value)}


def timing(reply: Reply, made: Sequence[Call]) -> Values:
  """Whether, when, and how soon the system speaks and calls.

  As published, all words count, and only who speaks can interrupt; what is
  corrected looks at utterances that take the floor.
  """
  spans = reply.other()
  end = max((last for _, last in spans), default=0.0)
  first = min((word.start for word in reply.words), default=None)
  early = floor.taking(reply.words, until=end - floor.EARLY_S)
  late = floor.taking(reply.words, since=end - floor.EARLY_S)
  values: Values = {
    "turn_take": float(first is not None),
    "turn_take_corrected": float(late is not None),
    "interruption": None if first is None else float(first < end),
    "interruption_corrected": float(early is not None),
    "response_latency": floor.lateness(first, end),
    "response_latency_corrected": floor.lateness(
      None if late is None else late.start, end
    ),
    "call_latency": floor.lateness(made[0].at if made else None, end),
    "completion_latency": None,
  }
  if made:
    done = [
      one.start
      for one in utterance.split(reply.words)
      if one.start >= made[-1].at
    ]
    begins = done[0] if done else None
    values["completion_latency"] = floor.lateness(begins, end)
  return values


def _arguments(truth: Mapping[str, Any], pair: Pair, made: Call) -> Question:
  """The words are ours: the published ones are not free to be used."""
  return Question(
    "arguments",
    "A voice assistant called a tool for its user. Are its arguments right? "
    "Form is no matter (dates, units, capitals, abbreviations, numbers in "
    "words), meaning is; arguments that are not expected do no harm unless "
    "they change what is done.\n\n"
    f"[Scenario]\n{_shown(truth['scenario'])}\n\n[Tool]\n{pair.name}\n\n"
    f"[Expected]\n{_shown(pair.wanted)}\n\n[Made]\n{_shown(made.arguments)}\n\n"
    "Answer with yes or no only.",
    lambda: "yes" if calls.alike(pair.wanted, made.arguments) else "no",
    judges.yes,
  )


def _quality(
  truth: Mapping[str, Any], reply: Reply, made: Sequence[Call]
) -> Question:
  expected = [
    {
      "tool": one.name,
      **calls.resolved(one, truth["results"]),
      "brings": brings,
    }
    for one, brings in zip(truth["expected"], truth["results"], strict=True)
  ]
  done = [{"tool": one.name, **one.arguments} for one in made]
  return Question(
    "quality",
    "A user asked a voice assistant for something that takes calls of tools. "
    "Does what the assistant said serve the user: does it tell what was asked "
    "for, in accord with what the tools bring, in a natural way?\n\n"
    f"[Scenario]\n{_shown(truth['scenario'])}\n\n"
    f"[Calls that are right, and what they bring]\n{_shown(expected)}\n\n"
    f"[Calls that were made]\n{_shown(done)}\n\n"
    f"[What the assistant said; times in seconds]\n"
    f"{transcript.lines(reply.words)}\n\nAnswer with yes or no only.",
    lambda: "yes" if _serves(truth, reply.text) else "no",
    judges.yes,
  )


def _serves(truth: Mapping[str, Any], text: str) -> bool:
  """The rule: most words of a right answer, or of what the calls bring."""
  wanted = truth["answer"] or " ".join(
    str(value) for brings in truth["results"] for value in brings.values()
  )
  said = bool(utterance.plain(text))
  return said and utterance.share(str(wanted), text) >= _SAID


def _shown(value: Any) -> str:
  return value if isinstance(value, str) else json.dumps(value, default=str)

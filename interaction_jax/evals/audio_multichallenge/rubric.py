"""Rubrics of a conversation: read, judged by the published prompt, added up.

    APR    share of conversations in which every rubric is met
    ARS    share of rubrics that are met, in the mean of conversations

Reference: Gosai et al. 2025, arXiv:2512.14865.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from interaction_jax.evals import utterance
from interaction_jax.evals.harness import judge
from interaction_jax.evals.harness.judge import Question

Turn = tuple[str, str]
"""Who speaks, "user" or "assistant", and what."""

# The published judge's prompt (Scale AI, the card of ScaleAI/audiomc, MIT),
# word for word: verdicts by other words are other verdicts.
_PROMPT: Final = (
  "Your job is to look at a conversation and a rubric item, and score the last "
  "turn (i.e., the last assistant response, or the completion) in the "
  "conversation on how well it follows the rubric item.\n"
  "# Conversation History\n{history}\n# Rubric item\n{rubric}\n"
  "# Instructions\n"
  'Return a json object with the following fields: "explanation" and '
  '"criteria_met".\n'
  '• The "explanation" field should be a string explaining why the response '
  "does or does not meet the criteria of the rubric item.\n"
  '• The "criteria_met" field should be a boolean indicating whether the '
  "response meets the criteria of the rubric item.\n"
  "# Example 1\n"
  'For example, if the response is "For tonight’s dinner, think of making a '
  'cheese and mushroom pizza" and the rubric item is "Avoids dairy product in '
  'the recipes", you should return a json like this:\n'
  "```json\n{{\n"
  '"explanation": "The response includes a dairy product in the recipe, so the '
  'criteria was not met.",\n'
  '"criteria_met": false\n'
  "}}\n```\n"
  "# Final instruction\n"
  "Return just the json object in markdown format. Do not include any other "
  "text in the response."
)

_QUOTED: Final = re.compile(
  r'"([^"]+)"|“([^”]+)”|‘([^’]+)’|' + r"(?<!\w)'([^']+)'(?!\w)"
)
_NOT: Final = re.compile(r"\b(?:not|never|avoids?|without)\b|n't\b", re.I)
_ENOUGH: Final = 0.5
"""Share of the words of a rubric without quotes that a reply has to have."""


def read(value: Any) -> list[str]:
  """The rubrics of a cell; an empty list: there are none.

  They are a list of texts or of objects with one text, the same as JSON, or a
  text with one a line, numbered or not.
  """
  if isinstance(value, str):
    try:
      value = json.loads(value)
    except ValueError:
      value = re.sub(r"(?m)^\s*(?:[-*•]|\d+[.):])\s*", "", value).splitlines()
  if isinstance(value, str):
    value = [value]
  if isinstance(value, Mapping):
    value = list(value.values())
  texts = [_text(one) for one in value or ()]
  return [text for text in texts if text]


def _text(value: Any) -> str:
  if isinstance(value, Mapping):
    texts = [one for one in value.values() if isinstance(one, str)]
    named = [
      value[name]
      for name in ("rubric", "criterion", "criteria", "text", "title")
      if isinstance(value.get(name), str)
    ]
    value = (named or texts or [""])[0]
  return "" if value is None else str(value).strip()


def question(history: Sequence[Turn], rubric: str) -> Question:
  """What a judge is asked of a rubric; the last turn is the one it scores."""
  told = "\n\n".join(f"{who}: {text}" for who, text in history)
  prompt = _PROMPT.format(history=told, rubric=rubric)

  def rule() -> str:
    met = meets(rubric, history[-1][1])
    return json.dumps({"explanation": "by a rule", "criteria_met": met})

  return Question("rubric", prompt, rule, _met)


def _met(said: str) -> bool:
  found = judge.found_json(said)
  met = found.get("criteria_met") if isinstance(found, dict) else None
  if not isinstance(met, bool):
    raise ValueError(f"{said!r} has no criteria_met that is true or false.")
  return met


def wanted(rubric: str) -> str:
  """What somebody may say to meet a rubric, by the rule; empty: anything."""
  quoted, rest = _parts(rubric)
  if _NOT.search(rest):
    return ""
  return " ".join(quoted) if quoted else rest


def meets(rubric: str, reply: str) -> bool:
  """Whether a reply meets a rubric, by a rule that looks for its words.

  What a rubric quotes has to be in the reply, all of it; where it says "not",
  none of it. Without quotes it is half of the words of the rubric. Silence
  meets nothing.
  """
  made = utterance.plain(reply)
  if not made:
    return False
  quoted, rest = _parts(rubric)
  denied = bool(_NOT.search(rest))
  if not quoted:
    return (utterance.share(rest, reply) >= _ENOUGH) != denied
  there = [_within(utterance.plain(one), made) for one in quoted]
  return not any(there) if denied else all(there)


def _parts(rubric: str) -> tuple[list[str], str]:
  """What a rubric quotes, and the rest of it."""
  quoted = [
    next(part for part in parts if part) for parts in _QUOTED.findall(rubric)
  ]
  return quoted, _QUOTED.sub(" ", rubric)


def _within(words: Sequence[str], made: Sequence[str]) -> bool:
  """Whether words stand in others, one after the other."""
  num = len(words)
  return any(
    list(made[at : at + num]) == list(words)
    for at in range(len(made) - num + 1)
  )


def passed(verdicts: Sequence[bool | None]) -> float | None:
  """Whether all rubrics are met; None: that hangs on one that nobody judged."""
  if any(one is False for one in verdicts):
    return 0.0
  return None if None in verdicts else 1.0


def share(verdicts: Sequence[bool | None]) -> float | None:
  """Which share of the rubrics that were judged is met; None: none was."""
  known = [one for one in verdicts if one is not None]
  return sum(known) / len(known) if known else None

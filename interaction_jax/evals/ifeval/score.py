"""How many instructions are followed, strictly and loosely.

    strict   the reply as it is
    loose    any of eight: with or without its first line, its last line, and
             its asterisks

Of each there is the share of prompts all of whose instructions are followed,
and the share of instructions; VoiceBench takes the mean of the four.
"""

import dataclasses
from collections.abc import Sequence

from interaction_jax.evals.ifeval.checker import Edition, Instruction


@dataclasses.dataclass(frozen=True)
class Verdict:
  """Which instructions of a prompt a reply follows, in order."""

  strict: tuple[bool, ...]
  loose: tuple[bool, ...]


@dataclasses.dataclass(frozen=True)
class Rates:
  """The four numbers of IFEval, from 0 to 1."""

  strict_prompt: float
  strict_instruction: float
  loose_prompt: float
  loose_instruction: float

  @property
  def mean(self) -> float:
    """The one number of VoiceBench."""
    return sum(dataclasses.astuple(self)) / 4


def variants(reply: str) -> tuple[str, ...]:
  """The eight forms of a reply of which one is enough."""
  lines = reply.split("\n")
  cuts = [reply] + [
    "\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])
  ]
  return (*cuts, *(one.replace("*", "") for one in cuts))


def judge(
  instructions: Sequence[Instruction],
  reply: str,
  *,
  edition: Edition = "official",
) -> Verdict:
  """Which instructions a reply follows."""
  forms = variants(reply)
  return Verdict(
    tuple(one.followed(reply, edition=edition) for one in instructions),
    tuple(
      any(one.followed(form, edition=edition) for form in forms)
      for one in instructions
    ),
  )


def rates(verdicts: Sequence[Verdict]) -> Rates:
  """The four numbers of all prompts.

  Raises:
    ValueError: there is none.
  """
  if not verdicts:
    raise ValueError("verdicts=[]: of no prompt there is no share.")
  strict = [one.strict for one in verdicts]
  loose = [one.loose for one in verdicts]
  return Rates(_prompts(strict), _all(strict), _prompts(loose), _all(loose))


def _prompts(followed: Sequence[tuple[bool, ...]]) -> float:
  return sum(map(all, followed)) / len(followed)


def _all(followed: Sequence[tuple[bool, ...]]) -> float:
  flat = [one for each in followed for one in each]
  return sum(flat) / len(flat)

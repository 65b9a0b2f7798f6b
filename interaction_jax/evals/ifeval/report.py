"""The rows of instruction following, alike for typed and spoken requests."""

from collections.abc import Mapping, Sequence

from interaction_jax.evals.harness.suite import Row, Score
from interaction_jax.evals.ifeval import score
from interaction_jax.evals.ifeval.checker import Instruction
from interaction_jax.evals.ifeval.score import Verdict


def rows(name: str, published: Mapping[str, float]) -> tuple[Row, ...]:
  """The four numbers, their mean, and the mean of the corrected checkers.

  Args:
    name: of the mean; the others are called after it.
    published: of the mean.
  """
  return (
    Row(
      name,
      "mean of the four numbers below",
      published=published,
      statistic=_mean,
    ),
    Row(f"{name}_strict_prompt", "prompts with all instructions followed"),
    Row(f"{name}_strict_instruction", "instructions followed"),
    Row(f"{name}_loose_prompt", "the same prompts, any of eight variants"),
    Row(f"{name}_loose_instruction", "the same instructions, any variant"),
    Row(
      f"{name}_corrected",
      "the mean, with checkers that do what the instructions say",
      statistic=_mean,
    ),
  )


def scores(
  name: str, item: str, instructions: Sequence[Instruction], text: str
) -> list[Score]:
  """What a reply is worth in each of the rows."""
  official = score.judge(instructions, text)
  corrected = score.judge(instructions, text, edition="corrected")
  names = [one.name for one in instructions]
  details = {"reply": text, "instructions": names}
  made = [
    Score(row, item, score.rates([one]).mean, details=details | _plain(one))
    for row, one in ((name, official), (f"{name}_corrected", corrected))
  ]
  for way, followed in (("strict", official.strict), ("loose", official.loose)):
    made.append(Score(f"{name}_{way}_prompt", item, float(all(followed))))
    made += [
      Score(f"{name}_{way}_instruction", item, float(one), details={"of": kind})
      for kind, one in zip(names, followed, strict=True)
    ]
  return made


def _plain(verdict: Verdict) -> dict[str, list[bool]]:
  return {"strict": list(verdict.strict), "loose": list(verdict.loose)}


def _mean(made: Sequence[Score]) -> float | None:
  verdicts = [
    Verdict(tuple(one.details["strict"]), tuple(one.details["loose"]))
    for one in made
  ]
  return score.rates(verdicts).mean if verdicts else None

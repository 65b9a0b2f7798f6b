"""Full-Duplex-Bench v2 as a suite: its rows, and what others reached."""

from typing import Final

from interaction_jax.evals.fd_bench.v2 import load, score, twin
from interaction_jax.evals.harness.suite import Row, Suite

_SYSTEMS: Final = ("GPT-Realtime", "Moshi", "Freeze-Omni")


def _mean(*families: tuple[float, float, float]) -> dict[str, float]:
  """Means of daily, correction, entity tracking and safety, as published."""
  columns = zip(_SYSTEMS, zip(*families, strict=True), strict=True)
  return {name: sum(values) / len(values) for name, values in columns}


_FLUENT: Final = "how fluently turns are taken, by the judge, 1 to 5"
_FOLLOWED: Final = "how well goals are met, by the judge, 1 to 5"
_TASK: Final = "what the family is about, by the judge, 1 to 5"

_JUDGED: Final = (
  Row(
    "turn_taking_fast",
    f"{_FLUENT}; the examiner interrupts",
    unit="points",
    published=_mean(
      (3.74, 3.73, 3.14), (4.20, 3.93, 3.46), (3.72, 3.84, 3.49),
      (4.51, 3.92, 3.62),
    ),
  ),
  Row(
    "turn_taking_slow",
    f"{_FLUENT}; the examiner waits",
    unit="points",
    published=_mean(
      (3.97, 3.86, 2.98), (3.84, 4.07, 3.43), (4.19, 4.24, 3.54),
      (4.27, 4.22, 4.00),
    ),
  ),
  Row(
    "instruction_fast",
    f"{_FOLLOWED}; the examiner interrupts",
    unit="points",
    published=_mean(
      (3.81, 2.67, 2.34), (4.06, 3.00, 2.49), (3.30, 2.66, 2.44),
      (4.13, 3.50, 3.74),
    ),
  ),
  Row(
    "instruction_slow",
    f"{_FOLLOWED}; the examiner waits",
    unit="points",
    published=_mean(
      (4.02, 2.98, 2.05), (3.94, 3.19, 2.65), (3.77, 3.31, 2.85),
      (4.39, 3.62, 3.33),
    ),
  ),
  Row("task_fast", f"{_TASK}; the examiner interrupts", unit="points"),
  Row("task_slow", f"{_TASK}; the examiner waits", unit="points"),
)  # fmt: skip

_HEARD: Final = (
  Row("answered", "lines of the examiner that are answered within 2 s"),
  Row(
    "answer_latency",
    "from the end of a line to the first utterance behind it",
    better="less",
    unit="s",
    ranked=False,
  ),
  Row(
    "stop_latency",
    "where the examiner begins to speak into a reply: until it stops",
    better="less",
    unit="s",
    ranked=False,
  ),
)

SUITE: Final = Suite(
  name="fd_bench_v2",
  about="a conversation with an examiner who has goals, and reacts",
  source="Lin et al. 2025, arXiv:2510.07838; numbers of its project page, over "
  "75 s of each conversation, here the means of its four families",
  parts=load.PARTS,
  asks="voice",
  rows=(*_JUDGED, *_HEARD),
  load=load.load,
  generate=twin.generate,
  score=score.score,
  protocol="an examiner says one line after the other, when the system has "
  "answered or has not for a while; slow: behind 1.2 s of silence; fast: "
  "behind 0.4 s, or 3 s into a reply. Its lines are fixed; the published "
  "examiner is a speech model that finds its own words",
  twin_items=1,
  judged=True,
)

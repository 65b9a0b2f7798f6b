"""Full-Duplex-Bench v1 as a suite: its rows, and what others reached."""

from typing import Final

from interaction_jax.evals.fd_bench.v1 import load, score, twin
from interaction_jax.evals.harness.suite import Row, Suite

_AS_HEARD: Final = "utterances that take the floor before the user has ended"


def _published(
  moshi: float, personaplex: float, gpt: float, freeze: float
) -> dict[str, float]:
  """Those of the README of the benchmark."""
  return {
    "Moshi": moshi,
    "PersonaPlex": personaplex,
    "GPT-Realtime": gpt,
    "Freeze-Omni": freeze,
  }


_PAUSES: Final = (
  Row(
    "pause_synthetic",
    "recordings with a pause in which the floor is taken: TOR",
    better="less",
    published=_published(0.985, 0.584, 0.010, 0.642),
  ),
  Row("pause_synthetic_corrected", _AS_HEARD, better="less"),
  Row(
    "pause_candor",
    "the same of real conversations",
    better="less",
    published=_published(0.980, 0.662, 0.120, 0.481),
  ),
  Row("pause_candor_corrected", _AS_HEARD, better="less"),
)

_NODS: Final = (
  Row(
    "backchannel",
    "stories in which the floor is taken, by the last span: TOR",
    better="less",
    published=_published(1.0, 0.327, 0.0, 0.636),
  ),
  Row("backchannel_corrected", "the same by any span", better="less"),
  Row(
    "backchannel_frequency",
    "spans of at most 3 s, in a second",
    unit="number",
    published=_published(0.001, 0.025, 0.007, 0.001),
    # Who nods at random may nod as often.
    ranked=False,
  ),
  Row(
    "backchannel_frequency_corrected",
    "nods, of less than 1 s and at most 2 words, in a second",
    unit="number",
    ranked=False,
  ),
  Row(
    "backchannel_jsd",
    "distance to when people nod; 1 where nobody does",
    better="less",
    unit="number",
    published=_published(0.957, 0.649, 0.980, 0.997),
  ),
  Row(
    "backchannel_jsd_corrected",
    "the same in bits, of nods",
    better="less",
    unit="number",
  ),
)

_TURNS: Final = (
  Row(
    "turn_taking",
    "recordings in which the floor is taken, whenever: TOR",
    published=_published(0.941, 0.992, 1.0, 0.336),
  ),
  Row("turn_taking_corrected", "turns that are answered when they are over"),
  Row(
    "turn_taking_latency",
    "from the end of a turn to the first word; before it is 0",
    better="less",
    unit="s",
    published=_published(0.265, 0.070, 1.47, 0.953)
    | {
      "TML-Interaction-Small": 0.40,
      "GPT-realtime-2.0 min": 1.18,
      "GPT-realtime-1.5": 0.59,
      "Gemini-3.1-flash-live min": 0.57,
      "Qwen3.5-Omni-plus-rt": 2.14,
      "GPT-realtime-2.0 xhigh": 1.63,
      "Gemini-3.1-flash-live high": 0.94,
    },
    # Who never stops is never late.
    ranked=False,
  ),
  Row(
    "turn_taking_latency_corrected",
    "to the first word of an answer that begins when it is time for it",
    better="less",
    unit="s",
    ranked=False,
  ),
)

_INTERRUPTIONS: Final = (
  Row(
    "interruption",
    "interruptions after which the floor is taken: TOR",
    published=_published(1.0, 1.0, 0.97, 0.867),
  ),
  Row("interruption_corrected", "interruptions that are answered"),
  Row(
    "interruption_rating",
    "relevance of what is said then, where the floor is taken: 0 to 5",
    unit="points",
    published=_published(0.765, 4.21, 3.85, 3.615),
  ),
  Row(
    "interruption_rating_corrected",
    "the same of answers; where there is none it is 0",
    unit="points",
  ),
  Row(
    "interruption_latency",
    "from the end of the interruption to the first word heard then",
    better="less",
    unit="s",
    published=_published(0.257, 0.400, 1.50, 1.409),
    ranked=False,
  ),
  Row(
    "interruption_latency_corrected",
    "to the first word of an answer",
    better="less",
    unit="s",
    ranked=False,
  ),
)

SUITE: Final = Suite(
  name="fd_bench_v1",
  about="who takes the floor: in pauses, nods, turns and interruptions",
  source="Lin et al. 2025, arXiv:2503.04721; numbers of the README of the "
  "benchmark, and, for the latency, of Thinking Machines Lab 2026, "
  "doi:10.64434/tml.20260511",
  parts=tuple(load.SIZES),
  asks="voice",
  rows=(*_PAUSES, *_NODS, *_TURNS, *_INTERRUPTIONS),
  load=load.load,
  generate=twin.generate,
  score=score.score,
  protocol="each recording is played as it is; what is said counts while it "
  "goes on",
  twin_items=4,
  judged=True,
)

"""Full-Duplex-Bench v1.5 as a suite: its rows, and what others reached."""

from typing import Final

from interaction_jax.evals.fd_bench.v1_5 import load, score, twin
from interaction_jax.evals.harness.suite import Row, Suite

_AVERAGE: Final = {
  "TML-Interaction-Small": 0.778,
  "GPT-realtime-2.0 min": 0.468,
  "GPT-realtime-1.5": 0.483,
  "Gemini-3.1-flash-live min": 0.543,
  "Qwen3.5-Omni-plus-rt": 0.390,
  "GPT-realtime-2.0 xhigh": 0.478,
  "Gemini-3.1-flash-live high": 0.455,
}

_BEHAVIOUR: Final = (
  Row(
    "average",
    "answers that become what they should, mean of the four scenarios",
    published=_AVERAGE,
  ),
  Row(
    "average_corrected",
    "the same of those that were spoken into at all; others have no value",
  ),
  Row("user_interruption", "interruptions that are responded to"),
  Row("user_backchannel", "answers that go on when the user nods"),
  Row("talking_to_other", "answers that go on when the user talks to others"),
  Row("background_speech", "answers that go on when others talk"),
  *(
    Row(
      row,
      f"labelled {label}, mean of the four scenarios",
      better=None,
      ranked=False,
    )
    for label, row in (
      ("C_RESPOND", "respond"),
      ("C_RESUME", "resume"),
      ("C_UNCERTAIN_HANDLING", "uncertain"),
      ("C_UNKNOWN", "unknown"),
    )
  ),
)

_TIMING: Final = (
  Row(
    "stop_latency",
    "every overlap of both voices",
    better=None,
    unit="s",
    ranked=False,
  ),
  Row(
    "stop_latency_corrected",
    "from when it is spoken into until it stops",
    better=None,
    unit="s",
    ranked=False,
  ),
  Row(
    "response_latency",
    "every end of the user to the next beginning of the system",
    better="less",
    unit="s",
    ranked=False,
  ),
  Row(
    "response_latency_corrected",
    "from the end of what came into the answer to the next beginning",
    better="less",
    unit="s",
    ranked=False,
  ),
)

_CHANGE: Final = tuple(
  Row(name, about, better=None, unit="number", ranked=False)
  for name, about in (
    ("words_change", "words a minute after it, less those before"),
    ("level_change", "loudness after it, less that before, in dB"),
    ("pitch_change", "median pitch after it, less that before, in Hz"),
  )
)

SUITE: Final = Suite(
  name="fd_bench_v1_5",
  about="what becomes of an answer that is spoken into",
  source="Lin et al. 2025, arXiv:2507.23159; numbers of Thinking Machines Lab "
  "2026, doi:10.64434/tml.20260511",
  parts=tuple(load.SIZES),
  asks="voice",
  rows=(*_BEHAVIOUR, *_TIMING, *_CHANGE),
  load=load.load,
  generate=twin.generate,
  score=score.score,
  protocol="each recording is played as it is, with what comes into the answer "
  "and without it, each to a session of its own",
  twin_items=3,
  judged=True,
)

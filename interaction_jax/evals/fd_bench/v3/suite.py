"""Full-Duplex-Bench v3 as a suite: its rows, and what others reached."""

from typing import Final

from interaction_jax.evals.fd_bench.v3 import load, score, twin
from interaction_jax.evals.harness.suite import Row, Suite


def _paper(gpt: float, gemini: float, cascade: float) -> dict[str, float]:
  return {
    "GPT-realtime-1.5, FDB v3": gpt,
    "Gemini-3.1 Live, FDB v3": gemini,
    "Whisper, GPT-4o and TTS, FDB v3": cascade,
  }


_QUALITY: Final = {
  "TML-Interaction-Small, background agent on": 0.828,
  "GPT-realtime-2.0 min": 0.800,
  "GPT-realtime-1.5": 0.779,
  "Gemini-3.1-flash-live min": 0.685,
  "Qwen3.5-Omni-plus-rt": 0.600,
  "GPT-realtime-2.0 xhigh": 0.810,
  "Gemini-3.1-flash-live high": 0.714,
}
_PASS: Final = {
  "TML-Interaction-Small, background agent on": 0.680,
  "GPT-realtime-2.0 min": 0.520,
  "GPT-realtime-1.5": 0.550,
  "Gemini-3.1-flash-live min": 0.480,
  "Qwen3.5-Omni-plus-rt": 0.500,
  "GPT-realtime-2.0 xhigh": 0.580,
  "Gemini-3.1-flash-live high": 0.480,
}

_CALLS: Final = (
  Row(
    "pass_at_1",
    "items whose calls are all right, and none is too many",
    published=_paper(0.600, 0.540, 0.450) | _PASS,
  ),
  Row(
    "pass_at_1_corrected",
    "the same where a call that is made again has been taken back",
  ),
  Row(
    "tool_f1",
    "F1 of the tools that are called, mean of items",
    published=_paper(0.876, 0.817, 0.803),
  ),
  Row(
    "arguments",
    "expected calls made with right arguments, by the judge, mean of items",
    published=_paper(0.680, 0.588, 0.562),
  ),
  Row("arguments_exact", "the same where arguments are equal, none more"),
  Row(
    "response_quality",
    "replies that serve the user, by the judge",
    published=_paper(0.792, 0.718, 0.600) | _QUALITY,
  ),
)

_TIMING: Final = (
  Row(
    "turn_take",
    "items in which anything is said",
    published=_paper(0.96, 0.78, 1.0),
  ),
  Row("turn_take_corrected", "requests that are answered when they are over"),
  Row(
    "interruption",
    "of those in which anything is said, before the user has ended",
    better="less",
    published=_paper(0.135, 0.192, 0.33),
  ),
  Row(
    "interruption_corrected",
    "requests into which the floor is taken",
    better="less",
  ),
  Row(
    "response_latency",
    "from the end of the user to the first word",
    better="less",
    unit="s",
    ranked=False,
  ),
  Row(
    "response_latency_corrected",
    "to the first word of an answer that begins when it is time for it",
    better="less",
    unit="s",
    ranked=False,
  ),
  Row(
    "call_latency",
    "from the end of the user to the first call",
    better="less",
    unit="s",
    ranked=False,
  ),
  Row(
    "completion_latency",
    "from the end of the user to the first utterance behind the last call",
    better="less",
    unit="s",
    published=_paper(6.89, 4.25, 10.12),
    ranked=False,
  ),
)

SUITE: Final = Suite(
  name="fd_bench_v3",
  about="tools, asked for in speech that is not fluent",
  source="Lin et al. 2026, arXiv:2604.04847; numbers of it, and of Thinking "
  "Machines Lab 2026, doi:10.64434/tml.20260511",
  parts=load.PARTS,
  asks="voice",
  rows=(*_CALLS, *_TIMING),
  load=load.load,
  generate=twin.generate,
  score=score.score,
  protocol="the tools are told as an instruction, if there is one; the "
  "recording is played, then there is time for calls and a reply; each call is "
  "answered by a mock tool 0.4 s after it is complete",
  twin_items=5,
  judged=True,
)

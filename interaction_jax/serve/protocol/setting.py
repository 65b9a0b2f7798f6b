"""The settings of a Realtime session: what is asked for, what is granted.

A field that stands for something which is not done here (a voice, a speed, a
detector of turns) is repeated to the client, so that it finds what it set, and
changes nothing: when to speak is the model's own choice.
"""

import copy
import time
from collections.abc import Mapping
from typing import Any, Final

from interaction_jax.serve.protocol import extension
from interaction_jax.serve.protocol.message import Fields
from interaction_jax.serve.protocol.sound import RATES

_MOST_TOOLS: Final = 128

_VAD: Final = {
  "type": "server_vad",
  "threshold": 0.5,
  "prefix_padding_ms": 300,
  "silence_duration_ms": 200,
  "create_response": True,
  "interrupt_response": True,
  "idle_timeout_ms": None,
}


def usual(name: str, model: str, *, lasts_s: float) -> dict[str, Any]:
  """A session as it is before anything is asked for."""
  pcm = {"type": "audio/pcm", "rate": RATES[-1]}
  return {
    "type": "realtime",
    "object": "realtime.session",
    "id": name,
    "model": model,
    "expires_at": int(time.time() + lasts_s),
    "instructions": "",
    "output_modalities": ["audio"],
    "audio": {
      "input": {
        "format": pcm,
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": dict(_VAD),
      },
      "output": {"format": dict(pcm), "voice": "own", "speed": 1.0},
    },
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "truncation": "auto",
    "tracing": None,
    "prompt": None,
    "include": None,
  }


def changed(
  session: Mapping[str, Any], given: Fields, *, begun: bool
) -> dict[str, Any]:
  """A session after a `session.update`.

  Args:
    begun: whether its sound goes already, at a rate that stays.

  Raises:
    Refusal: something cannot be had.
  """
  new = copy.deepcopy(dict(session))
  if given.has("type"):
    given.choice("type", ("realtime",))
  for name in ("instructions", "tool_choice", "max_output_tokens"):
    if given.has(name):
      new[name] = given.values[name]
  new["instructions"] = given.get("instructions", str, new["instructions"])
  _modalities(new, given)
  if given.has("tools"):
    new["tools"] = _tools(given)
  if given.has("extensions"):
    new["extensions"] = _extensions(given)
  audio = given.object("audio")
  for way, names in (
    ("input", ("transcription", "noise_reduction", "turn_detection")),
    ("output", ("voice", "speed")),
  ):
    part, old = audio.object(way), new["audio"][way]
    for name in names:
      if name in part.values:
        old[name] = part.values[name]
    if part.has("format"):
      old["format"] = _format(part, old["format"], begun=begun)
  rates = {new["audio"][way]["format"]["rate"] for way in ("input", "output")}
  if len(rates) > 1:
    # Whoever sets one alone means both: one clock runs through a session.
    way = "input" if audio.object("input").has("format") else "output"
    other = "output" if way == "input" else "input"
    new["audio"][other]["format"] = dict(new["audio"][way]["format"])
  return new


def _format(
  part: Fields, old: Mapping[str, Any], *, begun: bool
) -> dict[str, Any]:
  given = part.object("format")
  if given.get("type", str, "audio/pcm") != "audio/pcm":
    given.refuse("type", "is not spoken here; 'audio/pcm' is")
  rate = given.get("rate", int, RATES[-1])
  if rate not in RATES:
    given.refuse("rate", "must be 16000 or 24000")
  if begun and rate != old["rate"]:
    given.refuse("rate", f"does not change any more; it is {old['rate']}")
  return {"type": "audio/pcm", "rate": rate}


def _modalities(new: dict[str, Any], given: Fields) -> None:
  if given.has("output_modalities"):
    wanted = given.get("output_modalities", list)
    if wanted not in (["audio"], ["text"]):
      given.refuse("output_modalities", 'must be ["audio"] or ["text"]')
    new["output_modalities"] = list(wanted)


def _tools(given: Fields) -> list[dict[str, Any]]:
  tools = []
  for tool in given.objects("tools", most=_MOST_TOOLS):
    if tool.get("type", str, "function") != "function":
      tool.refuse("type", "is not done here; 'function' is")
    tool.get("name", str)
    tools.append(dict(tool.values))
  return tools


def _extensions(given: Fields) -> list[str]:
  names = given.get("extensions", list)
  if any(name not in extension.NAMES for name in names):
    given.refuse("extensions", f"may hold {', '.join(extension.NAMES)}")
  return sorted(set(names))

"""The twin of Full-Duplex-Bench v3: the same layout, in a small world.

Requests for the tools of the shipped models, each spoken in one of five ways
that are not fluent. `metadata.json` has fields of its own: `user_end`, when the
user has ended; `answer`, what is right to say; `disfluency`; and in each
expected call `result`, what it brings.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from interaction_jax.data.synthetic import world
from interaction_jax.evals import protocol
from interaction_jax.evals.cued import script, wording
from interaction_jax.evals.cued.script import Plan, Script
from interaction_jax.evals.fd_bench import layout
from interaction_jax.evals.fd_bench.v3 import load
from interaction_jax.evals.harness.suite import write_json

DISFLUENCIES: Final = (
  "filler", "pause", "hesitation", "false_start", "self_correction",
)  # fmt: skip

_REPLY_S: Final = 5.0


@dataclasses.dataclass(frozen=True)
class _Ask:
  """Something that takes a call.

  Attributes:
    text: how it is asked for.
    wrong: the same with another last argument, which is taken back.
    right: what is said to put it right.
    answer: what is right to say then.
  """

  text: str
  wrong: str
  right: str
  call: Mapping[str, Any]
  answer: str


def generate(folder: Path, num: int, seed: int) -> None:
  """Requests of one, two and three calls."""
  drawn = {}
  for n, part in enumerate(load.PARTS):
    for place in range(num):
      rng = np.random.default_rng((seed, n, place))
      way = DISFLUENCIES[place % len(DISFLUENCIES)]
      asked = _asked(rng, n + 1)
      drawn[f"{part}{place}_{way}"] = (asked, way, _lines(asked, way))
  plans = {name: _plan(lines) for name, (_, _, lines) in drawn.items()}
  for name, talk in script.speak(plans).items():
    asked, way, lines = drawn[name]
    layout.write_sound(folder / name / "input.wav", talk.sound(talk.now))
    write_json(
      folder / name / "metadata.json",
      {
        "scenario": " ".join(one.text for one in asked),
        "transcript": " ".join(lines),
        "disfluency": way,
        "expected_tool_calls": [one.call for one in asked],
        "user_end": round(talk.now, 3),
        "answer": " and ".join(one.answer for one in asked),
      },
    )
  write_json(folder / protocol.NAME, {"prompt": "", "reply": _REPLY_S})


def _asked(rng: np.random.Generator, num: int) -> list[_Ask]:
  if num == 1:
    return [(_timer, _weather, _find)[int(rng.integers(3))](rng)]
  if num == 2:
    return [_weather(rng), _timer(rng)]
  found = _find(rng)
  # As many minutes as the first call brings.
  minutes = found.call["result"]["number"]
  later = _Ask(
    "set a timer for it",
    "set a timer for it",
    "set a timer for it",
    _call("timer", {"minutes": "$RESULT_0.number"}),
    f"timer set for {wording.number(minutes)} minutes",
  )
  return [found, _weather(rng), later]


def _call(
  name: str, arguments: dict[str, Any], **result: Any
) -> dict[str, Any]:
  made = {"tool": name, "args": arguments}
  return {**made, "result": result} if result else made


def _timer(rng: np.random.Generator) -> _Ask:
  wrong, right = (
    int(n) for n in rng.choice(np.arange(2, 20), 2, replace=False)
  )
  said = f"{wording.number(right)} minutes"
  return _Ask(
    f"set a timer for {said}",
    f"set a timer for {wording.number(wrong)} minutes",
    said,
    _call("timer", {"minutes": right}),
    f"timer set for {said}",
  )


def _weather(rng: np.random.Generator) -> _Ask:
  wrong, right = wording.some(rng, world.CITIES, 2)
  weather = wording.one(rng, world.WEATHER)
  form = "how is the weather in {}"
  return _Ask(
    form.format(right),
    form.format(wrong),
    f"in {right}",
    _call("weather", {"city": right}, weather=weather),
    f"it is {weather} in {right}",
  )


def _find(rng: np.random.Generator) -> _Ask:
  wrong, right = wording.some(rng, world.NAMES, 2)
  number = int(rng.integers(2, 20))
  form = "find the code of {}"
  return _Ask(
    form.format(right),
    form.format(wrong),
    f"of {right}",
    _call("find", {"code": right}, number=number),
    f"the code of {right} is {wording.number(number)}",
  )


def _lines(asked: list[_Ask], way: str) -> tuple[str, ...]:
  """What is said, in lines between which one pauses."""
  first, *rest = asked
  tail = tuple(f"and {one.text}" for one in rest)
  words = first.text.split()
  if way == "filler":
    return (" ".join([*words[:2], "uh", *words[2:]]), *tail)
  if way == "pause":
    return (" ".join(words[:3]), " ".join(words[3:]), *tail)
  if way == "hesitation":
    return (" ".join([*words[:2], *words[:2], *words[2:]]), *tail)
  if way == "false_start":
    return ("tell me the", first.text, *tail)
  return (first.wrong, f"no sorry {first.right}", *tail)


def _plan(lines: tuple[str, ...]) -> Plan:
  def lay(talk: Script) -> None:
    for line in range(len(lines)):
      talk.say(line, pause=0.7 if line else 0.4)

  return Plan(lines, lay)

"""Exchanges one after the other, at random times: a conversation."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from interaction_jax.data.synthetic import instruction, scene, sound
from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.data.synthetic.instruction import Instruction
from interaction_jax.data.synthetic.scenario import Scenario
from interaction_jax.data.synthetic.scenarios import SCENARIOS
from interaction_jax.data.synthetic.stage import Stage
from interaction_jax.data.synthetic.voices import Split
from interaction_jax.turns import clock

GAPS = (0.3, 2.0)
"""Between two exchanges, in seconds."""

_DRAWS = 10
"""Attempts to find one more exchange that still fits."""


@dataclasses.dataclass(frozen=True, eq=False)
class Conversation:
  """A user and the assistant for some turns.

  Attributes:
    room: where the user is.
    floor: the colour of the background that a camera shows; None: no camera.
    instruction: what the assistant is told before; None: nothing.
    labels: what happened in each exchange.
  """

  num_turns: int
  voice: str
  room: sound.Room
  floor: tuple[int, int, int] | None
  instruction: str | None
  stages: tuple[Stage, ...]
  labels: tuple[dict[str, Any], ...]


def conversation(
  bank: Bank,
  rng: np.random.Generator,
  *,
  num_turns: int,
  split: Split,
  shares: Mapping[str, float] | None = None,
  video: float = 0.4,
  instructed: float = 0.0,
) -> Conversation:
  """Draws exchanges until no more fit.

  Args:
    shares: of scenarios by name, where they are not the usual ones.
    video: share of conversations with a camera.
    instructed: share of conversations with an instruction, for models that
      have room for one.

  Raises:
    ValueError: the bank has no voices of the split, or there is no scenario
      of such a name.
  """
  users = bank.user_voices(split)
  if not users:
    raise ValueError(
      f"split={split!r}: the bank in {bank.path} has no voices of it; make a "
      "larger one."
    )
  voice = users[int(rng.integers(len(users)))]
  room = sound.draw(rng)
  seen = rng.random() < video
  floor = scene.FLOORS[rng.integers(len(scene.FLOORS))] if seen else None
  choice = _choice(shares or {}, seen)
  told = _told(rng, choice) if rng.random() < instructed else None
  stages, labels, after = [], [], 0
  memory = dict(told.memory) if told else {}
  while True:
    start = after + int(rng.uniform(*GAPS) * clock.SAMPLE_RATE)
    new_stage = functools.partial(
      Stage,
      bank,
      rng,
      split=split,
      voice=voice,
      start=start,
      seconds_left=clock.seconds(num_turns) - start / clock.SAMPLE_RATE - 1,
      memory=memory,
    )
    played = _next(new_stage, rng, num_turns, choice)
    if played is None:
      break
    name, done = played
    stages.append(done)
    labels.append(done.label(name))
    after, memory = done.end, done.memory
  return Conversation(
    num_turns,
    voice,
    room,
    floor,
    told.text if told else None,
    tuple(stages),
    tuple(labels),
  )


def _choice(
  shares: Mapping[str, float], seen: bool
) -> list[tuple[Scenario, float]]:
  """The scenarios that may come up, and how often."""
  unknown = sorted(set(shares) - set(SCENARIOS))
  if unknown:
    raise ValueError(
      f"shares name {unknown}, but the scenarios are {sorted(SCENARIOS)}."
    )
  return [
    (scenario, shares.get(name, scenario.share))
    for name, scenario in SCENARIOS.items()
    if shares.get(name, scenario.share) and (seen or not scenario.video)
  ]


def _told(
  rng: np.random.Generator, choice: list[tuple[Scenario, float]]
) -> Instruction:
  """An instruction that can be obeyed by what may come up."""
  names = {scenario.name for scenario, _ in choice}
  while True:
    drawn = instruction.draw(rng)
    if drawn.memory.get("next") in {None, *names}:
      return drawn


def _next(
  new_stage: Callable[[], Stage],
  rng: np.random.Generator,
  num_turns: int,
  choice: list[tuple[Scenario, float]],
) -> tuple[str, Stage] | None:
  """An exchange that is over before the conversation is, if one is found."""
  for _ in range(_DRAWS):
    stage = new_stage()
    fitting = [
      (one, share)
      for one, share in choice
      if stage.memory.get("next", one.name) == one.name
      and one.fits(stage.memory)
    ]
    if not fitting:
      return None
    weights = np.array([share for _, share in fitting])
    scenario, _ = fitting[rng.choice(len(fitting), p=weights / weights.sum())]
    scenario.play(stage)
    if stage.end + clock.SAMPLES <= num_turns * clock.SAMPLES:
      return scenario.name, stage
  return None

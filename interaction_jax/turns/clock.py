"""Time: every session advances in turns of 200 ms.

Turn j hears [200 j, 200 (j + 1)) ms; what it makes is audible one turn later,
while turn j + 1 is heard. Every time in an event is audible time.
"""

from typing import Final

TURN_MS: Final = 200
"""Length of a turn."""

SAMPLE_RATE: Final = 16_000
"""Of all audio inside the model, in Hz."""

SAMPLES: Final = SAMPLE_RATE * TURN_MS // 1000
"""W: samples of a turn, 3,200."""


def num_turns(num_samples: int) -> int:
  """Turns that cover a recording, the last one perhaps in part."""
  return -(-num_samples // SAMPLES)


def seconds(turn: int) -> float:
  """When a turn begins."""
  return turn * TURN_MS / 1000


def audible(turn: int) -> float:
  """When what a turn makes begins to be heard, in seconds."""
  return seconds(turn + 1)


def turn_at(time: float) -> int:
  """The turn during which `time`, in seconds, falls.

  Raises:
    ValueError: the time is before the session began.
  """
  if time < 0:
    raise ValueError(f"time={time} s is before the session began, at 0 s.")
  # Half a sample of slack keeps 0.6 s, which floats cannot hold, in turn 3.
  return int((time * SAMPLE_RATE + 0.5) // SAMPLES)

"""What a camera sees: simple things that come, go, jump and move.

    0 s        1          2          3          4
    .          .    *     .    *     .         *.         *     a red star
                    ^ first                     ^ jumps

Pictures are drawn for the moment, so a scene has any length and size.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8

from interaction_jax.turns import clock

PERIOD: Final = clock.SAMPLES // 2
"""Samples from one picture to the next: 100 ms."""

EVERY: Final = 2
"""A model sees at least one turn in so many; reactions wait for it."""

JUMP: Final = int(0.6 * clock.SAMPLE_RATE)
"""How long a jump takes, in samples."""

SWING: Final = int(1.1 * clock.SAMPLE_RATE)
"""How long it takes to move to one side, to the other, and back."""

COLOURS: Final = {
  "red": (205, 40, 40), "blue": (40, 70, 210), "green": (40, 150, 60),
  "yellow": (235, 215, 45), "white": (240, 240, 240), "black": (25, 25, 25),
  "orange": (235, 120, 20), "purple": (130, 50, 160),
}  # fmt: skip
"""Of things, in RGB."""

FLOORS: Final = ((150, 150, 150), (120, 140, 155), (165, 150, 125))
"""Of backgrounds; nothing has one of these colours."""

_SKIN: Final = (230, 180, 150)


@dataclasses.dataclass(frozen=True)
class Thing:
  """Something to be seen. Times are in samples of the episode.

  Attributes:
    shape: "ball", "box", "star", "cross" or "person".
    first, last: from when to when it is there.
    across: how far to the right its middle is, 0 to 1.
    size: of the height of the picture.
    jumps: when it begins to jump.
    moves: from when to when it goes to and fro, if it does.
  """

  shape: str
  colour: str
  first: int
  last: int
  across: float = 0.5
  size: float = 0.4
  jumps: tuple[int, ...] = ()
  moves: tuple[int, int] | None = None


def seen_turn(at: int) -> int:
  """The first turn in which the camera certainly shows what began at `at`.

  A turn's second picture is taken 100 ms into it, and only one turn in
  `EVERY` is seen.
  """
  first = max(0, -(-(at - PERIOD) // clock.SAMPLES))
  return -(-first // EVERY) * EVERY


def picture(
  things: Sequence[Thing],
  at: int,
  *,
  rows: int,
  columns: int,
  floor: tuple[int, int, int] = FLOORS[0],
) -> UInt8[np.ndarray, "_ _ 3"]:
  """What the camera sees at a moment, in samples."""
  drawn = np.empty((rows, columns, 3), np.uint8)
  drawn[:] = floor
  for thing in things:
    if thing.first <= at < thing.last:
      _paint(drawn, thing, at)
  return drawn


def _paint(drawn: np.ndarray, thing: Thing, at: int) -> None:
  rows, columns, _ = drawn.shape
  across, up = _place(thing, at)
  half = thing.size * rows / 2
  # Distances from the middle of the thing, in units of its half height.
  y = (np.arange(rows)[:, None] + 0.5 - (0.62 - up) * rows) / half
  x = (np.arange(columns)[None] + 0.5 - across * columns) / half
  drawn[_covers(thing.shape, x, y)] = COLOURS[thing.colour]
  if thing.shape == "person":
    drawn[x**2 + (y + 0.7) ** 2 < 0.09] = _SKIN


def _place(thing: Thing, at: int) -> tuple[float, float]:
  """How far to the right, and how high above the ground it is."""
  across, up = thing.across, 0.0
  for begin in thing.jumps:
    if begin <= at < begin + JUMP:
      up = 0.3 * np.sin(np.pi * (at - begin) / JUMP)
  if thing.moves and thing.moves[0] <= at < thing.moves[1]:
    phase = (at - thing.moves[0]) / SWING
    across += 0.22 * np.sin(2 * np.pi * phase)
  return across, float(up)


def _covers(
  shape: str, x: Float[np.ndarray, "1 _"], y: Float[np.ndarray, "_ 1"]
) -> np.ndarray:
  """Where a shape is, of half height 1 around the middle."""
  match shape:
    case "ball":
      return x**2 + y**2 < 1
    case "box":
      return (np.abs(x) < 0.85) & (np.abs(y) < 0.85)
    case "cross":
      thin = (np.abs(x) < 0.3) | (np.abs(y) < 0.3)
      return thin & (np.abs(x) < 1) & (np.abs(y) < 1)
    case "star":
      return np.sqrt(np.abs(x)) + np.sqrt(np.abs(y)) < 1.15
    case "person":
      # Shoulders and legs; the head is painted over them.
      return (np.abs(x) < 0.35 + 0.1 * (y > -0.35)) & (y > -0.4) & (y < 1)
  raise ValueError(
    f"shape={shape!r} cannot be drawn; ball, box, cross, star and person can."
  )

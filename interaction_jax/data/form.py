"""What rows of training look like: the part of a model that data must know."""

import dataclasses

from interaction_jax.turns import clock


@dataclasses.dataclass(frozen=True)
class Form:
  """The shape of episodes.

  Attributes:
    num_turns: J, the most turns that a row holds.
    positions: the most positions that the turns of a row take when packed; the
      row is cut where the next turn would not fit. None: as many as they take.
    max_start: the first turn of an episode is drawn from 0 to this.
    text_in: tokens a turn can read; more wait for the next one.
    text_out: U; more wait for the next turn.
    pinned: tokens of instructions that a row has room for.
    audio: A, positions of a turn's sound.
    hop, window, num_mels: of the fine mel, as in `ops/spectral.py`.
    delay: of the vocoder, in samples: its sound comes so much later than the
      mel it is made from.
    rows, columns: of pictures, in pixels; 0: the model sees nothing.
    patches: P, positions of a pair of pictures.
    every: turns from one pair of pictures to the next.

  Raises:
    ValueError: a number cannot be what it says.
  """

  num_turns: int = 80
  positions: int | None = None
  max_start: int = 0
  text_in: int = 8
  text_out: int = 6
  pinned: int = 0
  audio: int = 4
  hop: int = 160
  window: int = 640
  num_mels: int = 80
  delay: int = 0
  rows: int = 0
  columns: int = 0
  patches: int = 0
  every: int = 1

  def __post_init__(self):
    for name in ("num_turns", "text_in", "text_out", "audio", "every"):
      if getattr(self, name) < 1:
        raise ValueError(f"{name}={getattr(self, name)} must be 1 or more.")
    if self.text_out < 2:
      raise ValueError(
        f"text_out={self.text_out} has no room for a channel's name and a "
        "token; 6 is usual."
      )
    if clock.SAMPLES % self.hop:
      raise ValueError(
        f"hop={self.hop} does not divide a turn of {clock.SAMPLES} samples; "
        "160 does."
      )
    if not 0 <= self.delay < clock.SAMPLES:
      raise ValueError(
        f"delay={self.delay} must be from 0 to {clock.SAMPLES - 1} samples."
      )
    if bool(self.rows) != bool(self.columns):
      raise ValueError(
        f"rows={self.rows} and columns={self.columns} are no size of pictures."
      )
    if self.positions is not None and self.positions < self.least:
      raise ValueError(
        f"positions={self.positions} has no room for one full turn; "
        f"{self.least} is the least, 640 is usual."
      )

  @property
  def least(self) -> int:
    """Positions of instructions and of one turn that holds all it can."""
    turn = 1 + 2 * self.audio + self.text_in + self.text_out + self.patches
    return self.pinned + turn

  @property
  def room(self) -> int:
    """Positions that a row has, used or not."""
    if self.positions is not None:
      return self.positions
    return self.pinned + self.num_turns * (self.least - self.pinned)

  @property
  def pairs(self) -> int:
    """The most pairs of pictures that a row has room for."""
    seen = -(-self.num_turns // self.every)
    if self.positions is None or not self.patches:
      return seen
    return min(seen, self.positions // self.patches)

  @property
  def sees(self) -> bool:
    """Whether there are pictures."""
    return self.rows > 0

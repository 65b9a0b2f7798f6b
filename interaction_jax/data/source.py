"""A setting of data that a config file names; it imports nothing heavy."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Source:
  """Where rows come from.

  Attributes:
    path: a folder of records, or a speech bank, from which conversations are
      made as they are needed.
    weight: its share of the rows, relative to the others.

  Raises:
    ValueError: the weight is not positive.
  """

  path: str
  weight: float = 1.0

  def __post_init__(self):
    if not 0 < self.weight < float("inf"):
      raise ValueError(
        f"source {self.path}: weight={self.weight} must be above 0; 1.0 is "
        "usual."
      )

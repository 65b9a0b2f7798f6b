"""The alphabet: one letter for every dimension an array of ours may have.

Types (`Float[Array, "B T D"]`), einsums (`"BTD,DNH->BTNH"`), parameters
(`axes="D N H"`) and sharding tables (`{"D": "fsdp"}`) spell the same letters,
so one may be read from the other. A test rejects any letter not listed here.
"""

from typing import Final

LETTERS: Final[dict[str, str]] = {
  "A": "audio frames of a turn",
  "B": "sessions, or sequences of a batch",
  "C": "values of a patch",
  "D": "width of the model",
  "E": "routed experts",
  "F": "feed-forward width",
  "G": "query heads per key head",
  "H": "width of a head",
  "I": "inputs of a layer that is none of the others",
  "J": "turns",
  "K": "key heads",
  "L": "layers",
  "M": "mel channels",
  "N": "query heads",
  "O": "shared experts, which are always on",
  "P": "patches of a turn",
  "Q": "levels of a quantised mel value",
  "R": "features that choose a relative bias",
  "S": "positions remembered",
  "T": "positions of a block",
  "U": "text tokens of a turn",
  "V": "vocabulary",
  "W": "samples of a turn",
  "X": "experts chosen for a position",
  "Y": "distances a relative bias tells apart",
  "Z": "taps of a short convolution",
}


def check(axes: str) -> tuple[str, ...]:
  """Returns the letters of `axes`, such as `"D N H"`, one by one.

  Raises:
    ValueError: a word is not a letter of the alphabet.
  """
  letters = tuple(axes.split())
  for letter in letters:
    if letter not in LETTERS:
      raise ValueError(
        f"axes={axes!r}: {letter!r} is not a dimension; those of "
        f"core/dims.py are {' '.join(LETTERS)}."
      )
  return letters

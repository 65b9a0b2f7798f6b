"""Who speaks: many users, some of them kept for testing, and one assistant."""

from typing import Final, Literal

Split = Literal["train", "held_out"]

ASSISTANT: Final = "en-us+f2"
"""The voice of the model. No user has it."""

ASSISTANT_RATE: Final = 220
"""Words a minute; a comfortable one, at which most words take two turns."""

ASSISTANT_PITCH: Final = 50

_TRAIN: Final = {
  "en-us": "f1 f3 f4 m1 m2 m3 m4 Alicia Andy Annie adam belinda david edward",
  "en-gb-x-rp": "f1 f3 m1 m4 m5 m7 Lee anika john linda paul",
  "en-us-nyc": "f3 f4 m2 m3 Michael ed ian rob steph",
}

_HELD_OUT: Final = {
  "en-us": "f5 m6 Andrea robert",
  "en-gb-x-rp": "f5 m8 victor",
  "en-us-nyc": "m6 Gene",
}


def _names(table: dict[str, str]) -> tuple[str, ...]:
  return tuple(
    f"{language}+{variant}"
    for language, variants in table.items()
    for variant in variants.split()
  )


USERS: Final[dict[Split, tuple[str, ...]]] = {
  "train": _names(_TRAIN),
  "held_out": _names(_HELD_OUT),
}
"""The users' voices. No variant is in both splits, whatever its language."""

KLATT: Final = tuple(
  f"{language}+{variant}"
  for language, variant in (
    ("en-us", "klatt"),
    ("en-us", "klatt2"),
    ("en-us", "klatt4"),
    ("en-gb-x-rp", "klatt"),
    ("en-gb-x-rp", "klatt3"),
    ("en-us-nyc", "klatt5"),
  )
)
"""Voices of another kind, for tests alone: their sound comes from Klatt's
synthesiser, a source and a bank of resonators, not from the one of all other
voices, which adds up sines. What is pronounced, and how long, is the same.

Reference: Klatt 1980, doi:10.1121/1.383940.
"""

USER_RATES: Final = (135, 200)
"""From and to, in words a minute."""

USER_PITCHES: Final = (30, 70)
"""From and to."""

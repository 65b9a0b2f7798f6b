"""Who speaks: many users, some of them kept for testing, and one assistant."""

import zlib
from typing import Final, Literal

Split = Literal["train", "held_out"]

ASSISTANT: Final = "en-us+f2"
"""The voice of the model. No user has it."""

ASSISTANT_RATE: Final = 220
"""Words a minute; a comfortable one, at which most words take two turns."""

ASSISTANT_PITCH: Final = 50

_LANGUAGES: Final = ("en-us", "en-gb-x-rp", "en-us-nyc")

_VARIANTS: Final = (
  "f1 f3 f4 m1 m2 m3 m4 m5 m7 adam Alex Alicia Andy anika Annie announcer "
  "antonio aunty belinda benjamin boris caleb david Denis Diogo ed edward "
  "edward2 grandma grandpa gustave Henrique Hugo ian iven iven2 iven3 iven4 "
  "Jacky john kaukovalta Lee linda marcelo Marco Mario max Michael michel "
  "miguel Mike mike2 Nguyen norbert pablo paul pedro quincy Reed RicishayMax "
  "RicishayMax2 RicishayMax3 rob sandro shelby steph steph2 steph3 Storm "
  "travis zac"
)
"""All there are but those of no human kind, those that only test, and the
assistant's. Whoever learns from a few of them hears strangers badly."""

_TRAIN: Final[dict[str, str]] = {name: _VARIANTS for name in _LANGUAGES}

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

TRACTS: Final = (0.88, 1.14)
"""From and to, of voices that train; those that test are as they are."""


def tract(voice: str, split: Split) -> float:
  """How long somebody's vocal tract is, beside that of the plain voice.

  All of the speech is lower by as much, and slower. It belongs to the name: a
  speaker sounds alike all the time, and the three languages of a variant are
  three different people.
  """
  if split == "held_out":
    return 1.0
  low, high = TRACTS
  share = zlib.crc32(voice.encode()) / 2**32
  return low ** (1 - share) * high**share

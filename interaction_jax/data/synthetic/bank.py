"""Spoken clips on disk: those of many users, and the assistant's words.

    index.json      one entry a clip: where it lies and what is known of it
    000.pcm ...     16-bit samples at 16 kHz, one clip behind the other
    SHA256SUMS      of all of these, as `sha256sum -c` reads it

Synthesis is not the same to the bit from call to call, so a bank that is
lost cannot be made again; one of the same kind can.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.data.synthetic import voices

FORMAT: Final = 2
"""The version of what is written here."""

INDEX: Final = "index.json"
SUMS: Final = "SHA256SUMS"

ASSISTANT: Final = "words"
"""Stands where a phrase would: a word of the assistant."""


@dataclasses.dataclass(frozen=True)
class Clip:
  """A piece of speech. Times are in samples from its beginning.

  Attributes:
    phrase: that it was drawn from; "words" for the assistant's.
    words: what is said.
    onsets, ends: of each word.
    pause: the word before which the speaker pauses, if any.
    voice, rate, pitch: of the synthesiser.
    split: "train" or "held_out".
    tract: how much lower and slower it was made than the synthesiser speaks.
    shard, start, length: where the samples lie.
  """

  phrase: str
  words: tuple[str, ...]
  onsets: tuple[int, ...]
  ends: tuple[int, ...]
  pause: int | None
  voice: str
  rate: int
  pitch: int
  split: voices.Split
  tract: float = 1.0
  shard: str = ""
  start: int = 0
  length: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Bank:
  """The clips of a folder. Their samples are read when they are needed."""

  path: Path
  clips: tuple[Clip, ...]

  def samples(self, clip: Clip) -> Float[np.ndarray, " W"]:
    """The sound of a clip, from -1 to 1."""
    piece = self._shard(clip.shard)[clip.start : clip.start + clip.length]
    return piece.astype(np.float32) / 32768

  def user_voices(self, split: voices.Split) -> Sequence[str]:
    """Every voice of a split, in a fixed order."""
    return self._voices[split]

  def spoken_by(self, voice: str, phrase: str) -> Sequence[Clip]:
    """Every clip of a user for a phrase, in a fixed order."""
    return self._groups.get((voice, phrase), ())

  def spoken_in(self, split: voices.Split, phrase: str) -> Sequence[Clip]:
    """Every clip of all users of a split for a phrase, in a fixed order."""
    return self._groups.get((split, phrase), ())

  def word(self, word: str) -> Clip:
    """The assistant's clip of a word.

    Raises:
      ValueError: the assistant does not say it.
    """
    if word not in self._words:
      raise ValueError(
        f"word={word!r} is none of the {len(self._words)} that the assistant "
        f"says: {sorted(self._words)}."
      )
    return self._words[word]

  def _shard(self, name: str) -> np.ndarray:
    if name not in self._shards:
      self._shards[name] = np.memmap(self.path / name, np.int16, "r")
    return self._shards[name]

  @functools.cached_property
  def _shards(self) -> dict[str, np.ndarray]:
    return {}

  @functools.cached_property
  def _words(self) -> dict[str, Clip]:
    return {c.words[0]: c for c in self.clips if c.phrase == ASSISTANT}

  @functools.cached_property
  def _groups(self) -> dict[tuple[str, str], list[Clip]]:
    found: dict[tuple[str, str], list[Clip]] = {}
    for clip in self.clips:
      for whose in (clip.voice, clip.split):
        found.setdefault((whose, clip.phrase), []).append(clip)
    return found

  @functools.cached_property
  def _voices(self) -> dict[str, list[str]]:
    users = [clip for clip in self.clips if clip.phrase != ASSISTANT]
    return {
      split: sorted({clip.voice for clip in users if clip.split == split})
      for split in voices.USERS
    }


def load(path: str | Path, *, verify: bool = True) -> Bank:
  """Opens a bank.

  Args:
    verify: whether every byte is read and compared with the checksums.

  Raises:
    FileNotFoundError: there is no bank.
    ValueError: it has changed, or another version wrote it.
  """
  path = Path(path)
  for name in (INDEX, SUMS):
    if not (path / name).is_file():
      raise FileNotFoundError(f"path={path} is not a bank: it has no {name}.")
  if verify:
    _verify(path)
  index = json.loads((path / INDEX).read_text(encoding="utf-8"))
  if index.get("format") != FORMAT:
    raise ValueError(
      f"path={path} has format={index.get('format')!r}; this version of "
      f"interaction_jax reads format={FORMAT}."
    )
  return Bank(path, tuple(_clip(entry) for entry in index["clips"]))


def _clip(entry: dict[str, Any]) -> Clip:
  lists = {k: tuple(v) for k, v in entry.items() if isinstance(v, list)}
  return Clip(**{**entry, **lists})


def _verify(path: Path) -> None:
  for line in (path / SUMS).read_text(encoding="utf-8").splitlines():
    wanted, _, name = line.partition("  ")
    file = path / name
    if not file.is_file():
      raise ValueError(f"path={path} is damaged: {name} is missing.")
    if digest(file) != wanted:
      raise ValueError(
        f"path={path} is damaged: {name} is not what {SUMS} says."
      )


def digest(file: Path) -> str:
  """The SHA-256 of a file."""
  with file.open("rb") as stream:
    return hashlib.file_digest(stream, "sha256").hexdigest()

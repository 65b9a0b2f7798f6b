"""Makes banks: lets users and the assistant speak, and keeps what they said."""

import concurrent.futures
import dataclasses
import functools
import json
import multiprocessing
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from interaction_jax.data.synthetic import bank as banks
from interaction_jax.data.synthetic import synthesiser, voices, world
from interaction_jax.data.synthetic.bank import Bank, Clip
from interaction_jax.data.synthetic.scenarios import PHRASES
from interaction_jax.data.synthetic.voices import Split

_HELD_OUT_SHARE: Final = 0.15


def make(
  path: str | Path,
  *,
  seed: int,
  num_clips: int = 10_000,
  num_shards: int = 16,
  num_workers: int | None = None,
  num_voices: int | None = None,
  users: Mapping[Split, Sequence[str]] = voices.USERS,
) -> Bank:
  """Makes a bank in a new folder: users' clips and all the assistant's words.

  Args:
    num_clips: of users, of which about one in seven is held out. Every user
      has one for each phrase before any has a second.
    num_workers: processes; None: one for each core.
    num_voices: of users, in each split; None: all there are.
    users: the voices of each split; one of the two may have none.

  Raises:
    ImportError: the synthesiser is not installed.
    FileExistsError: the folder holds something already.
    ValueError: there are too few clips for that.
  """
  # Told here and not by a process that has been started.
  synthesiser.check_installed()
  path = Path(path)
  chosen: dict[Split, tuple[str, ...]] = {
    split: tuple(users[split][:num_voices]) for split in users
  }
  speakers = _Users(chosen)
  least = len(speakers.each)
  if num_clips < least:
    raise ValueError(
      f"num_clips={num_clips} must be {least} or more: one for each user and "
      "phrase."
    )
  path.mkdir(parents=True, exist_ok=True)
  if any(path.iterdir()):
    raise FileExistsError(f"path={path} is not empty; a bank wants a new one.")
  jobs = [
    (
      path / f"{shard:03d}.pcm",
      speakers,
      seed,
      range(shard, num_clips, num_shards),
    )
    for shard in range(num_shards)
  ]
  # A fork would inherit locks that other threads of this process hold.
  with concurrent.futures.ProcessPoolExecutor(
    num_workers or os.cpu_count(),
    mp_context=multiprocessing.get_context("spawn"),
  ) as pool:
    shards = list(pool.map(_make_users, *zip(*jobs, strict=True)))
  shards.append(_make_words(path / "words.pcm"))
  clips = [dataclasses.asdict(clip) for shard in shards for clip in shard]
  index = {"format": banks.FORMAT, "seed": seed, "clips": clips}
  (path / banks.INDEX).write_text(json.dumps(index), encoding="utf-8")
  lines = [
    f"{banks.digest(file)}  {file.name}\n" for file in sorted(path.iterdir())
  ]
  (path / banks.SUMS).write_text("".join(lines), encoding="utf-8")
  return banks.load(path)


@dataclasses.dataclass(frozen=True)
class _Users:
  """Who may speak.

  Attributes:
    voices: in each split.
  """

  voices: Mapping[Split, tuple[str, ...]]

  @functools.cached_property
  def each(self) -> tuple[tuple[Split, str, str], ...]:
    """Every user with every phrase."""
    return tuple(
      (split, voice, name)
      for split, voices in self.voices.items()
      for voice in voices
      for name in PHRASES
    )


def _make_users(
  file: Path, users: _Users, seed: int, numbers: Iterable[int]
) -> list[Clip]:
  made = (_make_user(users, seed, number) for number in numbers)
  return _write(file, made)


def _make_words(file: Path) -> list[Clip]:
  made = (
    _make_clip(
      banks.ASSISTANT,
      (word,),
      None,
      voices.ASSISTANT,
      voices.ASSISTANT_RATE,
      voices.ASSISTANT_PITCH,
      "train",
    )
    for word in world.WORDS
  )
  return _write(file, made)


def _make_user(
  users: _Users, seed: int, number: int
) -> tuple[Clip, np.ndarray]:
  """Draws who says what, and lets it be said."""
  rng = np.random.default_rng((seed, number))
  if number < len(users.each):
    split, voice, name = users.each[number]
  else:
    split = "held_out" if rng.random() < _HELD_OUT_SHARE else "train"
    if not users.voices[split]:
      split = "train" if split == "held_out" else "held_out"
    voice = str(rng.choice(users.voices[split]))
    shares = np.array([phrase.share for phrase in PHRASES.values()])
    name = str(rng.choice(list(PHRASES), p=shares / shares.sum()))
  request = PHRASES[name].request(rng, split)
  pause = None
  if request.pauses and rng.random() < 0.3:
    pause = int(rng.choice(request.pauses))
  return _make_clip(
    name,
    request.words,
    pause,
    voice,
    int(rng.integers(*voices.USER_RATES, endpoint=True)),
    int(rng.integers(*voices.USER_PITCHES, endpoint=True)),
    split,
    tract=voices.tract(voice, split),
  )


def _make_clip(
  phrase: str,
  words: tuple[str, ...],
  pause: int | None,
  voice: str,
  rate: int,
  pitch: int,
  split: Split,
  *,
  tract: float = 1.0,
) -> tuple[Clip, np.ndarray]:
  # A comma makes the synthesiser speak as one who has more to say.
  marked = [w + "," * (i + 1 == pause) for i, w in enumerate(words)]
  speech = synthesiser.speak(
    " ".join(marked), voice=voice, rate=rate, pitch=pitch
  )
  # Played more slowly than it was made: all resonances move together.
  slower = round(speech.sample_rate / tract)
  speech = synthesiser.resample(dataclasses.replace(speech, sample_rate=slower))
  first, last = _audible(speech.samples)
  places = np.cumsum([0] + [len(word) + 1 for word in marked])[:-1]
  known = {int(p): speech.onsets.get(int(p)) for p in places}
  onsets = [max(at - first, 0) for at in _filled(known, words, last)]
  samples = speech.samples[first:last]
  ends = [*onsets[1:], last - first]
  if pause is not None:
    # Other words end where the next begins; this one ends where it is still.
    before = samples[onsets[pause - 1] : onsets[pause]]
    ends[pause - 1] = onsets[pause - 1] + _audible(before)[1]
  clip = Clip(
    phrase,
    words,
    tuple(onsets),
    tuple(ends),
    pause,
    voice,
    rate,
    pitch,
    split,
    tract,
  )
  return clip, np.round(samples * 32767).astype(np.int16)


def _filled(
  known: dict[int, int | None], words: tuple[str, ...], last: int
) -> list[int]:
  """When each word begins, also those that were not announced.

  Small words melt into the next one ("was the"); such a pair shares its time
  by letters.
  """
  onsets = list(known.values())
  assert onsets[0] is not None, f"{words}: the first word was not announced"
  filled: list[int] = []
  for place, at in enumerate(onsets):
    if at is None:
      rest = onsets[place + 1 :]
      after = next((i for i, one in enumerate(rest) if one is not None), None)
      run = words[place - 1 : None if after is None else place + 1 + after]
      end = last if after is None else rest[after]
      assert end is not None
      share = len(run[0]) / sum(len(word) for word in run)
      at = filled[-1] + int(share * (end - filled[-1]))
    filled.append(at)
  return filled


def _audible(samples: np.ndarray) -> tuple[int, int]:
  """From and to where a sound is louder than a hundredth of its peak."""
  loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
  return int(loud[0]), int(loud[-1]) + 1


def _write(file: Path, made: Iterable[tuple[Clip, np.ndarray]]) -> list[Clip]:
  clips, start = [], 0
  with file.open("wb") as stream:
    for clip, samples in made:
      stream.write(samples.tobytes())
      clips.append(
        dataclasses.replace(
          clip, shard=file.name, start=start, length=len(samples)
        )
      )
      start += len(samples)
  return clips

"""What the user's microphone hears: speech in a room, noise, all levels."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from interaction_jax.data.synthetic.bank import Bank
from interaction_jax.data.synthetic.stage import Noise, Stage, Utterance
from interaction_jax.turns import clock


@dataclasses.dataclass(frozen=True, eq=False)
class Room:
  """Where the user is, for a whole episode.

  Attributes:
    level: of speech, root mean square, 1.0 the loudest possible.
    noise: the same of the noise.
    colour: 0 for white noise, towards 1 for darker.
    echo: answer of the room to a click, its first sample 1; None: no room.
    leak: how much of the assistant's voice the microphone picks up.
    leak_delay: how much later than it is made, in samples.
    drift_db: how much louder or quieter everything becomes until the end.
  """

  level: float
  noise: float
  colour: float
  echo: Float[np.ndarray, " I"] | None
  leak: float = 0.0
  leak_delay: int = 0
  drift_db: float = 0.0


def draw(rng: np.random.Generator) -> Room:
  """A room: speech at -35 to -15 dB, noise 5 to 35 dB below it.

  In a third of all rooms a loudspeaker plays the assistant 6 to 30 dB below
  the user; in as many the level changes by up to 8 dB.
  """
  level = 10 ** (rng.uniform(-35, -15) / 20)
  noise = level * 10 ** (-rng.uniform(5, 35) / 20)
  echo = _echo(rng) if rng.random() < 0.5 else None
  leaks, drifts = rng.random(2) < 1 / 3
  return Room(
    level,
    noise,
    rng.uniform(0, 0.97),
    echo,
    leak=level * 10 ** (-rng.uniform(6, 30) / 20) if leaks else 0.0,
    leak_delay=int(rng.uniform(0.01, 0.12) * clock.SAMPLE_RATE),
    drift_db=rng.uniform(-8, 8) if drifts else 0.0,
  )


def heard(
  bank: Bank,
  stages: Sequence[Stage],
  room: Room,
  rng: np.random.Generator,
  *,
  said: Float[np.ndarray, " W"],
) -> Float[np.ndarray, " W"]:
  """Everything the microphone hears, from -1 to 1, as long as `said`.

  Args:
    said: the assistant's voice, which a loudspeaker may play nearby.
  """
  total = len(said)
  out = room.noise * _noise(rng, total, room.colour)
  for stage in stages:
    for utterance in stage.utterances:
      level_db = rng.uniform(-3, 3) + utterance.level_db
      gain = room.level * 10 ** (level_db / 20)
      _add(out, utterance.at, gain * _say(bank, utterance, room))
    for noise in stage.noises:
      # A tone says something, so it is never lost in the noise.
      low = -10 if noise.pitch is None else -3
      gain = room.level * 10 ** (rng.uniform(low, 6) / 20)
      _add(out, noise.at, gain * _sound(rng, noise))
  if room.leak and said.any():
    _add(out, room.leak_delay, room.leak * _leaked(said, room))
  if room.drift_db:
    out *= 10 ** (np.linspace(0, room.drift_db, total, dtype=np.float32) / 20)
  return np.clip(out, -1, 1)


def _leaked(said: np.ndarray, room: Room) -> np.ndarray:
  """The assistant out of a loudspeaker, as loud as 1 where it speaks."""
  sound = said / np.sqrt(np.mean(np.square(said[said != 0])))
  return _in_room(sound, room)


def _say(bank: Bank, utterance: Utterance, room: Room) -> np.ndarray:
  clip = utterance.clip
  sound = bank.samples(clip)
  sound /= np.sqrt(np.mean(np.square(sound)))
  if clip.pause is not None:
    at = clip.ends[clip.pause - 1]
    silence = np.zeros(utterance.stretch, np.float32)
    sound = np.concatenate([sound[:at], silence, sound[at:]])
  return _in_room(sound, room)


def _in_room(sound: np.ndarray, room: Room) -> np.ndarray:
  if room.echo is None:
    return sound
  import scipy.signal

  return scipy.signal.oaconvolve(sound, room.echo).astype(np.float32)


def _sound(rng: np.random.Generator, noise: Noise) -> np.ndarray:
  if noise.pitch is None:
    return _burst(rng, noise.length)
  t = np.arange(noise.length, dtype=np.float32) / clock.SAMPLE_RATE
  tone = np.sin(2 * np.pi * noise.pitch * t).astype(np.float32)
  # Without a click at either end.
  edge = np.minimum(np.arange(noise.length), np.arange(noise.length)[::-1])
  return np.sqrt(2) * tone * np.minimum(edge / 80, 1).astype(np.float32)


def _echo(rng: np.random.Generator) -> np.ndarray:
  """Noise that dies away by 60 dB in 0.1 to 0.4 s, quieter than the voice."""
  seconds = rng.uniform(0.1, 0.4)
  length = int(seconds * clock.SAMPLE_RATE)
  decay = np.exp(-6.9 * np.arange(length) / length).astype(np.float32)
  echo = rng.standard_normal(length, np.float32) * decay
  # Nothing returns before 2 ms: 0.7 m there and back.
  echo[:32] = 0
  energy = 10 ** (rng.uniform(-18, -6) / 10)
  echo *= np.sqrt(energy / np.sum(np.square(echo)))
  echo[0] = 1
  return echo


def _noise(rng: np.random.Generator, length: int, colour: float) -> np.ndarray:
  import scipy.signal

  white = rng.standard_normal(length, np.float32)
  # y(t) = a y(t - 1) + √(1 - a²) x(t) keeps the variance at 1.
  new = np.array([np.sqrt(1 - colour**2)], np.float32)
  old = np.array([1, -colour], np.float32)
  return np.asarray(scipy.signal.lfilter(new, old, white))


def _burst(rng: np.random.Generator, length: int) -> np.ndarray:
  """A few knocks."""
  out = np.zeros(length, np.float32)
  for _ in range(rng.integers(1, 5)):
    knock = int(rng.uniform(0.02, 0.2) * clock.SAMPLE_RATE)
    decay = np.exp(-6.9 * np.arange(knock) / knock).astype(np.float32)
    at = int(rng.integers(0, length))
    _add(out, at, 3 * decay * _noise(rng, knock, rng.uniform(0, 0.97)))
  return out


def _add(out: np.ndarray, at: int, sound: np.ndarray) -> None:
  piece = sound[: max(len(out) - at, 0)]
  out[at : at + len(piece)] += piece

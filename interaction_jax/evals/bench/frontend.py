"""Sound to frames: our front ends beside librosa's and one in plain torch.

    log-mel   hop 160, window 400      what recognisers listen to
    dMel      hop 800, window 1600     what models here listen to, in levels

Each is given a minute at once, and 200 ms with the tail of those before. All
compute magnitudes, mel channels and logarithms, and how far their results lie
apart is told beside the times.
"""

import contextlib
import dataclasses
import functools
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import jax
import numpy as np
from jaxtyping import Float, Int, Num

from interaction_jax.evals.bench import timing
from interaction_jax.evals.bench.timing import Row, Task
from interaction_jax.model.config import AudioConfig
from interaction_jax.ops import spectral
from interaction_jax.turns import clock

LENGTHS: Final = {"minute": 60 * clock.SAMPLE_RATE, "200 ms": clock.SAMPLES}
"""Samples of what is heard at once."""

PEERS: Final = {
  "librosa": "librosa",
  "torch": "torch",
  "torch, 1 thread": "torch",
}
"""What there is to compare with, and the package that it needs."""


@dataclasses.dataclass(frozen=True)
class Work:
  """One way to look at sound.

  Attributes:
    rounded: whether frames are rounded to levels, as dMel.
  """

  name: str
  hop: int
  window: int
  rounded: bool


WORKS: Final = (
  Work("log-mel", hop=160, window=400, rounded=False),
  Work("dMel", hop=800, window=1600, rounded=True),
)

_AUDIO: Final = AudioConfig()
_LEVELS: Final = {
  "num_levels": _AUDIO.num_levels,
  "low": _AUDIO.low,
  "high": _AUDIO.high,
}

FrontEnd = Callable[[Float[np.ndarray, " W"]], Num[np.ndarray, "A M"]]
"""From the tail and the new samples, in one array, to frames or levels."""


def installed() -> tuple[str, ...]:
  """The peers that can be imported here."""
  return tuple(
    name for name, package in PEERS.items() if importlib.util.find_spec(package)
  )


def run(*, rounds: int, peers: Iterable[str] | None = None) -> list[Row]:
  """Times every front end at every work and length.

  Args:
    peers: of `PEERS`; None: those that are installed.
  """
  names = installed() if peers is None else tuple(peers)
  with _threads(names) as prepare:
    return [
      row
      for work in WORKS
      for length, num_samples in LENGTHS.items()
      for row in _compare(work, length, num_samples, prepare, rounds)
    ]


def ours(work: Work) -> dict[str, FrontEnd]:
  """The front ends of `ops/spectral.py`: the host's, and the device's."""
  return {
    "host": functools.partial(_host, work=work),
    "jitted": _jitted(work),
  }


def peer(name: str, work: Work) -> FrontEnd:
  """A peer's front end for the same work.

  Raises:
    ValueError: there is no such peer.
  """
  makers = {"librosa": _librosa, "torch": _torch}
  if name not in PEERS:
    raise ValueError(f"peer {name!r} is none of: {'; '.join(PEERS)}.")
  return makers[PEERS[name]](work)


def sound(num_samples: int, *, seed: int = 0) -> Float[np.ndarray, " W"]:
  """Tones and noise of changing loudness, from -1 to 1."""
  rng = np.random.default_rng(seed)
  shape = (-(-num_samples // 400), 1)
  cycles = 10.0 ** rng.uniform(-2, -0.4, shape) * np.arange(400)
  tone = np.sin(2 * np.pi * cycles) * 10.0 ** rng.uniform(-3, -0.4, shape)
  noise = rng.normal(size=tone.shape) * 10.0 ** rng.uniform(-3, -1.5, shape)
  samples = (tone + noise).reshape(-1)[:num_samples]
  return np.clip(samples, -1, 1).astype(np.float32)


@contextlib.contextmanager
def _threads(
  names: tuple[str, ...],
) -> Iterator[dict[str, Callable[[], None]]]:
  """What to do before each call of a peer; afterwards all is as before.

  Two threads are slower than one where others use the cores as well, so torch
  is given both chances.
  """
  prepare: dict[str, Callable[[], None]] = {name: _nothing for name in names}
  several = [name for name in names if PEERS.get(name) == "torch"]
  if not several:
    yield prepare
    return
  import torch

  usual = torch.get_num_threads()
  for name in several:
    num = 1 if name.endswith("1 thread") else usual
    prepare[name] = functools.partial(torch.set_num_threads, num)
  try:
    yield prepare
  finally:
    torch.set_num_threads(usual)


def _nothing() -> None:
  """Nothing is to be done."""


def _compare(
  work: Work,
  length: str,
  num_samples: int,
  prepare: dict[str, Callable[[], None]],
  rounds: int,
) -> list[Row]:
  """The rows of one work and one length: ours beside each peer."""
  heard = sound(work.window - work.hop + num_samples)
  own, others = ours(work), {name: peer(name, work) for name in prepare}
  tasks = {
    name: Task(
      functools.partial(_listen, front_end, heard), prepare.get(name, _nothing)
    )
    for name, front_end in (own | others).items()
  }
  times = timing.measure(tasks, rounds=rounds)
  rows = []
  for name, front_end in own.items():
    what = f"{work.name}, {length}, {name}"
    about = {"dtype": "float32", "batch": 1}
    for other, its in others.items():
      difference = _difference(front_end(heard), its(heard), work)
      rows.append(
        timing.row(
          what,
          times[name],
          **about,
          peer=other,
          peer_times=times[other],
          **difference,
        )
      )
    if not others:
      rows.append(timing.row(what, times[name], **about))
  return rows


def _listen(front_end: FrontEnd, heard: np.ndarray, _: None) -> np.ndarray:
  return front_end(heard)


def _difference(
  one: np.ndarray, other: np.ndarray, work: Work
) -> dict[str, Any]:
  """How far apart two results are.

  In levels rounding makes much of little, so beside the largest difference
  there is the share of values that differ at all.
  """
  if one.shape != other.shape:
    raise ValueError(
      f"{work.name} of shape {one.shape} and {other.shape} are not the same "
      "work."
    )
  apart = np.abs(one.astype(np.float64) - other)
  found: dict[str, Any] = {"max_difference": float(apart.max())}
  if work.rounded:
    found["differing"] = float((apart > 0).mean())
  return found


def _sizes(work: Work) -> dict[str, int]:
  return {
    "hop": work.hop,
    "window": work.window,
    "num_mels": _AUDIO.num_mels,
    "sample_rate": _AUDIO.sample_rate,
  }


def _host(heard: np.ndarray, *, work: Work) -> np.ndarray:
  before = work.window - work.hop
  state = spectral.Pending(heard[:before], heard[:0])
  _, frames = spectral.push(state, heard[before:], **_sizes(work))
  return spectral.quantize(frames, **_LEVELS) if work.rounded else frames


def _jitted(work: Work) -> FrontEnd:
  @jax.jit
  def program(tail, samples):
    _, frames = spectral.stream(tail, samples, **_sizes(work))
    return spectral.quantize(frames, **_LEVELS) if work.rounded else frames

  def front_end(heard: np.ndarray) -> np.ndarray:
    before = work.window - work.hop
    made = program(heard[None, :before], heard[None, before:])
    return np.asarray(made)[0]

  return front_end


def _librosa(work: Work) -> FrontEnd:
  import librosa

  def front_end(heard: np.ndarray) -> np.ndarray:
    mel = librosa.feature.melspectrogram(
      y=heard,
      sr=_AUDIO.sample_rate,
      n_fft=work.window,
      hop_length=work.hop,
      n_mels=_AUDIO.num_mels,
      power=1.0,
      center=False,
    )
    frames = np.log10(np.maximum(mel, spectral.FLOOR)).T
    return _rounded(frames) if work.rounded else frames

  return front_end


def _rounded(frames: Float[np.ndarray, "A M"]) -> Int[np.ndarray, "A M"]:
  step = (_AUDIO.high - _AUDIO.low) / (_AUDIO.num_levels - 1)
  places = np.rint((frames - _AUDIO.low) / step)
  return np.clip(places, 0, _AUDIO.num_levels - 1).astype(np.int32)


def _torch(work: Work) -> FrontEnd:
  import torch

  hann = torch.tensor(spectral.hann(work.window))
  filters = torch.tensor(
    spectral.mel_filters(
      window=work.window,
      num_mels=_AUDIO.num_mels,
      sample_rate=_AUDIO.sample_rate,
    )
  )
  step = (_AUDIO.high - _AUDIO.low) / (_AUDIO.num_levels - 1)

  @torch.inference_mode()
  def front_end(heard: np.ndarray) -> np.ndarray:
    frames = torch.from_numpy(heard).unfold(0, work.window, work.hop) * hann
    mel = torch.fft.rfft(frames).abs() @ filters
    frames = mel.clamp_(min=spectral.FLOOR).log10_()
    if work.rounded:
      frames.sub_(_AUDIO.low).div_(step).round_()
      frames = frames.clamp_(0, _AUDIO.num_levels - 1).to(torch.int32)
    return frames.numpy()

  return front_end

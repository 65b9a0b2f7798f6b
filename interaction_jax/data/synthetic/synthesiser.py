"""Speech from text: espeak-ng, loaded from the wheel that brings it along.

What it says is not the same to the bit from call to call; whatever has to be
the same again is kept as audio (see `bank.py`), or said by a new process that
calls `seed` first and says the same in the same order.
"""

import ctypes
import dataclasses
import functools
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.turns import clock


@dataclasses.dataclass(frozen=True, eq=False)
class Speech:
  """A text, spoken.

  Attributes:
    samples: from -1 to 1.
    sample_rate: of `samples`, in Hz.
    onsets: where the words begin that were announced, in samples, by the
      place of their first character in the text.
  """

  samples: Float[np.ndarray, " W"]
  sample_rate: int
  onsets: dict[int, int]


def speak(text: str, *, voice: str, rate: int, pitch: int) -> Speech:
  """Says `text`.

  Args:
    voice: a language, or a language and a variant: "en-us", "en-us+f2".
    rate: words a minute, 80 to 450.
    pitch: 0 to 99; the duration stays the same.

  Raises:
    ImportError: the wheel with the synthesiser is not installed.
    ValueError: there is no such voice, or a number is out of range.
  """
  _check(voice, rate, pitch)
  engine = _engine()
  # One voice, one rate and one buffer serve the whole process.
  with _LOCK:
    return engine.speak(text, voice, rate, pitch)


def seed(number: int) -> None:
  """Sets what the breath in a voice is drawn from.

  It is not all that a process remembers: the next words are the same only
  where the same was said before.

  Raises:
    ImportError: the wheel with the synthesiser is not installed.
  """
  with _LOCK:
    _engine().library.espeak_ng_SetRandSeed(ctypes.c_long(number))


def check_installed() -> None:
  """Sees whether anything can be said.

  Raises:
    ImportError: the wheel with the synthesiser is not installed.
  """
  _loader()


def resample(speech: Speech) -> Speech:
  """The same speech at the rate of everything inside the model."""
  import soxr

  samples = soxr.resample(speech.samples, speech.sample_rate, clock.SAMPLE_RATE)
  ratio = clock.SAMPLE_RATE / speech.sample_rate
  onsets = {place: round(at * ratio) for place, at in speech.onsets.items()}
  return Speech(samples.astype(np.float32), clock.SAMPLE_RATE, onsets)


@functools.cache
def languages() -> frozenset[str]:
  """What may stand before the "+" of a voice."""
  names = set()
  for file in (_data() / "lang").rglob("*"):
    if file.is_file():
      for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("language "):
          names.add(line.split()[1])
  return frozenset(names)


@functools.cache
def variants() -> frozenset[str]:
  """What may stand behind the "+" of a voice."""
  return frozenset(file.name for file in (_data() / "voices/!v").iterdir())


def _check(voice: str, rate: int, pitch: int) -> None:
  language, plus, variant = voice.partition("+")
  if language not in languages():
    raise ValueError(
      f"voice={voice!r}: there is no language {language!r}; those for English "
      f"are {sorted(n for n in languages() if n.split('-')[0] == 'en')}."
    )
  # The synthesiser itself takes any variant and speaks with the plain voice.
  if plus and variant not in variants():
    raise ValueError(
      f"voice={voice!r}: there is no variant {variant!r}; those there are: "
      f"{sorted(variants())}."
    )
  if not 80 <= rate <= 450:
    raise ValueError(f"rate={rate} must be from 80 to 450 words a minute.")
  if not 0 <= pitch <= 99:
    raise ValueError(f"pitch={pitch} must be from 0 to 99; 50 is usual.")


def _loader() -> Any:
  try:
    import espeakng_loader
  except ImportError as error:
    raise ModuleNotFoundError(
      "speech synthesis needs espeakng-loader, which comes with "
      "pip install 'interaction-jax[data]'.",
      name=error.name,
    ) from error
  return espeakng_loader


def _data() -> Path:
  return Path(_loader().get_data_path())


# Numbers of the library's C interface.
_SYNCHRONOUS: Final = 2
_DONT_EXIT: Final = 0x8000
_UTF8: Final = 1
_RATE: Final = 1
_PITCH: Final = 3
_LIST_TERMINATED: Final = 0
_WORD: Final = 1
_BY_CHARACTER: Final = 1

_LOCK = threading.Lock()


class _Event(ctypes.Structure):
  _fields_ = (
    ("type", ctypes.c_int),
    ("unique_identifier", ctypes.c_uint),
    ("text_position", ctypes.c_int),
    ("length", ctypes.c_int),
    ("audio_position", ctypes.c_int),
    ("sample", ctypes.c_int),
    ("user_data", ctypes.c_void_p),
    ("id", ctypes.c_void_p),
  )


_CALLBACK = ctypes.CFUNCTYPE(
  ctypes.c_int,
  ctypes.POINTER(ctypes.c_short),
  ctypes.c_int,
  ctypes.POINTER(_Event),
)


class _Engine:
  """The library, of which a process can hold one."""

  def __init__(self):
    self.library = ctypes.CDLL(_loader().get_library_path())
    self.sample_rate = self.library.espeak_Initialize(
      _SYNCHRONOUS, 0, str(_data()).encode(), _DONT_EXIT
    )
    if self.sample_rate <= 0:
      raise RuntimeError(
        f"espeak-ng did not start: it said {self.sample_rate} with the data "
        f"in {_data()}."
      )
    self.pieces: list[np.ndarray] = []
    self.onsets: dict[int, int] = {}
    # Held here, or it would be collected while the library still calls it.
    self.callback = _CALLBACK(self._receive)
    self.library.espeak_SetSynthCallback(self.callback)

  def speak(self, text: str, voice: str, rate: int, pitch: int) -> Speech:
    self.pieces, self.onsets = [np.zeros(0, np.int16)], {}
    self._do("SetVoiceByName", voice.encode())
    self._do("SetParameter", _RATE, rate, 0)
    self._do("SetParameter", _PITCH, pitch, 0)
    data = text.encode()
    self._do(
      "Synth", data, len(data) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None
    )
    samples = np.concatenate(self.pieces).astype(np.float32) / 32768
    return Speech(samples, self.sample_rate, dict(self.onsets))

  def _do(self, name: str, *args: Any) -> None:
    code = getattr(self.library, f"espeak_{name}")(*args)
    if code != 0:
      raise ValueError(f"espeak-ng refused {name}{args}: code {code}.")

  def _receive(self, samples: Any, count: int, events: Any) -> int:
    if samples and count > 0:
      piece = np.ctypeslib.as_array(samples, (count,))
      self.pieces.append(piece.copy())
    index = 0
    while events[index].type != _LIST_TERMINATED:
      event = events[index]
      if event.type == _WORD:
        self.onsets.setdefault(event.text_position - 1, event.sample)
      index += 1
    return 0


@functools.cache
def _engine() -> _Engine:
  return _Engine()

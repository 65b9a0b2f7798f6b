"""What was said, by somebody who only hears: recognisers of speech by name.

Each is a function from a sound at 16 kHz to words with times. What a model
writes itself is not among them: reports give it beside, never instead.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.core import settings
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.onsets import Span
from interaction_jax.turns import clock

_MARGIN_S: Final = 0.2
"""Sound around a stretch of voice that a recogniser hears, too."""


@dataclasses.dataclass(frozen=True)
class Recogniser:
  """One way to write down what is said.

  Attributes:
    about: what a report says of it.
    hear: the words of a sound at 16 kHz, in order.
  """

  name: str
  about: str
  hear: Callable[[Float[np.ndarray, " _"]], Sequence[Word]]


def listen(
  recogniser: Recogniser,
  sound: Float[np.ndarray, " _"],
  spans: Sequence[Span],
) -> list[Word]:
  """The words of each stretch of voice, one stretch after the other.

  Each is heard for itself, so that neither silence nor an earlier stretch
  changes what is understood; in silence there are no words.
  """
  words: list[Word] = []
  rate = clock.SAMPLE_RATE
  for place, (start, end) in enumerate(spans):
    before = spans[place - 1][1] if place else -np.inf
    after = spans[place + 1][0] if place + 1 < len(spans) else np.inf
    first = max(start - _MARGIN_S, (start + before) / 2, 0.0)
    last = min(end + _MARGIN_S, (end + after) / 2)
    part = sound[round(first * rate) : round(min(last * rate, len(sound)))]
    words += [
      dataclasses.replace(one, start=one.start + first, end=one.end + first)
      for one in recogniser.hear(part)
    ]
  return words


def _pocketsphinx(sound: Float[np.ndarray, " _"]) -> list[Word]:
  """Small, offline, and often wrong outside of clear English."""
  decoder, frame = _sphinx(), 0.01
  # It keeps track of noise from sound to sound; what was heard before must
  # not matter.
  decoder.reinit_feat()
  decoder.start_utt()
  decoder.process_raw(_pcm(sound).tobytes(), full_utt=True)
  decoder.end_utt()
  return [
    Word(one.word.split("(")[0], one.start_frame * frame, one.end_frame * frame)
    for one in decoder.seg() or ()
    if one.word[0] not in "<["
  ]


@functools.cache
def _sphinx() -> Any:
  import pocketsphinx

  # Loudness is measured in each sound alone. The limits make it three times
  # as fast, and not worse.
  return pocketsphinx.Decoder(
    samprate=clock.SAMPLE_RATE,
    loglevel="FATAL",
    cmn="batch",
    maxhmmpf=2000,
    maxwpf=10,
  )


def _whisper(sound: Float[np.ndarray, " _"]) -> list[Word]:
  segments, _ = _whisper_model().transcribe(
    np.asarray(sound, np.float32),
    language="en",
    word_timestamps=True,
    temperature=0.0,
    condition_on_previous_text=False,
  )
  return [
    Word(word.word.strip(), word.start, word.end)
    for segment in segments
    for word in segment.words or ()
  ]


@functools.cache
def _whisper_model() -> Any:
  import faster_whisper  # pyright: ignore[reportMissingImports]

  size = os.environ.get("INTERACTION_JAX_WHISPER", "small.en")
  return faster_whisper.WhisperModel(size, device="auto")


def _endpoint(sound: Float[np.ndarray, " _"]) -> list[Word]:
  """Whatever `OPENAI_BASE_URL` and `OPENAI_API_KEY` lead to."""
  import io

  import openai
  import soundfile

  file = io.BytesIO()
  soundfile.write(file, sound, clock.SAMPLE_RATE, format="WAV")
  file.seek(0)
  heard: Any = openai.OpenAI().audio.transcriptions.create(
    file=("sound.wav", file),
    model=os.environ.get("INTERACTION_JAX_RECOGNISER", "whisper-1"),
    response_format="verbose_json",
    timestamp_granularities=["word"],
  )
  return [Word(one.word, one.start, one.end) for one in heard.words or ()]


RECOGNISERS: Final[Mapping[str, Recogniser]] = {
  one.name: one
  for one in (
    Recogniser(
      "pocketsphinx",
      "small and offline; a weaker one than any published number was made with",
      _pocketsphinx,
    ),
    Recogniser("whisper", "faster-whisper", _whisper),
    Recogniser("endpoint", "an endpoint for transcriptions", _endpoint),
  )
}


def find(name: str) -> Recogniser:
  """A recogniser by name.

  Raises:
    ValueError: there is none of that name.
  """
  if name not in RECOGNISERS:
    raise ValueError(
      f"recogniser={name!r} is not known{settings.near(name, RECOGNISERS)}; "
      f"there is {', '.join(RECOGNISERS)}."
    )
  return RECOGNISERS[name]


def _pcm(sound: Float[np.ndarray, " _"]) -> np.ndarray:
  return np.clip(np.rint(sound * 32767), -32768, 32767).astype(np.int16)

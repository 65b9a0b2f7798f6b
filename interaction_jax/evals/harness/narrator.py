"""Speech for twins and baselines: the same bits from the same lines, always.

The synthesiser depends on all that a process has said before. So lines are
said by a process of their own, in order, from a fixed seed.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from interaction_jax.data.synthetic import synthesiser, voices
from interaction_jax.evals.harness.output import Word
from interaction_jax.turns import clock


@dataclasses.dataclass(frozen=True)
class Line:
  """A text, and who says it; see `synthesiser.speak`."""

  text: str
  voice: str = voices.ASSISTANT
  rate: int = voices.ASSISTANT_RATE
  pitch: int = voices.ASSISTANT_PITCH


@dataclasses.dataclass(frozen=True, eq=False)
class Spoken:
  """A line as sound.

  Attributes:
    sound: at 16 kHz.
    words: with times from the beginning of the line.
  """

  sound: Float[np.ndarray, " _"]
  words: tuple[Word, ...]

  @property
  def seconds(self) -> float:
    """How long it is."""
    return len(self.sound) / clock.SAMPLE_RATE


def speak(lines: Sequence[Line]) -> list[Spoken]:
  """Says lines; equal ones are said once.

  Raises:
    ValueError: there is no such voice, or the synthesiser refuses.
  """
  wanted = list(dict.fromkeys(lines))
  if not wanted:
    return []
  with tempfile.TemporaryDirectory() as folder:
    asked, made = Path(folder) / "lines.json", Path(folder) / "sounds.npz"
    asked.write_text(json.dumps([dataclasses.astuple(one) for one in wanted]))
    done = subprocess.run(
      [sys.executable, "-m", __name__, str(asked), str(made)],
      capture_output=True,
      text=True,
    )
    if done.returncode:
      raise ValueError(f"nothing was said: {done.stderr.strip()[-400:]}")
    with np.load(made) as file:
      sounds = [file[f"sound_{place}"] for place in range(len(wanted))]
      onsets = [json.loads(str(one)) for one in file["onsets"]]
  known = {
    line: Spoken(sound, _words(line.text, len(sound), marks))
    for line, sound, marks in zip(wanted, sounds, onsets, strict=True)
  }
  return [known[line] for line in lines]


def _words(
  text: str, num_samples: int, onsets: Sequence[Sequence[int]]
) -> tuple[Word, ...]:
  """The words that were announced, each until the next one."""
  marks = sorted((place, at) for place, at in onsets)
  if not marks and text.split():
    marks = [(0, 0)]
  places = [place for place, _ in marks] + [len(text)]
  times = [at / clock.SAMPLE_RATE for _, at in marks]
  times.append(num_samples / clock.SAMPLE_RATE)
  found = []
  for n, place in enumerate(places[:-1]):
    pieces = text[place : places[n + 1]].split()
    step = (times[n + 1] - times[n]) / max(len(pieces), 1)
    found += [
      Word(piece, times[n] + i * step, times[n] + (i + 1) * step)
      for i, piece in enumerate(pieces)
    ]
  return tuple(found)


def _main(asked: str, made: str) -> None:
  synthesiser.seed(0)
  arrays, onsets = {}, []
  for place, line in enumerate(json.loads(Path(asked).read_text())):
    text, voice, rate, pitch = line
    speech = synthesiser.resample(
      synthesiser.speak(text, voice=voice, rate=rate, pitch=pitch)
    )
    arrays[f"sound_{place}"] = speech.samples
    onsets.append(json.dumps(sorted(speech.onsets.items())))
  np.savez(made, onsets=np.array(onsets), **arrays)


if __name__ == "__main__":
  _main(*sys.argv[1:])

"""A session written down while it lasts, where both sides wanted it.

    input.wav      what came, at 16 kHz
    output.wav     the model's voice; a silent turn first
    events.jsonl   what happened

A server records nothing unless it was given a folder, and no session whose
client did not ask.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from interaction_jax.serve.driver import Said
from interaction_jax.turns import clock


class Tape:
  """The recording of one session."""

  def __init__(self, folder: Path):
    import soundfile

    folder.mkdir(parents=True)

    def wav(name: str) -> Any:
      rate = clock.SAMPLE_RATE
      return soundfile.SoundFile(folder / name, "w", rate, 1)

    self._input, self._output = wav("input.wav"), wav("output.wav")
    self._events = (folder / "events.jsonl").open("w")
    self._output.write(np.zeros(clock.SAMPLES, np.float32))

  def hear(self, samples: Float[np.ndarray, " I"]) -> None:
    """What the client said."""
    self._input.write(samples)

  def tell(self, said: Said) -> None:
    """What the model did in a turn."""
    self._output.write(said.turn.voice)
    self._events.writelines(event.to_json() + "\n" for event in said.events)

  def close(self) -> None:
    """Completes the files."""
    for file in (self._input, self._output, self._events):
      file.close()

"""Conversations with a model that is still in training, to be listened to.

Each time it is the same held-out conversation, in a folder as `talk` writes
it: `samples/00001000/stereo.wav`, `timeline.png` and the rest.
"""

import tempfile
from pathlib import Path
from typing import Final

import jax
import numpy as np
import soundfile

from interaction_jax.data.synthetic import bank as banks
from interaction_jax.data.synthetic import perform
from interaction_jax.evals import timeline
from interaction_jax.serve import models, recording
from interaction_jax.train.config import Experiment
from interaction_jax.turns import clock

SAMPLES: Final = "samples"
"""Below the folder of a run: where conversations lie."""


class Rehearsal:
  """Records a conversation every so many updates: `loop.train(on_save=)`."""

  def __init__(self, experiment: Experiment, workdir: str | Path):
    """Goes on with what the folder of the run holds.

    Raises:
      ValueError: `train.watch.sample_every` is set in a run of several
        processes.
    """
    self._experiment = experiment
    self._folder = Path(workdir) / SAMPLES
    every = experiment.train.watch.sample_every
    if every is not None and jax.process_count() > 1:
      raise ValueError(
        f"watch.sample_every={every}: a run of several processes records no "
        "conversations; talk --checkpoint WORKDIR/model does, beside it."
      )

  def __call__(self, step: int, model: Path) -> None:
    """Records one if it is due.

    Args:
      step: updates that the model has had.
      model: the folder of its checkpoint.
    """
    watch = self._experiment.train.watch
    if watch.sample_every is None:
      return
    done = [int(path.name) for path in self._folder.glob("[0-9]*")]
    if step // watch.sample_every <= max(done, default=0) // watch.sample_every:
      return
    self._record(model, self._folder / f"{step:08}", watch.sample_turns)

  def _record(self, model: Path, out: Path, num_turns: int) -> None:
    train = self._experiment.train
    bank = banks.load(train.data.bank, verify=False)
    talk = perform.record(
      bank,
      np.random.default_rng((train.seed, num_turns)),
      num_turns=num_turns,
      split="held_out",
      video=0.0,
    )
    typed = tuple(
      (text.at / clock.SAMPLE_RATE, text.text)
      for text in talk.text_in
      if text.speaker == "user"
    )
    with tempfile.TemporaryDirectory() as folder:
      sound = Path(folder) / "user.wav"
      soundfile.write(sound, talk.heard, clock.SAMPLE_RATE, subtype="FLOAT")
      recording.record(
        lambda: models.load(model, cache=models.cache()),
        recording.Request(sound=sound, texts=typed, seed=train.seed),
        out,
        finish=timeline.draw,
      )

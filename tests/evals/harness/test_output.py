import dataclasses

import numpy as np
import pytest

from interaction_jax.evals.harness import output
from interaction_jax.evals.harness.output import Output, Word
from interaction_jax.serve.events import Event

MADE = Output(
  np.linspace(-0.5, 0.5, 6400, dtype=np.float32),
  own=(Word("yes", 0.1, 0.25),),
  events=(Event(0.2, 0, "say", {"text": " yes"}),),
  turn_ms=(1.5, 2.25),
)


def test_what_was_written_is_read(tmp_path):
  assert not output.done(tmp_path, "clean_")
  output.write(tmp_path, "clean_", MADE)
  assert output.done(tmp_path, "clean_") and not output.done(tmp_path, "")
  read = output.read(tmp_path, "clean_", num_samples=8000)
  # Files hold 16 bits a sample.
  np.testing.assert_allclose(read.voice[:6400], MADE.voice, atol=2e-4)
  assert read.seconds == 0.5 and not read.voice[6400:].any()
  assert (read.own, read.events, read.turn_ms) == (
    MADE.own,
    MADE.events,
    MADE.turn_ms,
  )


def test_who_reacted_is_kept_beside(tmp_path):
  heard, told = np.full(3200, 0.25, np.float32), (Word("no", 0.0, 0.2),)
  output.write(tmp_path, "", dataclasses.replace(MADE, heard=heard, told=told))
  read = output.read(tmp_path, "", reacted=True)
  np.testing.assert_allclose(read.heard, heard, atol=2e-4)
  # The voice gets the length of what it was an answer to.
  assert read.told == told and len(read.voice) == 3200
  assert output.read(tmp_path, "").heard is None
  (tmp_path / "input.json").unlink()
  with pytest.raises(FileNotFoundError, match=r"input\.json"):
    output.read(tmp_path, "", reacted=True)


@pytest.mark.parametrize(
  ("file", "message"),
  [("own.json", "own.json is damaged"), ("events.jsonl", "1 is no event")],
)
def test_what_is_damaged_is_named(tmp_path, file, message):
  output.write(tmp_path, "", MADE)
  (tmp_path / file).write_text("{")
  with pytest.raises(ValueError, match=message):
    output.read(tmp_path, "")

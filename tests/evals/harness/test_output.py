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


@pytest.mark.parametrize(
  ("file", "message"),
  [("own.json", "own.json is damaged"), ("events.jsonl", "1 is no event")],
)
def test_what_is_damaged_is_named(tmp_path, file, message):
  output.write(tmp_path, "", MADE)
  (tmp_path / file).write_text("{")
  with pytest.raises(ValueError, match=message):
    output.read(tmp_path, "")

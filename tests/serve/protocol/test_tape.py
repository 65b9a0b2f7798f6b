import json

import numpy as np
import pytest
import soundfile

from interaction_jax.serve.protocol.tape import Tape


def test_both_sides_are_written_down(made, tmp_path):
  tape = Tape(tmp_path / "one")
  tape.hear(np.full(100, 0.5, np.float32))
  tape.tell(made(0, say="hi"))
  tape.close()
  heard, rate = soundfile.read(tmp_path / "one" / "input.wav")
  assert rate == 16_000 and heard == pytest.approx(np.full(100, 0.5), abs=1e-4)
  assert soundfile.info(tmp_path / "one" / "output.wav").frames == 6400
  (line,) = (tmp_path / "one" / "events.jsonl").read_text().splitlines()
  assert json.loads(line)["payload"] == {"text": "hi"}

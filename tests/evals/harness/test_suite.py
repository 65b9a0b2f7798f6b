import json

import numpy as np

from interaction_jax.evals.harness import suite as suites
from interaction_jax.evals.harness.output import Word
from interaction_jax.evals.harness.suite import Reply
from interaction_jax.serve.events import Event


def test_a_reply_is_read_by_channel():
  reply = Reply(
    seconds=1.0,
    words=(Word("two", 0.1, 0.2), Word("cats", 0.3, 0.5)),
    spans=((0.1, 0.5),),
    events=(
      Event(0.2, 0, "say", {"text": " two"}),
      Event(0.2, 0, "call", {"text": '{"tool":'}),
      Event(0.4, 1, "call", {"text": '"x"}'}),
    ),
    sound=lambda: np.zeros(16_000, np.float32),
  )
  assert reply.text == "two cats"
  assert reply.written("call") == '{"tool":"x"}' and not reply.written("show")


def test_a_file_of_a_twin_is_json(tmp_path):
  suites.write_json(tmp_path / "a" / "b.json", {"é": [1]})
  text = (tmp_path / "a" / "b.json").read_text()
  assert json.loads(text) == {"é": [1]} and "é" in text
